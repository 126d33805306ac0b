//! The client's end of a connection: calls and stream messages out, answers and pushes in.
//!
//! [`Client`] is what the shell's SDK, the operator's commands, the load generator and the
//! conformance kit speak gRPC with. It is driven by [`Client::next`] on whatever task owns it:
//!
//! ```no_run
//! # use distro_node::{carrier::grpc::client::{Client, Event}, codec::Payload};
//! # async fn example(io: tokio::net::TcpStream, check: Payload) -> Result<(), h2::Error> {
//! let mut client = Client::connect(io, "127.0.0.1:9848", 10 * 1024 * 1024).await?;
//! client.call(1, &check); // any number may be under way
//! while let Some(event) = client.next().await {
//!     match event {
//!         Event::Answer(1, Ok(answer)) => println!("{}", answer.type_name),
//!         Event::Answer(call, Err(status)) => eprintln!("call {call}: {status}"),
//!         Event::Answer(..) | Event::Message(_) | Event::Room => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream as _};
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::{broken, poll_body};
use super::gather::Gather;
use super::message::{Encoding, Messages};
use super::payload::Headers;
use super::server::PushError;
use super::status::{Code, Status};
use super::unsent::{Counted, Unsent};
use super::{
    CONNECTION_WINDOW_BYTES, CONTENT_TYPE, HEADER_BYTES_MAX, STREAM_PATH, STREAM_WINDOW_BYTES,
    UNARY_PATH, UNSENT_BYTES_MAX, payload, wire_bytes_max,
};
use crate::codec::Payload;

/// What a server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It answered a call, by the caller's number, or the call failed on the way.
    Answer(u64, Result<Payload, Status>),
    /// A message arrived on the stream.
    Message(Payload),
    /// There is [room](Client::has_room) again.
    Room,
}

/// A connection to a server.
pub struct Client<S> {
    conn: Connection<Gather<S>, Counted>,
    /// Until this end is finished.
    requests: Option<SendRequest<Counted>>,
    unary: Uri,
    stream: Uri,
    wire_bytes_max: usize,
    headers: Headers,
    /// Calls that the server does not allow yet: it limits how many are under way.
    waiting: VecDeque<(u64, Bytes)>,
    calls: FuturesUnordered<Call>,
    bi: Option<BiStream>,
    unsent: Unsent,
    full: bool,
    /// This end ended the connection, and waits until everything is out.
    finishing: bool,
}

impl<S> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("waiting", &self.waiting.len())
            .field("calls", &self.calls.len())
            .field("stream", &self.bi.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Greets a server on a byte stream that is connected. `authority` is its `host:port`, which
    /// is sent with every call.
    ///
    /// # Errors
    /// The stream broke.
    pub async fn connect(
        io: S,
        authority: &str,
        message_bytes_max: u64,
    ) -> Result<Client<S>, h2::Error> {
        let (requests, mut conn) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEADER_BYTES_MAX)
            .handshake(Gather::new(io))
            .await?;
        // The greeting has only been gathered so far, and a server waits for it.
        poll_fn(|context| match Pin::new(&mut conn).poll(context) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        let uri = |path| {
            let uri = Uri::builder().scheme("http").path_and_query(path);
            let named = uri.authority(authority).build();
            // An address that is no authority, such as IPv6 without brackets, is only not named.
            named.unwrap_or_else(|_| Uri::from_static(path))
        };
        Ok(Client {
            conn,
            requests: Some(requests),
            unary: uri(UNARY_PATH),
            stream: uri(STREAM_PATH),
            wire_bytes_max: wire_bytes_max(message_bytes_max),
            headers: Headers::new(),
            waiting: VecDeque::new(),
            calls: FuturesUnordered::new(),
            bi: None,
            unsent: Unsent::default(),
            full: false,
            finishing: false,
        })
    }

    /// What is sent with every payload from now on, such as the `accessToken` of a login.
    pub fn set_headers(&mut self, headers: Headers) {
        self.headers = headers;
    }

    /// Starts a unary call. `call` is the caller's number for it, which comes back with the answer.
    pub fn call(&mut self, call: u64, payload: &Payload) {
        let message = payload::frame(payload, &self.headers);
        self.waiting.push_back((call, message));
    }

    /// Sends a message on the stream, which the first one opens. On a connection that is over it
    /// is dropped.
    ///
    /// # Errors
    /// [`PushError::Closed`]: the stream or the connection is over.
    pub fn send(&mut self, payload: &Payload) -> Result<(), PushError> {
        if self.bi.is_none() {
            let requests = self.requests.as_mut().ok_or(PushError::Closed)?;
            let opened = requests.send_request(request(&self.stream), false);
            let (head, send) = opened.map_err(|_| PushError::Closed)?;
            self.bi = Some(BiStream {
                head: Some(head),
                body: None,
                messages: Messages::new(Encoding::Identity, self.wire_bytes_max),
                send,
            });
        }
        let bi = self.bi.as_mut().ok_or(PushError::Closed)?;
        let message = self.unsent.of(payload::frame(payload, &self.headers));
        bi.send
            .send_data(message, false)
            .map_err(|_| PushError::Closed)
    }

    /// False while the server does not read. Give it no more until [`Event::Room`].
    pub fn has_room(&mut self) -> bool {
        self.full = self.unsent.bytes() > UNSENT_BYTES_MAX;
        !self.full
    }

    /// Ends the stream, and the connection as soon as what is under way is done: then
    /// [`Client::next`] is `None`. Give that a time limit.
    pub fn finish(&mut self) {
        self.finishing = true;
        self.requests = None;
        self.waiting.clear();
        if let Some(bi) = &mut self.bi {
            // An error means that the server ended the stream first.
            bi.send
                .send_data(self.unsent.of(Bytes::new()), true)
                .unwrap_or_default();
        }
    }

    /// What the server does next; `None` when the connection, or its stream, is over. Also writes
    /// what waits, so it has to be polled all the time. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.start_calls(context);
        // What arrived before the end is still handed on.
        let over = Pin::new(&mut self.conn).poll(context).is_ready();
        if let Poll::Ready(Some((call, answer))) = Pin::new(&mut self.calls).poll_next(context) {
            return Poll::Ready(Some(Event::Answer(call, answer)));
        }
        if let Some(bi) = &mut self.bi
            && let Poll::Ready(message) = bi.poll_message(context)
        {
            if let Ok(Some(payload)) = message {
                return Poll::Ready(Some(Event::Message(payload)));
            }
            self.bi = None;
            self.requests = None;
            // Only now can HTTP/2 say goodbye, if this end is to.
            return if self.finishing && !over {
                self.poll_next(context)
            } else {
                Poll::Ready(None)
            };
        }
        if over {
            return Poll::Ready(None);
        }
        if self.full && self.unsent.bytes() <= UNSENT_BYTES_MAX {
            self.full = false;
            return Poll::Ready(Some(Event::Room));
        }
        Poll::Pending
    }

    /// Sends the calls that wait, as far as the server allows.
    fn start_calls(&mut self, context: &mut Context<'_>) {
        let Some(requests) = &mut self.requests else {
            return;
        };
        while !self.waiting.is_empty() {
            let Poll::Ready(ready) = requests.poll_ready(context) else {
                return;
            };
            let Some((call, message)) = self.waiting.pop_front() else {
                return;
            };
            let sent = ready.and_then(|()| {
                let sent = requests.send_request(request(&self.unary), false);
                sent.and_then(|(head, mut body)| {
                    body.send_data(self.unsent.of(message), true)?;
                    Ok(head)
                })
            });
            self.calls.push(Call {
                call,
                messages: Messages::new(Encoding::Identity, self.wire_bytes_max),
                state: match sent {
                    Ok(head) => CallState::Head(head),
                    Err(error) => CallState::Failed(broken(&error)),
                },
            });
        }
    }
}

