//! Both ends on an in-memory stream, and what strangers send.

use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use distro_core::ids::Str;
use http::{HeaderMap, HeaderValue, Method, Request};
use proptest::prelude::*;
use prost::Message as _;
use tokio::io::DuplexStream;

use super::client::{self, Client};
use super::message::{Encoding, Messages, PREFIX_BYTES};
use super::payload::{Headers, WirePayload, decode};
use super::server::{self, PushError, Server};
use super::status::{Code, Status};
use super::*;
use crate::codec::Payload;

const BODY_BYTES_MAX: u64 = 64 * 1024;

fn payload(type_name: &str, body: &[u8]) -> Payload {
    Payload {
        type_name: Str::from(type_name),
        client_ip: Str::from("10.0.0.5"),
        body: Bytes::copy_from_slice(body),
    }
}

fn frame(payload: &Payload) -> Bytes {
    super::payload::frame(payload, &Headers::new())
}

#[test]
fn a_payload_looks_as_nacos_proto_file_says() {
    let bytes = frame(&payload("Ab", b"{}"));
    let expected = [
        &[0, 0, 0, 0, 22][..],
        &[0x12, 14, 0x1a, 2, b'A', b'b'], // 2: metadata { 3: type
        &[0x42, 8],                       // 8: clientIp
        b"10.0.0.5",
        &[0x1a, 4, 0x12, 2, b'{', b'}'], // 3: body { 2: value
    ];
    assert_eq!(bytes, expected.concat());
    assert_eq!(
        decode(bytes.slice(PREFIX_BYTES..)).unwrap(),
        (payload("Ab", b"{}"), Headers::new())
    );
}

#[test]
fn headers_are_read_the_type_url_is_tolerated_and_an_empty_payload_has_no_type() {
    let wire = WirePayload {
        metadata: Some(super::payload::WireMetadata {
            r#type: "HealthCheckRequest".to_owned(),
            headers: [("app".to_owned(), "shop".to_owned())].into(),
            client_ip: String::new(),
        }),
        body: Some(super::payload::WireAny {
            type_url: "HealthCheckRequest".to_owned(),
            value: Bytes::from_static(b"{}"),
        }),
    };
    let (decoded, headers) = decode(Bytes::from(wire.encode_to_vec())).unwrap();
    assert_eq!(&*decoded.type_name, "HealthCheckRequest");
    assert_eq!(headers["app"], "shop");
    assert_eq!(&*decode(Bytes::new()).unwrap().0.type_name, "");
}

#[test]
fn messages_come_off_a_body_byte_by_byte() {
    let bytes = [frame(&payload("A", b"{}")), frame(&payload("B", b"{}"))].concat();
    let mut messages = Messages::new(Encoding::Identity, 100);
    let mut taken = Vec::new();
    for byte in bytes {
        messages.push(Bytes::copy_from_slice(&[byte]));
        if let Some(message) = messages.take().unwrap() {
            taken.push(decode(message).unwrap().0.type_name);
        }
    }
    assert_eq!(taken, [Str::from("A"), Str::from("B")]);
    assert_eq!(messages.gathered(), 0);
}

