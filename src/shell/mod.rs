//! The tasks around the core's two machines, generic over [`Net`](crate::net::Net) and
//! [`Clock`](crate::net::Clock): the same code runs on real sockets and on simulated ones.
//!
//! One task owns a machine and is its only writer. It waits for the next batch from its
//! connections, for the machine's own deadline or for somebody's command, reads both clocks, feeds
//! the machine and hands its outputs to the connections' bounded queues. Connection tasks encode
//! and decode; a slow one fills its own queue and is cut, and nobody else waits for it.
//!
//! # Layout
//! - [`asks`]: questions of clients without a connection
//! - [`node`]: around the server machine · [`sdk`]: around the client machine
//! - `links`: the connections of one machine · `connection`: one connection's task · `grpc`,
//!   `calling`: the same over gRPC · `greet`: who an accepted stream is · `places`: until it has
//!   said so ·
//!   `admission`: what its setup opens · `weigh`: what a message becomes · [`secret`]: what nodes
//!   prove to each other · `guard`: access tokens · `budget`: what a connection may cost

mod admission;
pub mod asks;
mod budget;
mod calling;
mod connection;
mod greet;
mod grpc;
pub(crate) mod guard;
mod links;
pub mod node;
mod places;
pub mod sdk;
pub mod secret;
mod weigh;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

pub use budget::Limits;
use distro_core::config::{ConfigProblem, in_one_line};
use distro_core::ids::NodeId;
use distro_core::time::{Now, Period};

/// Nacos's offset of the SDK port from the main port.
pub const SDK_PORT_OFFSET: u16 = 1000;
/// Nacos's offset of the cluster port from the main port.
pub const CLUSTER_PORT_OFFSET: u16 = 1001;

/// Offset of the operator's port from the main port: the first that Nacos leaves free.
pub const OPS_PORT_OFFSET: u16 = 1002;

/// Messages that wait between all connections of a machine and the machine. A connection that
/// finds it full waits, and so, by TCP, does its peer.
const INBOUND_MAX: usize = 8_192;
/// Messages that the machine takes in one go.
const INBOUND_BATCH: usize = 256;
/// Messages that wait on one connection to be written. Beyond it requests are refused as busy and
/// an answer that finds no room cuts the connection.
const OUTBOUND_MAX: usize = 1_024;
/// Messages that are encoded before one flush.
const OUTBOUND_BATCH: usize = 64;
/// Bytes that gather before a batch is written early.
const FLUSH_BYTES: usize = 64 * 1024;
/// Streams accepted on the port of clients at a time that have not said who they are: their setup
/// has not arrived. Of these, and of those on the port of members, none takes the other's places.
const PLACES_OF_CLIENTS: u32 = 2_048;
/// The same on the port of members.
const PLACES_OF_MEMBERS: u32 = 256;
/// Bytes of a message that somebody may send who has not said who it is: a setup, a server check.
const UNKNOWN_BYTES_MAX: u64 = 64 * 1024;
/// The same over gRPC, where calls may overtake the setup.
const UNKNOWN_CALLS_BYTES_MAX: u64 = 1024 * 1024;
/// Operator commands, or application calls, that wait.
const COMMANDS_MAX: usize = 1_024;
/// How long an accepted stream may take to show its preamble.
const PREAMBLE_TIMEOUT: Period = Period::from_secs(5);
/// How long a connection that this end closed may take to deliver what is still queued.
const LINGER: Period = Period::from_secs(1);
/// Pause after a failure to accept, such as too many open files.
const ACCEPT_RETRY: Period = Period::from_millis(100);
/// Wakes in a row without any time passing. A machine that wants more makes no progress.
const IDLE_WAKES_MAX: u32 = 10_000;

