//! The fault layer of a stream: what one end writes is cut into the carrier's frames, each frame
//! meets its fate, and the other end hands it on when its time has come.
//!
//! Between the two ends a frame travels in an envelope of our own (see [`put`]). The stream below
//! is reliable and in order; everything that is not, is done here on whole frames, so that a loss
//! means a lost message and never a broken byte stream.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use distro_core::message::MessageKind;
use distro_node::carrier::tcp::{FrameKind, FrameView, PREAMBLE};
use distro_node::codec::request_kind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::fabric::{End, Fabric, Gate, Half, Outbound};
use super::http2::Http2;

/// Envelope: length of the content, delay, jitter, and whether the content is a message.
const ENVELOPE_BYTES: usize = 4 + 8 + 8 + 1;
/// Bytes of the carrier's length field.
const LENGTH_BYTES: usize = 4;
/// Bytes that may wait in a writer before it takes no more.
const OUT_BYTES_MAX: usize = 256 * 1024;
/// Frames that may wait in a reader before it takes no more.
const FRAMES_MAX: usize = 4_096;
/// How often a writer that was told "busy" looks again.
const BUSY_RETRY: Duration = Duration::from_millis(1);
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// What a writer has for the reader of the same end, as if the other end had said it.
#[derive(Debug, Clone, Default)]
pub(super) struct Back(Arc<Mutex<BytesMut>>);

impl Back {
    pub(super) fn give(&self, bytes: &[u8]) {
        let mut back = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        back.extend_from_slice(bytes);
    }

    fn take(&self) -> Bytes {
        let mut back = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        back.split().freeze()
    }
}

/// A stream's half, its timer and its place in the fabric.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) fabric: Arc<Fabric>,
    pub(super) end: End,
    pub(super) back: Back,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Common {
    fn new(fabric: Arc<Fabric>, end: End, back: Back) -> Common {
        fabric.hold(end);
        Common {
            fabric,
            end,
            back,
            timer: None,
        }
    }

    /// Waits until a moment of true time, or until woken.
    fn wait(&mut self, until: Duration, context: &mut Context<'_>) -> Poll<()> {
        self.timer
            .insert(Box::pin(sleep(until)))
            .as_mut()
            .poll(context)
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        self.fabric.release(self.end);
    }
}

fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// Puts the faults between one end of a connection and what it reads and writes.
pub(crate) fn faulty<R, W>(
    (reader, writer): (R, W),
    fabric: &Arc<Fabric>,
    end: End,
) -> (FaultReader<R>, FaultWriter<W>) {
    let back = Back::default();
    let common = || Common::new(fabric.clone(), end, back.clone());
    let reader = FaultReader::new(reader, common());
    (reader, FaultWriter::new(writer, common()))
}

/// What an end speaks.
#[derive(Debug)]
enum Speech {
    /// It has not said a word.
    Unknown,
    /// Our own frames.
    Tcp,
    /// gRPC's HTTP/2.
    Http2(Http2),
}

/// Writes frames into envelopes.
#[derive(Debug)]
pub(crate) struct FaultWriter<W> {
    inner: W,
    common: Common,
    /// What was written and is no whole frame yet, or was told that the link is busy.
    raw: BytesMut,
    speech: Speech,
    out: BytesMut,
}

/// Puts content into an envelope: it may be handed on `delay` after it arrived, in its order, and
/// then falls behind by `jitter`. Microseconds.
pub(super) fn put(out: &mut BytesMut, content: &[u8], delay: u64, jitter: u64, message: bool) {
    out.reserve(ENVELOPE_BYTES + content.len());
    out.put_u32(u32::try_from(content.len()).expect("the carrier's frames fit into u32"));
    out.put_u64(delay);
    out.put_u64(jitter);
    out.put_u8(u8::from(message));
    out.put_slice(content);
}

impl<W> FaultWriter<W> {
    fn new(inner: W, common: Common) -> FaultWriter<W> {
        FaultWriter {
            inner,
            common,
            raw: BytesMut::new(),
            speech: Speech::Unknown,
            out: BytesMut::new(),
        }
    }