fn compressed(plain: &[u8]) -> Bytes {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut bytes = vec![1];
    bytes.extend_from_slice(&u32::try_from(gzip.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&gzip);
    Bytes::from(bytes)
}

fn taken(encoding: Encoding, bytes: Bytes) -> Result<Option<Bytes>, Code> {
    let mut messages = Messages::new(encoding, 100);
    messages.push(bytes);
    messages.take().map_err(|status| status.code)
}

#[test]
fn gzip_is_read_up_to_the_limit() {
    let good = taken(Encoding::Gzip, compressed(&[7; 100]));
    assert_eq!(good, Ok(Some(Bytes::from(vec![7; 100]))));
    let bomb = taken(Encoding::Gzip, compressed(&[7; 1_000_000]));
    assert_eq!(bomb, Err(Code::ResourceExhausted));
    let undeclared = taken(Encoding::Identity, compressed(b"x"));
    assert_eq!(undeclared, Err(Code::Internal));
    let garbage = taken(Encoding::Gzip, Bytes::from_static(&[1, 0, 0, 0, 1, 9]));
    assert_eq!(garbage, Err(Code::Internal));
    let mut headers = HeaderMap::new();
    headers.insert("grpc-encoding", HeaderValue::from_static("snappy"));
    assert_eq!(
        Encoding::of(&headers).unwrap_err().code,
        Code::Unimplemented
    );
}

#[test]
fn broken_prefixes_are_refused_before_the_message_arrives() {
    let long = taken(Encoding::Identity, Bytes::from_static(&[0, 0xff, 0, 0, 0]));
    assert_eq!(long, Err(Code::ResourceExhausted));
    let flag = taken(Encoding::Identity, Bytes::from_static(&[2, 0, 0, 0, 0]));
    assert_eq!(flag, Err(Code::Internal));
}

#[test]
fn a_status_survives_its_headers() {
    let status = Status::new(Code::Unavailable, "bye\nbye 100%");
    let mut headers = HeaderMap::new();
    status.write(&mut headers);
    assert_eq!(headers["grpc-message"], "bye?bye 100%25");
    assert_eq!(Status::read(&headers).unwrap_err().code, Code::Unavailable);
    assert_eq!(
        Status::read(&HeaderMap::new()).unwrap_err().code,
        Code::Internal
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
        decode(Bytes::from(bytes.clone())).map_or_else(drop, drop);
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let mut messages = Messages::new(encoding, 100);
            messages.push(Bytes::copy_from_slice(&bytes[..at.min(bytes.len())]));
            messages.push(Bytes::copy_from_slice(&bytes[at.min(bytes.len())..]));
            while let Ok(Some(message)) = messages.take() {
                prop_assert!(message.len() <= 100);
            }
        }
    }

    #[test]
    fn an_altered_payload_never_panics(at in 0usize..40, with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = BytesMut::from(&frame(&payload("InstanceRequest", b"{\"type\":1}"))[PREFIX_BYTES..]);
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok((payload, _)) = decode(bytes.freeze()) {
            prop_assert!(payload.body.len() <= 40);
        }
    }
}

async fn pair() -> (Client<DuplexStream>, Server<DuplexStream>) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (client, server) = tokio::join!(
        Client::connect(here, "node:9848", BODY_BYTES_MAX),
        Server::accept(there, BODY_BYTES_MAX)
    );
    (client.unwrap(), server.unwrap())
}

/// The next event of the server, while the client is driven too.
async fn served(
    client: &mut Client<DuplexStream>,
    server: &mut Server<DuplexStream>,
) -> server::Event {
    tokio::select! {
        event = server.next() => event.unwrap(),
        event = client.next() => panic!("{event:?}"),
    }
}

