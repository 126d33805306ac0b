//! A kit that can't fail says nothing: it is put to a server that answers everything, and always
//! wrongly.

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::net::TcpListener;

use super::*;
use crate::carrier::grpc::payload;
use crate::codec::Payload;
use distro_core::ids::Str;

/// Answers every call with an error that no protocol knows, whatever its path.
async fn contrary(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(async move {
            let mut conn = h2::server::handshake(stream).await?;
            while let Some(accepted) = conn.accept().await {
                let (_, mut respond) = accepted?;
                let head = Response::builder().header("content-type", "application/grpc");
                let head = head.body(()).expect("a plain head");
                let mut body = respond.send_response(head, false)?;
                let answer = Payload {
                    type_name: Str::from("ErrorResponse"),
                    client_ip: Str::from(""),
                    body: Bytes::from_static(
                        br#"{"resultCode":500,"errorCode":999,"success":false}"#,
                    ),
                };
                body.send_data(payload::frame(&answer, &Headers::new()), false)?;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().expect("a number"));
                body.send_trailers(trailers)?;
            }
            Ok::<(), h2::Error>(())
        });
    }
}

#[tokio::test]
async fn nothing_passes_with_a_server_that_is_always_wrong() {
    let local = tokio::task::LocalSet::new();
    let findings = local
        .run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("bound").port();
            tokio::task::spawn_local(contrary(listener));
            let target = Target::new("127.0.0.1", port, Headers::new(), TlsNet::default(), "test");
            run(Rc::new(target), &[], |_| {}).await
        })
        .await;
    let asked = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Skipped);
    let passed: Vec<_> = asked
        .clone()
        .filter(|finding| finding.verdict == Verdict::Pass)
        .collect();
    assert!(passed.is_empty(), "{passed:?}");
    assert_eq!(asked.count(), claims().len());
}

#[test]
fn every_point_of_the_checklist_is_asked_or_said_to_be_skipped() {
    let all: Vec<String> = (1..=14).map(|number| format!("C.{number}")).collect();
    assert_eq!(points(), all);
}
