//! What all hosts of a run share besides the network below: the links' rules, the state of
//! connections, processes and clocks. One lock guards it; one thread runs all that takes it, so
//! nobody ever waits.

mod conns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use distro_core::ids::{RequestId, Str};
use distro_core::message::MessageKind;
use distro_core::rng::Rng;
use distro_core::time::{Now, Period};

use crate::scenario::model::{HostId, LinkFault, LinkSpec, Path, Scenario};
use crate::world::common::clock::Clock;
use crate::world::common::clock::Turn;
use crate::world::common::nodes_of;
use crate::world::common::rules::{Fate, Rules};

/// Requests whose kind is remembered per connection and direction. The oldest goes first.
const KINDS_MAX: usize = 4_096;

/// What runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    /// A process that accepts connections.
    Running,
    /// No process: dials are refused.
    Down,
    /// No host: dials get no answer.
    Off,
}

#[derive(Debug)]
struct HostState {
    power: Power,
    paused: bool,
    slow: Option<Period>,
    /// True time until which it is busy with earlier messages.
    busy_until: u64,
    clock: Clock,
    /// Tasks that wait for the clock, the end of a pause, or a connection to hand on.
    waiting: Vec<Waker>,
}

/// One connection, seen from both ends. End 0 dialled.
#[derive(Debug)]
struct Conn {
    hosts: [u32; 2],
    /// This end is gone and the other was not told: nothing it sent since arrives, not even its
    /// end, and what is sent to it draws a reset as soon as its host can answer.
    gone: [bool; 2],
    /// What this end sends vanishes.
    dead: [bool; 2],
    /// True time at which this end sees the connection reset.
    reset_at: [Option<u64>; 2],
    /// This end sent something that a switched-off host has yet to answer.
    unacked: [bool; 2],
    /// Kinds of requests that this end sent, for the faults that choose by kind.
    kinds: [BTreeMap<RequestId, MessageKind>; 2],
    /// Streams of either end that wait, reader and writer.
    waiting: [[Option<Waker>; 2]; 2],
    /// Streams that exist, in all.
    streams: u8,
}

#[derive(Debug)]
struct Inner {
    hosts: Vec<HostState>,
    rules: Rules,
    conns: BTreeMap<u64, Conn>,
    last_conn: u64,
    latency: Rng,
    loss: Rng,
    faults: Rng,
}

/// What shows true time since the start of the run, in microseconds.
#[derive(Clone)]
pub(crate) struct TrueTime(pub(crate) Arc<dyn Fn() -> u64 + Send + Sync>);

impl std::fmt::Debug for TrueTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrueTime")
    }
}

/// The network below.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    pub(crate) time: TrueTime,
    /// It has the latency of the scenario's links by itself.
    pub(crate) has_latency: bool,
}

/// The shared state.
#[derive(Debug)]
pub(crate) struct Fabric {
    inner: Mutex<Inner>,
    medium: Medium,
    link: LinkSpec,
    track_kinds: bool,
    addresses: BTreeMap<Str, u32>,
}

/// What becomes of a dial.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dial {
    /// It arrives after this extra time; the answer takes the second.
    Goes(Duration, Duration),
    /// The host answers after this time that nobody listens.
    Refused(Duration),
    /// Nobody ever answers.
    Lost,
}

/// What dials from one host find at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Somebody listens.
    Open,
    /// The host answers that nobody does.
    Shut,
    /// Nobody answers.
    Dark,
}

/// What a stream may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Go on. The time is that of a reset that is under way.
    Open(Option<u64>),
    /// Wait until woken.
    Shut,
    /// The connection was reset.
    Reset,
}

/// Reader or writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Reader = 0,
    Writer = 1,
}

/// One end of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) conn: u64,
    /// 0 for the dialler, 1 for the acceptor.
    pub(crate) side: usize,
}

/// A frame on its way out, as far as rules look at it.
pub(crate) struct Outbound<'a> {
    pub(crate) id: RequestId,
    /// The kind of a request; absent for a response.
    pub(crate) request: Option<&'a dyn Fn() -> MessageKind>,
    pub(crate) bytes: u64,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) fate: Fate,
    /// Extra time of the second copy.
    pub(crate) second: u64,
    /// How far this one may fall behind, and the second.
    pub(crate) jitter: [u64; 2],
}

const fn micros(time: u64) -> Duration {
    Duration::from_micros(time)
}

impl Fabric {
    /// The fabric of a scenario before anything started.
    pub(crate) fn new(scenario: &Scenario, seed: u64, medium: Medium) -> Fabric {
        let count = |hosts: usize| u32::try_from(hosts).unwrap_or(u32::MAX);
        let nodes = (0..nodes_of(scenario)).map(|node| scenario.setting.addresses.node_ip(node));
        let clients = 0..count(scenario.clients.len());
        let clients = clients.map(|client| scenario.setting.addresses.client_ip(client));
        let names = (0..)
            .map(HostId)
            .take(scenario.hosts())
            .map(|host| scenario.host_name(host));
        let hosts = names.map(|name| HostState {
            power: Power::Down,
            paused: false,
            slow: None,
            busy_until: 0,
            clock: Clock::booted(seed, name),
            waiting: Vec::new(),
        });
        Fabric {
            inner: Mutex::new(Inner {
                hosts: hosts.collect(),
                rules: Rules::default(),
                conns: BTreeMap::new(),
                last_conn: 0,
                latency: Rng::new(seed, "handshake latency"),
                loss: Rng::new(seed, "network loss"),
                faults: Rng::new(seed, "network faults"),
            }),
            medium,
            link: scenario.link.clone(),
            track_kinds: scenario.tells_messages_apart(),
            addresses: nodes.chain(clients).zip(0..).collect(),
        }
    }

