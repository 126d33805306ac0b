//! Simulated hosts: clocks, power, sockets' numbers and the process that runs there.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use distro_core::ids::{ConnId, Str};
use distro_core::node::Node;
use distro_core::rng::Rng;
use distro_core::sdk::Sdk;
use distro_core::time::Period;

use super::machine::{Arrival, Machine};
use crate::observe::Tables;
use crate::scenario::address;
use crate::scenario::model::{HostId, Scenario};
use crate::world::common::clock::Clock;
use crate::world::common::nodes_of;

/// No moment at all.
pub(crate) const NEVER: u64 = u64::MAX;
/// The first port that a client's connections come from; they count up and wrap around to it.
const PORT_FIRST: u16 = 40_000;
/// The place of a connection that the process has forgotten.
const GONE: u32 = u32::MAX;

/// One host.
#[derive(Debug)]
pub(crate) struct Host<M> {
    /// What runs there.
    pub(crate) process: Option<M>,
    /// False: nothing that arrives is ever answered.
    pub(crate) powered: bool,
    /// Its clocks.
    pub(crate) clock: Clock,
    /// True time of its valid wake in the queue.
    pub(crate) armed: u64,
    /// True time at which its process wants to be woken.
    pub(crate) due: u64,
    /// When it was woken last, and how often in a row at that moment.
    pub(crate) woken: (u64, u32),
    /// It stands still.
    pub(crate) paused: bool,
    /// The time that it takes for each message, while that is any.
    pub(crate) slow: Option<Period>,
    /// A `Serve` event is in the queue.
    pub(crate) serving: bool,
    /// What arrived while it was paused or slow.
    pub(crate) inbox: VecDeque<Arrival>,
    /// Where the process's connections are: connection and end, by number less one.
    conns: Vec<u32>,
    /// The port of its next connection.
    port: u16,
    /// Its address.
    pub(crate) ip: Str,
    /// Time after which dials of what runs there are given up.
    pub(crate) connect_timeout: Period,
    /// Seeds of its processes' randomness.
    pub(crate) lives: Rng,
    /// How many lives it has had: the boot counter that its process keeps on the host's disk.
    pub(crate) births: u64,
    /// Calls that its application made, over all lives.
    pub(crate) calls: u64,
}

impl<M> Host<M> {
    fn new(scenario: &Scenario, host: HostId, seed: u64) -> Host<M> {
        let name = scenario.host_name(host);
        let ip = match scenario.client(host) {
            Some(_) => address::client_ip(host.0 - nodes_of(scenario)),
            None => address::node_ip(host.0),
        };
        Host {
            process: None,
            powered: true,
            clock: Clock::booted(seed, name),
            armed: NEVER,
            due: NEVER,
            woken: (0, 0),
            paused: false,
            slow: None,
            serving: false,
            inbox: VecDeque::new(),
            conns: Vec::new(),
            port: PORT_FIRST,
            ip,
            connect_timeout: Period::ZERO,
            lives: Rng::new(seed, &format!("lives {name}")),
            births: 0,
            calls: 0,
        }
    }

    /// True when what arrives is handled at once.
    pub(crate) fn is_prompt(&self) -> bool {
        !self.paused && self.inbox.is_empty() && self.slow.is_none()
    }

    /// The time that one message takes.
    pub(crate) fn service_time(&self) -> u64 {
        self.slow.unwrap_or_default().0
    }

    /// Gives a connection its number in this life.
    pub(crate) fn number(&mut self, conn: u32, end: usize) -> u64 {
        self.conns.push(conn * 2 + u32::from(end == 1));
        self.conns.len() as u64
    }

    /// The connection and end behind a number.
    pub(crate) fn conn(&self, id: ConnId) -> Option<(u32, usize)> {
        let place = usize::try_from(id.0.checked_sub(1)?).ok()?;
        let place = *self.conns.get(place)?;
        (place != GONE).then_some((place / 2, (place % 2) as usize))
    }

    /// The process has no more to do with a connection. False when that was so before.
    pub(crate) fn forget(&mut self, id: ConnId) -> bool {
        let known = self.conn(id).is_some();
        if known && let Ok(place) = usize::try_from(id.0 - 1) {
            self.conns[place] = GONE;
        }
        known
    }

    /// The process is gone: gives the connections that it still had.
    pub(crate) fn forget_all(&mut self) -> Vec<u32> {
        let conns = std::mem::take(&mut self.conns);
        conns
            .into_iter()
            .filter(|place| *place != GONE)
            .map(|place| place / 2)
            .collect()
    }

    /// The port that the next accepted connection comes from.
    pub(crate) fn next_port(&mut self) -> u16 {
        let port = self.port;
        self.port = self.port.checked_add(1).unwrap_or(PORT_FIRST);
        port
    }
}

/// All hosts, by number.
#[derive(Debug)]
pub(crate) struct Hosts<M>(Vec<Host<M>>);

impl<M> Hosts<M> {
    /// The hosts of a scenario before anything started.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Hosts<M> {
        let all = (0..).map(HostId).take(scenario.hosts());
        Hosts(all.map(|host| Host::new(scenario, host, seed)).collect())
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<M> Index<u32> for Hosts<M> {
    type Output = Host<M>;
    fn index(&self, host: u32) -> &Host<M> {
        &self.0[host as usize]
    }
}

impl<M> IndexMut<u32> for Hosts<M> {
    fn index_mut(&mut self, host: u32) -> &mut Host<M> {
        &mut self.0[host as usize]
    }
}

impl<M: Machine> Tables for Hosts<M> {
    fn with_node(&self, host: HostId, look: &mut dyn FnMut(&Node)) {
        let process = self
            .0
            .get(host.index())
            .and_then(|host| host.process.as_ref());
        if let Some(node) = process.and_then(Machine::node) {
            look(node);
        }
    }

    fn with_sdk(&self, host: HostId, look: &mut dyn FnMut(&Sdk)) {
        let process = self
            .0
            .get(host.index())
            .and_then(|host| host.process.as_ref());
        if let Some(sdk) = process.and_then(Machine::sdk) {
            look(sdk);
        }
    }
}
