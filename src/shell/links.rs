//! The connections of one machine: dials, accepts, queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::{ConnId, NodeId};
use distro_core::io::{Listener as Source, SendError};
use distro_core::time::Period;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::info;

use super::admission::Admission;
use super::budget::{Budget, Limits, Outbox, Room};
use super::connection::{Connection, LinkEvent};
use super::greet::{Newcomer, Refusal, Told, greet};
use super::guard::Guard;
use super::places::Places;
use super::secret::ClusterSecret;
use super::{
    ACCEPT_RETRY, INBOUND_MAX, LinkCounters, ShellError, UNKNOWN_BYTES_MAX,
    UNKNOWN_CALLS_BYTES_MAX, count,
};
use crate::carrier::Carrier;
use crate::carrier::grpc::payload::Headers;
use crate::carrier::unfinished::Unfinished;
use crate::codec::Ends;
use crate::net::{Clock, Listener, Net, Stream, within};

/// Events of a network's connections.
pub(super) type EventOf<N> = LinkEvent<<N as Net>::Reader, <N as Net>::Writer>;
type StreamOf<N> = Stream<<N as Net>::Reader, <N as Net>::Writer>;

/// What the owner keeps of a connection.
#[derive(Debug)]
struct Open {
    queue: Outbox,
    /// Dropped with the entry, which tells the task.
    _closing: oneshot::Sender<()>,
}

/// All connections of one machine, each with its task.
#[derive(Debug)]
pub(super) struct Links<N: Net, C> {
    net: N,
    clock: C,
    me: Option<NodeId>,
    guard: Guard,
    headers: Headers,
    message_bytes_max: u64,
    connect_timeout: Period,
    last: u64,
    open: BTreeMap<ConnId, Open>,
    /// Of clients, and of members.
    places: [Places; 2],
    unfinished: [Unfinished; 2],
    tasks: JoinSet<()>,
    send: mpsc::Sender<EventOf<N>>,
    events: mpsc::Receiver<EventOf<N>>,
    counters: Arc<LinkCounters>,
    budget: Budget,
    /// What fellow nodes prove to each other.
    secret: Option<ClusterSecret>,
    told: Told,
    /// True: no client is accepted any more.
    stop: Arc<watch::Sender<bool>>,
}

impl<N: Net, C: Clock> Links<N, C> {
    pub(super) fn new(
        (net, clock): (N, C),
        me: Option<NodeId>,
        message_bytes_max: u64,
        connect_timeout: Period,
    ) -> Links<N, C> {
        let (send, events) = mpsc::channel(INBOUND_MAX);
        Links {
            net,
            clock,
            me,
            guard: Guard::default(),
            headers: Headers::new(),
            message_bytes_max,
            connect_timeout,
            last: 0,
            open: BTreeMap::new(),
            places: places(Limits::default()),
            unfinished: unfinished(Limits::default()),
            tasks: JoinSet::new(),
            send,
            events,
            told: Told::default(),
            counters: Arc::default(),
            budget: Budget::new(Limits::default()),
            secret: None,
            stop: Arc::new(watch::Sender::new(false)),
        }
    }

    /// From now on, connections that are opened show tokens for naming.
    pub(super) fn guard_with(&mut self, guard: Guard) {
        self.guard = guard;
    }

    /// From now on, this goes along with what is sent over gRPC.
    pub(super) fn send_with(&mut self, headers: Headers) {
        self.headers = headers;
    }