/// Sees what goes into a machine and what comes out, after the machine took it and before it is
/// carried out. For traces and checks; the production node uses [`NoTap`], which costs nothing.
pub trait Tap<I, O>: 'static {
    /// False: the shell does not even keep inputs to show them, unless [`Tap::wants`] says so.
    const ACTIVE: bool = true;
    /// Whether to show this input; only shown ones are kept while the machine takes them.
    fn wants(&self, _input: &I) -> bool {
        Self::ACTIVE
    }
    /// The machine took this.
    fn input(&mut self, input: &I);
    /// The machine wants this done.
    fn output(&mut self, output: &O);
    /// The machine took this input at this reading of the clocks and wants all of this done, in
    /// this order: the whole step, before [`Tap::input`] and [`Tap::output`] tell of its parts.
    fn step(&mut self, _now: Now, _input: &I, _outputs: &[O]) {}
    /// This output of the step was not carried out: its connection is gone or takes no more.
    fn refused(&mut self, _output: &O) {}
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTap;

impl<I, O> Tap<I, O> for NoTap {
    const ACTIVE: bool = false;
    fn input(&mut self, _input: &I) {}
    fn output(&mut self, _output: &O) {}
}

/// Both see everything they want, the first one first.
impl<I, O, A: Tap<I, O>, B: Tap<I, O>> Tap<I, O> for (A, B) {
    const ACTIVE: bool = A::ACTIVE || B::ACTIVE;
    fn wants(&self, input: &I) -> bool {
        self.0.wants(input) || self.1.wants(input)
    }
    fn input(&mut self, input: &I) {
        if self.0.wants(input) {
            self.0.input(input);
        }
        if self.1.wants(input) {
            self.1.input(input);
        }
    }
    fn output(&mut self, output: &O) {
        self.0.output(output);
        self.1.output(output);
    }
    fn step(&mut self, now: Now, input: &I, outputs: &[O]) {
        if self.0.wants(input) {
            self.0.step(now, input, outputs);
        }
        if self.1.wants(input) {
            self.1.step(now, input, outputs);
        }
    }
    fn refused(&mut self, output: &O) {
        self.0.refused(output);
        self.1.refused(output);
    }
}

/// A tap that may be missing.
impl<I, O, T: Tap<I, O>> Tap<I, O> for Option<T> {
    const ACTIVE: bool = T::ACTIVE;
    fn wants(&self, input: &I) -> bool {
        self.as_ref().is_some_and(|tap| tap.wants(input))
    }
    fn input(&mut self, input: &I) {
        if let Some(tap) = self {
            tap.input(input);
        }
    }
    fn output(&mut self, output: &O) {
        if let Some(tap) = self {
            tap.output(output);
        }
    }
    fn step(&mut self, now: Now, input: &I, outputs: &[O]) {
        if let Some(tap) = self {
            tap.step(now, input, outputs);
        }
    }
    fn refused(&mut self, output: &O) {
        if let Some(tap) = self {
            tap.refused(output);
        }
    }
}

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// For clients.
    pub sdk: u16,
    /// For fellow nodes.
    pub cluster: u16,
}

/// The ports of nodes. Nacos never transmits them: both follow from the main port unless somebody
/// sets them.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    set: BTreeMap<NodeId, Ports>,
}

impl Directory {
    /// Sets a node's ports.
    pub fn set(&mut self, node: NodeId, ports: Ports) {
        self.set.insert(node, ports);
    }

    /// A node's ports; `None` when its address holds no usable main port.
    pub fn ports(&self, node: &NodeId) -> Option<Ports> {
        if let Some(ports) = self.set.get(node) {
            return Some(*ports);
        }
        let main: u16 = node.port().parse().ok()?;
        Some(Ports {
            sdk: main.checked_add(SDK_PORT_OFFSET)?,
            cluster: main.checked_add(CLUSTER_PORT_OFFSET)?,
        })
    }
}

