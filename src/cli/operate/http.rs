//! One request to an operator's port.

use std::io;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{Ask, OpsAddress};
use crate::cli::{FAILED, Failure, REFUSED};
use crate::net::Net;
use crate::tls::is_tls_error;
use crate::tls::net::TlsNet;

/// No page is larger.
const ANSWER_BYTES_MAX: usize = 64 << 20;

const RIGHT: &str = "the operator's port is the node's main port + 1002 unless ops.port says \
                     otherwise; its log names it at the start, and ops.serve must not be \"off\"";

/// Asks a node.
pub(super) async fn ask(
    at: &OpsAddress,
    how: &Ask,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let asked = tokio::time::timeout(how.timeout, exchange(at, how, method, path, body));
    match asked.await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(
            FAILED,
            format!("{at} did not answer in time; {RIGHT}"),
        )),
    }
}

/// Reads a page.
pub(super) async fn get(at: &OpsAddress, how: &Ask, path: &str) -> Result<Value, Failure> {
    ask(at, how, Method::GET, path, None).await
}

/// All entries of a table, page by page.
pub(super) async fn all(at: &OpsAddress, how: &Ask, name: &str) -> Result<Vec<Value>, Failure> {
    let mut entries = Vec::new();
    let mut path = format!("/v1/{name}");
    loop {
        let mut page = get(at, how, &path).await?;
        if let Some(list) = page[name].as_array_mut() {
            entries.append(list);
        }
        let Some(next) = page["next"].as_str() else {
            return Ok(entries);
        };
        path = format!("/v1/{name}?after={}", escaped(next));
    }
}

/// As a query parameter.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unreachable(at: &OpsAddress, error: &io::Error) -> Failure {
    let text = if is_tls_error(error) {
        format!("no TLS with {at}: {error}; see --tls-ca and --tls-name")
    } else if error.kind() == io::ErrorKind::ConnectionRefused {
        format!("nobody listens at {at}; {RIGHT}")
    } else {
        format!("{at} cannot be reached: {error}; {RIGHT}")
    };
    Failure::new(FAILED, text)
}

async fn exchange(
    at: &OpsAddress,
    how: &Ask,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let no_ops = |why: &dyn std::fmt::Display| {
        let text = format!("{at} is no operator's port, or wants TLS (--tls-ca): {why}; {RIGHT}");
        Failure::new(FAILED, text)
    };
    let net = TlsNet {
        connector: how.tls.connector()?,
    };
    let stream = net.connect(&at.host, at.port).await;
    let stream = stream.map_err(|error| unreachable(at, &error))?;
    let io = TokioIo::new(tokio::io::join(stream.reader, stream.writer));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(|error| no_ops(&error))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", at.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Failure::new(FAILED, format!("{path}: {error}")))?;
    let talk = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| no_ops(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await.map_err(|error| no_ops(&error))?;
        let value: Value =
            serde_json::from_slice(&bytes.to_bytes()).map_err(|error| no_ops(&error))?;
        if status.is_success() {
            return Ok(value);
        }
        let why = value["error"].as_str().unwrap_or("it did not say why");
        Err(Failure::new(REFUSED, format!("{at} refused: {why}")))
    };
    tokio::pin!(talk);
    tokio::select! {
        biased;
        answer = &mut talk => answer,
        ended = connection => match ended {
            // It closed behind its answer.
            Ok(()) => talk.await,
            Err(error) => Err(no_ops(&error)),
        },
    }
}
