//! What the shell runs on: a network and the two clocks. Production gives it [`tokio`]'s, the
//! testbed simulated ones; the shell cannot tell.

pub mod tokio;

use std::future::Future;
use std::io;
use std::net::IpAddr;

use ::tokio::io::{AsyncRead, AsyncWrite};
use distro_core::ids::Str;
use distro_core::time::{Mono, Now, Period};

use crate::tls::stream::Certificate;

/// A byte stream to another process, in its two directions.
#[derive(Debug)]
pub struct Stream<R, W> {
    /// What the other end sends.
    pub reader: R,
    /// To the other end. Dropping it ends the direction.
    pub writer: W,
    /// Address of the other end.
    pub remote_ip: Str,
    /// Port of the other end.
    pub remote_port: u16,
}

/// A network.
pub trait Net: Clone + Send + Sync + 'static {
    /// Reads a stream.
    type Reader: AsyncRead + Unpin + Send + 'static;
    /// Writes a stream.
    type Writer: AsyncWrite + Unpin + Send + 'static;
    /// Accepts streams.
    type Listener: Listener<Reader = Self::Reader, Writer = Self::Writer>;

    /// Listens on a port of all local addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    fn listen(&self, port: u16) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// The addresses of a host, which may be an address itself; those to try first come first.
    ///
    /// # Errors
    /// The name does not resolve.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// Opens a stream to the host with this name, which is [resolved](Net::resolve) first, or to
    /// this address. Dropping the future gives up.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when the host answered that nobody listens; others
    /// when it cannot be reached.
    fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Stream<Self::Reader, Self::Writer>>> + Send;

    /// What the other end of an accepted stream shows, where it is asked for a certificate.
    fn certificate(_reader: &Self::Reader) -> Option<Certificate> {
        None
    }
}

/// A listening socket.
pub trait Listener: Send + 'static {
    /// Reads a stream.
    type Reader;
    /// Writes a stream.
    type Writer;

    /// The next stream. Dropping the future loses none.
    ///
    /// # Errors
    /// This one could not be accepted; later ones may.
    fn accept(
        &mut self,
    ) -> impl Future<Output = io::Result<Stream<Self::Reader, Self::Writer>>> + Send;

    /// The port it listens on.
    fn port(&self) -> u16;
}

/// The two clocks of a host.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Reads both clocks.
    fn now(&self) -> Now;

    /// Sleeps until the monotonic clock shows `at`; ready at once when it already does.
    fn sleep_until(&self, at: Mono) -> impl Future<Output = ()> + Send;
}

/// The address that a host's name is, where there are no other names.
///
/// # Errors
/// It is none.
pub fn literal(host: &str) -> io::Result<IpAddr> {
    host.parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// The future's value, or `None` when it takes longer than `limit`.
pub async fn within<C: Clock, F: Future>(clock: &C, limit: Period, future: F) -> Option<F::Output> {
    let end = clock.now().mono + limit;
    ::tokio::select! {
        biased;
        value = future => Some(value),
        () = clock.sleep_until(end) => None,
    }
}
