//! One gRPC connection's task: the same messages as `connection`, another carrier.

use distro_core::ids::RequestId;
use distro_core::io::SendError;
use distro_core::message::{Received, Request, RequestType, Response, code};
use distro_core::time::{Mono, Period};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::admission::Admission;
use super::budget::{Inbound, Queue};
use super::connection::{Connection, LinkEvent, Outgoing, Outlet};
use super::greet::{Refusal, part};
use super::guard::Guard;
use super::{LINGER, OUTBOUND_BATCH, PREAMBLE_TIMEOUT, count, weigh};
use crate::carrier::grpc::PREFACE_START;
use crate::carrier::grpc::payload::Headers;
use crate::carrier::grpc::server::{self, CallId, End, PushError, Server};
use crate::carrier::grpc::status::Code;
use crate::carrier::tcp::FrameKind;
use crate::carrier::unfinished::Share;
use crate::codec::{Payload, body_request_id, decode_request, decode_response};
use crate::net::{Clock, Stream, within};

/// How long a call waits for the setup when a stream is open: the two are handled one after the
/// other, and the setup may arrive last (advice in part 2.5 of the protocol notes).
const SETUP_WAIT: Period = Period::from_millis(500);
/// Bytes of calls that wait for the setup. Beyond it they wait no longer.
const SETUP_WAIT_BYTES_MAX: usize = 1024 * 1024;
/// How long a client whose stream has ended may take to open another or to leave.
const STREAM_GRACE: Period = Period::from_secs(1);
/// How long a connection may say nothing before it is pinged. Nacos waits two hours
/// (`keep-alive-time`); a peer that was cut off before it set up would be kept that long.
const KEEP_ALIVE: Period = Period::from_secs(60);
/// How long a ping may stay unanswered (Nacos `keep-alive-timeout`).
const KEEP_ALIVE_TIMEOUT: Period = Period::from_secs(20);

/// Both directions as the one thing that HTTP/2 wants.
pub(super) fn joined<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    stream: &mut Stream<R, W>,
    first: &'static [u8],
) -> impl AsyncRead + AsyncWrite + Unpin {
    tokio::io::join(first.chain(&mut stream.reader), &mut stream.writer)
}

/// Why a connection is over.
enum Over {
    /// This end closed it.
    Here,
    /// The other end did, or the network.
    There,
    /// The other end broke a rule: the stream still has to be closed so that it learns of it.
    Broken,
}

impl<R, W, C> Connection<R, W, C>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    /// Serves a client whose first bytes were [`PREFACE_START`], until either end closes.
    pub(super) async fn serve_grpc(self, mut stream: Stream<R, W>) {
        let (conn, events, clock) = (self.conn, self.events.clone(), self.clock.clone());
        let (cut, counters) = (self.admission.cut.clone(), self.counters.clone());
        let closed_here = async {
            // The owner never sends: it drops its end.
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
        let serving = async {
            let io = joined(&mut stream, &PREFACE_START);
            let greeting = Server::accept(io, outlet.message_bytes_max);
            let refusal = match within(&self.clock, PREAMBLE_TIMEOUT, greeting).await {
                Some(Ok(server)) => Ok(server),
                Some(Err(error)) if error.is_io() => Err(Refusal::HungUp),
                Some(Err(_)) => Err(Refusal::Stranger),
                None => Err(Refusal::Silent),
            };
            let mut admission = self.admission;
            let server = match refusal {
                Ok(server) => server.bound(std::mem::replace(&mut admission.share, Share::free())),
                Err(refusal) => {
                    refusal.count(&outlet.counters);
                    return Over::Broken;
                }
            };
            let now = self.clock.now().mono;
            let serving = Serving {
                server,
                guard: self.guard,
                admission,
                inbound: self.inbound,
                outlet,
                push: None,
                set_up: None,
                held: Vec::new(),
                held_bytes: 0,
                times: Times {
                    heard: now,
                    keep_alive: now + KEEP_ALIVE,
                    pinged: false,
                    held: None,
                    gone: None,
                },
            };
            serving.run(self.outgoing, &self.clock).await
        };
        let over = tokio::select! {
            biased;
            () = closed_here => Over::Here,
            () = cut.told() => {
                count(&counters.unfinished);
                Over::There
            }
            over = serving => over,
        };
        match over {
            Over::Here => return,
            Over::There => {}
            Over::Broken => part(stream.reader, stream.writer, &clock).await,
        }
        // Nobody listens any more when the whole shell ends.
        events.send(LinkEvent::Closed(conn)).await.ok();
    }
}

