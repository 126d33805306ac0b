//! Real sockets and real clocks.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use distro_core::ids::Str;
use distro_core::time::{Mono, Now, Wall};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::{Clock, Listener, Net, Stream, literal};

/// TCP of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioNet;

/// A listening TCP socket.
#[derive(Debug)]
pub struct TokioListener {
    inner: TcpListener,
    port: u16,
}

impl TokioListener {
    /// Listens on one address; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken or may not be used, or the address is not this host's.
    pub async fn bind(address: SocketAddr) -> io::Result<TokioListener> {
        let inner = TcpListener::bind(address).await?;
        let port = inner.local_addr()?.port();
        Ok(TokioListener { inner, port })
    }
}

fn stream(socket: TcpStream) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
    // Batches are flushed whole, so waiting for more only delays.
    socket.set_nodelay(true)?;
    let remote = socket.peer_addr()?;
    let (reader, writer) = socket.into_split();
    Ok(Stream {
        reader,
        writer,
        remote_ip: Str::from(remote.ip().to_string()),
        remote_port: remote.port(),
    })
}

impl Net for TokioNet {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;
    type Listener = TokioListener;

    async fn listen(&self, port: u16) -> io::Result<TokioListener> {
        TokioListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the shell's look-ups reach the system"
    )]
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(ip) = literal(host) {
            return Ok(vec![ip]);
        }
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for ip in self.resolve(host).await? {
            match TcpStream::connect((ip, port)).await {
                Ok(socket) => return stream(socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

impl Listener for TokioListener {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    async fn accept(&mut self) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
        let (socket, _) = self.inner.accept().await?;
        stream(socket)
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// Clocks of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    start: Instant,
}

impl TokioClock {
    /// Monotonic time counts from now.
    pub fn start() -> TokioClock {
        TokioClock {
            start: Instant::now(),
        }
    }
}

/// Milliseconds since the epoch, negative before it.
fn wall() -> Wall {
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Wall(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    })
}

impl Clock for TokioClock {
    fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Now {
            mono: Mono(mono),
            wall: wall(),
        }
    }

    async fn sleep_until(&self, at: Mono) {
        let length = at.since(self.now().mono);
        tokio::time::sleep(Duration::from_micros(length.micros())).await;
    }
}
