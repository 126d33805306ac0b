//! Calls that no SDK makes: any path, any bytes, compressed or not.

use std::io::Write;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, Request, Version};
use prost::Message as _;
use tokio::time::timeout;

use super::Target;
use crate::carrier::grpc::payload::{WireAny, WireMetadata, WirePayload};
use crate::net::Net;

/// How long it all may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// The number in `grpc-status`; absent when there is none.
    pub(super) status: Option<u32>,
    /// The first message.
    pub(super) message: Option<WirePayload>,
}

/// A server check whose `Any` names a type, as the Rust SDK's does.
pub(super) fn server_check() -> Bytes {
    let wire = WirePayload {
        metadata: Some(WireMetadata {
            r#type: "ServerCheckRequest".to_owned(),
            ..WireMetadata::default()
        }),
        body: Some(WireAny {
            type_url: "type.googleapis.com/nonsense".to_owned(),
            value: Bytes::from_static(br#"{"headers":{},"module":"internal"}"#),
        }),
    };
    wire.encode_to_vec().into()
}

/// One unary call on a connection of its own.
pub(super) async fn call(
    target: &Target,
    path: &str,
    message: &[u8],
    gzip: bool,
) -> Result<Reply, String> {
    let called = timeout(PATIENCE, exchange(target, path, message, gzip)).await;
    called.map_err(|_| format!("no answer within {PATIENCE:?}"))?
}

async fn exchange(
    target: &Target,
    path: &str,
    message: &[u8],
    gzip: bool,
) -> Result<Reply, String> {
    let stream = target.net.connect(&target.host, target.port).await;
    let stream = stream.map_err(|error| format!("no connection: {error}"))?;
    let io = tokio::io::join(stream.reader, stream.writer);
    let (mut requests, mut conn) = h2::client::handshake(io).await.map_err(said)?;
    let talk = async {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://{}:{}{path}", target.host, target.port))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", if gzip { "gzip" } else { "identity" });
        let request = request.body(()).map_err(|error| error.to_string())?;
        let (response, mut body) = requests.send_request(request, false).map_err(said)?;
        body.send_data(framed(message, gzip)?, true).map_err(said)?;
        let (head, mut body) = response.await.map_err(said)?.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(said)?;
            let given_back = body.flow_control().release_capacity(piece.len());
            given_back.map_err(said)?;
            bytes.extend_from_slice(&piece);
        }
        let trailers = body.trailers().await.map_err(said)?;
        let status = trailers.as_ref().and_then(status_of);
        Ok(Reply {
            status: status.or_else(|| status_of(&head.headers)),
            message: bytes
                .get(5..)
                .and_then(|message| WirePayload::decode(message).ok()),
        })
    };
    tokio::select! {
        biased;
        reply = talk => reply,
        ended = &mut conn => Err(ended.map_or_else(said, |()| "the server hung up".to_owned())),
    }
}

fn said(error: h2::Error) -> String {
    error.to_string()
}

fn status_of(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn framed(message: &[u8], gzip: bool) -> Result<Bytes, String> {
    let message = if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let zipped = encoder.write_all(message).and_then(|()| encoder.finish());
        zipped.map_err(|error| error.to_string())?
    } else {
        message.to_vec()
    };
    let length = u32::try_from(message.len()).map_err(|error| error.to_string())?;
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(u8::from(gzip));
    framed.put_u32(length);
    framed.put_slice(&message);
    Ok(framed.freeze())
}
