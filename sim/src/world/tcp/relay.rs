//! The relay between all hosts: one door for each pair, where one host reaches another, and
//! behind it the fault layer of the [fabric](crate::world::link).

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, copy, duplex};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::between::Failure;
use super::place::Place;
use crate::world::link::fabric::{Dial, Door, End, Fabric};
use crate::world::link::stream::{FaultReader, FaultWriter, faulty};

/// Connections that wait at an open door.
const BACKLOG: u32 = 1_024;
/// Bytes between the two ends of a connection.
const PIPE_BYTES: usize = 64 * 1024;

/// What the doors of a run share.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    pub(super) fabric: Arc<Fabric>,
    /// Changes whenever a door may have to open or shut.
    pub(super) changed: watch::Receiver<u64>,
    /// What went wrong, if anything.
    pub(super) failure: Failure,
}

/// One door.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) from: u32,
    pub(super) to: u32,
    /// Where the dialling host finds the door.
    pub(super) door: SocketAddr,
    /// Where the other host listens.
    pub(super) target: SocketAddr,
    /// Where the dialling host is: the other host sees its address.
    pub(super) source: Place,
    /// From where the door is blocked.
    pub(super) plug: IpAddr,
}

/// A connection of our own that fills a door's queue.
type Plug = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// A door as the system knows it. No listener: dials are refused.
#[derive(Default)]
struct Frame {
    listener: Option<TcpListener>,
    plug: Option<Plug>,
}

impl Relay {
    /// Keeps one door for the whole run.
    pub(super) async fn keep(mut self, way: Way) {
        let mut frame = Frame::default();
        loop {
            let door = self.fabric.door(way.from, way.to);
            if let Err(error) = self.hang(&mut frame, door, &way).await {
                let text = format!("the relay at {}: {error}", way.door);
                self.failure.borrow_mut().get_or_insert(text);
                return;
            }
            let accepted = async {
                match &frame.listener {
                    Some(listener) if door == Door::Open => listener.accept().await,
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                changed = self.changed.changed() => if changed.is_err() {
                    return;
                },
                accepted = accepted => self.take(accepted, &way),
            }
        }
    }

    /// Brings a door into the state that it is to have.
    async fn hang(&self, frame: &mut Frame, door: Door, way: &Way) -> io::Result<()> {
        if door == Door::Shut {
            *frame = Frame::default();
            return Ok(());
        }
        let listener = match &mut frame.listener {
            Some(listener) => listener,
            empty @ None => empty.insert(listen(way.door)?),
        };
        match (door, frame.plug.is_some()) {
            (Door::Dark, false) => {
                // Who was there before the lights went out is in.
                while let Some(accepted) = accept_now(listener).await {
                    self.take(accepted, way);
                }
                // With a backlog of none, one connection fills the queue, and further SYNs are
                // dropped without a word.
                rustix::net::listen(&*listener, 0)?;
                let socket = way.source.at(way.plug).socket()?;
                let mut plug: Plug = Box::pin(socket.connect(way.door));
                // The first poll sends the SYN, and on loopback it arrives at once. Whether the
                // system has more to say of it than that does not matter.
                poll_fn(|context| Poll::Ready(plug.as_mut().poll(context).is_ready())).await;
                frame.plug = Some(plug);
            }
            (Door::Open, true) => {
                frame.plug = None;
                rustix::net::listen(&*listener, i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
            }
            (Door::Dark, true) | (Door::Open | Door::Shut, _) => {}
        }
        Ok(())
    }

    fn take(&self, accepted: io::Result<(TcpStream, SocketAddr)>, way: &Way) {
        match accepted {
            Ok((_, peer)) if peer.ip() == way.plug => {}
            Ok((stream, _)) => {
                let (relay, way) = (self.clone(), way.clone());
                tokio::task::spawn_local(async move { relay.carry(stream, way).await });
            }
            // The dialler gave up before it was let in.
            Err(_) => {}
        }
    }

    /// Carries one connection from its dial to its end.
    async fn carry(self, dialler: TcpStream, way: Way) {
        let fabric = &self.fabric;
        match fabric.dial(way.from, way.to) {
            Dial::Goes(..) => {}
            // Lost after the door was found: as a SYN whose answer nobody hears.
            Dial::Lost => return hear_out(dialler).await,
            Dial::Refused(_) => return abort(&dialler),
        }
        let there = async { way.source.socket()?.connect(way.target).await };
        let Ok(acceptor) = there.await else {
            return abort(&dialler);
        };
        if dialler.set_nodelay(true).is_err() {
            return;
        }
        let conn = fabric.open(way.from, way.to);
        let (near, far) = duplex(PIPE_BYTES);
        let near = Side::new(dialler, near, fabric, End { conn, side: 0 });
        let far = Side::new(acceptor, far, fabric, End { conn, side: 1 });
        tokio::join!(near.run(), far.run());
    }
}

/// Reads what a dialler says until it gives up, and answers nothing.
async fn hear_out(mut dialler: TcpStream) {
    let mut space = [0; 1_024];
    while dialler.read(&mut space).await.is_ok_and(|bytes| bytes > 0) {}
}

/// The other end sees a reset.
fn abort(stream: &TcpStream) {
    // When it cannot be set the stream is closed in good order, which is an end as well.
    stream.set_zero_linger().unwrap_or_default();
}

fn listen(door: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(door)?;
    socket.listen(BACKLOG)
}

/// A connection that is waiting already.
async fn accept_now(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// One end of a connection: the host's socket, and the fault layer towards the other end.
struct Side {
    from_host: OwnedReadHalf,
    to_host: OwnedWriteHalf,
    from_far: FaultReader<ReadHalf<DuplexStream>>,
    to_far: FaultWriter<WriteHalf<DuplexStream>>,
}

impl Side {
    fn new(stream: TcpStream, pipe: DuplexStream, fabric: &Arc<Fabric>, end: End) -> Side {
        let (from_host, to_host) = stream.into_split();
        let (from_far, to_far) = faulty(tokio::io::split(pipe), fabric, end);
        Side {
            from_host,
            to_host,
            from_far,
            to_far,
        }
    }

    /// Carries both directions until both have ended, or one broke.
    async fn run(mut self) {
        let out = async {
            copy(&mut self.from_host, &mut self.to_far).await?;
            self.to_far.shutdown().await
        };
        let back = async {
            copy(&mut self.from_far, &mut self.to_host).await?;
            self.to_host.shutdown().await
        };
        let broken = tokio::try_join!(out, back).is_err();
        if broken {
            abort(self.from_host.as_ref());
        }
    }
}
