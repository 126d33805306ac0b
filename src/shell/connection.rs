//! One connection's task: decodes what arrives, encodes what leaves.

use std::io;
use std::sync::Arc;

use bytes::BufMut;
use distro_core::ids::{ConnId, NodeId, RequestId};
use distro_core::io::{Listener as Source, SendError};
use distro_core::message::{Request, Response, code};
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Decoder, FramedWrite};

use super::{FLUSH_BYTES, LINGER, LinkCounters, OUTBOUND_BATCH, PREAMBLE_TIMEOUT, count};
use crate::carrier::tcp::{Frame, FrameCodec, FrameKind, PREAMBLE};
use crate::codec::{Ends, decode_request, decode_response, encode_request, encode_response};
use crate::net::{Clock, Stream, within};

/// What a connection, or an attempt at one, tells the owner of the machine.
#[derive(Debug)]
pub(super) enum LinkEvent<R, W> {
    /// A listener accepted a stream; nobody knows yet who it is.
    Arrived(Source, Stream<R, W>),
    /// It is one of ours.
    Accepted(Source, Stream<R, W>),
    /// It is not.
    Stranger,
    /// A dial succeeded.
    Dialed(NodeId, Stream<R, W>),
    /// A dial failed.
    DialFailed { node: NodeId, refused: bool },
    /// A request arrived.
    Request(ConnId, RequestId, Request),
    /// An answer arrived.
    Response(ConnId, RequestId, Response),
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
    pub(super) message_bytes_max: u64,
    pub(super) clock: C,
    pub(super) events: mpsc::Sender<LinkEvent<R, W>>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
    /// Resolves when the owner gave the connection up.
    pub(super) closing: oneshot::Receiver<()>,
    pub(super) counters: Arc<LinkCounters>,
}

/// Reads the preamble of an accepted stream.
pub(super) async fn greet<R, W, C>(
    source: Source,
    mut stream: Stream<R, W>,
    clock: C,
    counters: Arc<LinkCounters>,
) -> LinkEvent<R, W>
where
    R: AsyncRead + Unpin,
    C: Clock,
{
    let mut first = [0; PREAMBLE.len()];
    match within(
        &clock,
        PREAMBLE_TIMEOUT,
        stream.reader.read_exact(&mut first),
    )
    .await
    {
        Some(Ok(_)) if first == PREAMBLE => LinkEvent::Accepted(source, stream),
        // Dropping the stream closes it cleanly.
        Some(_) | None => {
            count(&counters.strangers);
            LinkEvent::Stranger
        }
    }
}

impl<R, W, C> Connection<R, W, C>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    /// Runs until either end closes.
    pub(super) async fn run(self, stream: Stream<R, W>) {
        let Connection {
            conn,
            dialed,
            ends,
            message_bytes_max,
            clock,
            ..
        } = self;
        let (events, counters) = (self.events, self.counters);
        let codec = || FrameCodec::new(message_bytes_max);
        let incoming = Incoming {
            conn,
            reader: stream.reader,
            events: events.clone(),
            counters: counters.clone(),
        };
        let mut outgoing = Outbound {
            conn,
            dialed,
            ends,
            sink: FramedWrite::new(stream.writer, codec()),
            queue: self.outgoing,
            events: events.clone(),
            counters,
        };
        let closed_here = async {
            // The owner never sends: it drops its end.
            if self.closing.await.is_err() {
                clock.sleep_until(clock.now().mono + LINGER).await;
            }
        };
        let incoming = incoming.run(dialed, codec());
        tokio::pin!(closed_here, incoming);
        let over = tokio::select! {
            biased;
            () = &mut incoming => true,
            () = &mut closed_here => false,
            written = outgoing.run() => written.is_err(),
        };
        if !over {
            // This end closed and everything is out. Unread input would turn the close into a
            // reset that destroys what the peer has not read yet, so the rest is read away.
            tokio::select! {
                biased;
                () = &mut incoming => {}
                () = &mut closed_here => {}
            }
            return;
        }
        // Nobody listens any more when the whole shell ends.
        events.send(LinkEvent::Closed(conn)).await.ok();
    }
}

struct Incoming<R, W> {
    conn: ConnId,
    reader: R,
    events: mpsc::Sender<LinkEvent<R, W>>,
    counters: Arc<LinkCounters>,
}