/// How a call begins.
fn request(uri: &Uri) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.version_mut() = http::Version::HTTP_2;
    let headers = request.headers_mut();
    headers.reserve(3);
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(CONTENT_TYPE),
    );
    headers.insert(http::header::TE, HeaderValue::from_static("trailers"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
    request
}

/// What the head of an answer says; its body when there is one.
fn body_of(
    head: Result<http::Response<RecvStream>, h2::Error>,
    messages: &mut Messages,
) -> Result<RecvStream, Status> {
    let response = head.map_err(|error| broken(&error))?;
    if response.status() != StatusCode::OK {
        let text = format!("HTTP status {}", response.status());
        return Err(Status::new(Code::Unknown, text));
    }
    if response.headers().contains_key("grpc-status") {
        Status::read(response.headers())?;
    }
    messages.set_encoding(Encoding::of(response.headers())?);
    Ok(response.into_body())
}

/// A call that is under way.
struct Call {
    call: u64,
    messages: Messages,
    state: CallState,
}

enum CallState {
    Failed(Status),
    Head(ResponseFuture),
    Body(RecvStream),
    /// Its message is here; its status is not.
    Trailers(RecvStream),
}

impl Call {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Payload, Status>> {
        loop {
            let next = match &mut self.state {
                CallState::Failed(status) => return Poll::Ready(Err(status.clone())),
                CallState::Head(head) => {
                    let head = ready!(Pin::new(head).poll(context));
                    CallState::Body(body_of(head, &mut self.messages)?)
                }
                CallState::Body(body) => {
                    match ready!(poll_body(body, &mut self.messages, context)) {
                        Some(read) => {
                            read?;
                            self.messages.prefix()?;
                            continue;
                        }
                        None => {
                            let failed = CallState::Failed(Status::new(Code::Internal, ""));
                            match std::mem::replace(&mut self.state, failed) {
                                CallState::Body(body) | CallState::Trailers(body) => {
                                    CallState::Trailers(body)
                                }
                                early @ (CallState::Failed(_) | CallState::Head(_)) => early,
                            }
                        }
                    }
                }
                CallState::Trailers(body) => {
                    let trailers = ready!(body.poll_trailers(context));
                    let trailers = trailers.map_err(|error| broken(&error))?;
                    Status::read(&trailers.unwrap_or_default())?;
                    let message = self.messages.take_only()?;
                    return Poll::Ready(payload::decode(message).map(|(payload, _)| payload));
                }
            };
            self.state = next;
        }
    }
}

impl Future for Call {
    type Output = (u64, Result<Payload, Status>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.poll_answer(context));
        Poll::Ready((self.call, answer))
    }
}

/// The open `requestBiStream`.
struct BiStream {
    /// Until the server answered the call.
    head: Option<ResponseFuture>,
    body: Option<RecvStream>,
    messages: Messages,
    send: SendStream<Counted>,
}

impl BiStream {
    /// The next message; `None` when the server ended its direction.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Payload>, Status>> {
        if let Some(head) = &mut self.head {
            let head = ready!(Pin::new(head).poll(context));
            self.head = None;
            self.body = Some(body_of(head, &mut self.messages)?);
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(None));
        };
        loop {
            if let Some(message) = self.messages.take()? {
                return Poll::Ready(payload::decode(message).map(|(payload, _)| Some(payload)));
            }
            match ready!(poll_body(body, &mut self.messages, context)) {
                Some(read) => read?,
                None => return Poll::Ready(Ok(None)),
            }
        }
    }
}
