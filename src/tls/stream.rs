//! A stream that a listener accepted.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take, so that one that is never finished goes, whatever waits above.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// An accepted stream, under TLS or not. The handshake happens in its first read or write: a
/// listener is never held up by a slow one.
pub struct ServerStream<S>(State<S>, Certificate);

/// The certificate that the other end of an accepted stream showed, once the handshake is done.
#[derive(Debug, Clone, Default)]
pub struct Certificate(Arc<OnceLock<CertificateDer<'static>>>);

impl Certificate {
    /// Whether it is for this host: a name or an address.
    pub fn is_of(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).to_owned();
        let Ok(name) = rustls::pki_types::ServerName::try_from(host) else {
            return false;
        };
        let parsed = self
            .0
            .get()
            .map(rustls::server::ParsedCertificate::try_from);
        let Some(Ok(certificate)) = parsed else {
            return false;
        };
        rustls::client::verify_server_name(&certificate, &name).is_ok()
    }
}

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
        ServerStream(State::Plain(stream), Certificate::default())
    }

    pub(super) fn handshake(accept: Accept<S>) -> ServerStream<S> {
        let limit = Box::pin(tokio::time::sleep(HANDSHAKE_TIMEOUT));
        let state = State::Handshake(Box::new(accept), limit);
        ServerStream(state, Certificate::default())
    }

    pub(super) fn refused(why: &str) -> ServerStream<S> {
        let state = State::Failed(io::ErrorKind::Other, why.to_owned());
        ServerStream(state, Certificate::default())
    }

    /// What the other end shows in the handshake.
    pub fn certificate(&self) -> Certificate {
        self.1.clone()
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
                let shown = stream.get_ref().1.peer_certificates();
                if let Some(first) = shown.and_then(<[_]>::first) {
                    // A stream shakes hands once.
                    self.1.0.get_or_init(|| first.clone().into_owned());
                }
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