/// What the transport of one machine has counted. Shared with its connection tasks.
#[derive(Debug, Default)]
pub struct LinkCounters {
    /// Streams whose first bytes are nobody's that we know.
    pub strangers: AtomicU64,
    /// Streams that spoke HTTP.
    pub http_clients: AtomicU64,
    /// Streams that spoke TLS to a listener without it.
    pub tls_clients: AtomicU64,
    /// Streams whose TLS handshake failed.
    pub tls_failed: AtomicU64,
    /// Streams that did not say in time who they are.
    pub silent: AtomicU64,
    /// Streams that closed before they said who they are.
    pub hung_up: AtomicU64,
    /// Connections between nodes that do not share the cluster secret.
    pub secret_refused: AtomicU64,
    /// Streams turned away because too many had not said who they are.
    pub turned_away: AtomicU64,
    /// Connections cut because too much of unfinished messages had gathered.
    pub unfinished: AtomicU64,
    /// Connections on the port of members whose certificate is not that of the member they name.
    pub certificate_refused: AtomicU64,
    /// Requests refused because they would become too big.
    pub overweight: AtomicU64,
    /// Failures to accept.
    pub accept_errors: AtomicU64,
    /// Connections ended because a frame was over the size limit.
    pub oversized_frames: AtomicU64,
    /// Connections ended because a frame broke the framing.
    pub broken_frames: AtomicU64,
    /// Connections that ended within a frame.
    pub truncated_frames: AtomicU64,
    /// Responses that did not parse; the machine got an error in their place.
    pub malformed_responses: AtomicU64,
    /// Messages over the size limit that were not sent.
    pub oversized: AtomicU64,
    /// Messages that found no room in their connection's queue.
    pub busy: AtomicU64,
    /// Connections cut because an answer found no room in their queue.
    pub cut: AtomicU64,
}

impl LinkCounters {
    /// Names and counts, in declaration order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let fields = [
            ("strangers", &self.strangers),
            ("http_clients", &self.http_clients),
            ("tls_clients", &self.tls_clients),
            ("tls_failed", &self.tls_failed),
            ("silent", &self.silent),
            ("hung_up", &self.hung_up),
            ("secret_refused", &self.secret_refused),
            ("turned_away", &self.turned_away),
            ("unfinished", &self.unfinished),
            ("certificate_refused", &self.certificate_refused),
            ("overweight", &self.overweight),
            ("accept_errors", &self.accept_errors),
            ("oversized_frames", &self.oversized_frames),
            ("broken_frames", &self.broken_frames),
            ("truncated_frames", &self.truncated_frames),
            ("malformed_responses", &self.malformed_responses),
            ("oversized", &self.oversized),
            ("busy", &self.busy),
            ("cut", &self.cut),
        ];
        fields
            .into_iter()
            .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

/// Counts one.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Why a shell ended.
#[derive(Debug)]
pub enum ShellError {
    /// A configuration that no node starts with: every problem, in words.
    Config(Vec<ConfigProblem>),
    /// A port could not be listened on.
    Listen {
        /// Which.
        port: u16,
        /// What the system says.
        error: std::io::Error,
    },
    /// A task panicked: a bug of ours. The text is its message.
    Panicked(String),
    /// The machine asks for a wake again and again without time passing: a bug of ours.
    Spinning,
}

impl fmt::Display for ShellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShellError::Config(problems) => f.write_str(&in_one_line(problems)),
            ShellError::Listen { port, error } => write!(f, "port {port}: {error}"),
            ShellError::Panicked(message) => write!(f, "a task panicked: {message}"),
            ShellError::Spinning => {
                write!(
                    f,
                    "{IDLE_WAKES_MAX} wakes without time passing: the machine spins"
                )
            }
        }
    }
}

impl std::error::Error for ShellError {}

/// Notices a machine that makes no progress.
#[derive(Debug, Default)]
struct Progress {
    at: distro_core::time::Mono,
    wakes: u32,
}

impl Progress {
    /// A wake happens at this moment.
    fn wake(&mut self, now: distro_core::time::Mono) -> Result<(), ShellError> {
        if now > self.at {
            *self = Progress { at: now, wakes: 0 };
        }
        self.wakes += 1;
        if self.wakes > IDLE_WAKES_MAX {
            Err(ShellError::Spinning)
        } else {
            Ok(())
        }
    }
}