/// When something is due on a connection though nothing arrives.
struct Times {
    /// When the client was last heard.
    heard: Mono,
    /// When to look whether it has been silent for long.
    keep_alive: Mono,
    /// A ping is under way.
    pinged: bool,
    /// When calls that wait for the setup are handed on without it.
    held: Option<Mono>,
    /// When a client without a stream counts as gone.
    gone: Option<Mono>,
}

impl Times {
    fn next(&self) -> Mono {
        let others = self.held.into_iter().chain(self.gone);
        others.fold(self.keep_alive, Mono::min)
    }
}

/// The server's side of one connection.
struct Serving<S, R, W> {
    server: Server<S>,
    guard: Guard,
    admission: Admission,
    inbound: Inbound,
    outlet: Outlet<R, W>,
    /// The stream on which the client is asked: the first one that was set up.
    push: Option<CallId>,
    /// The stream on which the last setup arrived: its acknowledgement goes there.
    set_up: Option<CallId>,
    /// Calls that wait for the setup.
    held: Vec<(CallId, Payload, Headers)>,
    /// Bytes of their bodies.
    held_bytes: usize,
    times: Times,
}

impl<S: AsyncRead + AsyncWrite + Unpin, R, W> Serving<S, R, W> {
    /// Runs until either end closes.
    async fn run<C: Clock>(mut self, mut queue: Queue, clock: &C) -> Over {
        let mut batch = Vec::new();
        let mut armed = self.times.next();
        let alarm = clock.sleep_until(armed);
        tokio::pin!(alarm);
        loop {
            let has_room = self.server.has_room();
            let going_on = tokio::select! {
                biased;
                event = self.server.next() => match event {
                    Some(event) => self.take(event, clock.now().mono).await,
                    None => return self.over(),
                },
                count = queue.next(&mut batch, OUTBOUND_BATCH), if has_room => {
                    if count == 0 {
                        self.server.finish();
                        while self.server.next().await.is_some() {}
                        return Over::Here;
                    }
                    for message in batch.drain(..) {
                        self.send(message).await;
                    }
                    true
                }
                () = &mut alarm => {
                    armed = Mono(u64::MAX);
                    self.due(clock.now().mono).await
                }
            };
            if !going_on {
                return Over::There;
            }
            let next = self.times.next();
            if next < armed {
                armed = next;
                alarm.set(clock.sleep_until(armed));
            }
        }
    }

    /// The client's connection is over.
    fn over(&self) -> Over {
        match self.server.end() {
            End::Closed => Over::There,
            End::Truncated => {
                count(&self.outlet.counters.truncated_frames);
                Over::There
            }
            End::Broken => {
                count(&self.outlet.counters.broken_frames);
                Over::Broken
            }
            End::Overfull => {
                count(&self.outlet.counters.unfinished);
                Over::There
            }
        }
    }

    /// Translates what the client did. False when it is gone, or nobody listens.
    async fn take(&mut self, event: server::Event, now: Mono) -> bool {
        self.times.heard = now;
        match event {
            server::Event::Call(call, payload, headers) => {
                let waits = self.set_up.is_none() && self.server.has_streams();
                if waits && &*payload.type_name != RequestType::ServerCheck.name() {
                    self.held_bytes += payload.body.len();
                    self.held.push((call, payload, headers));
                    self.times.held.get_or_insert(now + SETUP_WAIT);
                    return self.held_bytes <= SETUP_WAIT_BYTES_MAX || self.release().await;
                }
                self.hand_on(call, &payload, &headers).await
            }
            server::Event::StreamOpened(_) => true,
            server::Event::Message(stream, payload) => self.message(stream, &payload).await,
            server::Event::StreamEnded(stream) => {
                if self.push == Some(stream) {
                    self.push = None;
                    self.times.gone = Some(now + STREAM_GRACE);
                }
                self.server.has_streams() || self.release().await
            }
            server::Event::Room => true,
            server::Event::Pong => {
                self.times.pinged = false;
                self.times.keep_alive = now + KEEP_ALIVE;
                true
            }
            server::Event::Refused(_, code) => {
                match code {
                    Code::ResourceExhausted => count(&self.outlet.counters.oversized_frames),
                    Code::Internal | Code::Unimplemented => {
                        count(&self.outlet.counters.broken_frames);
                    }
                    // The client gave the call up, or this end did.
                    Code::Ok | Code::Cancelled | Code::Unknown | Code::Unavailable => {}
                }
                true
            }
        }
    }

