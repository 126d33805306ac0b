//! The server's end of a connection: unary calls and streams in, answers and pushes out.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream as _};
use h2::server::{Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{answer_head, plain, refusal, refuse};
use super::body::{Arriving, poll_body};
use super::gather::Gather;
use super::message::{Encoding, Messages};
use super::payload::Headers;
use super::status::{Code, Status, ok_trailers};
use super::unsent::{Counted, Unsent};
use super::{
    BI_STREAMS_MAX, CONNECTION_WINDOW_BYTES, CONTENT_TYPE, HEADER_BYTES_MAX, STREAM_PATH,
    STREAM_WINDOW_BYTES, STREAMS_MAX, UNARY_PATH, UNSENT_BYTES_MAX, payload, wire_bytes_max,
};
use crate::carrier::unfinished::Share;
use crate::codec::Payload;

/// One call or stream of a connection: its HTTP/2 stream number.
pub type CallId = u64;

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It called, with these headers; [`Server::answer`] answers.
    Call(CallId, Payload, Headers),
    /// It opened a stream.
    StreamOpened(CallId),
    /// A message arrived on a stream.
    Message(CallId, Payload),
    /// A stream ended, well or not. It takes no more pushes.
    StreamEnded(CallId),
    /// There is [room](Server::has_room) again.
    Room,
    /// It answered a [ping](Server::ping).
    Pong,
    /// A message of this call or stream could not be read. It has been answered so.
    Refused(CallId, Code),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// One of the ends closed it, or the network did.
    Closed,
    /// It stopped within a frame.
    Truncated,
    /// The client broke a rule of HTTP/2, and was told.
    Broken,
    /// Too much of unfinished messages had gathered.
    Overfull,
}

/// Why a push was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// The client does not read what it has already been sent.
    Busy,
    /// The stream is over.
    Closed,
}

/// A connection that a client opened.
pub struct Server<S> {
    conn: Connection<Gather<S>, Counted>,
    pings: Option<PingPong>,
    pinged: bool,
    wire_bytes_max: usize,
    /// Calls whose message has not arrived in full.
    arriving: FuturesUnordered<Arriving>,
    /// Bytes that those have gathered together.
    gathered: Arc<AtomicUsize>,
    /// What all messages that are not complete may hold.
    share: Share,
    /// Calls that wait for their answer.
    calls: BTreeMap<CallId, SendResponse<Counted>>,
    streams: BTreeMap<CallId, BiStream>,
    answers: Unsent,
    pushes: Unsent,
    /// [`Server::has_room`] has said no since the last [`Event::Room`].
    full: bool,
    /// Nothing new is served any more.
    finishing: bool,
    /// A message that could not be read, to be told next.
    refused: Option<(CallId, Code)>,
    end: End,
}

