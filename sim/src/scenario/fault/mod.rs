//! All faults, grouped by what they act on. Each is one entry of a table here, with the meaning
//! that it has in every world and with all that a file says of it: the enums, the reader, the
//! writer, the reference and the scaling of times are made from the entries.

mod form;

use distro_core::message::MessageKind;
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::text::kind::{AtLeastOne, Kind, OneOf, Toml, Word};
use distro_node::text::table::{Section, Usual, key};

use super::kinds::{Build, Jump, Names, Ppm, Rate};
use super::model::HostId;
use super::schema::timeline::{AFFECTED, BETWEEN, DOWN_FOR, FOR, FROM, KINDS, ONLY, TO};
use form::{Bytes, PerSecond, faults};

/// A directed set of host pairs and, if not empty, the message kinds it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Senders.
    pub from: Vec<HostId>,
    /// Receivers.
    pub to: Vec<HostId>,
    /// Also the other direction.
    pub both: bool,
    /// Only these kinds of messages; a response has its request's kind. Empty: all, and the
    /// transport itself (dials, FINs).
    pub kinds: Vec<MessageKind>,
    /// Only requests (`Some(true)`), only responses (`Some(false)`), or both.
    pub requests: Option<bool>,
}

impl Path {
    /// True when it is about connections as a whole rather than some messages on them.
    pub const fn is_whole(&self) -> bool {
        self.kinds.is_empty() && self.requests.is_none()
    }
}

/// A fault and what it acts on; each world maps it or reports it skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// On links while it lasts.
    Link(Path, LinkFault),
    /// On the connections that exist when it begins.
    Conns(Path, ConnFault),
    /// On hosts, their clocks and processes.
    Hosts(Vec<HostId>, HostFault),
    /// On what a node does inside.
    Node(HostId, NodeFault),
}

impl Fault {
    /// Its path, when it has one.
    pub const fn path(&self) -> Option<&Path> {
        match self {
            Fault::Link(path, _) | Fault::Conns(path, _) => Some(path),
            Fault::Hosts(..) | Fault::Node(..) => None,
        }
    }

    /// Its hosts, when it is none of paths.
    pub fn hosts(&self) -> &[HostId] {
        match self {
            Fault::Link(..) | Fault::Conns(..) => &[],
            Fault::Hosts(hosts, _) => hosts,
            Fault::Node(node, _) => std::slice::from_ref(node),
        }
    }

    /// The same fault where every time is divided by `scale`.
    pub(super) fn scale(&mut self, scale: u32) {
        match self {
            Fault::Link(_, fault) => fault.scale(scale),
            Fault::Conns(_, fault) => fault.scale(scale),
            Fault::Hosts(_, fault) => fault.scale(scale),
            Fault::Node(_, fault) => fault.scale(scale),
        }
    }
}

