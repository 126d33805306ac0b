//! Bodies as they arrive, at either end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;

use super::message::Messages;
use super::server::CallId;
use super::status::{Code, Status};

/// Moves the next piece of a body into `messages`; `None` when it has ended.
pub(super) fn poll_body(
    body: &mut RecvStream,
    messages: &mut Messages,
    context: &mut Context<'_>,
) -> Poll<Option<Result<(), Status>>> {
    Poll::Ready(match ready!(body.poll_data(context)) {
        Some(Ok(piece)) => {
            let read = body.flow_control().release_capacity(piece.len());
            messages.push(piece);
            Some(read.map_err(|error| broken(&error)))
        }
        Some(Err(error)) => Some(Err(broken(&error))),
        None => None,
    })
}

/// HTTP/2 says that a stream is over.
pub(super) fn broken(error: &h2::Error) -> Status {
    Status::new(Code::Cancelled, error.to_string())
}

/// A unary call whose message is arriving.
pub(super) struct Arriving {
    call: CallId,
    body: RecvStream,
    messages: Messages,
    /// Bytes that all calls of the connection have gathered.
    gathered: Arc<AtomicUsize>,
    /// What it has added to `gathered`.
    share: usize,
}

impl Arriving {
    pub(super) fn new(
        call: CallId,
        body: RecvStream,
        messages: Messages,
        gathered: Arc<AtomicUsize>,
    ) -> Arriving {
        Arriving {
            call,
            body,
            messages,
            gathered,
            share: 0,
        }
    }

    /// Counts what this call has gathered; false when all calls together have too much.
    fn count(&mut self) -> bool {
        let now = self.messages.gathered();
        self.gathered.fetch_sub(self.share, Ordering::Relaxed);
        let others = self.gathered.fetch_add(now, Ordering::Relaxed);
        self.share = now;
        others + now <= 2 * self.messages.bytes_max()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.gathered.fetch_sub(self.share, Ordering::Relaxed);
    }
}

impl Future for Arriving {
    type Output = (CallId, Result<Bytes, Status>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let more = ready!(poll_body(&mut this.body, &mut this.messages, context));
            let result = match more {
                Some(Ok(())) if !this.count() => Err(Status::new(
                    Code::ResourceExhausted,
                    "too much of unfinished messages on one connection",
                )),
                // Its length is looked at before the rest of it arrives.
                Some(Ok(())) => match this.messages.prefix() {
                    Ok(_) => continue,
                    Err(status) => Err(status),
                },
                Some(Err(status)) => Err(status),
                None => this.messages.take_only(),
            };
            return Poll::Ready((this.call, result));
        }
    }
}