    /// Other bounds, for connections from now on.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.budget = Budget::new(limits);
        self.unfinished = unfinished(limits);
        self.places = places(limits);
    }

    /// From now on fellow nodes prove this.
    pub(super) fn prove(&mut self, secret: ClusterSecret) {
        self.secret = Some(secret);
    }

    pub(super) fn stop(&self) -> &Arc<watch::Sender<bool>> {
        &self.stop
    }

    pub(super) fn counters(&self) -> &Arc<LinkCounters> {
        &self.counters
    }

    /// The next events, up to `limit`, appended to `batch`. Dropping the future loses none.
    ///
    /// Ends with an error as soon as a task panicked.
    pub(super) async fn next(
        &mut self,
        batch: &mut Vec<EventOf<N>>,
        limit: usize,
    ) -> Result<(), ShellError> {
        loop {
            tokio::select! {
                biased;
                // Never closed: `self.send` is open.
                _ = self.events.recv_many(batch, limit) => return Ok(()),
                Some(ended) = self.tasks.join_next() => ended.map_err(panicked)?,
            }
        }
    }

    /// Accepts on a listener for as long as the machine runs, or clients until it is to stop.
    pub(super) fn listen(&mut self, source: Source, mut listener: N::Listener) {
        let (send, clock, counters) =
            (self.send.clone(), self.clock.clone(), self.counters.clone());
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            let stopped = async {
                let told = match source {
                    Source::Sdk => stop.wait_for(|stop| *stop).await.is_ok(),
                    Source::Cluster => false,
                };
                if !told {
                    std::future::pending::<()>().await;
                }
            };
            tokio::pin!(stopped);
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = &mut stopped => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok(stream) => {
                        if send.send(LinkEvent::Arrived(source, stream)).await.is_err() {
                            return;
                        }
                    }
                    Err(_) => {
                        count(&counters.accept_errors);
                        clock.sleep_until(clock.now().mono + ACCEPT_RETRY).await;
                    }
                }
            }
        });
    }

    /// A stream was accepted: waits for its preamble.
    pub(super) fn greet(&mut self, source: Source, stream: StreamOf<N>) {
        let (cut, now) = (Arc::default(), self.clock.now().mono);
        let Some(place) = self.places[class(source)].take(&stream.remote_ip, &cut, now) else {
            return count(&self.counters.turned_away);
        };
        let newcomer = Newcomer {
            source,
            stream,
            place,
            cut,
        };
        let secret = self.secret.clone();
        let (send, clock, counters) =
            (self.send.clone(), self.clock.clone(), self.counters.clone());
        self.tasks.spawn(async move {
            if let Some(event) = greet(newcomer, clock, secret, counters).await {
                // Nobody listens any more when the whole shell ends.
                send.send(event).await.ok();
            }
        });
    }

    /// Opens a stream to a node's port; the result arrives as an event.
    pub(super) fn dial(&mut self, node: NodeId, port: Option<u16>) {
        let (net, clock, send) = (self.net.clone(), self.clock.clone(), self.send.clone());
        let (secret, counters) = (self.secret.clone(), self.counters.clone());
        let told = self.told.clone();
        let limit = self.connect_timeout;
        self.tasks.spawn(async move {
            let dialled = async {
                let port = port.ok_or(DialError::Unreachable)?;
                let mut stream = net.connect(node.ip(), port).await?;
                if let Some(secret) = &secret {
                    secret.dial(&mut stream).await?;
                }
                Ok(stream)
            };
            let dialled = within(&clock, limit, dialled).await;
            let refused = match dialled.unwrap_or(Err(DialError::Unreachable)) {
                Ok(stream) => {
                    // Nobody listens any more when the whole shell ends.
                    send.send(LinkEvent::Dialed(node, stream)).await.ok();
                    return;
                }
                Err(DialError::Refused) => true,
                Err(DialError::Unreachable) => false,
                Err(DialError::Denied(refusal)) => {
                    refusal.count(&counters);
                    told.warn(&node, &refusal, clock.now().mono);
                    false
                }
            };
            let event = LinkEvent::DialFailed { node, refused };
            // Nobody listens any more when the whole shell ends.
            send.send(event).await.ok();
        });
    }

    /// Takes a stream that this end dialled into service and gives it its number.
    pub(super) fn open(&mut self, peer: NodeId, carrier: Carrier, stream: StreamOf<N>) -> ConnId {
        let admission = Admission::none();
        self.take_in(Some(peer), carrier, stream, admission)
    }

    /// The same with one that was accepted.
    pub(super) fn admit(
        &mut self,
        carrier: Carrier,
        newcomer: Newcomer<N::Reader, N::Writer>,
    ) -> ConnId {
        let Newcomer {
            source,
            stream,
            place,
            cut,
        } = newcomer;
        let address = stream.remote_ip.clone();
        let certificate = match source {
            Source::Sdk => None,
            Source::Cluster => N::certificate(&stream.reader),
        };
        let unknown_max = match carrier {
            Carrier::Tcp => UNKNOWN_BYTES_MAX,
            Carrier::Grpc => UNKNOWN_CALLS_BYTES_MAX,
        };
        let unfinished = &self.unfinished[class(source)];
        let admission = Admission {
            is_member: source == Source::Cluster,
            share: unfinished.share(address.clone(), cut.clone(), unknown_max),
            address,
            place: Some(place),
            certificate,
            cut,
        };
        self.take_in(None, carrier, stream, admission)
    }

    fn take_in(
        &mut self,
        dialed: Option<NodeId>,
        carrier: Carrier,
        stream: StreamOf<N>,
        admission: Admission,
    ) -> ConnId {
        self.last += 1;
        let conn = ConnId(self.last);
        let (queue, outgoing, inbound) = self.budget.connection();
        let (closing_send, closing) = oneshot::channel();
        self.open.insert(
            conn,
            Open {
                queue,
                _closing: closing_send,
            },
        );
        let task = Connection {
            conn,
            dialed: dialed.is_some(),
            ends: Ends {
                me: self.me.clone(),
                peer: dialed,
            },
            guard: self.guard.clone(),
            admission,
            headers: self.headers.clone(),
            message_bytes_max: self.message_bytes_max,
            clock: self.clock.clone(),
            events: self.send.clone(),
            inbound,
            outgoing,
            closing,
            counters: self.counters.clone(),
            told: self.told.clone(),
        };
        self.tasks.spawn(task.run(carrier, stream));
        conn
    }

    /// True while the connection is open as far as the machine knows.
    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        self.open.contains_key(&conn)
    }

    /// Room for one message of about so many bytes on a connection.
    pub(super) fn room(&self, conn: ConnId, bytes: u64) -> Result<Room<'_>, SendError> {
        let open = self.open.get(&conn).ok_or(SendError::Closed)?;
        let room = open.queue.room(bytes);
        if matches!(room, Err(SendError::Busy)) {
            count(&self.counters.busy);
        }
        room
    }

    /// Sends what is queued, then closes. False when it was closed before.
    pub(super) fn close(&mut self, conn: ConnId) -> bool {
        self.open.remove(&conn).is_some()
    }

    /// Cuts a connection that does not take its answers.
    pub(super) fn cut(&mut self, conn: ConnId) -> bool {
        count(&self.counters.cut);
        info!(
            conn = conn.0,
            "connection cut: its peer does not read what it is answered"
        );
        self.close(conn)
    }
}