/// The next event of the client, while the server is driven too.
async fn told(
    client: &mut Client<DuplexStream>,
    server: &mut Server<DuplexStream>,
) -> client::Event {
    tokio::select! {
        event = client.next() => event.unwrap(),
        event = server.next() => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn calls_are_answered_in_any_order() {
    let (mut client, mut server) = pair().await;
    client.set_headers([("accessToken".to_owned(), "t".to_owned())].into());
    for call in [7, 8] {
        client.call(call, &payload("HealthCheckRequest", b"{}"));
    }
    let mut calls = Vec::new();
    while calls.len() < 2 {
        let event = served(&mut client, &mut server).await;
        let server::Event::Call(call, asked, headers) = event else {
            panic!("only calls are under way")
        };
        assert_eq!(headers["accessToken"], "t");
        assert_eq!(asked, payload("HealthCheckRequest", b"{}"));
        calls.push(call);
    }
    server.answer(calls[1], &payload("Second", b"{}"));
    let client::Event::Answer(8, Ok(answer)) = told(&mut client, &mut server).await else {
        panic!("the second call is answered first")
    };
    assert_eq!(&*answer.type_name, "Second");
    server.refuse(calls[0], &Status::new(Code::Unavailable, "later"));
    let refused = told(&mut client, &mut server).await;
    let status = Status::new(Code::Unavailable, "later");
    assert_eq!(refused, client::Event::Answer(7, Err(status)));
}

#[tokio::test]
async fn a_stream_carries_messages_both_ways_until_the_server_finishes() {
    let (mut client, mut server) = pair().await;
    client
        .send(&payload("ConnectionSetupRequest", b"{}"))
        .unwrap();
    let server::Event::StreamOpened(stream) = served(&mut client, &mut server).await else {
        panic!("the stream comes first")
    };
    let arrived = served(&mut client, &mut server).await;
    let setup = payload("ConnectionSetupRequest", b"{}");
    assert_eq!(arrived, server::Event::Message(stream, setup));
    server
        .push(stream, &payload("SetupAckRequest", b"{}"))
        .unwrap();
    let pushed = told(&mut client, &mut server).await;
    assert_eq!(
        pushed,
        client::Event::Message(payload("SetupAckRequest", b"{}"))
    );
    assert!(server.ping() && !server.ping(), "one ping at a time");
    assert_eq!(served(&mut client, &mut server).await, server::Event::Pong);
    server.push(stream, &payload("Last", b"{}")).unwrap();
    server.finish();
    assert_eq!(
        server.push(stream, &payload("Late", b"{}")),
        Err(PushError::Closed)
    );
    let told = async {
        let last = client::Event::Message(payload("Last", b"{}"));
        assert_eq!(client.next().await, Some(last));
        assert_eq!(client.next().await, None);
        drop(client);
    };
    let ((), ended) = tokio::join!(told, server.next());
    assert_eq!(ended, None);
}

#[tokio::test]
async fn a_server_that_finishes_ends_its_streams_with_an_error() {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let served = async {
        let mut server = Server::accept(there, 1024).await.unwrap();
        let opened = server.next().await;
        assert!(matches!(opened, Some(server::Event::StreamOpened(_))));
        server.finish();
        assert_eq!(server.next().await, None);
    };
    let asked = async {
        let (mut requests, conn) = h2::client::handshake(here).await.unwrap();
        let request = asking(Method::POST, STREAM_PATH, "application/grpc");
        let (answer, send) = requests.send_request(request, false).unwrap();
        let trailers = async move {
            let mut body = answer.await.unwrap().into_body();
            assert!(body.data().await.is_none());
            let trailers = body.trailers().await.unwrap().unwrap();
            drop((requests, send));
            trailers
        };
        let (trailers, ended) = tokio::join!(trailers, conn);
        ended.unwrap();
        let status = Status::read(&trailers).unwrap_err();
        assert_eq!(status.code, Code::Unavailable);
    };
    tokio::join!(served, asked);
}

#[tokio::test]
async fn a_client_that_finishes_delivers_what_it_sent() {
    let (mut client, mut server) = pair().await;
    client
        .send(&payload("ConnectionSetupRequest", b"{}"))
        .unwrap();
    client.finish();
    let finished = async {
        let ended = client.next().await;
        drop(client);
        ended
    };
    let (ended, seen) = tokio::join!(finished, async {
        let mut seen = Vec::new();
        while let Some(event) = server.next().await {
            seen.push(event);
        }
        seen
    });
    assert_eq!(ended, None);
    let setup = payload("ConnectionSetupRequest", b"{}");
    assert_eq!(
        seen[..2],
        [
            server::Event::StreamOpened(1),
            server::Event::Message(1, setup),
        ]
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_busy_and_later_is_not() {
    let (mut client, mut server) = pair().await;
    client
        .send(&payload("ConnectionSetupRequest", b"{}"))
        .unwrap();
    served(&mut client, &mut server).await;
    served(&mut client, &mut server).await;
    let big = payload("NotifySubscriberRequest", &vec![b' '; 60_000]);
    let mut pushed = 0;
    while server.push(1, &big).is_ok() {
        pushed += 1;
        assert!(pushed < 100, "a push is refused at last");
    }
    assert!(pushed * 60_000 > UNSENT_BYTES_MAX);
    for _ in 0..pushed {
        let client::Event::Message(payload) = told(&mut client, &mut server).await else {
            panic!("only pushes are under way")
        };
        assert_eq!(payload.body.len(), 60_000);
    }
    assert_eq!(server.push(1, &big), Ok(()));
}

#[tokio::test]
async fn answers_that_are_not_read_leave_no_room_and_reading_makes_it_again() {
    let (mut client, mut server) = pair().await;
    let count = 2 + UNSENT_BYTES_MAX / 60_000;
    for call in 0..count {
        client.call(call as u64, &payload("ServiceQueryRequest", b"{}"));
    }
    let mut calls = Vec::new();
    while calls.len() < count {
        let server::Event::Call(call, ..) = served(&mut client, &mut server).await else {
            panic!("only calls are under way")
        };
        calls.push(call);
    }
    assert!(server.has_room());
    for call in calls {
        server.answer(call, &payload("QueryServiceResponse", &vec![b' '; 60_000]));
    }
    assert!(!server.has_room());
    let (mut answered, mut room) = (0, false);
    while answered < count || !room {
        tokio::select! {
            event = client.next() => {
                assert!(matches!(event, Some(client::Event::Answer(_, Ok(_)))), "{event:?}");
                answered += 1;
            }
            event = server.next() => {
                assert_eq!(event, Some(server::Event::Room));
                room = true;
            }
        }
    }
    assert!(server.has_room());
}

/// What a stranger is answered: HTTP status and gRPC status.
async fn strange(request: Request<()>, body: &[u8]) -> (u16, Option<String>) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let served = async {
        let mut server = Server::accept(there, 1024).await.unwrap();
        let mut event = server.next().await;
        if let Some(server::Event::Refused(..)) = event {
            event = server.next().await;
        }
        assert_eq!(event, None, "nothing of it reaches the node");
    };
    let asked = async {
        let (mut requests, conn) = h2::client::handshake(here).await.unwrap();
        let (answer, mut send) = requests.send_request(request, false).unwrap();
        send.send_data(Bytes::copy_from_slice(body), true).unwrap();
        let answer = async move {
            let answer = answer.await.unwrap();
            drop((requests, send));
            let status = answer.headers().get("grpc-status");
            let status = status.map(|status| status.to_str().unwrap().to_owned());
            (answer.status().as_u16(), status)
        };
        let (answer, ended) = tokio::join!(answer, conn);
        ended.unwrap();
        answer
    };
    tokio::join!(served, asked).1
}

fn asking(method: Method, path: &str, content_type: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = format!("http://node{path}").parse().unwrap();
    let value = HeaderValue::from_static(content_type);
    request.headers_mut().insert("content-type", value);
    request
}

#[tokio::test]
async fn strangers_get_the_status_that_says_what_is_wrong() {
    let good = frame(&payload("ServerCheckRequest", b"{}"));
    let grpc = "application/grpc";
    let refused =
        async |method, path, kind, body: &[u8]| strange(asking(method, path, kind), body).await;
    let wrong_method = refused(Method::PUT, UNARY_PATH, grpc, &good).await;
    assert_eq!(wrong_method, (405, None));
    let wrong_type = refused(Method::POST, UNARY_PATH, "application/json", &good).await;
    assert_eq!(wrong_type, (415, None));
    let web = refused(Method::POST, UNARY_PATH, "application/grpc-web", &good).await;
    assert_eq!(web, (415, None));
    let status = |code: Code| (200, Some((code as u16).to_string()));
    let wrong_path = refused(Method::POST, "/grpc.health.v1.Health/Check", grpc, &good).await;
    assert_eq!(wrong_path, status(Code::Unimplemented));
    let nothing = refused(Method::POST, UNARY_PATH, "application/grpc+proto", b"").await;
    assert_eq!(nothing, status(Code::Internal));
    let twice = refused(Method::POST, UNARY_PATH, grpc, &[&good[..], &good].concat()).await;
    assert_eq!(twice, status(Code::Internal));
    let garbage = refused(Method::POST, UNARY_PATH, grpc, &[0, 0, 0, 0, 1, 0xff]).await;
    assert_eq!(garbage, status(Code::Internal));
    let huge = refused(Method::POST, UNARY_PATH, grpc, &[0, 0x7f, 0, 0, 0]).await;
    assert_eq!(huge, status(Code::ResourceExhausted));
    let mut snappy = asking(Method::POST, UNARY_PATH, grpc);
    let value = HeaderValue::from_static("snappy");
    snappy.headers_mut().insert("grpc-encoding", value);
    assert_eq!(strange(snappy, &good).await, status(Code::Unimplemented));
}