    /// Hands a call to the machine.
    async fn hand_on(&mut self, call: CallId, payload: &Payload, headers: &Headers) -> bool {
        let mut received = weigh::decode(payload, &self.outlet.counters);
        // They belong on the stream, where they have no answer; here they are a type that nobody
        // handles.
        if !received.expects_response() {
            received = Received::Unknown(payload.type_name.clone());
        }
        let (conn, id) = (self.outlet.conn, RequestId(call));
        let received = self.guard.pass(received, headers, &payload.body);
        let held = self.inbound.enter(payload.body.len()).await;
        self.tell(LinkEvent::Request(conn, id, received, held))
            .await
    }

    async fn tell(&mut self, event: LinkEvent<R, W>) -> bool {
        self.outlet.events.send(event).await.is_ok()
    }

    /// Hands on the calls that waited for the setup.
    async fn release(&mut self) -> bool {
        self.times.held = None;
        self.held_bytes = 0;
        for (call, payload, headers) in std::mem::take(&mut self.held) {
            if !self.hand_on(call, &payload, &headers).await {
                return false;
            }
        }
        true
    }

    /// A message on a stream is the setup or an answer; Nacos ignores everything else.
    async fn message(&mut self, stream: CallId, payload: &Payload) -> bool {
        let conn = self.outlet.conn;
        if &*payload.type_name == RequestType::ConnectionSetup.name() {
            let received = decode_request(payload);
            if let Some(Request::ConnectionSetup(setup)) = received.request() {
                if !self.admission.set_up(setup, &self.outlet.counters) {
                    return false;
                }
                self.server.widen();
            }
            self.set_up = Some(stream);
            self.push.get_or_insert(stream);
            self.times.gone = None;
            let held = self.inbound.enter(payload.body.len()).await;
            let told = self.tell(LinkEvent::Request(conn, RequestId(stream), received, held));
            return told.await && self.release().await;
        }
        let Some(id) = body_request_id(&payload.body) else {
            return true;
        };
        let response = match decode_response(payload) {
            Ok(response) => response,
            Err(error) => {
                count(&self.outlet.counters.malformed_responses);
                Response::error(code::BAD_GATEWAY, &error.to_string())
            }
        };
        let held = self.inbound.enter(payload.body.len()).await;
        self.tell(LinkEvent::Response(conn, id, response, held))
            .await
    }

    /// Sends one of the machine's messages.
    async fn send(&mut self, message: Outgoing) {
        let is_ack = matches!(message, Outgoing::Request(_, Request::SetupAck(_)));
        let Some((kind, id, payload)) = self.outlet.payload(message).await else {
            return;
        };
        if kind == FrameKind::Response {
            return self.server.answer(id.0, &payload);
        }
        let stream = if is_ack { self.set_up } else { self.push };
        let pushed = match stream {
            Some(stream) => self.server.push(stream, &payload),
            None => Err(PushError::Closed),
        };
        match pushed {
            Ok(()) => {}
            Err(PushError::Busy) => self.outlet.failed(id, SendError::Busy).await,
            Err(PushError::Closed) => self.outlet.failed(id, SendError::Closed).await,
        }
    }

    /// Time has passed. False when the client is gone.
    async fn due(&mut self, now: Mono) -> bool {
        if self.times.held.is_some_and(|at| at <= now) && !self.release().await {
            return false;
        }
        if self.times.gone.is_some_and(|at| at <= now) {
            return false;
        }
        if self.times.keep_alive > now {
            return true;
        }
        let due = self.times.heard + KEEP_ALIVE;
        if due > now {
            self.times.keep_alive = due;
        } else if self.times.pinged {
            return false;
        } else {
            self.times.pinged = self.server.ping();
            self.times.keep_alive = now + KEEP_ALIVE_TIMEOUT;
        }
        true
    }
}
