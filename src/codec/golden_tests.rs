//! Every JSON sample of the protocol notes, parts 2, 3.5, 4, 7 and 8.2, as Jackson printed it.

use std::sync::Arc;

use bytes::Bytes;
use distro_core::ids::{ClientId, NodeId, RequestId, Revision, Str};
use distro_core::message::cluster::{LoaderMetrics, NodeState};
use distro_core::message::distro::{ClientSyncData, DistroDataRequest, DistroDataResponse};
use distro_core::message::naming::{
    Instance, InstanceOperation, Published, ServiceInfo, ServiceKey, Weight,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Received, Request, Response, ResponseBody, code};
use serde_json::Value;

use super::*;

const CLIENT: &str = "1690000000123_10.0.0.5_52344";
const CONTENT: &str = "eyJjbGllbnRJZCI6IjE2OTAwMDAwMDAxMjNfMTAuMC4wLjVfNTIzNDQiLCJhdHRyaWJ1dGVzIjp7ImNsaWVudEF0dHJpYnV0ZXMiOnsicmV2aXNpb24iOjN9fSwibmFtZXNwYWNlcyI6WyJwdWJsaWMiXSwiZ3JvdXBOYW1lcyI6WyJERUZBVUxUX0dST1VQIl0sInNlcnZpY2VOYW1lcyI6WyJkZW1vIl0sImluc3RhbmNlUHVibGlzaEluZm9zIjpbeyJpcCI6IjEwLjAuMC41IiwicG9ydCI6ODA4MCwiaGVhbHRoeSI6dHJ1ZSwiY2x1c3RlciI6IkRFRkFVTFQiLCJleHRlbmREYXR1bSI6eyJ6b25lIjoiYSIsImN1c3RvbUluc3RhbmNlSWQiOiIxMC4wLjAuNSM4MDgwI0RFRkFVTFQjREVGQVVMVF9HUk9VUEBAZGVtbyJ9LCJtZXRhZGF0YUlkIjoiMTAuMC4wLjU6ODA4MDpERUZBVUxUIn1dLCJiYXRjaEluc3RhbmNlRGF0YSI6e319";
const SNAPSHOT: &str = "eyJjbGllbnRTeW5jRGF0YUxpc3QiOlt7ImNsaWVudElkIjoiMTY5MDAwMDAwMDEyM18xMC4wLjAuNV81MjM0NCIsImF0dHJpYnV0ZXMiOnsiY2xpZW50QXR0cmlidXRlcyI6eyJyZXZpc2lvbiI6M319LCJuYW1lc3BhY2VzIjpbInB1YmxpYyJdLCJncm91cE5hbWVzIjpbIkRFRkFVTFRfR1JPVVAiXSwic2VydmljZU5hbWVzIjpbImRlbW8iXSwiaW5zdGFuY2VQdWJsaXNoSW5mb3MiOlt7ImlwIjoiMTAuMC4wLjUiLCJwb3J0Ijo4MDgwLCJoZWFsdGh5Ijp0cnVlLCJjbHVzdGVyIjoiREVGQVVMVCIsImV4dGVuZERhdHVtIjp7InpvbmUiOiJhIiwiY3VzdG9tSW5zdGFuY2VJZCI6IjEwLjAuMC41IzgwODAjREVGQVVMVCNERUZBVUxUX0dST1VQQEBkZW1vIn0sIm1ldGFkYXRhSWQiOiIxMC4wLjAuNTo4MDgwOkRFRkFVTFQifV0sImJhdGNoSW5zdGFuY2VEYXRhIjp7fX1dfQ==";
const VERIFY: &str = "eyJjbGllbnRJZCI6IjE2OTAwMDAwMDAxMjNfMTAuMC4wLjVfNTIzNDQiLCJyZXZpc2lvbiI6M30=";
/// Content of a CHANGE with a batch registration, part 7.6.
const BATCH: &str = r#"{"clientId":"1690000000123_10.0.0.5_52344","attributes":{"clientAttributes":{"revision":1}},"namespaces":[],"groupNames":[],"serviceNames":[],"instancePublishInfos":[],"batchInstanceData":{"namespaces":["public"],"groupNames":["DEFAULT_GROUP"],"serviceNames":["demo2"],"batchInstancePublishInfos":[{"port":0,"healthy":false,"instancePublishInfos":[{"ip":"10.0.0.5","port":8080,"healthy":true,"cluster":"DEFAULT","extendDatum":{"zone":"a"},"metadataId":"10.0.0.5:8080:DEFAULT"},{"ip":"10.0.0.6","port":8081,"healthy":true,"cluster":"DEFAULT","extendDatum":{"customInstanceId":"x","publishInstanceWeight":5.0,"publishInstanceEnable":false},"metadataId":"10.0.0.6:8081:DEFAULT"}],"metadataId":"null:0:null"}]}}"#;

