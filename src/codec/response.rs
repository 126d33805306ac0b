//! Responses to and from their JSON text.

use bytes::Bytes;
use distro_core::ids::{ClientId, RequestId, Str};
use distro_core::message::internal::ServerCheckResponse;
use distro_core::message::naming::{InstanceOperation, ServiceListResponse};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Response, ResponseBody};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cluster::{MemberIn, MemberOut, MetricsWire};
use super::naming::{BATCH_REGISTER, ServiceInfoIn, ServiceInfoOut};
use super::{DecodeError, Ends, Payload, clipped, distro, from_json, to_json};
use std::sync::Arc;

/// The fields of every response around those of its type, in Jackson's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out<'a, T> {
    result_code: i32,
    error_code: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(flatten)]
    body: T,
    success: bool,
}

#[derive(Serialize)]
struct NoBody {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricsOut {
    loader_metrics: MetricsWire,
}

#[derive(Serialize)]
struct OperationOut<T> {
    #[serde(rename = "type")]
    operation: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    service_info: Option<ServiceInfoOut<'a>>,
}

#[derive(Serialize)]
struct NodeOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<MemberOut<'a>>,
}

/// The payload of a response. `id` is written into the body where the carrier has no correlation
/// id of its own, or the other end expects the echo (what clients answer to their server).
pub fn encode_response(response: &Response, id: Option<RequestId>, ends: &Ends) -> Payload {
    fn text<T: Serialize>(response: &Response, id: Option<RequestId>, body: T) -> Vec<u8> {
        to_json(&Out {
            result_code: response.result_code,
            error_code: response.error_code,
            message: response.message.as_deref(),
            request_id: id.map(|id| id.0.to_string()),
            body,
            success: response.is_ok(),
        })
    }
    let body = match &response.body {
        ResponseBody::Error
        | ResponseBody::HealthCheck
        | ResponseBody::ClientDetection
        | ResponseBody::ConnectReset
        | ResponseBody::ServerReload
        | ResponseBody::NotifySubscriber
        | ResponseBody::NamingFuzzyWatch
        | ResponseBody::NamingFuzzyWatchChangeNotify
        | ResponseBody::Unsupported(_) => text(response, id, NoBody {}),
        ResponseBody::ServerCheck(check) => text(response, id, &**check),
        ResponseBody::ServerLoaderInfo(metrics) => text(
            response,
            id,
            MetricsOut {
                loader_metrics: (*metrics).into(),
            },
        ),
        ResponseBody::Instance(operation) => text(
            response,
            id,
            OperationOut {
                operation: *operation,
            },
        ),
        ResponseBody::BatchInstance => text(
            response,
            id,
            OperationOut {
                operation: BATCH_REGISTER,
            },
        ),
        ResponseBody::SubscribeService(info) | ResponseBody::QueryService(info) => {
            let service_info = info.as_deref().map(ServiceInfoOut::from);
            text(response, id, ServiceOut { service_info })
        }
        ResponseBody::ServiceList(list) => text(response, id, &**list),
        ResponseBody::DistroData(data) => text(response, id, distro::encode_response(data, ends)),
        ResponseBody::MemberReport(member) => text(
            response,
            id,
            NodeOut {
                node: member.as_deref().map(MemberOut::from),
            },
        ),
    };
    Payload {
        type_name: Str::from(response.body.type_name()),
        client_ip: Str::from(""),
        body: Bytes::from(body),
    }
}

