//! One connection of the load, over either carrier.

mod grpc;
mod tcp;

use std::io;

use distro_core::ids::{RequestId, Str};
use distro_core::message::internal::{ConnectionSetupRequest, label};
use distro_core::message::{Received, Request, Response, ResponseBody};
use serde::Deserialize;

use super::Target;
use crate::carrier::Carrier;
use crate::codec::{
    Ends, Payload, decode_request, decode_response, encode_request, encode_response,
};
use crate::tls::net::TlsNet;

/// What a node said.
#[derive(Debug)]
pub(super) enum Arrived {
    /// An answer: done, or refused in words.
    Answer(u64, Result<(), String>),
    /// A request of its own.
    Asked(RequestId, Received),
}

/// A connection that is set up.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(tcp::Wire),
    Grpc(Box<grpc::Wire>),
}

impl Wire {
    /// Connects and sets up as an SDK does.
    pub(super) async fn connect(
        net: &TlsNet,
        carrier: Carrier,
        target: &Target,
    ) -> io::Result<Wire> {
        Ok(match carrier {
            Carrier::Tcp => Wire::Tcp(tcp::Wire::connect(net, target).await?),
            Carrier::Grpc => Wire::Grpc(Box::new(grpc::Wire::connect(net, target).await?)),
        })
    }

    /// A request, to be flushed.
    pub(super) fn send(&mut self, id: u64, request: &Request) -> io::Result<()> {
        let payload = encode_request(request, None, &Ends::default());
        match self {
            Wire::Tcp(wire) => wire.send(id, request.expects_response(), payload),
            Wire::Grpc(wire) => wire.send(id, &payload),
        }
    }

    /// An answer to a node's request, to be flushed.
    pub(super) fn answer(&mut self, id: RequestId, body: ResponseBody) -> io::Result<()> {
        let payload = encode_response(&Response::ok(body), Some(id), &Ends::default());
        match self {
            Wire::Tcp(wire) => wire.answer(id, payload),
            Wire::Grpc(wire) => wire.answer(&payload),
        }
    }

    /// Writes everything that was put, at the latest while waiting for what arrives.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Tcp(wire) => wire.flush().await,
            // HTTP/2 writes while it reads.
            Wire::Grpc(_) => Ok(()),
        }
    }

    /// Waits for bytes. Dropping the future loses none.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        match self {
            Wire::Tcp(wire) => wire.fill().await,
            Wire::Grpc(wire) => wire.fill().await,
        }
    }

    /// The next message among those that are there.
    pub(super) fn next(&mut self) -> io::Result<Option<Arrived>> {
        match self {
            Wire::Tcp(wire) => wire.next(),
            Wire::Grpc(wire) => Ok(wire.next()),
        }
    }
}

fn odd(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

/// What every connection says of itself.
fn setup() -> Request {
    let labels = [
        (label::SOURCE, label::SOURCE_SDK),
        (label::MODULE, label::MODULE_NAMING),
        (label::APP_NAME, "distro-bench"),
    ];
    let labels = labels.map(|(key, value)| (Str::from(key), Str::from(value)));
    Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
        labels: labels.into(),
        ability_table: Some([].into()),
        ..ConnectionSetupRequest::default()
    }))
}

/// Whether the node that answers a server check so will acknowledge the setup.
fn acknowledges(checked: &Payload) -> io::Result<bool> {
    let response = decode_response(checked).map_err(|error| odd(error.to_string()))?;
    match (response.is_ok(), &response.body) {
        (true, ResponseBody::ServerCheck(check)) => Ok(check.support_ability_negotiation),
        _ => Err(odd(response.message.as_deref().unwrap_or("not ready"))),
    }
}

/// Whether this acknowledges a setup.
fn is_acknowledgement(payload: &Payload) -> bool {
    let received = decode_request(payload);
    matches!(received.request(), Some(Request::SetupAck(_)))
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