    /// A panic while the lock is held fails the run by itself; the state stays readable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True time since the start of the run, in microseconds.
    pub(crate) fn true_time(&self) -> u64 {
        (self.medium.time.0)()
    }

    /// The host with this address.
    pub(crate) fn host_of(&self, ip: &str) -> Option<u32> {
        self.addresses.get(ip).copied()
    }

    /// The address of a host.
    pub(crate) fn ip_of(&self, host: u32) -> Option<Str> {
        self.addresses
            .iter()
            .find(|(_, found)| **found == host)
            .map(|(ip, _)| ip.clone())
    }

    // Hosts.

    /// A process started or ended.
    pub(crate) fn set_power(&self, host: u32, power: Power) {
        self.lock().hosts[host as usize].power = power;
    }

    pub(crate) fn power(&self, host: u32) -> Power {
        self.lock().hosts[host as usize].power
    }

    /// Reads a host's clocks.
    pub(crate) fn read_clock(&self, host: u32, at: u64) -> Now {
        self.lock().hosts[host as usize].clock.read(at)
    }

    /// Changes a host's clocks; who sleeps on them looks again.
    pub(crate) fn turn_clock(&self, host: u32, at: u64, turn: Turn) {
        let mut inner = self.lock();
        inner.hosts[host as usize].clock.turn(at, turn);
        inner.wake_host(host);
    }

    /// How long a sleeper has to sleep until its clock shows `deadline`; `None`: until woken.
    pub(crate) fn sleep_left(
        &self,
        host: u32,
        at: u64,
        deadline: distro_core::time::Mono,
        waker: &Waker,
    ) -> Option<u64> {
        let mut inner = self.lock();
        let state = &mut inner.hosts[host as usize];
        if !state.paused && state.clock.read(at).mono >= deadline {
            return Some(0);
        }
        state.remember(waker);
        (!state.paused).then(|| state.clock.when(deadline).saturating_sub(at).max(1))
    }

    /// A host stands still from now on, or goes on.
    pub(crate) fn pause(&self, host: u32, pause: bool) {
        let mut inner = self.lock();
        inner.hosts[host as usize].paused = pause;
        if !pause {
            inner.wake_host(host);
            inner.wake_conns();
        }
    }

    /// True when the host runs; else the waker is called when it does again.
    pub(crate) fn runs(&self, host: u32, waker: &Waker) -> bool {
        let mut inner = self.lock();
        let state = &mut inner.hosts[host as usize];
        if !state.paused {
            return true;
        }
        state.remember(waker);
        false
    }

    /// True while a pause lasts.
    pub(crate) fn is_paused(&self, host: u32) -> bool {
        self.lock().hosts[host as usize].paused
    }

    /// A host takes this long for each message from now on, or is as fast as any.
    pub(crate) fn slow(&self, host: u32, per_message: Option<Period>) {
        self.lock().hosts[host as usize].slow = per_message;
    }

    /// When the host at this end, which got a message just now, is done with it.
    pub(crate) fn serve_at(&self, end: End, now: u64) -> u64 {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(conn) = inner.conns.get(&end.conn) else {
            return now;
        };
        let state = &mut inner.hosts[conn.hosts[end.side] as usize];
        let takes = state.slow.unwrap_or_default().0;
        if takes == 0 {
            return now;
        }
        state.busy_until = state.busy_until.max(now).saturating_add(takes);
        state.busy_until
    }

    // Rules.

    /// A fault of links begins.
    pub(crate) fn begin(&self, action: u32, path: &Path, fault: &LinkFault) {
        let mut inner = self.lock();
        let hosts = inner.hosts.len();
        inner.rules.begin(action, path, fault, hosts);
        inner.wake_conns();
    }

    /// It ends.
    pub(crate) fn end(&self, action: u32) {
        let mut inner = self.lock();
        inner.rules.end(action);
        inner.wake_conns();
    }

    /// All streams that wait look again.
    pub(crate) fn wake_all(&self) {
        self.lock().wake_conns();
    }

    /// Asks the rules of the links something.
    pub(crate) fn rules<T>(&self, ask: impl FnOnce(&mut Rules) -> T) -> T {
        ask(&mut self.lock().rules)
    }
}

impl HostState {
    fn remember(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }
}

impl Conn {
    fn wake(&mut self) {
        for waker in self.waiting.iter_mut().flatten().filter_map(Option::take) {
            waker.wake();
        }
    }
}

impl Inner {
    fn wake_host(&mut self, host: u32) {
        for waker in std::mem::take(&mut self.hosts[host as usize].waiting) {
            waker.wake();
        }
    }

    fn wake_conns(&mut self) {
        for conn in self.conns.values_mut() {
            conn.wake();
        }
    }
}