/// Which of the tables is that of a listener.
const fn class(source: Source) -> usize {
    match source {
        Source::Sdk => 0,
        Source::Cluster => 1,
    }
}

fn places(limits: Limits) -> [Places; 2] {
    [limits.unknown_clients, limits.unknown_members].map(Places::new)
}

fn unfinished(limits: Limits) -> [Unfinished; 2] {
    [0, 1].map(|_| Unfinished::new(limits.unfinished_bytes))
}

/// Why a dial gave no connection.
enum DialError {
    /// The host answered that nobody listens.
    Refused,
    /// No answer, or none that says more.
    Unreachable,
    /// Somebody is there with whom there is nothing to talk about.
    Denied(Refusal),
}

impl From<std::io::Error> for DialError {
    fn from(error: std::io::Error) -> DialError {
        if error.kind() == std::io::ErrorKind::ConnectionRefused {
            return DialError::Refused;
        }
        DialError::from(Refusal::from(error))
    }
}

impl From<Refusal> for DialError {
    fn from(refusal: Refusal) -> DialError {
        match refusal {
            Refusal::HungUp | Refusal::Silent => DialError::Unreachable,
            Refusal::Http
            | Refusal::Tls
            | Refusal::Stranger
            | Refusal::Handshake(_)
            | Refusal::SecretOnlyThere
            | Refusal::SecretOnlyHere
            | Refusal::SecretDiffers => DialError::Denied(refusal),
        }
    }
}

/// The message of a task's panic. Tasks are aborted only with the whole shell.
fn panicked(error: tokio::task::JoinError) -> ShellError {
    let text = match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic
                .downcast::<&'static str>()
                .map_or_else(|_| "no message".to_owned(), |text| (*text).to_owned()),
        },
        Err(error) => error.to_string(),
    };
    ShellError::Panicked(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_task_ends_the_machine_with_its_message() {
        use crate::net::tokio::{TokioClock, TokioNet};
        let ends = (TokioNet, TokioClock::start());
        let mut links = Links::new(ends, None, 4096, Period::from_secs(1));
        links.tasks.spawn(async { panic!("wires crossed") });
        let error = links.next(&mut Vec::new(), 1).await.unwrap_err();
        assert_eq!(error.to_string(), "a task panicked: wires crossed");
    }
}