impl<S> std::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("calls", &self.calls.len())
            .field("streams", &self.streams.len())
            .field("finishing", &self.finishing)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// Greets a client. Waits for its preface: give it a time limit.
    ///
    /// # Errors
    /// The stream broke, or the client does not speak HTTP/2.
    pub async fn accept(io: S, message_bytes_max: u64) -> Result<Server<S>, h2::Error> {
        let mut conn = h2::server::Builder::new()
            .max_concurrent_streams(STREAMS_MAX)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEADER_BYTES_MAX)
            .handshake(Gather::new(io))
            .await?;
        Ok(Server {
            pings: conn.ping_pong(),
            pinged: false,
            conn,
            wire_bytes_max: wire_bytes_max(message_bytes_max),
            arriving: FuturesUnordered::new(),
            gathered: Arc::default(),
            share: Share::free(),
            calls: BTreeMap::new(),
            streams: BTreeMap::new(),
            answers: Unsent::default(),
            pushes: Unsent::default(),
            full: false,
            finishing: false,
            refused: None,
            end: End::Closed,
        })
    }

    /// What the client does next; `None` when the connection is over. Also writes what waits, so
    /// it has to be polled all the time. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The same client with a bound on its unfinished messages.
    #[must_use]
    pub fn bound(mut self, share: Share) -> Server<S> {
        self.share = share;
        self
    }

    /// The client has said who it is.
    pub fn widen(&mut self) {
        self.share.widen();
    }

    /// Bytes of messages that are not complete.
    fn unfinished(&self) -> usize {
        let of_streams = self
            .streams
            .values()
            .map(|stream| stream.messages.gathered());
        self.gathered.load(Ordering::Relaxed) + of_streams.sum::<usize>()
    }

    /// How the connection ended, once [`Server::next`] is `None`.
    pub fn end(&self) -> End {
        self.end
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some((call, code)) = self.refused.take() {
                return Poll::Ready(Some(Event::Refused(call, code)));
            }
            // What arrived before the end is still handed on.
            let mut over = false;
            match self.conn.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    if let Some(event) = self.accepted(request, respond, context) {
                        return Poll::Ready(Some(event));
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    over = true;
                    self.end = End::of(&error);
                }
                Poll::Ready(None) => over = true,
                Poll::Pending => {}
            }
            match Pin::new(&mut self.arriving).poll_next(context) {
                Poll::Ready(Some((call, arrived))) => {
                    if let Some(event) = self.arrived(call, arrived) {
                        return Poll::Ready(Some(event));
                    }
                    continue;
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
            if let Some(event) = self.poll_streams(context) {
                return Poll::Ready(Some(event));
            }
            if !over && !self.share.set(self.unfinished()) {
                over = true;
                self.end = End::Overfull;
            }
            if over {
                return Poll::Ready(None);
            }
            if self.full && self.answers.bytes() <= UNSENT_BYTES_MAX {
                self.full = false;
                return Poll::Ready(Some(Event::Room));
            }
            if self.pinged
                && let Some(pings) = &mut self.pings
                && let Poll::Ready(pong) = pings.poll_pong(context)
            {
                self.pinged = false;
                return Poll::Ready(pong.ok().map(|_| Event::Pong));
            }
            return Poll::Pending;
        }
    }

    /// A call begins.
    fn accepted(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Counted>,
        context: &mut Context<'_>,
    ) -> Option<Event> {
        let (call, encoding) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                refuse(&mut respond, *refusal);
                return None;
            }
        };
        let id = CallId::from(respond.stream_id().as_u32());
        let messages = Messages::new(encoding, self.wire_bytes_max);
        let body = request.into_body();
        match call {
            Called::Unary => {
                self.calls.insert(id, respond);
                let mut arriving = Arriving::new(id, body, messages, self.gathered.clone());
                // Mostly it is all there already.
                match Pin::new(&mut arriving).poll(context) {
                    Poll::Ready((call, arrived)) => self.arrived(call, arrived),
                    Poll::Pending => {
                        self.arriving.push(arriving);
                        None
                    }
                }
            }
            Called::Stream => {
                let send = respond.send_response(answer_head(), false).ok()?;
                let stream = BiStream {
                    body,
                    messages,
                    send,
                };
                self.streams.insert(id, stream);
                Some(Event::StreamOpened(id))
            }
        }
    }

    /// What a call is for, and how its messages are compressed; or what it is answered at once.
    fn admit(
        &self,
        request: &Request<RecvStream>,
    ) -> Result<(Called, Encoding), Box<Response<()>>> {
        let headers = request.headers();
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(http::header::ALLOW, HeaderValue::from_static("POST"));
            return Err(Box::new(response));
        }
        let content_type = headers.get(http::header::CONTENT_TYPE);
        let is_grpc = content_type.is_some_and(|kind| {
            let suffix = kind.as_bytes().strip_prefix(CONTENT_TYPE.as_bytes());
            suffix.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        });
        if !is_grpc {
            return Err(Box::new(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
        }
        let no = |code, text: &str| Box::new(refusal(&Status::new(code, text)));
        let call = match request.uri().path() {
            UNARY_PATH => Called::Unary,
            STREAM_PATH => Called::Stream,
            _ => {
                let text = format!("no method here but {UNARY_PATH} and {STREAM_PATH}");
                return Err(no(Code::Unimplemented, &text));
            }
        };
        if self.finishing {
            return Err(no(Code::Unavailable, "the connection is being closed"));
        }
        if matches!(call, Called::Stream) && self.streams.len() >= BI_STREAMS_MAX {
            return Err(no(Code::ResourceExhausted, "too many streams"));
        }
        let encoding = Encoding::of(headers).map_err(|status| Box::new(refusal(&status)))?;
        Ok((call, encoding))
    }

    /// The message of a call arrived, or never will.
    fn arrived(&mut self, call: CallId, arrived: Result<Bytes, Status>) -> Option<Event> {
        match arrived.and_then(payload::decode) {
            Ok((payload, headers)) => Some(Event::Call(call, payload, headers)),
            Err(status) => {
                self.refuse(call, &status);
                Some(Event::Refused(call, status.code))
            }
        }
    }

    fn poll_streams(&mut self, context: &mut Context<'_>) -> Option<Event> {
        for (id, stream) in &mut self.streams {
            let id = *id;
            match stream.poll_message(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(Some(payload))) => return Some(Event::Message(id, payload)),
                Poll::Ready(ended) => {
                    let code = ended.as_ref().err().map(|status| (id, status.code));
                    self.refused = code;
                    if let Some(stream) = self.streams.remove(&id) {
                        stream.end(ended.err());
                    }
                    return Some(Event::StreamEnded(id));
                }
            }
        }
        None
    }

    /// True while the client has a stream open.
    pub fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// False while the client does not read its answers. Give it no more until [`Event::Room`].
    pub fn has_room(&mut self) -> bool {
        self.full = self.answers.bytes() > UNSENT_BYTES_MAX;
        !self.full
    }

    /// Answers a call. One that its client has given up is dropped.
    pub fn answer(&mut self, call: CallId, payload: &Payload) {
        let Some(mut respond) = self.calls.remove(&call) else {
            return;
        };
        // An error means that the client reset the stream: it does not want the answer.
        let Ok(mut body) = respond.send_response(answer_head(), false) else {
            return;
        };
        let message = self.answers.of(payload::frame(payload, &Headers::new()));
        if body.send_data(message, false).is_ok() {
            body.send_trailers(ok_trailers()).unwrap_or_default();
        }
    }

    /// Ends a call without an answer.
    pub fn refuse(&mut self, call: CallId, status: &Status) {
        if let Some(mut respond) = self.calls.remove(&call) {
            refuse(&mut respond, refusal(status));
        }
    }

    /// Sends a message on a stream.
    ///
    /// # Errors
    /// Nothing of it is sent.
    pub fn push(&mut self, stream: CallId, payload: &Payload) -> Result<(), PushError> {
        let Some(stream) = self.streams.get_mut(&stream) else {
            return Err(PushError::Closed);
        };
        if self.pushes.bytes() > UNSENT_BYTES_MAX {
            return Err(PushError::Busy);
        }
        let message = self.pushes.of(payload::frame(payload, &Headers::new()));
        stream
            .send
            .send_data(message, false)
            .map_err(|_| PushError::Closed)
    }

    /// Asks whether the other end is still there; [`Event::Pong`] says so. False when the last
    /// ping is not answered yet.
    pub fn ping(&mut self) -> bool {
        let Some(pings) = &mut self.pings else {
            return false;
        };
        if self.pinged || pings.send_ping(Ping::opaque()).is_err() {
            return false;
        }
        self.pinged = true;
        true
    }

    /// Ends the connection: what is queued is still sent, [`Server::next`] is `None` when the
    /// client knows. Give that a time limit.
    ///
    /// Why streams end with a status where Nacos says OK: the Python SDK takes only an error as a
    /// sign that it has to connect again, and otherwise never registers what it lost.
    pub fn finish(&mut self) {
        self.finishing = true;
        let status = Status::new(Code::Unavailable, "the connection is being closed");
        for (_, mut respond) in std::mem::take(&mut self.calls) {
            refuse(&mut respond, refusal(&status));
        }
        for (_, stream) in std::mem::take(&mut self.streams) {
            stream.end(Some(status.clone()));
        }
        self.conn.graceful_shutdown();
    }
}

