//! Watching the names of services by a pattern (Nacos fuzzy watch).

use distro_core::ids::{RequestId, Str};
use distro_core::message::fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
    ServiceChange, SyncType, WatchType,
};
use distro_core::message::naming::ServiceKey;
use serde::{Deserialize, Serialize};

use super::{NoHeaders, clipped, or_empty};

const RESOURCE_CHANGED: &str = "FUZZY_WATCH_RESOURCE_CHANGED";
const WATCH: &str = "WATCH";
const CANCEL: &str = "CANCEL_WATCH";

/// A service as Nacos joins it: `namespace@@group@@name`.
fn service_key(text: &str) -> Result<ServiceKey, Str> {
    let mut parts = text.splitn(3, "@@");
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(group), Some(name)) => Ok(ServiceKey {
            namespace: Str::from(namespace),
            group: Str::from(group),
            name: Str::from(name),
        }),
        _ => {
            let text = format!("{text:?} is no service, it should be namespace@@group@@service");
            Err(clipped(&text))
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WatchOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    group_key_pattern: &'a str,
    received_group_keys: Vec<String>,
    watch_type: &'static str,
    initializing: bool,
    module: &'static str,
}

impl<'a> From<&'a NamingFuzzyWatchRequest> for WatchOut<'a> {
    fn from(request: &'a NamingFuzzyWatchRequest) -> WatchOut<'a> {
        let namespace = request.pattern.split(">>").next();
        WatchOut {
            headers: NoHeaders::new(),
            namespace: namespace.unwrap_or(""),
            group_key_pattern: &request.pattern,
            received_group_keys: request.received.iter().map(ServiceKey::to_string).collect(),
            watch_type: match request.watch_type {
                WatchType::Watch => WATCH,
                WatchType::Cancel => CANCEL,
            },
            initializing: request.initializing,
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WatchIn {
    group_key_pattern: Option<Str>,
    received_group_keys: Option<Vec<Str>>,
    watch_type: Option<Str>,
    initializing: Option<bool>,
}

impl TryFrom<WatchIn> for NamingFuzzyWatchRequest {
    type Error = Str;
    fn try_from(wire: WatchIn) -> Result<NamingFuzzyWatchRequest, Str> {
        let watch_type = match wire.watch_type.as_deref().unwrap_or("") {
            WATCH => WatchType::Watch,
            CANCEL => WatchType::Cancel,
            other => return Err(clipped(&format!("Unsupported request type {other}"))),
        };
        let received = wire.received_group_keys.unwrap_or_default();
        Ok(NamingFuzzyWatchRequest {
            pattern: or_empty(wire.group_key_pattern),
            received: received
                .iter()
                .map(|key| service_key(key))
                .collect::<Result<_, _>>()?,
            watch_type,
            initializing: wire.initializing.unwrap_or(false),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContextOut {
    service_key: String,
    changed_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncOut<'a> {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    sync_type: &'static str,
    group_key_pattern: &'a str,
    contexts: Vec<ContextOut>,
    total_batch: u32,
    current_batch: u32,
    module: &'static str,
}

impl<'a> SyncOut<'a> {
    pub(super) fn new(
        request: &'a NamingFuzzyWatchSyncRequest,
        id: Option<RequestId>,
    ) -> SyncOut<'a> {
        let context = |(service, change): &(ServiceKey, ServiceChange)| ContextOut {
            service_key: service.to_string(),
            changed_type: change.name(),
        };
        SyncOut {
            headers: NoHeaders::new(),
            request_id: id.map(|id| id.0.to_string()),
            sync_type: request.sync_type.name(),
            group_key_pattern: &request.pattern,
            contexts: request.contexts.iter().map(context).collect(),
            total_batch: request.total_batch,
            current_batch: request.current_batch,
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextIn {
    service_key: Str,
    changed_type: Str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncIn {
    sync_type: Str,
    group_key_pattern: Option<Str>,
    contexts: Option<Vec<ContextIn>>,
    total_batch: Option<u32>,
    current_batch: Option<u32>,
}

fn change(name: &str) -> Result<ServiceChange, Str> {
    ServiceChange::from_name(name).ok_or_else(|| clipped(&format!("unknown changedType {name}")))
}

impl TryFrom<SyncIn> for NamingFuzzyWatchSyncRequest {
    type Error = Str;
    fn try_from(wire: SyncIn) -> Result<NamingFuzzyWatchSyncRequest, Str> {
        let unknown = || clipped(&format!("unknown syncType {}", wire.sync_type));
        let sync_type = SyncType::from_name(&wire.sync_type).ok_or_else(unknown)?;
        let contexts = wire.contexts.unwrap_or_default().into_iter();
        let contexts = contexts
            .map(|one| Ok::<_, Str>((service_key(&one.service_key)?, change(&one.changed_type)?)));
        Ok(NamingFuzzyWatchSyncRequest {
            pattern: or_empty(wire.group_key_pattern),
            sync_type,
            contexts: contexts.collect::<Result<_, _>>()?,
            total_batch: wire.total_batch.unwrap_or(0),
            current_batch: wire.current_batch.unwrap_or(0),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeOut {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    sync_type: &'static str,
    service_key: String,
    changed_type: &'static str,
    module: &'static str,
}

impl ChangeOut {
    pub(super) fn new(
        request: &NamingFuzzyWatchChangeNotifyRequest,
        id: Option<RequestId>,
    ) -> ChangeOut {
        ChangeOut {
            headers: NoHeaders::new(),
            request_id: id.map(|id| id.0.to_string()),
            sync_type: RESOURCE_CHANGED,
            service_key: request.service.to_string(),
            changed_type: request.change.name(),
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeIn {
    service_key: Str,
    changed_type: Str,
}

impl TryFrom<ChangeIn> for NamingFuzzyWatchChangeNotifyRequest {
    type Error = Str;
    fn try_from(wire: ChangeIn) -> Result<NamingFuzzyWatchChangeNotifyRequest, Str> {
        Ok(NamingFuzzyWatchChangeNotifyRequest {
            service: service_key(&wire.service_key)?,
            change: change(&wire.changed_type)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use distro_core::message::{Received, Request, Response, ResponseBody};

    use super::super::{
        Ends, Payload, decode_request, decode_response, encode_request, encode_response,
    };
    use super::*;

    fn payload(type_name: &str, body: &str) -> Payload {
        Payload {
            type_name: Str::from(type_name),
            client_ip: Str::from(""),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    const WATCHED: &str = r#"{"headers":{},"namespace":"public","groupKeyPattern":"public>>DEFAULT_GROUP>>order*","receivedGroupKeys":["public@@DEFAULT_GROUP@@order-a"],"watchType":"WATCH","initializing":true,"module":"naming"}"#;
    const BATCH: &str = r#"{"headers":{},"requestId":"78","syncType":"FUZZY_WATCH_INIT_NOTIFY","groupKeyPattern":"public>>DEFAULT_GROUP>>order*","contexts":[{"serviceKey":"public@@DEFAULT_GROUP@@order-b","changedType":"ADD_SERVICE"}],"totalBatch":1,"currentBatch":1,"module":"naming"}"#;
    const CHANGE: &str = r#"{"headers":{},"requestId":"80","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","serviceKey":"public@@DEFAULT_GROUP@@order-b","changedType":"DELETE_SERVICE","module":"naming"}"#;

    #[test]
    fn all_three_are_printed_as_jackson_prints_them() {
        let watch = NamingFuzzyWatchRequest {
            pattern: Str::from("public>>DEFAULT_GROUP>>order*"),
            received: vec![ServiceKey::named("order-a")],
            watch_type: WatchType::Watch,
            initializing: true,
        };
        let batch = NamingFuzzyWatchSyncRequest {
            pattern: Str::from("public>>DEFAULT_GROUP>>order*"),
            sync_type: SyncType::Init,
            contexts: vec![(ServiceKey::named("order-b"), ServiceChange::Added)],
            total_batch: 1,
            current_batch: 1,
        };
        let change = NamingFuzzyWatchChangeNotifyRequest {
            service: ServiceKey::named("order-b"),
            change: ServiceChange::Deleted,
        };
        for (request, id, text) in [
            (Request::NamingFuzzyWatch(Box::new(watch)), None, WATCHED),
            (
                Request::NamingFuzzyWatchSync(Box::new(batch)),
                Some(78),
                BATCH,
            ),
            (
                Request::NamingFuzzyWatchChangeNotify(Box::new(change)),
                Some(80),
                CHANGE,
            ),
        ] {
            let printed = encode_request(&request, id.map(RequestId), &Ends::default());
            assert_eq!(printed.body, text);
            let decoded = decode_request(&payload(request.type_name(), text));
            assert_eq!(decoded, Received::Request(request));
        }
    }

    #[test]
    fn a_watcher_acknowledges_with_either_of_two_types() {
        let body = r#"{"resultCode":200,"errorCode":0,"requestId":"80","success":true}"#;
        let done = Response::ok(ResponseBody::NamingFuzzyWatchChangeNotify);
        for name in [
            "NamingFuzzyWatchChangeNotifyResponse",
            "NamingFuzzyWatchSyncResponse",
        ] {
            assert_eq!(decode_response(&payload(name, body)), Ok(done.clone()));
        }
        let printed = encode_response(&done, Some(RequestId(80)), &Ends::default());
        assert_eq!(printed.body, body);
    }

    #[test]
    fn what_is_no_watch_says_what_is_wrong() {
        for (body, says) in [
            (r#"{"watchType":"LOOK"}"#, "Unsupported request type LOOK"),
            (
                r#"{"groupKeyPattern":"a>>b>>c"}"#,
                "Unsupported request type ",
            ),
            (
                r#"{"watchType":"WATCH","receivedGroupKeys":["order-a"]}"#,
                "namespace@@group@@service",
            ),
            (
                r#"{"watchType":"WATCH","receivedGroupKeys":"order-a"}"#,
                "invalid type",
            ),
        ] {
            let decoded = decode_request(&payload("NamingFuzzyWatchRequest", body));
            let Received::Malformed(malformed) = decoded else {
                panic!("{body} gave {decoded:?}")
            };
            assert!(malformed.message.contains(says), "{}", malformed.message);
        }
    }
}
