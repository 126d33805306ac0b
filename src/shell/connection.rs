//! One connection's task: decodes what arrives, encodes what leaves.

use std::io;
use std::sync::Arc;

use bytes::BufMut;
use distro_core::ids::{ConnId, NodeId, RequestId};
use distro_core::io::{Listener as Source, SendError};
use distro_core::message::{Received, Request, Response, code};
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Decoder, FramedWrite};

use super::admission::Admission;
use super::budget::{Held, Inbound, Queue};
use super::greet::{Newcomer, Refusal, Told, part};
use super::guard::Guard;
use super::secret::SECRET_PREAMBLE;
use super::{FLUSH_BYTES, LINGER, LinkCounters, OUTBOUND_BATCH, count, weigh};
use crate::carrier::Carrier;
use crate::carrier::grpc::payload::Headers;
use crate::carrier::tcp::{Frame, FrameCodec, FrameError, FrameKind, PREAMBLE};
use crate::codec::{Ends, Payload, decode_response, encode_request, encode_response};
use crate::net::{Clock, Stream};

/// Frames have none: what a client says stands in the body.
const NO_HEADERS: Headers = Headers::new();

/// What a connection, or an attempt at one, tells the owner of the machine.
#[derive(Debug)]
pub(super) enum LinkEvent<R, W> {
    /// A listener accepted a stream; nobody knows yet who it is.
    Arrived(Source, Stream<R, W>),
    /// It is one of ours, and this is how it speaks.
    Accepted(Carrier, Box<Newcomer<R, W>>),
    /// A dial succeeded.
    Dialed(NodeId, Stream<R, W>),
    /// A dial failed.
    DialFailed { node: NodeId, refused: bool },
    /// A request arrived, or what came as one.
    Request(ConnId, RequestId, Received, Held),
    /// An answer arrived.
    Response(ConnId, RequestId, Response, Held),
    /// A request could not be sent.
    SendFailed(ConnId, RequestId, SendError),
    /// The connection ended, and not because this end closed it.
    Closed(ConnId),
}

/// What the owner of the machine hands to a connection.
#[derive(Debug)]
pub(super) enum Outgoing {
    Request(RequestId, Request),
    Response(RequestId, Response),
}

/// Everything a connection's task needs besides its stream.
#[derive(Debug)]
pub(super) struct Connection<R, W, C> {
    pub(super) conn: ConnId,
    /// This end dialled: it sends its preamble at once and has yet to see the other's.
    pub(super) dialed: bool,
    pub(super) ends: Ends,
    pub(super) guard: Guard,
    pub(super) admission: Admission,
    /// What a client says with everything that it sends over gRPC.
    pub(super) headers: Headers,
    pub(super) message_bytes_max: u64,
    pub(super) clock: C,
    pub(super) events: mpsc::Sender<LinkEvent<R, W>>,
    pub(super) inbound: Inbound,
    pub(super) outgoing: Queue,
    /// Resolves when the owner gave the connection up.
    pub(super) closing: oneshot::Receiver<()>,
    pub(super) counters: Arc<LinkCounters>,
    pub(super) told: Told,
}

