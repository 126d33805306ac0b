//! What strangers send: never a panic, always a request that says what is wrong.

use bytes::Bytes;
use distro_core::ids::Str;
use distro_core::message::{AnswerType, Received, ResponseBody};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn payload(type_name: &str, body: &[u8]) -> Payload {
    Payload {
        type_name: Str::from(type_name),
        client_ip: Str::from(""),
        body: Bytes::copy_from_slice(body),
    }
}

/// Bodies that no message type takes.
fn garbage() -> Vec<Vec<u8>> {
    let deep = |open: &str, count| open.repeat(count).into_bytes();
    vec![
        Vec::new(),
        b"\x00".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        b"null".to_vec(),
        b"[1,2".to_vec(),
        b"\"text\"".to_vec(),
        b"{".to_vec(),
        b"{\"headers\":".to_vec(),
        b"{}{}".to_vec(),
        b"[]".to_vec(),
        b"[{},\"public\"]".to_vec(),
        b"{\"a\":01}".to_vec(),
        deep("[", 100_000),
        deep("{\"a\":", 100_000),
        deep("{\"instance\":", 100_000),
    ]
}

/// Objects whose known keys hold the wrong things.
const WRONG: [(&str, &str); 21] = [
    ("ConnectionSetupRequest", r#"{"tenant":"\ud800"}"#),
    ("ServerReloadRequest", r#"{"reloadCount":1e999999}"#),
    (
        "InstanceRequest",
        r#"{"type":"registerInstance","instance":7}"#,
    ),
    (
        "InstanceRequest",
        r#"{"type":"registerInstance","instance":null}"#,
    ),
    (
        "InstanceRequest",
        r#"{"type":"registerInstance","instance":{"port":99999999999}}"#,
    ),
    (
        "InstanceRequest",
        r#"{"type":"registerInstance","instance":{"weight":1e400}}"#,
    ),
    ("InstanceRequest", r#"{"type":"eatInstance","instance":{}}"#),
    ("InstanceRequest", r#"{"instance":{}}"#),
    (
        "BatchInstanceRequest",
        r#"{"type":"batchRegisterInstance","instances":[7]}"#,
    ),
    ("ConnectionSetupRequest", r#"{"labels":[]}"#),
    ("ServiceListRequest", r#"{"pageNo":1.5}"#),
    ("ServiceListRequest", r#"{"selector":{}}"#),
    ("ServiceListRequest", r#"{"selector":"zone"}"#),
    (
        "ServiceListRequest",
        r#"{"selector":"{\"type\":\"script\"}"}"#,
    ),
    ("NotifySubscriberRequest", r#"{"headers":{}}"#),
    ("MemberReportRequest", r#"{"node":{}}"#),
    (
        "MemberReportRequest",
        r#"{"node":{"address":"a:1","state":"DRUNK"}}"#,
    ),
    ("DistroDataRequest", r#"{"dataOperation":"CHANGE"}"#),
    ("DistroDataRequest", r#"{"dataOperation":"EXPLODE"}"#),
    (
        "DistroDataRequest",
        r#"{"dataOperation":"CHANGE","distroData":{"content":"%%%"}}"#,
    ),
    (
        "DistroDataRequest",
        r#"{"dataOperation":"DELETE","distroData":{"distroKey":{}}}"#,
    ),
];

#[test]
fn garbage_is_a_malformed_request_of_its_type() {
    for type_name in RequestType::ALL.iter().map(|of| of.name()) {
        for body in garbage() {
            // The only one whose body nobody reads.
            if type_name == RequestType::ServerCheck.name() {
                continue;
            }
            let Received::Malformed(malformed) = decode_request(&payload(type_name, &body)) else {
                panic!("{type_name} took {body:?}")
            };
            assert_eq!(&*malformed.type_name, type_name);
            assert!(malformed.message.chars().count() <= MESSAGE_CHARS_MAX);
        }
    }
}

#[test]
fn known_keys_of_the_wrong_type_are_malformed() {
    for (type_name, body) in WRONG {
        let decoded = decode_request(&payload(type_name, body.as_bytes()));
        assert!(
            matches!(decoded, Received::Malformed(_)),
            "{type_name} {body} gave {decoded:?}"
        );
    }
}

#[test]
fn parallel_arrays_of_different_lengths_are_malformed() {
    use base64::Engine as _;
    let content = base64::engine::general_purpose::STANDARD.encode(
        r#"{"clientId":"c","namespaces":["a"],"groupNames":[],"serviceNames":["s"],"instancePublishInfos":[{}]}"#,
    );
    let body = format!(r#"{{"dataOperation":"CHANGE","distroData":{{"content":"{content}"}}}}"#);
    let decoded = decode_request(&payload("DistroDataRequest", body.as_bytes()));
    let Received::Malformed(malformed) = decoded else {
        panic!("{decoded:?}")
    };
    assert_eq!(
        &*malformed.message,
        "1 namespaces, 0 groups, 1 names for 1 publish infos"
    );
}

#[test]
fn an_unknown_type_keeps_a_bounded_name() {
    let long = "X".repeat(100_000);
    let Received::Unknown(name) = decode_request(&payload(&long, b"{}")) else {
        panic!()
    };
    assert_eq!(name.len(), MESSAGE_CHARS_MAX);
}

#[test]
fn garbage_is_no_response() {
    for type_name in AnswerType::ALL.iter().map(|of| of.facts().name) {
        for body in garbage() {
            assert!(
                decode_response(&payload(type_name, &body)).is_err(),
                "{type_name} {body:?}"
            );
        }
    }
    let unknown = decode_response(&payload("MagicResponse", b"{}"));
    assert_eq!(
        unknown,
        Err(DecodeError::UnknownType(Str::from("MagicResponse")))
    );
}

#[test]
fn a_response_without_a_result_code_is_a_failure() {
    let decoded = decode_response(&payload("HealthCheckResponse", b"{}")).unwrap();
    assert!(!decoded.is_ok());
    assert_eq!(decoded.body, ResponseBody::HealthCheck);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        of in select(RequestType::ALL),
        answer in select(AnswerType::ALL),
    ) {
        decode_request(&payload(of.name(), &bytes));
        request_kind(of.name(), &bytes);
        body_request_id(&bytes);
        let name = answer.facts().name;
        if let Ok(response) = decode_response(&payload(name, &bytes)) {
            prop_assert_eq!(response.body.type_name(), name);
        }
    }

    #[test]
    fn a_truncated_or_altered_message_never_panics(
        at in 0usize..400, with in any::<u8>(), cut in any::<bool>(),
    ) {
        let body = br#"{"headers":{},"distroData":{"distroKey":{"resourceKey":"c","resourceType":"Nacos:Naming:v2:ClientData"},"type":"VERIFY","content":"eyJjbGllbnRJZCI6ImMiLCJyZXZpc2lvbiI6M30=","origin":{"node":"a:1","incarnation":3}},"dataOperation":"VERIFY","module":"cluster","digest":{"origin":{"node":"a:1","incarnation":3},"whole":[1,2]}}"#;
        let mut body = body.to_vec();
        let at = at % body.len();
        if cut { body.truncate(at) } else { body[at] = with }
        let decoded = decode_request(&payload("DistroDataRequest", &body));
        prop_assert_eq!(decoded.type_name(), "DistroDataRequest");
    }
}