fn payload(type_name: &str, body: &str) -> Payload {
    Payload {
        type_name: Str::from(type_name),
        client_ip: Str::from(""),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn request(type_name: &str, body: &str) -> Request {
    match decode_request(&payload(type_name, body)) {
        Received::Request(request) => request,
        other @ (Received::Denied(_)
        | Received::Unsupported(_)
        | Received::Unknown(_)
        | Received::Malformed(_)) => panic!("{other:?}"),
    }
}

fn response(type_name: &str, body: &str) -> Response {
    decode_response(&payload(type_name, body)).unwrap()
}

fn text(payload: &Payload) -> &str {
    std::str::from_utf8(&payload.body).unwrap()
}

fn to_peer() -> Ends {
    let node = |address| Some(NodeId::new(address));
    Ends {
        me: node("10.0.0.2:8848"),
        peer: node("10.0.0.2:8848"),
    }
}

/// The sample decodes, and what it decodes to is printed as the sample, byte by byte.
fn same_request(type_name: &str, body: &str, id: Option<u64>) -> Request {
    let decoded = request(type_name, body);
    let encoded = encode_request(&decoded, id.map(RequestId), &to_peer());
    assert_eq!(&*encoded.type_name, type_name);
    assert_eq!(text(&encoded), body);
    decoded
}

fn same_response(type_name: &str, body: &str, id: Option<u64>) -> Response {
    let decoded = response(type_name, body);
    let encoded = encode_response(&decoded, id.map(RequestId), &to_peer());
    assert_eq!(&*encoded.type_name, type_name);
    assert_eq!(text(&encoded), body);
    decoded
}

fn demo_instance() -> Instance {
    let mut instance = Instance::new("10.0.0.5", 8080);
    instance.metadata.insert(Str::from("zone"), Str::from("a"));
    instance
}

fn demo_record() -> ClientSyncData {
    let mut instance = demo_instance();
    instance.instance_id = Some(Str::from("10.0.0.5#8080#DEFAULT#DEFAULT_GROUP@@demo"));
    instance.service_name = Some(Str::from("DEFAULT_GROUP@@demo"));
    ClientSyncData {
        client: ClientId::new(CLIENT),
        origin: None,
        revision: Revision(3),
        services: vec![(
            ServiceKey::named("demo"),
            Published::Single(Arc::new(instance)),
        )],
        words: Vec::new(),
    }
}

#[test]
fn connection_messages_are_printed_as_jackson_prints_them() {
    let bare = r#"{"headers":{},"module":"internal"}"#;
    assert_eq!(
        same_request("ServerCheckRequest", bare, None),
        Request::ServerCheck
    );
    assert_eq!(
        same_request("HealthCheckRequest", bare, None),
        Request::HealthCheck
    );
    assert_eq!(
        same_request("ServerLoaderInfoRequest", bare, None),
        Request::ServerLoaderInfo
    );
    same_request(
        "ClientDetectionRequest",
        r#"{"headers":{},"requestId":"12","module":"internal"}"#,
        Some(12),
    );
    same_request(
        "ConnectionSetupRequest",
        r#"{"headers":{},"clientVersion":"Nacos-Java-Client:v3.1.0","tenant":"public","labels":{"AppName":"unknown","module":"naming","source":"sdk","tls.enable":"false"},"abilityTable":{"fuzzyWatch":true,"lock":true,"mcp":true},"module":"internal"}"#,
        None,
    );
    same_request(
        "ConnectResetRequest",
        r#"{"headers":{},"requestId":"13","serverIp":"10.0.0.2","serverPort":"8848","connectionId":"1690000000123_10.0.0.5_52344","module":"internal"}"#,
        Some(13),
    );
    same_request(
        "ServerReloadRequest",
        r#"{"headers":{},"reloadCount":0,"reloadServer":"10.0.0.2:8848","module":"internal"}"#,
        None,
    );
}

#[test]
fn a_setup_ack_is_read_whatever_the_order_of_its_abilities() {
    let sample = r#"{"headers":{},"abilityTable":{"supportPersistentInstanceByGrpc":true,"fuzzyWatch":true,"lock":true,"mcp":true},"module":"internal"}"#;
    let Request::SetupAck(ack) = request("SetupAckRequest", sample) else {
        panic!()
    };
    assert_eq!(ack.ability_table.len(), 4);
    assert!(ack.ability_table.values().all(|able| *able));
}

#[test]
fn the_client_address_of_a_setup_comes_from_the_payload() {
    let mut setup = payload(
        "ConnectionSetupRequest",
        r#"{"labels":null,"abilityTable":{}}"#,
    );
    setup.client_ip = Str::from("10.9.8.7");
    let Received::Request(Request::ConnectionSetup(setup)) = decode_request(&setup) else {
        panic!()
    };
    assert_eq!(&*setup.client_ip, "10.9.8.7");
    assert_eq!(setup.ability_table, Some(std::collections::BTreeMap::new()));
}

#[test]
fn connection_answers_are_printed_as_jackson_prints_them() {
    same_response(
        "ServerCheckResponse",
        r#"{"resultCode":200,"errorCode":0,"connectionId":"1690000000123_10.0.0.5_52344","supportAbilityNegotiation":true,"success":true}"#,
        None,
    );
    let ok = r#"{"resultCode":200,"errorCode":0,"success":true}"#;
    same_response("HealthCheckResponse", ok, None);
    let echo = r#"{"resultCode":200,"errorCode":0,"requestId":"12","success":true}"#;
    same_response("ClientDetectionResponse", echo, Some(12));
    same_response("ConnectResetResponse", echo, Some(12));
    same_response("NotifySubscriberResponse", echo, Some(12));
    assert_eq!(body_request_id(echo.as_bytes()), Some(RequestId(12)));
    let refused = same_response(
        "ErrorResponse",
        r#"{"resultCode":500,"errorCode":301,"message":"Connection is unregistered.","success":false}"#,
        None,
    );
    assert_eq!((refused.error_code, refused.is_ok()), (301, false));
}

#[test]
fn load_figures_are_text() {
    let sample = r#"{"resultCode":200,"errorCode":0,"loaderMetrics":{"conCount":"3","sdkConCount":"2","load":"0.5","cpu":"0.1"},"success":true}"#;
    let metrics = LoaderMetrics {
        connections: 3,
        sdk_connections: 2,
    };
    let decoded = response("ServerLoaderInfoResponse", sample);
    assert_eq!(
        decoded,
        Response::ok(ResponseBody::ServerLoaderInfo(metrics))
    );
    let encoded = encode_response(&decoded, None, &Ends::default());
    assert!(text(&encoded).contains(r#""conCount":"3","sdkConCount":"2""#));
}

#[test]
fn naming_requests_are_printed_as_jackson_prints_them() {
    let register = same_request(
        "InstanceRequest",
        r#"{"headers":{},"namespace":"public","serviceName":"demo","groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{"ip":"10.0.0.5","port":8080,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","metadata":{"zone":"a"},"instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000,"ipDeleteTimeout":30000},"module":"naming"}"#,
        None,
    );
    let Request::Instance(register) = register else {
        panic!()
    };
    assert_eq!(register.instance, demo_instance());
    assert_eq!(register.operation, InstanceOperation::Register);
    same_request(
        "SubscribeServiceRequest",
        r#"{"headers":{},"namespace":"public","serviceName":"demo","groupName":"DEFAULT_GROUP","subscribe":true,"clusters":"","module":"naming"}"#,
        None,
    );
    same_request(
        "ServiceQueryRequest",
        r#"{"headers":{},"namespace":"public","serviceName":"demo","groupName":"DEFAULT_GROUP","cluster":"","healthyOnly":false,"udpPort":0,"module":"naming"}"#,
        None,
    );
    same_request(
        "ServiceListRequest",
        r#"{"headers":{},"namespace":"public","serviceName":"","groupName":"DEFAULT_GROUP","pageNo":1,"pageSize":10,"module":"naming"}"#,
        None,
    );
}

#[test]
fn naming_answers_are_printed_as_jackson_prints_them() {
    let typed = |operation: &str| {
        format!(r#"{{"resultCode":200,"errorCode":0,"type":"{operation}","success":true}}"#)
    };
    same_response("InstanceResponse", &typed("registerInstance"), None);
    same_response("InstanceResponse", &typed("deregisterInstance"), None);
    same_response(
        "BatchInstanceResponse",
        &typed("batchRegisterInstance"),
        None,
    );
    same_response(
        "InstanceResponse",
        r#"{"resultCode":500,"errorCode":501,"message":"no","type":"registerInstance","success":false}"#,
        None,
    );
    same_response(
        "ServiceListResponse",
        r#"{"resultCode":200,"errorCode":0,"count":1,"serviceNames":["demo"],"success":true}"#,
        None,
    );
}

#[test]
fn the_python_spelling_of_healthy_only_counts() {
    let body = r#"{"serviceName":"demo","healthOnly":true}"#;
    let Request::ServiceQuery(query) = request("ServiceQueryRequest", body) else {
        panic!()
    };
    assert!(query.healthy_only);
    assert_eq!(query.service, ServiceKey::named("demo"));
}

#[test]
fn a_service_list_has_every_key_of_the_sample_and_both_spellings_of_all_ips() {
    let sample = r#"{"name":"demo","groupName":"DEFAULT_GROUP","clusters":"","cacheMillis":10000,"hosts":[{"instanceId":"10.0.0.5#8080#DEFAULT#DEFAULT_GROUP@@demo","ip":"10.0.0.5","port":8080,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@demo","metadata":{"zone":"a"},"instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000,"ipDeleteTimeout":30000}],"lastRefTime":1690000001234,"checksum":"","allIps":false,"reachProtectionThreshold":false,"valid":true}"#;
    let push =
        format!(r#"{{"headers":{{}},"requestId":"77","serviceInfo":{sample},"module":"naming"}}"#);
    let Request::NotifySubscriber(info) = request("NotifySubscriberRequest", &push) else {
        panic!()
    };
    assert_eq!(info.last_ref_time, 1_690_000_001_234);
    let encoded = encode_request(
        &Request::NotifySubscriber(info.clone()),
        Some(RequestId(77)),
        &Ends::default(),
    );
    let mut printed: Value = serde_json::from_slice(&encoded.body).unwrap();
    let list = printed["serviceInfo"].as_object_mut().unwrap();
    assert_eq!(list.remove("allIPs"), Some(Value::Bool(false)));
    assert_eq!(printed, serde_json::from_str::<Value>(&push).unwrap());
    let subscribed = format!(
        r#"{{"resultCode":200,"errorCode":0,"message":"success","serviceInfo":{sample},"success":true}}"#
    );
    let subscribed = response("SubscribeServiceResponse", &subscribed);
    assert_eq!(subscribed.body, ResponseBody::SubscribeService(Some(info)));
}

#[test]
fn an_empty_list_says_so() {
    let info = ServiceInfo {
        service: ServiceKey::named("demo"),
        clusters: Str::from(""),
        hosts: Arc::default(),
        reach_protection_threshold: false,
        last_ref_time: 1,
        version: 0,
    };
    let answer = Response::ok(ResponseBody::QueryService(Some(Arc::new(info))));
    let encoded = encode_response(&answer, None, &Ends::default());
    assert!(text(&encoded).contains(r#""hosts":[]"#));
    assert!(!text(&encoded).contains("null"));
}

#[test]
fn syncs_are_printed_as_jackson_prints_them() {
    let key = format!(
        r#"{{"resourceKey":"{CLIENT}","resourceType":"Nacos:Naming:v2:ClientData","targetServer":"10.0.0.2:8848"}}"#
    );
    for operation in ["CHANGE", "ADD"] {
        let body = format!(
            r#"{{"headers":{{}},"distroData":{{"distroKey":{key},"type":"{operation}","content":"{CONTENT}"}},"dataOperation":"{operation}","module":"cluster"}}"#
        );
        let decoded = same_request("DistroDataRequest", &body, None);
        let record = Arc::new(demo_record());
        let expected = match operation {
            "CHANGE" => DistroDataRequest::Change(record),
            _ => DistroDataRequest::Add(record),
        };
        assert_eq!(decoded, Request::DistroData(expected));
        assert_eq!(
            request_kind("DistroDataRequest", body.as_bytes()),
            decoded.kind()
        );
    }
    for operation in ["DELETE", "QUERY"] {
        let body = format!(
            r#"{{"headers":{{}},"distroData":{{"distroKey":{key},"type":"{operation}"}},"dataOperation":"{operation}","module":"cluster"}}"#
        );
        let decoded = same_request("DistroDataRequest", &body, None);
        assert_eq!(
            request_kind("DistroDataRequest", body.as_bytes()),
            decoded.kind()
        );
    }
}

#[test]
fn verify_and_snapshot_are_printed_as_jackson_prints_them() {
    let verify = format!(
        r#"{{"headers":{{}},"distroData":{{"distroKey":{{"resourceKey":"{CLIENT}","resourceType":"Nacos:Naming:v2:ClientData"}},"type":"VERIFY","content":"{VERIFY}"}},"dataOperation":"VERIFY","module":"cluster"}}"#
    );
    let expected = DistroDataRequest::Verify(ClientId::new(CLIENT), Revision(3));
    let decoded = same_request("DistroDataRequest", &verify, None);
    assert_eq!(decoded, Request::DistroData(expected));
    let snapshot = r#"{"headers":{},"dataOperation":"SNAPSHOT","module":"cluster"}"#;
    let decoded = same_request("DistroDataRequest", snapshot, None);
    assert_eq!(decoded, Request::DistroData(DistroDataRequest::Snapshot));
}

#[test]
fn distro_answers_are_printed_as_jackson_prints_them() {
    let ok = r#"{"resultCode":200,"errorCode":0,"success":true}"#;
    let done = same_response("DistroDataResponse", ok, None);
    assert_eq!(
        done.body,
        ResponseBody::DistroData(DistroDataResponse::Done)
    );
    same_response(
        "DistroDataResponse",
        r#"{"resultCode":500,"errorCode":500,"message":"[DISTRO-FAILED] distro data verify failed","success":false}"#,
        None,
    );
    let query = format!(
        r#"{{"resultCode":200,"errorCode":0,"distroData":{{"distroKey":{{"resourceKey":"{CLIENT}","resourceType":"Nacos:Naming:v2:ClientData","targetServer":"10.0.0.2:8848"}},"content":"{CONTENT}"}},"success":true}}"#
    );
    let query = same_response("DistroDataResponse", &query, None);
    let record = Arc::new(demo_record());
    assert_eq!(
        query.body,
        ResponseBody::DistroData(DistroDataResponse::Client(record.clone()))
    );
    for (content, records) in [
        (SNAPSHOT, vec![record]),
        ("eyJjbGllbnRTeW5jRGF0YUxpc3QiOltdfQ==", Vec::new()),
    ] {
        let snapshot = format!(
            r#"{{"resultCode":200,"errorCode":0,"distroData":{{"distroKey":{{"resourceKey":"SNAPSHOT","resourceType":"Nacos:Naming:v2:ClientData"}},"content":"{content}"}},"success":true}}"#
        );
        let snapshot = same_response("DistroDataResponse", &snapshot, None);
        let expected = DistroDataResponse::Snapshot(records);
        assert_eq!(snapshot.body, ResponseBody::DistroData(expected));
    }
}

#[test]
fn a_batch_registration_is_printed_as_jackson_prints_it() {
    let record: sync::SyncIn = from_json(BATCH.as_bytes()).unwrap();
    let record = ClientSyncData::try_from(record).unwrap();
    let Published::Batch(batch) = &record.services[0].1 else {
        panic!()
    };
    assert_eq!(batch[1].weight, Weight(5.0));
    assert!(!batch[1].enabled);
    let printed = to_json(&sync::SyncOut::from(&record));
    assert_eq!(std::str::from_utf8(&printed).unwrap(), BATCH);
}

#[test]
fn releases_before_2_1_2_send_neither_batches_nor_a_revision() {
    let old = r#"{"clientId":"c","attributes":{"clientAttributes":{}},"namespaces":[],"groupNames":[],"serviceNames":[],"instancePublishInfos":[]}"#;
    let record: sync::SyncIn = from_json(old.as_bytes()).unwrap();
    let record = ClientSyncData::try_from(record).unwrap();
    assert_eq!((record.revision, record.services.len()), (Revision(0), 0));
}

#[test]
fn members_are_printed_as_jackson_prints_them() {
    let member = r#"{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"3.1.0"},"address":"10.0.0.1:8848","abilities":{"remoteAbility":{"supportRemoteConnection":true,"grpcReportEnabled":true},"configAbility":{"supportRemoteMetrics":false},"namingAbility":{"supportJraft":true}},"failAccessCnt":0,"grpcReportEnabled":true}"#;
    let report = format!(r#"{{"headers":{{}},"node":{member},"module":"cluster"}}"#);
    let decoded = same_request("MemberReportRequest", &report, None);
    let Request::MemberReport(report) = decoded else {
        panic!()
    };
    assert_eq!(
        (report.node.as_str(), report.state),
        ("10.0.0.1:8848", NodeState::Up)
    );
    let answer = format!(r#"{{"resultCode":200,"errorCode":0,"node":{member},"success":true}}"#);
    same_response("MemberReportResponse", &answer, None);
}

#[test]
fn values_of_the_wrong_type_in_extend_datum_are_understood() {
    let info = r#"{"clientId":"c","namespaces":["n"],"groupNames":["g"],"serviceNames":["s"],"instancePublishInfos":[{"ip":"1.1.1.1","port":1,"extendDatum":{"publishInstanceWeight":5,"publishInstanceEnable":"false","customInstanceId":7,"a":1,"b":null,"c":true}}]}"#;
    let record: sync::SyncIn = from_json(info.as_bytes()).unwrap();
    let record = ClientSyncData::try_from(record).unwrap();
    let instance = &record.services[0].1.instances()[0];
    assert_eq!((instance.weight, instance.enabled), (Weight(5.0), false));
    assert_eq!(instance.instance_id.as_deref(), Some("7"));
    assert_eq!(instance.metadata.len(), 2);
}

#[test]
fn what_is_not_offered_is_read_whatever_it_carries_and_refused_by_its_own_type() {
    let sample = r#"{"headers":{"charset":"UTF-8"},"dataId":"app.yaml","group":"DEFAULT_GROUP","tenant":"","configListenContexts":[{"dataId":"a"}],"module":"config"}"#;
    for (which, asked, answered) in Unsupported::ALL {
        let payload = Payload {
            type_name: Str::from(asked),
            client_ip: Str::from(""),
            body: Bytes::from(sample),
        };
        assert_eq!(decode_request(&payload), Received::Unsupported(which));
        let body = ResponseBody::Unsupported(which);
        let refusal = Response::fail(code::SERVER_NOT_IMPLEMENTED, "no", body);
        let payload = encode_response(&refusal, None, &Ends::default());
        assert_eq!(&*payload.type_name, answered);
        let text = r#"{"resultCode":500,"errorCode":501,"message":"no","success":false}"#;
        assert_eq!(payload.body, text);
    }
}