    /// Sends the whole frames that were written; false when the link is busy.
    fn send_frames(&mut self) -> bool {
        if matches!(self.speech, Speech::Unknown) {
            let Some(first) = self.raw.first_chunk::<{ PREAMBLE.len() }>() else {
                return true;
            };
            self.speech = if *first == PREAMBLE {
                let preamble = self.raw.split_to(PREAMBLE.len());
                put(&mut self.out, &preamble, 0, 0, false);
                Speech::Tcp
            } else {
                Speech::Http2(Http2::default())
            };
        }
        match &mut self.speech {
            Speech::Unknown => true,
            Speech::Tcp => self.send_own_frames(),
            Speech::Http2(http2) => http2.send(&mut self.raw, &mut self.out, &self.common),
        }
    }

    fn send_own_frames(&mut self) -> bool {
        loop {
            let Some(length) = self.raw.first_chunk::<LENGTH_BYTES>() else {
                return true;
            };
            let length = LENGTH_BYTES + u32::from_be_bytes(*length) as usize;
            if self.raw.len() < length {
                return true;
            }
            if !self.send_frame(length) {
                return false;
            }
            self.raw.advance(length);
        }
    }

    fn send_frame(&mut self, length: usize) -> bool {
        let frame = &self.raw[LENGTH_BYTES..length];
        let view = FrameView::parse(frame).expect("the shell writes well-formed frames");
        let body = &frame[view.body_at..];
        let kind = || -> MessageKind { request_kind(view.type_name, body) };
        let outbound = Outbound {
            id: view.id,
            request: match view.kind {
                FrameKind::Request | FrameKind::OneWay => Some(&kind),
                FrameKind::Response => None,
            },
            bytes: length as u64,
        };
        let passage =
            self.common
                .fabric
                .send(self.common.end, self.common.fabric.true_time(), &outbound);
        if passage.fate.busy {
            return false;
        }
        if passage.fate.vanish {
            return true;
        }
        let mut content = BytesMut::from(&self.raw[..length]);
        if passage.fate.corrupt {
            // Unreadable, but still one frame: links do not lose their framing.
            content[LENGTH_BYTES + view.body_at..].fill(0xff);
        }
        let delay = passage.fate.delay;
        put(&mut self.out, &content, delay, passage.jitter[0], true);
        if passage.fate.duplicate {
            let late = passage.second.saturating_add(passage.jitter[1]);
            put(&mut self.out, &content, delay, late, true);
        }
        true
    }
}

impl<W: AsyncWrite + Unpin> FaultWriter<W> {
    /// Ready when this end may write.
    fn poll_gate(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let fabric = &self.common.fabric;
        let now = fabric.true_time();
        let gate = fabric.gate(self.common.end, Half::Writer, now, context.waker());
        match gate {
            Gate::Open(_) => Poll::Ready(Ok(())),
            Gate::Shut => Poll::Pending,
            Gate::Reset => Poll::Ready(Err(reset())),
        }
    }