faults! {
    /// What is different on links while it lasts.
    pub enum LinkFault {
        /// Nothing crosses while it lasts; like TCP, what was sent is delivered afterwards, in
        /// order. Dials get no answer. With kinds in its path, just those messages vanish for good.
        Partition = "partition",
            "Nothing crosses while it lasts; like TCP, what was sent arrives afterwards, in \
             order. With kinds, just those messages vanish for good. Needs a path.",
            [] [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Messages vanish with this probability.
        Loss = "loss",
            "Messages vanish.",
            [] {
                /// How many per million.
                per_million: u32 as Rate =
                    "rate", required, "How likely, per message.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// The next messages vanish.
        Drop = "drop",
            "The next messages vanish.",
            [] {
                /// How many.
                count: u32 as AtLeastOne =
                    "count", usual(1), "How many.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Each message takes longer. Order on a connection is kept.
        Delay = "delay",
            "Each message takes longer; order on a connection is kept.",
            [] {
                /// How much longer.
                by: Period as Period =
                    "by", required, "How much longer.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Messages arrive twice with this probability.
        Duplicate = "duplicate",
            "Messages arrive twice.",
            [] {
                /// How many per million.
                per_million: u32 as Rate =
                    "rate", required, "How likely, per message.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Messages may overtake each other.
        Reorder = "reorder",
            "Messages may overtake each other.",
            [] {
                /// By how much.
                within: Period as Period =
                    "within", required, "By at most this much.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Messages arrive unreadable with this probability.
        Corrupt = "corrupt",
            "Messages arrive unreadable.",
            [] {
                /// How many per million.
                per_million: u32 as Rate =
                    "rate", required, "How likely, per message.";
            } [BETWEEN, FROM, TO, KINDS, ONLY, FOR];
        /// Each direction carries at most so many bytes a second; a queue over the limit delays,
        /// and over its own limit the sender is told that the connection is busy.
        Bandwidth = "bandwidth",
            "Each direction carries only so much; a queue delays, and when it is full the \
             sender is told that the connection is busy.",
            [] {
                /// Bytes per second.
                bytes_per_second: u64 as PerSecond =
                    "bytes-per-second", required, "Bytes per second.";
                /// Bytes that may wait.
                queue_bytes: u64 as Bytes =
                    "queue-bytes", usual(1 << 20), "Bytes that may wait.";
            } [BETWEEN, FROM, TO, FOR];
        /// Whoever dials looks the other host's name up first, and does not get its address. What
        /// is connected stays so.
        DnsFailure = "dns-failure",
            "Names do not resolve, or to an address that nobody has any more: `from` finds no way \
             to `to` when it dials. What is connected stays so.",
            [] {
                /// What a look-up gives.
                answer: NameAnswer as OneOf<NameAnswer> =
                    "answer", usual(NameAnswer::Nothing), "What a look-up gives.";
            } [BETWEEN, FROM, TO, FOR];
    }
}

/// What a look-up gives in place of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameAnswer {
    /// There is no such name, as far as anybody knows.
    Nothing,
    /// An address that nobody has any more: dials get no answer.
    OldAddress,
}

impl Word for NameAnswer {
    const NOUN: &'static str = "answer";

    fn all() -> Vec<(NameAnswer, &'static str)> {
        vec![
            (NameAnswer::Nothing, "nothing"),
            (NameAnswer::OldAddress, "old-address"),
        ]
    }
}

faults! {
    /// What happens to the connections that exist.
    #[derive(Copy)]
    pub enum ConnFault {
        /// All connections between these hosts are reset: both ends notice at once.
        Reset = "reset",
            "All connections are reset: both ends notice at once. Needs a path.",
            [] [BETWEEN, FROM, TO];
        /// All connections between these hosts die at the `to` end only: `from` is not told and
        /// finds out when it next sends.
        HalfOpen = "half-open",
            "All connections die at the `to` end only; `from` finds out when it next sends. \
             Needs a path.",
            [] [BETWEEN, FROM, TO];
        /// On the connections that exist now, this direction dies silently for good; new ones work.
        DeadStream = "dead-stream",
            "On the connections that exist now, this direction dies silently for good; new \
             ones work. Needs a path.",
            [] [BETWEEN, FROM, TO];
    }
}

faults! {
    /// What happens to hosts.
    pub enum HostFault {
        /// A host needs this long for each message it receives.
        Slow = "slow",
            "A host needs long for each message it receives.",
            [AFFECTED] {
                /// Time per message.
                per_message: Period as Period =
                    "per-message", required, "How long.";
            } [FOR];
        /// Stop the world: the host runs nothing; its clocks, sockets and peers go on.
        Pause = "pause",
            "Stop the world: the host runs nothing; its clocks, sockets and peers go on.",
            [AFFECTED] [FOR];
        /// The process dies; its host sends FIN on all connections.
        Kill = "kill",
            "The process dies; its host says FIN on all connections.",
            [AFFECTED] [DOWN_FOR];
        /// The host dies: nobody is told anything.
        PowerOff = "power-off",
            "The host dies: nobody is told anything.",
            [AFFECTED] [DOWN_FOR];
        /// The process starts again with nothing in memory. A running process is killed first.
        Restart = "restart",
            "The process starts again with nothing in memory; a running one is killed first.",
            [AFFECTED] {
                /// As a different build.
                profile: Option<Profile> as Build =
                    "profile", absent("as before"), "As a different build; nodes only.";
            } [];
        /// Nodes restart one after the other.
        RollingRestart = "rolling-restart",
            "Nodes restart one after the other.",
            [key::<Names>("hosts", Usual::Words("\"nodes\""), "Which, in this order.")] {
                /// From one stop to the next.
                every: Period as Period =
                    "step", required, "From one stop to the next.";
                /// How long each is down.
                down: Period as Period =
                    "down", usual(Period::from_secs(1)), "How long each is down.";
            } [];
        /// The wall clock jumps. While the fault lasts; then it jumps back.
        WallJump = "wall-jump",
            "The wall clock jumps; when it ends, the clock jumps back.",
            [AFFECTED] {
                /// Milliseconds, negative for back.
                by_millis: i64 as Jump =
                    "by", required, "\"+30s\", \"-3m\".";
            } [FOR];
        /// The monotonic clock jumps forward (a virtual machine resumed elsewhere).
        MonoJump = "mono-jump",
            "The monotonic clock jumps forward: a virtual machine resumed elsewhere.",
            [AFFECTED] {
                /// How far.
                by: Period as Period =
                    "by", required, "How far.";
            } [];
        /// Both clocks run fast (positive) or slow.
        Drift = "drift",
            "Both clocks run fast (positive) or slow (negative).",
            [AFFECTED] {
                /// Parts per million.
                ppm: i32 as Ppm =
                    "ppm", required, "Parts per million.";
            } [FOR];
    }
}

/// What a fault of hosts does there, as far as files and checks have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that excuses anybody: wall clocks decide nothing, and bounds know the drift.
    Nothing,
    /// What hosts do takes longer, or seems to.
    Late,
    /// They stand still.
    Still,
    /// Their processes end, and start again only when something else says so.
    Down,
    /// Their processes end and start again.
    Again,
}

impl HostFault {
    /// What it does.
    pub const fn effect(&self) -> Effect {
        match self {
            HostFault::WallJump { .. } | HostFault::Drift { .. } => Effect::Nothing,
            HostFault::Slow { .. } | HostFault::MonoJump { .. } => Effect::Late,
            HostFault::Pause => Effect::Still,
            HostFault::Kill | HostFault::PowerOff => Effect::Down,
            HostFault::Restart { .. } | HostFault::RollingRestart { .. } => Effect::Again,
        }
    }
}

faults! {
    /// What goes wrong inside a node.
    #[derive(Copy)]
    pub enum NodeFault {
        /// The node's next syncs fail to apply.
        FailApply = "fail-apply",
            "The node's next syncs fail to apply.",
            [key::<Names>("node", Usual::Required, "Which node.")] {
                /// How many.
                count: u32 as AtLeastOne =
                    "count", usual(1), "How many syncs.";
            } [];
    }
}

const GROUPS: [&[Section]; 4] = [
    LinkFault::SECTIONS,
    ConnFault::SECTIONS,
    HostFault::SECTIONS,
    NodeFault::SECTIONS,
];
const ALL: usize = GROUPS[0].len() + GROUPS[1].len() + GROUPS[2].len() + GROUPS[3].len();

/// What the format knows of every fault.
pub(super) const SECTIONS: [Section; ALL] = {
    let mut all = [LinkFault::SECTIONS[0]; ALL];
    let (mut group, mut place, mut next) = (0, 0, 0);
    while group < GROUPS.len() {
        if place < GROUPS[group].len() {
            all[next] = GROUPS[group][place];
            (place, next) = (place + 1, next + 1);
        } else {
            (group, place) = (group + 1, 0);
        }
    }
    all
};
