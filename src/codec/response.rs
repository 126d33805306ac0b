//! Responses to and from their JSON text.

use std::sync::Arc;

use bytes::Bytes;
use distro_core::ids::{ClientId, RequestId, Str};
use distro_core::message::cluster::{LoaderMetrics, Member};
use distro_core::message::distro::DistroDataResponse;
use distro_core::message::internal::ServerCheckResponse;
use distro_core::message::naming::{InstanceOperation, ServiceInfo, ServiceListResponse};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{AnswerType, Response, ResponseBody, code};
use serde::{Deserialize, Serialize};

use super::cluster::{MemberIn, MemberOut, MetricsWire};
use super::dispatch::{AnswerText, answer_text, read_answer};
use super::naming::{BATCH_REGISTER, ServiceInfoIn, ServiceInfoOut};
use super::{DecodeError, Ends, Payload, clipped, distro, from_json, to_json};

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

/// No content.
#[derive(Serialize)]
pub(super) struct NoBody {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricsOut {
    loader_metrics: MetricsWire,
}

#[derive(Serialize)]
pub(super) struct OperationOut<T> {
    #[serde(rename = "type")]
    operation: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    service_info: Option<ServiceInfoOut<'a>>,
}

#[derive(Serialize)]
pub(super) struct NodeOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<MemberOut<'a>>,
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

/// JSON text of a response with this content.
pub(super) fn text<T: Serialize>(response: &Response, id: Option<RequestId>, body: T) -> Vec<u8> {
    to_json(&Out {
        result_code: response.result_code,
        error_code: response.error_code,
        message: response.message.as_deref(),
        request_id: id.map(|id| id.0.to_string()),
        body,
        success: response.is_ok(),
    })
}

/// What Nacos writes into an answer that has no content: the only operation that there is.
pub(super) fn fixed(of: AnswerType) -> Option<OperationOut<&'static str>> {
    let operation = BATCH_REGISTER;
    (of == AnswerType::BatchInstance).then_some(OperationOut { operation })
}

impl AnswerText for Box<ServerCheckResponse> {
    type Out<'a> = &'a ServerCheckResponse;
    fn out<'a>(&'a self, _: &Ends) -> &'a ServerCheckResponse {
        self
    }
    fn read(body: &[u8]) -> Result<Box<ServerCheckResponse>, Str> {
        let wire: CheckIn = from_json(body)?;
        Ok(Box::new(ServerCheckResponse {
            connection_id: wire.connection_id.unwrap_or_else(|| ClientId::new("")),
            support_ability_negotiation: wire.support_ability_negotiation.unwrap_or(false),
        }))
    }
}

impl AnswerText for LoaderMetrics {
    type Out<'a> = MetricsOut;
    fn out(&self, _: &Ends) -> MetricsOut {
        MetricsOut {
            loader_metrics: (*self).into(),
        }
    }
    fn read(body: &[u8]) -> Result<LoaderMetrics, Str> {
        let wire: MetricsIn = from_json(body)?;
        Ok(wire.loader_metrics.unwrap_or_default().into())
    }
}

impl AnswerText for InstanceOperation {
    type Out<'a> = OperationOut<InstanceOperation>;
    fn out(&self, _: &Ends) -> OperationOut<InstanceOperation> {
        OperationOut { operation: *self }
    }
    fn read(body: &[u8]) -> Result<InstanceOperation, Str> {
        // A failure before the operation was looked at carries none.
        let wire: OperationIn = from_json(body)?;
        Ok(wire.operation.unwrap_or_default())
    }
}

impl AnswerText for Option<Arc<ServiceInfo>> {
    type Out<'a> = ServiceOut<'a>;
    fn out<'a>(&'a self, _: &Ends) -> ServiceOut<'a> {
        let service_info = self.as_deref().map(ServiceInfoOut::from);
        ServiceOut { service_info }
    }
    fn read(body: &[u8]) -> Result<Option<Arc<ServiceInfo>>, Str> {
        let wire: ServiceIn = from_json(body)?;
        Ok(wire.service_info.map(|info| Arc::new(info.into())))
    }
}

impl AnswerText for Box<ServiceListResponse> {
    type Out<'a> = &'a ServiceListResponse;
    fn out<'a>(&'a self, _: &Ends) -> &'a ServiceListResponse {
        self
    }
    fn read(body: &[u8]) -> Result<Box<ServiceListResponse>, Str> {
        let wire: ListIn = from_json(body)?;
        Ok(Box::new(ServiceListResponse {
            count: wire.count.unwrap_or(0),
            service_names: wire.service_names.unwrap_or_default(),
        }))
    }
}

impl AnswerText for DistroDataResponse {
    type Out<'a> = distro::ResponseWire;
    fn out(&self, ends: &Ends) -> distro::ResponseWire {
        distro::encode_response(self, ends)
    }
    fn read(body: &[u8]) -> Result<DistroDataResponse, Str> {
        distro::decode_response(from_json(body)?)
    }
}

impl AnswerText for Option<Box<Member>> {
    type Out<'a> = NodeOut<'a>;
    fn out<'a>(&'a self, _: &Ends) -> NodeOut<'a> {
        NodeOut {
            node: self.as_deref().map(MemberOut::from),
        }
    }
    fn read(body: &[u8]) -> Result<Option<Box<Member>>, Str> {
        let wire: NodeIn = from_json(body)?;
        let node = wire.node.map(|node| node.try_into().map(Box::new));
        node.transpose()
    }
}

/// The payload of a response. `id` is written into the body where the carrier has no correlation
/// id of its own, or the other end expects the echo (what clients answer to their server).
pub fn encode_response(response: &Response, id: Option<RequestId>, ends: &Ends) -> Payload {
    Payload {
        type_name: Str::from(response.body.type_name()),
        client_ip: Str::from(""),
        body: Bytes::from(answer_text(response, id, ends)),
    }
}

/// The response in a payload.
///
/// # Errors
/// Nothing was understood: no response has this type, or the body does not parse.
pub fn decode_response(payload: &Payload) -> Result<Response, DecodeError> {
    let name = &*payload.type_name;
    let body = match (AnswerType::from_name(name), Unsupported::of_response(name)) {
        (Some(of), _) => read_answer(of, &payload.body).map_err(DecodeError::Malformed)?,
        (None, Some(which)) => ResponseBody::Unsupported(which),
        (None, None) => return Err(DecodeError::UnknownType(clipped(name))),
    };
    let base: BaseIn = from_json(&payload.body).map_err(DecodeError::Malformed)?;
    Ok(Response {
        result_code: base.result_code.unwrap_or(code::FAIL),
        error_code: base.error_code.unwrap_or(0),
        message: base.message,
        body,
    })
}
