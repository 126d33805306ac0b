//! Over gRPC, as SDKs speak: calls and the stream of one HTTP/2 connection.

use std::collections::VecDeque;
use std::io;

use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::RequestId;
use distro_core::message::Request;
use tokio::io::Join;

use super::{Arrived, acknowledges, is_acknowledgement, odd, outcome, setup};
use crate::bench::Target;
use crate::carrier::grpc::client::{Client, Event};
use crate::codec::{Ends, Payload, body_request_id, decode_request, encode_request};
use crate::net::Net;
use crate::tls::net::{Reader, TlsNet, Writer};

/// A connection that is set up.
#[derive(Debug)]
pub(in crate::bench) struct Wire {
    client: Client<Join<Reader, Writer>>,
    arrived: VecDeque<Event>,
}

impl Wire {
    pub(super) async fn connect(net: &TlsNet, target: &Target) -> io::Result<Wire> {
        let stream = net.connect(&target.host, target.port).await?;
        let authority = format!("{}:{}", target.host, target.port);
        let io = tokio::io::join(stream.reader, stream.writer);
        let client = Client::connect(io, &authority, MESSAGE_BYTES_MAX).await;
        let mut wire = Wire {
            client: client.map_err(io::Error::other)?,
            arrived: VecDeque::new(),
        };
        let check = encode_request(&Request::ServerCheck, None, &Ends::default());
        wire.send(0, &check)?;
        let checked = match wire.event().await? {
            Event::Answer(_, Ok(answer)) => answer,
            Event::Answer(_, Err(status)) => return Err(odd(status.to_string())),
            Event::Message(_) | Event::Room => return Err(odd("no answer to the server check")),
        };
        let acknowledged = acknowledges(&checked)?;
        wire.answer(&encode_request(&setup(), None, &Ends::default()))?;
        if acknowledged {
            let is_ack = match wire.event().await? {
                Event::Message(payload) => is_acknowledgement(&payload),
                Event::Answer(..) | Event::Room => false,
            };
            if !is_ack {
                return Err(odd("the setup was not acknowledged"));
            }
        }
        Ok(wire)
    }

    pub(super) fn send(&mut self, id: u64, payload: &Payload) -> io::Result<()> {
        self.client.call(id, payload);
        Ok(())
    }

    pub(super) fn answer(&mut self, payload: &Payload) -> io::Result<()> {
        let sent = self.client.send(payload);
        sent.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }

    async fn event(&mut self) -> io::Result<Event> {
        let event = self.client.next().await;
        event.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    pub(super) async fn fill(&mut self) -> io::Result<()> {
        let event = self.event().await?;
        self.arrived.push_back(event);
        Ok(())
    }

    pub(super) fn next(&mut self) -> Option<Arrived> {
        match self.arrived.pop_front()? {
            Event::Answer(id, Ok(answer)) => Some(Arrived::Answer(id, outcome(&answer.body))),
            Event::Answer(id, Err(status)) => Some(Arrived::Answer(id, Err(status.to_string()))),
            Event::Message(payload) => {
                let id = body_request_id(&payload.body).unwrap_or(RequestId(0));
                Some(Arrived::Asked(id, decode_request(&payload)))
            }
            Event::Room => None,
        }
    }
}
