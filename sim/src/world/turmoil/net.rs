//! Turmoil's sockets as a [`Net`], and a [`Net`] around any other that adds our faults.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use distro_core::ids::Str;
use distro_node::net::{Listener, Net, Stream, literal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use turmoil::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use turmoil::net::{TcpListener, TcpStream};

use crate::scenario::model::NameAnswer;
use crate::world::common::rules::LOOK_UP;
use crate::world::link::fabric::{Dial, End, Fabric};
use crate::world::link::stream::{self, FaultReader, FaultWriter};

/// Streams that were accepted and wait until their host runs, or have not said yet which
/// connection they are. Beyond it they are dropped.
const BACKLOG_MAX: usize = 16_384;

/// An address that no host has.
const NOBODYS_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Turmoil's TCP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TurmoilNet;

/// A listening turmoil socket.
pub(crate) struct TurmoilListener {
    inner: TcpListener,
    port: u16,
}

impl Net for TurmoilNet {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;
    type Listener = TurmoilListener;

    async fn listen(&self, port: u16) -> io::Result<TurmoilListener> {
        let inner = TcpListener::bind(("0.0.0.0", port)).await?;
        let port = inner.local_addr()?.port();
        Ok(TurmoilListener { inner, port })
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        literal(host).map(|ip| vec![ip])
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
        let ip = literal(host)?;
        let socket = TcpStream::connect((ip, port)).await?;
        let (reader, writer) = socket.into_split();
        Ok(Stream {
            reader,
            writer,
            remote_ip: Str::from(host),
            remote_port: port,
        })
    }
}

impl Listener for TurmoilListener {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    async fn accept(&mut self) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
        let (socket, remote) = self.inner.accept().await?;
        let (reader, writer) = socket.into_split();
        let remote_ip = Str::from(remote.ip().to_string());
        Ok(Stream {
            reader,
            writer,
            remote_ip,
            remote_port: remote.port(),
        })
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// A network with our faults, as one host sees it. Every host of the scenario has its own, also
/// where several share one host of the simulator.
#[derive(Debug, Clone)]
pub(crate) struct FaultNet<N> {
    inner: N,
    fabric: Arc<Fabric>,
    host: u32,
}

impl<N> FaultNet<N> {
    pub(crate) fn new(inner: N, fabric: Arc<Fabric>, host: u32) -> FaultNet<N> {
        FaultNet {
            inner,
            fabric,
            host,
        }
    }
}

/// Waits until the host runs.
async fn running(fabric: &Fabric, host: u32) {
    poll_fn(|context| match fabric.runs(host, context.waker()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn faulty<R, W>(
    stream: Stream<R, W>,
    fabric: &Arc<Fabric>,
    end: End,
) -> Stream<FaultReader<R>, FaultWriter<W>> {
    let (reader, writer) = stream::faulty((stream.reader, stream.writer), fabric, end);
    Stream {
        reader,
        writer,
        remote_ip: stream.remote_ip,
        remote_port: stream.remote_port,
    }
}

impl<N: Net> Net for FaultNet<N> {
    type Reader = FaultReader<N::Reader>;
    type Writer = FaultWriter<N::Writer>;
    type Listener = FaultListener<N::Listener>;

    async fn listen(&self, port: u16) -> io::Result<Self::Listener> {
        Ok(FaultListener {
            inner: self.inner.listen(port).await?,
            fabric: self.fabric.clone(),
            host: self.host,
            unnamed: VecDeque::new(),
        })
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let named = self.fabric.host_of(host);
        match named.and_then(|to| self.fabric.rules(|rules| rules.look_up(self.host, to))) {
            None => self.inner.resolve(host).await,
            Some(NameAnswer::Nothing) => {
                sleep(Duration::from_micros(LOOK_UP.0)).await;
                running(&self.fabric, self.host).await;
                Err(io::Error::from(io::ErrorKind::NotFound))
            }
            Some(NameAnswer::OldAddress) => Ok(vec![NOBODYS_IP]),
        }
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<Stream<Self::Reader, Self::Writer>> {
        let found = self.resolve(host).await?.into_iter().next();
        let found = found.and_then(|ip| self.fabric.host_of(&ip.to_string()));
        let Some(to) = found else {
            return pending().await;
        };
        let answer = match self.fabric.dial(self.host, to) {
            Dial::Lost => return pending().await,
            Dial::Refused(after) => {
                sleep(after).await;
                running(&self.fabric, self.host).await;
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            Dial::Goes(delay, answer) => {
                sleep(delay).await;
                answer
            }
        };
        let mut stream = self.inner.connect(host, port).await?;
        let conn = self.fabric.open(self.host, to);
        let name = stream.writer.write_all(&conn.to_be_bytes()).await;
        let stream = faulty(stream, &self.fabric, End { conn, side: 0 });
        name?;
        // Turmoil's own answer to a dial takes no time.
        sleep(answer).await;
        running(&self.fabric, self.host).await;
        Ok(stream)
    }
}

/// Naming a stream: the dialler's first bytes are the connection's number.
type Naming<R, W> = Pin<Box<dyn Future<Output = Option<(u64, Stream<R, W>)>> + Send>>;

/// Accepts streams and finds out whose they are.
pub(crate) struct FaultListener<L: Listener> {
    inner: L,
    fabric: Arc<Fabric>,
    host: u32,
    /// Accepted, but their number has not arrived.
    unnamed: VecDeque<Naming<L::Reader, L::Writer>>,
}

async fn name<R: tokio::io::AsyncRead + Unpin, W>(
    mut stream: Stream<R, W>,
) -> Option<(u64, Stream<R, W>)> {
    let conn = stream.reader.read_u64().await.ok()?;
    Some((conn, stream))
}

/// The next stream whose number is known, in the order of arrival among those.
fn poll_named<R, W>(
    unnamed: &mut VecDeque<Naming<R, W>>,
    context: &mut Context<'_>,
) -> Poll<(u64, Stream<R, W>)> {
    let mut place = 0;
    while let Some(naming) = unnamed.get_mut(place) {
        match naming.as_mut().poll(context) {
            Poll::Pending => place += 1,
            Poll::Ready(named) => {
                drop(unnamed.remove(place));
                if let Some(named) = named {
                    return Poll::Ready(named);
                }
            }
        }
    }
    Poll::Pending
}

impl<L> Listener for FaultListener<L>
where
    L: Listener,
    L::Reader: tokio::io::AsyncRead + Unpin + Send + 'static,
    L::Writer: Send + 'static,
{
    type Reader = FaultReader<L::Reader>;
    type Writer = FaultWriter<L::Writer>;

    async fn accept(&mut self) -> io::Result<Stream<Self::Reader, Self::Writer>> {
        loop {
            // Whether it runs or not, its kernel accepts; the process gets them when it runs.
            let (fabric, host) = (self.fabric.clone(), self.host);
            let (inner, unnamed) = (&mut self.inner, &mut self.unnamed);
            let (conn, stream) = tokio::select! {
                biased;
                accepted = inner.accept() => {
                    let stream = accepted?;
                    if self.unnamed.len() < BACKLOG_MAX {
                        self.unnamed.push_back(Box::pin(name(stream)));
                    }
                    continue;
                }
                named = poll_fn(|context| {
                    if !fabric.runs(host, context.waker()) {
                        return Poll::Pending;
                    }
                    poll_named(unnamed, context)
                }) => named,
            };
            let Some(dialler) = self.fabric.dialler(conn) else {
                continue;
            };
            let mut stream = faulty(stream, &self.fabric, End { conn, side: 1 });
            if let Some(ip) = self.fabric.ip_of(dialler) {
                stream.remote_ip = ip;
            }
            return Ok(stream);
        }
    }

    fn port(&self) -> u16 {
        self.inner.port()
    }
}