impl End {
    fn of(error: &h2::Error) -> End {
        let io = error.get_io().map(std::io::Error::kind);
        if error.is_library() {
            End::Broken
        } else if matches!(
            io,
            // What tokio-util says of bytes that are left over is of no kind.
            Some(std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::Other)
        ) {
            End::Truncated
        } else {
            End::Closed
        }
    }
}

/// The two methods.
#[derive(Debug, Clone, Copy)]
enum Called {
    Unary,
    Stream,
}

/// An open `requestBiStream`.
struct BiStream {
    body: RecvStream,
    messages: Messages,
    send: SendStream<Counted>,
}

impl BiStream {
    /// The next message; `None` when the client ended its direction.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Payload>, Status>> {
        loop {
            if let Some(message) = self.messages.take()? {
                return Poll::Ready(payload::decode(message).map(|(payload, _)| Some(payload)));
            }
            match ready!(poll_body(&mut self.body, &mut self.messages, context)) {
                Some(read) => read?,
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Ends this end's direction. An error means that the client already did.
    fn end(mut self, why: Option<Status>) {
        let trailers = match why {
            None => ok_trailers(),
            Some(status) => {
                let mut trailers = http::HeaderMap::new();
                status.write(&mut trailers);
                trailers
            }
        };
        self.send.send_trailers(trailers).unwrap_or_default();
    }
}