    /// Ready when no frame waits for a busy link.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.send_frames() {
            ready!(self.common.wait(BUSY_RETRY, context));
        }
        Poll::Ready(())
    }

    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.out))?;
            self.out.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for FaultWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_gate(context))?;
        ready!(self.poll_send(context));
        if self.out.len() > OUT_BYTES_MAX {
            ready!(self.poll_out(context))?;
        }
        self.raw.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_gate(context))?;
        ready!(self.poll_send(context));
        ready!(self.poll_out(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Hands on what arrives in envelopes.
#[derive(Debug)]
pub(crate) struct FaultReader<R> {
    inner: R,
    common: Common,
    raw: BytesMut,
    /// What arrived, by the time at which it may be handed on, then by arrival.
    waiting: BTreeMap<(u64, u64), (Bytes, bool)>,
    arrivals: u64,
    /// The latest time in `waiting` without jitter.
    last: u64,
    /// A partition stopped the first one; it is sent again some time after the end.
    held: bool,
    resent: u64,
    /// The first one is a message and its host was asked how long it takes.
    served: Option<u64>,
    /// What is being handed on.
    current: Bytes,
    /// Something was handed on: before that an end has nothing to be told.
    greeted: bool,
    /// How the stream below ended.
    over: Option<io::Result<()>>,
}

impl<R> FaultReader<R> {
    fn new(inner: R, common: Common) -> FaultReader<R> {
        FaultReader {
            inner,
            common,
            raw: BytesMut::new(),
            waiting: BTreeMap::new(),
            arrivals: 0,
            last: 0,
            held: false,
            resent: 0,
            served: None,
            current: Bytes::new(),
            greeted: false,
            over: None,
        }
    }

    /// Takes whole envelopes off what was read.
    fn unpack(&mut self, now: u64) {
        while let Some(mut head) = self.raw.get(..ENVELOPE_BYTES) {
            let length = head.get_u32() as usize;
            let (delay, jitter, message) = (head.get_u64(), head.get_u64(), head.get_u8() == 1);
            if self.raw.len() < ENVELOPE_BYTES + length {
                return;
            }
            self.raw.advance(ENVELOPE_BYTES);
            let content = self.raw.split_to(length).freeze();
            self.last = now.saturating_add(delay).max(self.last);
            self.arrivals += 1;
            let at = self.last.saturating_add(jitter);
            self.waiting.insert((at, self.arrivals), (content, message));
        }
    }
}

impl<R: AsyncRead + Unpin> FaultReader<R> {
    /// Reads what there is.
    fn pull(&mut self, now: u64, context: &mut Context<'_>) {
        let mut space = [0; READ_BYTES];
        while self.over.is_none() && self.waiting.len() < FRAMES_MAX {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.inner).poll_read(context, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Err(error)) => self.over = Some(Err(error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.over = Some(Ok(())),
                Poll::Ready(Ok(())) => {
                    self.raw.extend_from_slice(buffer.filled());
                    self.unpack(now);
                }
            }
        }
    }

    /// When what waits may be handed on, as far as partitions are concerned; `None`: not now.
    fn crosses(&mut self, now: u64) -> Option<u64> {
        if self.common.fabric.blocked(self.common.end) {
            self.held = true;
            return None;
        }
        if std::mem::take(&mut self.held) {
            self.resent = now.saturating_add(self.common.fabric.retransmission());
        }
        Some(self.resent)
    }

    /// Makes the next frame current, or says until when to wait; `None`: until woken.
    fn step(&mut self, now: u64) -> Result<Step, io::Error> {
        let (end_lost, data_lost) = self.common.fabric.lost(self.common.end);
        if data_lost {
            self.waiting.clear();
        }
        let Some(first) = self.waiting.first_entry() else {
            if self.over.is_none() || end_lost {
                return Ok(Step::Wait(None));
            }
            return match self.crosses(now) {
                None => Ok(Step::Wait(None)),
                Some(at) if at > now => Ok(Step::Wait(Some(at))),
                Some(_) => self.over.take().unwrap_or(Ok(())).map(|()| Step::Over),
            };
        };
        let at = first.key().0;
        if at > now {
            return Ok(Step::Wait(Some(at)));
        }
        let message = first.get().1;
        match self.crosses(now) {
            None => return Ok(Step::Wait(None)),
            Some(at) if at > now => return Ok(Step::Wait(Some(at))),
            Some(_) => {}
        }
        if message {
            let host = self.common.end;
            let done = match self.served {
                Some(done) => done,
                None => self.common.fabric.serve_at(host, now),
            };
            if done > now {
                self.served = Some(done);
                return Ok(Step::Wait(Some(done)));
            }
        }
        self.served = None;
        if let Some((_, (content, _))) = self.waiting.pop_first() {
            self.current = content;
        }
        Ok(Step::Go)
    }
}

enum Step {
    /// Something is current.
    Go,
    /// Nothing before this time, or before being woken.
    Wait(Option<u64>),
    /// The stream ended.
    Over,
}

impl<R: AsyncRead + Unpin> AsyncRead for FaultReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let now = self.common.fabric.true_time();
            let gate = self
                .common
                .fabric
                .gate(self.common.end, Half::Reader, now, context.waker());
            let reset_at = match gate {
                Gate::Open(reset_at) => reset_at,
                Gate::Shut => return Poll::Pending,
                Gate::Reset => return Poll::Ready(Err(reset())),
            };
            if self.current.is_empty() && self.greeted {
                self.current = self.common.back.take();
            }
            if !self.current.is_empty() {
                self.greeted = true;
                let length = self.current.len().min(buffer.remaining());
                buffer.put_slice(&self.current.split_to(length));
                return Poll::Ready(Ok(()));
            }
            self.pull(now, context);
            let until = match self.step(now)? {
                Step::Go => continue,
                Step::Over => return Poll::Ready(Ok(())),
                Step::Wait(until) => until,
            };
            let until = until.into_iter().chain(reset_at).min();
            let Some(until) = until else {
                return Poll::Pending;
            };
            let left = Duration::from_micros(until.saturating_sub(now).max(1));
            ready!(self.common.wait(left, context));
        }
    }
}