/// The fields of every response. A missing result code is a failure: Nacos's own field starts
/// at 200, but every SDK writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseIn {
    result_code: Option<i32>,
    error_code: Option<i32>,
    message: Option<Str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckIn {
    connection_id: Option<ClientId>,
    support_ability_negotiation: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetricsIn {
    loader_metrics: Option<MetricsWire>,
}

#[derive(Deserialize)]
struct OperationIn {
    #[serde(rename = "type")]
    operation: Option<InstanceOperation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceIn {
    service_info: Option<ServiceInfoIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListIn {
    count: Option<i32>,
    service_names: Option<Vec<Str>>,
}

#[derive(Deserialize)]
struct NodeIn {
    node: Option<MemberIn>,
}

/// The response in a payload.
///
/// # Errors
/// Nothing was understood: no response has this type, or the body does not parse.
pub fn decode_response(payload: &Payload) -> Result<Response, DecodeError> {
    let known = body(payload).map_err(DecodeError::Malformed)?;
    let Some(body) = known else {
        return Err(DecodeError::UnknownType(clipped(&payload.type_name)));
    };
    let base: BaseIn = from_json(&payload.body).map_err(DecodeError::Malformed)?;
    Ok(Response {
        result_code: base.result_code.unwrap_or(distro_core::message::code::FAIL),
        error_code: base.error_code.unwrap_or(0),
        message: base.message,
        body,
    })
}

fn body(payload: &Payload) -> Result<Option<ResponseBody>, Str> {
    fn read<T: DeserializeOwned>(payload: &Payload) -> Result<T, Str> {
        from_json(&payload.body)
    }
    let info = || -> Result<_, Str> {
        let wire: ServiceIn = read(payload)?;
        Ok(wire.service_info.map(|info| Arc::new(info.into())))
    };
    Ok(Some(match &*payload.type_name {
        "ErrorResponse" => ResponseBody::Error,
        "HealthCheckResponse" => ResponseBody::HealthCheck,
        "ClientDetectionResponse" => ResponseBody::ClientDetection,
        "ConnectResetResponse" => ResponseBody::ConnectReset,
        "ServerReloadResponse" => ResponseBody::ServerReload,
        "NotifySubscriberResponse" => ResponseBody::NotifySubscriber,
        "NamingFuzzyWatchResponse" => ResponseBody::NamingFuzzyWatch,
        // Java answers both requests with the first; the second exists beside it and says the same.
        "NamingFuzzyWatchChangeNotifyResponse" | "NamingFuzzyWatchSyncResponse" => {
            ResponseBody::NamingFuzzyWatchChangeNotify
        }
        "BatchInstanceResponse" => ResponseBody::BatchInstance,
        "ServerCheckResponse" => {
            let wire: CheckIn = read(payload)?;
            ResponseBody::ServerCheck(Box::new(ServerCheckResponse {
                connection_id: wire.connection_id.unwrap_or_else(|| ClientId::new("")),
                support_ability_negotiation: wire.support_ability_negotiation.unwrap_or(false),
            }))
        }
        "ServerLoaderInfoResponse" => {
            let wire: MetricsIn = read(payload)?;
            ResponseBody::ServerLoaderInfo(wire.loader_metrics.unwrap_or_default().into())
        }
        "InstanceResponse" => {
            let wire: OperationIn = read(payload)?;
            // A failure before the operation was looked at carries none.
            ResponseBody::Instance(wire.operation.unwrap_or(InstanceOperation::Register))
        }
        "SubscribeServiceResponse" => ResponseBody::SubscribeService(info()?),
        "QueryServiceResponse" => ResponseBody::QueryService(info()?),
        "ServiceListResponse" => {
            let wire: ListIn = read(payload)?;
            ResponseBody::ServiceList(Box::new(ServiceListResponse {
                count: wire.count.unwrap_or(0),
                service_names: wire.service_names.unwrap_or_default(),
            }))
        }
        "DistroDataResponse" => ResponseBody::DistroData(distro::decode_response(read(payload)?)?),
        "MemberReportResponse" => {
            let wire: NodeIn = read(payload)?;
            let node = wire
                .node
                .map(|node| node.try_into().map(Box::new))
                .transpose()?;
            ResponseBody::MemberReport(node)
        }
        other => match Unsupported::of_response(other) {
            Some(which) => ResponseBody::Unsupported(which),
            None => return Ok(None),
        },
    }))
}
