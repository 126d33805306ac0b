//! The client's side of a gRPC connection: what `grpc` is to a server.

use distro_core::ids::RequestId;
use distro_core::io::SendError;
use distro_core::message::{Response, code};
use tokio::io::{AsyncRead, AsyncWrite};

use super::budget::{Inbound, Queue};
use super::connection::{Connection, LinkEvent, Outgoing, Outlet};
use super::grpc::joined;
use super::{LINGER, OUTBOUND_BATCH, count};
use crate::carrier::grpc::client::{self, Client};
use crate::carrier::tcp::FrameKind;
use crate::codec::{body_request_id, decode_request, decode_response};
use crate::net::{Clock, Stream};

impl<R, W, C> Connection<R, W, C>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    /// Speaks to a server that was dialled, until either end closes.
    pub(super) async fn call_grpc(self, mut stream: Stream<R, W>) {
        let (conn, events, clock) = (self.conn, self.events.clone(), self.clock.clone());
        let closed_here = async {
            if self.closing.await.is_err() {
                clock.sleep_until(clock.now().mono + LINGER).await;
            }
        };
        let outlet = Outlet {
            conn,
            ends: self.ends,
            message_bytes_max: self.message_bytes_max,
            events: self.events,
            counters: self.counters,
        };
        let calling = async {
            let authority = format!("{}:{}", stream.remote_ip, stream.remote_port);
            let io = joined(&mut stream, &[]);
            match Client::connect(io, &authority, outlet.message_bytes_max).await {
                Ok(mut client) => {
                    client.set_headers(self.headers);
                    let inbound = self.inbound;
                    let calling = Calling {
                        client,
                        inbound,
                        outlet,
                    };
                    calling.run(self.outgoing).await
                }
                Err(_) => true,
            }
        };
        let over = tokio::select! {
            biased;
            () = closed_here => false,
            over = calling => over,
        };
        if over {
            // Nobody listens any more when the whole shell ends.
            events.send(LinkEvent::Closed(conn)).await.ok();
        }
    }
}

/// The client's side of one connection.
struct Calling<S, R, W> {
    client: Client<S>,
    inbound: Inbound,
    outlet: Outlet<R, W>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, R, W> Calling<S, R, W> {
    /// Runs until either end closes; true when it was the server.
    async fn run(mut self, mut queue: Queue) -> bool {
        let mut batch = Vec::new();
        loop {
            let has_room = self.client.has_room();
            let going_on = tokio::select! {
                biased;
                event = self.client.next() => match event {
                    Some(event) => self.take(event).await,
                    None => false,
                },
                count = queue.next(&mut batch, OUTBOUND_BATCH), if has_room => {
                    if count == 0 {
                        self.client.finish();
                        while self.client.next().await.is_some() {}
                        return false;
                    }
                    for message in batch.drain(..) {
                        self.send(message).await;
                    }
                    true
                }
            };
            if !going_on {
                return true;
            }
        }
    }

    /// Translates what the server did. False when nobody listens.
    async fn take(&mut self, event: client::Event) -> bool {
        let conn = self.outlet.conn;
        let event = match event {
            client::Event::Answer(call, answer) => {
                let bytes = answer.as_ref().map_or(0, |payload| payload.body.len());
                let held = self.inbound.enter(bytes).await;
                let response = match answer {
                    Ok(payload) => decode_response(&payload).unwrap_or_else(|error| {
                        count(&self.outlet.counters.malformed_responses);
                        Response::error(code::BAD_GATEWAY, &error.to_string())
                    }),
                    // SDKs take it for a failure of the transport, as the generic error is.
                    Err(status) => Response::error(code::FAIL, &status.to_string()),
                };
                LinkEvent::Response(conn, RequestId(call), response, held)
            }
            client::Event::Message(payload) => {
                let id = body_request_id(&payload.body).unwrap_or(RequestId(0));
                let held = self.inbound.enter(payload.body.len()).await;
                LinkEvent::Request(conn, id, decode_request(&payload), held)
            }
            client::Event::Room => return true,
        };
        self.outlet.events.send(event).await.is_ok()
    }

    async fn send(&mut self, message: Outgoing) {
        let Some((kind, id, payload)) = self.outlet.payload(message).await else {
            return;
        };
        match kind {
            FrameKind::Request => self.client.call(id.0, &payload),
            FrameKind::OneWay => {
                if self.client.send(&payload).is_err() {
                    self.outlet.failed(id, SendError::Closed).await;
                }
            }
            FrameKind::Response => {
                // A server that ended the stream wants no answer.
                self.client.send(&payload).unwrap_or_default();
            }
        }
    }
}