impl<R, W, C> Connection<R, W, C>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    /// Runs until either end closes.
    pub(super) async fn run(self, carrier: Carrier, stream: Stream<R, W>) {
        match (carrier, self.dialed) {
            (Carrier::Tcp, _) => self.frames(stream).await,
            (Carrier::Grpc, true) => self.call_grpc(stream).await,
            (Carrier::Grpc, false) => self.serve_grpc(stream).await,
        }
    }

    /// Runs with length-delimited frames.
    async fn frames(self, stream: Stream<R, W>) {
        let Connection {
            conn,
            dialed,
            ends,
            guard,
            admission,
            message_bytes_max,
            clock,
            ..
        } = self;
        let (events, counters) = (self.events, self.counters);
        let codec = || FrameCodec::new(message_bytes_max);
        let incoming = Incoming {
            conn,
            guard,
            admission,
            reader: stream.reader,
            peer: ends.peer.clone(),
            inbound: self.inbound,
            events: events.clone(),
            counters: counters.clone(),
            clock: clock.clone(),
            told: self.told,
        };
        let mut outgoing = Outbound {
            dialed,
            // It grows with what is written: most connections of a busy node are idle.
            sink: FramedWrite::with_capacity(stream.writer, codec(), PREAMBLE.len()),
            queue: self.outgoing,
            outlet: Outlet {
                conn,
                ends,
                message_bytes_max,
                events: events.clone(),
                counters,
            },
        };
        let closed_here = async {
            // The owner never sends: it drops its end.
            if self.closing.await.is_err() {
                clock.sleep_until(clock.now().mono + LINGER).await;
            }
        };
        let incoming = incoming.run(dialed, codec());
        tokio::pin!(closed_here, incoming);
        // What arrives comes last: a peer that never pauses leaves nothing of the task's turn to
        // those after it, neither to the clock nor to what is written.
        let broken = tokio::select! {
            biased;
            () = &mut closed_here => return,
            written = outgoing.run() => {
                if written.is_ok() {
                    // This end closed and everything is out. Unread input would turn the close
                    // into a reset that destroys what the peer has not read yet, so the rest is
                    // read away.
                    tokio::select! {
                        biased;
                        () = &mut closed_here => {}
                        _ = &mut incoming => {}
                    }
                    return;
                }
                None
            }
            broken = &mut incoming => broken,
        };
        if let Some(reader) = broken {
            part(reader, outgoing.sink.into_inner(), &clock).await;
        }
        // Nobody listens any more when the whole shell ends.
        events.send(LinkEvent::Closed(conn)).await.ok();
    }
}

struct Incoming<R, W, C> {
    conn: ConnId,
    guard: Guard,
    admission: Admission,
    reader: R,
    peer: Option<NodeId>,
    inbound: Inbound,
    events: mpsc::Sender<LinkEvent<R, W>>,
    counters: Arc<LinkCounters>,
    clock: C,
    told: Told,
}

impl<R: AsyncRead + Unpin, W, C: Clock> Incoming<R, W, C> {
    /// Hands on what arrives until the stream ends or nobody listens; gives the stream back when
    /// it breaks a rule.
    async fn run(mut self, dialed: bool, mut codec: FrameCodec) -> Option<R> {
        if dialed && !self.greeted().await {
            return None;
        }
        let mut buffer = bytes::BytesMut::new();
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    if !self.hand_on(frame).await {
                        return None;
                    }
                }
                Ok(None) => {
                    if !self.admission.share.set(buffer.len()) {
                        count(&self.counters.unfinished);
                        return None;
                    }
                    let read = tokio::select! {
                        biased;
                        () = self.admission.cut.told() => {
                            count(self.admission.why_cut(&self.counters));
                            return None;
                        }
                        read = self.reader.read_buf(&mut buffer) => read,
                    };
                    match read {
                        Ok(0) | Err(_) => {
                            if !buffer.is_empty() {
                                count(&self.counters.truncated_frames);
                            }
                            return None;
                        }
                        Ok(_) => {}
                    }
                }
                Err(error) => {
                    count(match error {
                        FrameError::TooLong => &self.counters.oversized_frames,
                        FrameError::NoHeader | FrameError::Io(_) => &self.counters.broken_frames,
                    });
                    return Some(self.reader);
                }
            }
        }
    }

    /// True when who was dialled is one of ours.
    async fn greeted(&mut self) -> bool {
        let mut first = [0; PREAMBLE.len()];
        if self.reader.read_exact(&mut first).await.is_err() {
            return false;
        }
        if first == PREAMBLE {
            return true;
        }
        let refusal = match first {
            SECRET_PREAMBLE => Refusal::SecretOnlyThere,
            first => Refusal::of_first_bytes(first),
        };
        refusal.count(&self.counters);
        if let Some(member) = &self.peer {
            self.told.warn(member, &refusal, self.clock.now().mono);
        }
        false
    }

    async fn hand_on(&mut self, frame: Frame) -> bool {
        let Frame { kind, id, payload } = frame;
        let held = self.inbound.admit(payload.body.len()).await;
        let event = match kind {
            FrameKind::Request | FrameKind::OneWay => {
                let received = weigh::decode(&payload, &self.counters);
                if let Some(Request::ConnectionSetup(setup)) = received.request()
                    && !self.admission.set_up(setup, &self.counters)
                {
                    return false;
                }
                let received = self.guard.pass(received, &NO_HEADERS, &payload.body);
                LinkEvent::Request(self.conn, id, received, held)
            }
            FrameKind::Response => {
                // Java's callback never fires; telling the machine at once is as true and faster.
                let response = decode_response(&payload).unwrap_or_else(|error| {
                    count(&self.counters.malformed_responses);
                    Response::error(code::BAD_GATEWAY, &error.to_string())
                });
                LinkEvent::Response(self.conn, id, response, held)
            }
        };
        self.events.send(event).await.is_ok()
    }
}

