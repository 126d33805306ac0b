//! A stream that a listener accepted.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take, so that one that is never finished goes, whatever waits above.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// An accepted stream, under TLS or not. The handshake happens in its first read or write: a
/// listener is never held up by a slow one.
pub struct ServerStream<S>(State<S>);

enum State<S> {
    Plain(S),
    /// Boxed: it is big, and gone after a round trip.
    Handshake(Box<Accept<S>>, Pin<Box<Sleep>>),
    Open(Box<TlsStream<S>>),
    Failed(io::ErrorKind, String),
}

impl<S> fmt::Debug for ServerStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Plain(_) => "ServerStream(plain)",
            State::Handshake(..) => "ServerStream(handshake)",
            State::Open(_) => "ServerStream(open)",
            State::Failed(..) => "ServerStream(failed)",
        })
    }
}

impl<S> ServerStream<S> {
    /// The stream as it is, for a listener without TLS.
    pub fn plain(stream: S) -> ServerStream<S> {
        ServerStream(State::Plain(stream))
    }

    pub(super) fn handshake(accept: Accept<S>) -> ServerStream<S> {
        let limit = Box::pin(tokio::time::sleep(HANDSHAKE_TIMEOUT));
        ServerStream(State::Handshake(Box::new(accept), limit))
    }

    pub(super) fn refused(why: &str) -> ServerStream<S> {
        ServerStream(State::Failed(io::ErrorKind::Other, why.to_owned()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ServerStream<S> {
    /// Ready when data can flow.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Handshake(accept, limit) = &mut self.0 else {
            return Poll::Ready(match &self.0 {
                State::Failed(kind, why) => Err(io::Error::new(*kind, why.clone())),
                State::Plain(_) | State::Open(_) | State::Handshake(..) => Ok(()),
            });
        };
        let done = match Pin::new(&mut **accept).poll(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => {
                ready!(limit.as_mut().poll(cx));
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no TLS handshake in time",
                ))
            }
        };
        Poll::Ready(match done {
            Ok(stream) => {
                self.0 = State::Open(Box::new(stream));
                Ok(())
            }
            Err(error) => {
                self.0 = State::Failed(error.kind(), error.to_string());
                Err(error)
            }
        })
    }
}

/// What a failed stream says to whoever still uses it.
fn over<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ServerStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?;
        match &mut self.0 {
            State::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            State::Open(stream) => Pin::new(stream).poll_read(cx, buffer),
            State::Handshake(..) | State::Failed(..) => over(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ServerStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?;
        match &mut self.0 {
            State::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            State::Open(stream) => Pin::new(stream).poll_write(cx, bytes),
            State::Handshake(..) | State::Failed(..) => over(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Plain(stream) => Pin::new(stream).poll_flush(cx),
            State::Open(stream) => Pin::new(stream).poll_flush(cx),
            // Nothing was written yet.
            State::Handshake(..) | State::Failed(..) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Open(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Handshake(..) | State::Failed(..) => Poll::Ready(Ok(())),
        }
    }
}
