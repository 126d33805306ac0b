//! Writes on their way to the node that is responsible for them (part 9.4).

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, header};
use axum::response::Response;
use distro_core::ids::NodeId;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::call::Call;
use super::{BODY_BYTES_MAX, Http};
use crate::net::Net;

/// How long the other node may take to be reached, and again to answer; Nacos's.
const TIMEOUT: Duration = Duration::from_secs(2);
/// What a node calls itself; a request by a node is not forwarded again.
const AGENT: &str = "Nacos-Server";
/// Headers that are taken along.
const HEADERS: [HeaderName; 3] = [
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    HeaderName::from_static("accesstoken"),
];

/// True when a fellow node sent this.
pub(super) fn is_from_node(call: &Call) -> bool {
    call.headers
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.to_str().is_ok_and(|agent| agent.contains(AGENT)))
}

/// The answer of the node that is responsible.
///
/// # Errors
/// It cannot be reached, or does not answer in time.
pub(super) async fn forward<N: Net>(
    net: &N,
    http: &Http,
    to: &NodeId,
    call: &Call,
) -> io::Result<Response> {
    let port = to.port().parse().map_err(io::Error::other)?;
    let dial = tokio::time::timeout(TIMEOUT, net.connect(to.ip(), port));
    let stream = dial.await.map_err(io::Error::other)??;
    let io = TokioIo::new(tokio::io::join(stream.reader, stream.writer));
    let (mut sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
    let exchange = async {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(path)
            .header(header::HOST, to.as_str())
            .header(
                header::USER_AGENT,
                format!("{AGENT}:v{}", http.nacos_version()),
            );
        for name in HEADERS {
            if let Some(value) = call.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let body = Full::new(call.body.clone());
        let request = request.body(body).map_err(io::Error::other)?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = head.status;
        let kind = head.headers.get(header::CONTENT_TYPE).cloned();
        let kind = kind.unwrap_or(HeaderValue::from_static("text/plain;charset=UTF-8"));
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    };
    let both = async {
        tokio::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // An end of the connection ends the exchange too, with the better error.
            _ = connection => exchange.await,
        }
    };
    tokio::time::timeout(TIMEOUT, both)
        .await
        .map_err(io::Error::other)?
}
