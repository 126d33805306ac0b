//! One connection of the load: frames written and read in batches.

use std::io;

use bytes::{BufMut, BytesMut};
use distro_core::ids::{RequestId, Str};
use distro_core::message::internal::{ConnectionSetupRequest, label};
use distro_core::message::{Request, Response, ResponseBody};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

use super::Target;
use crate::carrier::tcp::{Frame, FrameCodec, FrameKind, PREAMBLE};
use crate::codec::{Ends, decode_request, decode_response, encode_request, encode_response};
use crate::net::Net;
use crate::tls::net::{Reader, TlsNet, Writer};
use distro_core::constants::MESSAGE_BYTES_MAX;

/// What a node said.
#[derive(Debug)]
pub(super) enum Arrived {
    /// An answer: done, or refused in words.
    Answer(u64, Result<(), String>),
    /// A request of its own.
    Asked(RequestId, Request),
}

/// What tells whether an answer says yes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    #[serde(default)]
    result_code: i32,
    #[serde(default)]
    error_code: i32,
    message: Option<String>,
}

/// How every answer begins that says yes.
const YES: &[u8] = b"{\"resultCode\":200,";

/// A connection that is set up.
#[derive(Debug)]
pub(super) struct Wire {
    reader: Reader,
    writer: Writer,
    codec: FrameCodec,
    incoming: BytesMut,
    outgoing: BytesMut,
}

fn odd(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

impl Wire {
    /// Connects and sets up as an SDK does.
    pub(super) async fn connect(net: &TlsNet, target: &Target) -> io::Result<Wire> {
        let stream = net.connect(&target.host, target.port).await?;
        let mut wire = Wire {
            reader: stream.reader,
            writer: stream.writer,
            codec: FrameCodec::new(MESSAGE_BYTES_MAX),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
        };
        wire.outgoing.put_slice(&PREAMBLE);
        wire.send(0, &Request::ServerCheck)?;
        wire.flush().await?;
        let mut first = [0; PREAMBLE.len()];
        wire.reader.read_exact(&mut first).await?;
        if first != PREAMBLE {
            return Err(odd("another protocol is spoken there"));
        }
        let answer = wire.frame().await?;
        let response = decode_response(&answer.payload).map_err(|error| odd(error.to_string()))?;
        let acknowledged = match (response.is_ok(), &response.body) {
            (true, ResponseBody::ServerCheck(check)) => check.support_ability_negotiation,
            _ => return Err(odd(response.message.as_deref().unwrap_or("not ready"))),
        };
        let labels = [
            (label::SOURCE, label::SOURCE_SDK),
            (label::MODULE, label::MODULE_NAMING),
            (label::APP_NAME, "distro-bench"),
        ];
        let labels = labels.map(|(key, value)| (Str::from(key), Str::from(value)));
        let setup = ConnectionSetupRequest {
            labels: labels.into(),
            ability_table: Some([].into()),
            ..ConnectionSetupRequest::default()
        };
        wire.send(0, &Request::ConnectionSetup(Box::new(setup)))?;
        wire.flush().await?;
        if acknowledged {
            let ack = wire.frame().await?;
            if !matches!(decode_request(&ack.payload), Request::SetupAck(_)) {
                return Err(odd("the setup was not acknowledged"));
            }
        }
        Ok(wire)
    }

    fn put(&mut self, frame: Frame) -> io::Result<()> {
        self.codec.encode(frame, &mut self.outgoing)
    }

    /// A request, to be flushed.
    pub(super) fn send(&mut self, id: u64, request: &Request) -> io::Result<()> {
        let id = RequestId(id);
        let kind = if request.expects_response() {
            FrameKind::Request
        } else {
            FrameKind::OneWay
        };
        let payload = encode_request(request, None, &Ends::default());
        self.put(Frame { kind, id, payload })
    }

    /// An answer to a node's request, to be flushed.
    pub(super) fn answer(&mut self, id: RequestId, body: ResponseBody) -> io::Result<()> {
        let payload = encode_response(&Response::ok(body), Some(id), &Ends::default());
        self.put(Frame {
            kind: FrameKind::Response,
            id,
            payload,
        })
    }

    /// Writes everything that was put.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        self.writer.write_all_buf(&mut self.outgoing).await?;
        self.writer.flush().await
    }

    /// Waits for bytes. Dropping the future loses none.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        match self.reader.read_buf(&mut self.incoming).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next message among the bytes that are there.
    pub(super) fn next(&mut self) -> io::Result<Option<Arrived>> {
        let Some(Frame { kind, id, payload }) = self.codec.decode(&mut self.incoming)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            FrameKind::Response => Arrived::Answer(id.0, outcome(&payload.body)),
            FrameKind::Request | FrameKind::OneWay => Arrived::Asked(id, decode_request(&payload)),
        }))
    }

    async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.incoming)? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }
}

/// What the codes of an answer say.
fn outcome(body: &[u8]) -> Result<(), String> {
    if body.starts_with(YES) {
        return Ok(());
    }
    match serde_json::from_slice::<Outcome>(body) {
        Ok(outcome) if outcome.result_code == 200 => Ok(()),
        Ok(outcome) => Err(format!(
            "refused with {}: {}",
            outcome.error_code,
            outcome.message.unwrap_or_default()
        )),
        Err(_) => Err("an answer that cannot be read".to_owned()),
    }
}