impl<R: AsyncRead + Unpin, W> Incoming<R, W> {
    /// Hands on what arrives until the stream ends, breaks a rule, or nobody listens.
    async fn run(mut self, dialed: bool, mut codec: FrameCodec) {
        if dialed {
            let mut first = [0; PREAMBLE.len()];
            match self.reader.read_exact(&mut first).await {
                Ok(_) if first == PREAMBLE => {}
                Ok(_) => return count(&self.counters.strangers),
                Err(_) => return,
            }
        }
        let mut buffer = bytes::BytesMut::new();
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    if !self.hand_on(frame).await {
                        return;
                    }
                }
                Ok(None) => match self.reader.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                Err(_) => return count(&self.counters.broken_frames),
            }
        }
    }

    async fn hand_on(&mut self, frame: Frame) -> bool {
        let Frame { kind, id, payload } = frame;
        let event = match kind {
            FrameKind::Request | FrameKind::OneWay => {
                LinkEvent::Request(self.conn, id, decode_request(&payload))
            }
            FrameKind::Response => {
                // Java's callback never fires; telling the machine at once is as true and faster.
                let response = decode_response(&payload).unwrap_or_else(|error| {
                    count(&self.counters.malformed_responses);
                    Response::error(code::BAD_GATEWAY, &error.to_string())
                });
                LinkEvent::Response(self.conn, id, response)
            }
        };
        self.events.send(event).await.is_ok()
    }
}

struct Outbound<R, W> {
    conn: ConnId,
    dialed: bool,
    ends: Ends,
    sink: FramedWrite<W, FrameCodec>,
    queue: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<LinkEvent<R, W>>,
    counters: Arc<LinkCounters>,
}

impl<R, W: AsyncWrite + Unpin> Outbound<R, W> {
    /// Writes until the owner closes the queue: then everything is out and the direction is shut.
    async fn run(&mut self) -> io::Result<()> {
        self.sink.set_backpressure_boundary(FLUSH_BYTES);
        self.sink.write_buffer_mut().put_slice(&PREAMBLE);
        let mut batch = Vec::with_capacity(OUTBOUND_BATCH);
        if self.dialed && self.queue.is_empty() {
            SinkExt::<Frame>::flush(&mut self.sink).await?;
        }
        while self.queue.recv_many(&mut batch, OUTBOUND_BATCH).await > 0 {
            for message in batch.drain(..) {
                if let Some(frame) = self.encoded(message).await {
                    self.sink.feed(frame).await?;
                }
            }
            SinkExt::<Frame>::flush(&mut self.sink).await?;
        }
        SinkExt::<Frame>::flush(&mut self.sink).await?;
        self.sink.get_mut().shutdown().await
    }

    /// The message as a frame; `None` when it is over the limit and its sender was told.
    async fn encoded(&mut self, message: Outgoing) -> Option<Frame> {
        match message {
            Outgoing::Request(id, request) => {
                let payload = encode_request(&request, Some(id), &self.ends);
                if self.sink.encoder().fits(&payload) {
                    let answered = request.expects_response();
                    let kind = if answered {
                        FrameKind::Request
                    } else {
                        FrameKind::OneWay
                    };
                    return Some(Frame { kind, id, payload });
                }
                count(&self.counters.oversized);
                let failed = LinkEvent::SendFailed(self.conn, id, SendError::TooLarge);
                // Nobody listens any more when the whole shell ends.
                self.events.send(failed).await.ok();
                None
            }
            Outgoing::Response(id, response) => {
                // What a client answers to its server repeats the id in its body, as Java's does.
                let echo = self.ends.me.is_none().then_some(id);
                let mut payload = encode_response(&response, echo, &self.ends);
                if !self.sink.encoder().fits(&payload) {
                    count(&self.counters.oversized);
                    // The requester learns of it at once and not by a timeout.
                    let text =
                        format!("response of {} bytes is over the limit", payload.body.len());
                    payload =
                        encode_response(&Response::error(code::FAIL, &text), echo, &self.ends);
                }
                Some(Frame {
                    kind: FrameKind::Response,
                    id,
                    payload,
                })
            }
        }
    }
}