struct Outbound<R, W> {
    dialed: bool,
    sink: FramedWrite<W, FrameCodec>,
    queue: Queue,
    outlet: Outlet<R, W>,
}

impl<R, W: AsyncWrite + Unpin> Outbound<R, W> {
    /// Writes until the owner closes the queue: then everything is out and the direction is shut.
    async fn run(&mut self) -> io::Result<()> {
        self.sink.set_backpressure_boundary(FLUSH_BYTES);
        self.sink.write_buffer_mut().put_slice(&PREAMBLE);
        let mut batch = Vec::new();
        if self.dialed && self.queue.is_empty() {
            SinkExt::<Frame>::flush(&mut self.sink).await?;
        }
        while self.queue.next(&mut batch, OUTBOUND_BATCH).await > 0 {
            for message in batch.drain(..) {
                if let Some((kind, id, payload)) = self.outlet.payload(message).await {
                    self.sink.feed(Frame { kind, id, payload }).await?;
                }
            }
            SinkExt::<Frame>::flush(&mut self.sink).await?;
        }
        SinkExt::<Frame>::flush(&mut self.sink).await?;
        self.sink.get_mut().shutdown().await
    }
}

/// Turns the machine's messages into payloads.
#[derive(Debug)]
pub(super) struct Outlet<R, W> {
    pub(super) conn: ConnId,
    pub(super) ends: Ends,
    pub(super) message_bytes_max: u64,
    pub(super) events: mpsc::Sender<LinkEvent<R, W>>,
    pub(super) counters: Arc<LinkCounters>,
}

impl<R, W> Outlet<R, W> {
    fn fits(&self, payload: &Payload) -> bool {
        payload.body.len() as u64 <= self.message_bytes_max
    }

    /// A request was not sent.
    pub(super) async fn failed(&self, id: RequestId, cause: SendError) {
        let failed = LinkEvent::SendFailed(self.conn, id, cause);
        // Nobody listens any more when the whole shell ends.
        self.events.send(failed).await.ok();
    }

    /// The message as a payload; `None` when it is over the limit and its sender was told.
    pub(super) async fn payload(
        &self,
        message: Outgoing,
    ) -> Option<(FrameKind, RequestId, Payload)> {
        match message {
            Outgoing::Request(id, request) => {
                let payload = encode_request(&request, Some(id), &self.ends);
                if self.fits(&payload) {
                    let answered = request.expects_response();
                    let kind = if answered {
                        FrameKind::Request
                    } else {
                        FrameKind::OneWay
                    };
                    return Some((kind, id, payload));
                }
                count(&self.counters.oversized);
                self.failed(id, SendError::TooLarge).await;
                None
            }
            Outgoing::Response(id, response) => {
                // What a client answers to its server repeats the id in its body, as Java's does.
                let echo = self.ends.me.is_none().then_some(id);
                let mut payload = encode_response(&response, echo, &self.ends);
                if !self.fits(&payload) {
                    count(&self.counters.oversized);
                    // The requester learns of it at once and not by a timeout.
                    let text =
                        format!("response of {} bytes is over the limit", payload.body.len());
                    payload =
                        encode_response(&Response::error(code::FAIL, &text), echo, &self.ends);
                }
                Some((FrameKind::Response, id, payload))
            }
        }
    }
}
