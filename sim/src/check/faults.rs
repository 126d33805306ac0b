//! Which hosts and pairs of hosts something is, or was, wrong with: a liveness clock starts only
//! when nothing is.

#![deny(clippy::wildcard_enum_match_arm)]

mod backlog;
mod reach;

use std::collections::BTreeMap;

use distro_core::ids::{ConnId, RequestId};
use distro_core::message::MessageKind;
use distro_core::time::{Mono, Period};

use crate::observe::{Observation, Seen};
use crate::scenario::model::{
    Action, ConnFault, Effect, Fault, HostFault, HostId, LinkFault, NodeFault, Path, What,
};
use backlog::Backlog;
pub use reach::Harm;
use reach::{harm, lets_through, tail, takes};

/// What is known about a host or a pair of hosts.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    active: u32,
    mild: Mono,
    severe: Mono,
    /// Faults that last and let something through.
    slow: u32,
    /// When the last of these ended.
    slow_until: Mono,
}

impl State {
    /// A fault that let something through is over.
    fn hurry(&mut self, at: Mono) {
        self.slow = self.slow.saturating_sub(1);
        self.slow_until = self.slow_until.max(at);
    }

    fn touch(&mut self, at: Mono, harm: Harm) {
        match harm {
            Harm::Mild => self.mild = self.mild.max(at),
            Harm::Severe => self.severe = self.severe.max(at),
        }
    }
}

/// When something was wrong for the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calm {
    /// End of the last mild fault.
    pub mild: Mono,
    /// End of the last severe fault.
    pub severe: Mono,
}

impl Calm {
    fn merge(self, state: State) -> Option<Calm> {
        (state.active == 0).then(|| Calm {
            mild: self.mild.max(state.mild),
            severe: self.severe.max(state.severe),
        })
    }
}

/// A fault that takes the next messages it meets and has no end of its own.
#[derive(Debug)]
struct Counted {
    index: usize,
    left: u32,
    what: Takes,
}

#[derive(Debug)]
enum Takes {
    Messages(Path),
    Applies(HostId),
}

/// All faults of a run.
#[derive(Debug)]
pub struct Faults {
    nodes: usize,
    hosts: usize,
    host: Vec<State>,
    pair: Vec<State>,
    counted: Vec<Counted>,
    requests: BTreeMap<(HostId, ConnId, RequestId), MessageKind>,
    /// Limits of bandwidth that last, or whose queues still drain.
    backlogs: Vec<Backlog>,
    silence: Period,
    stopped_time: Vec<Mono>,
}

impl Faults {
    /// For this many nodes among this many hosts. `silence`: how long an end takes to notice that
    /// its connection is dead.
    pub fn new(nodes: usize, hosts: usize, silence: Period) -> Faults {
        Faults {
            nodes,
            hosts,
            host: vec![State::default(); hosts],
            pair: vec![State::default(); nodes * hosts],
            counted: Vec::new(),
            requests: BTreeMap::new(),
            backlogs: Vec::new(),
            silence,
            stopped_time: vec![Mono(0); hosts],
        }
    }

    /// Calm of a host itself; none while something is wrong with it.
    pub fn host_calm(&self, host: u32) -> Option<Calm> {
        Calm {
            mild: Mono(0),
            severe: Mono(0),
        }
        .merge(*self.host.get(host as usize)?)
    }

    /// Calm of the way between two hosts, of which at least one is a node; the hosts themselves
    /// do not count.
    pub fn path_calm(&self, a: u32, b: u32) -> Option<Calm> {
        let start = Calm {
            mild: Mono(0),
            severe: Mono(0),
        };
        match self.place(a, b) {
            Some(place) => start.merge(self.pair[place]),
            None => Some(start),
        }
    }

    /// Calm of two hosts and the way between them.
    pub fn calm(&self, a: u32, b: u32) -> Option<Calm> {
        self.path_calm(a, b)?
            .merge(*self.host.get(a as usize)?)?
            .merge(*self.host.get(b as usize)?)
    }

    /// Something severe happened to a host at this moment, such as a start.
    pub fn touch_host(&mut self, host: u32, at: Mono) {
        if let Some(state) = self.host.get_mut(host as usize) {
            state.touch(at, Harm::Severe);
        }
    }

    /// A pair is kept once, in the row of the lower node.
    fn place(&self, a: u32, b: u32) -> Option<usize> {
        let (low, high) = (a.min(b) as usize, a.max(b) as usize);
        (low < self.nodes && high < self.hosts).then(|| low * self.hosts + high)
    }

    /// A fault that lets something through, so that a try may fail late, was active between two
    /// hosts at a moment not before `since`.
    pub fn slowed_since(&self, a: u32, b: u32, since: Mono) -> bool {
        let slow = |state: &State| state.slow > 0 || state.slow_until > since;
        let hosts = [a, b].map(|host| self.host.get(host as usize));
        let path = self.place(a, b).map(|place| &self.pair[place]);
        hosts.into_iter().flatten().chain(path).any(slow)
    }

    /// When the host was last stopped by a pause: its beginning or its end.
    pub fn last_pause(&self, host: u32) -> Mono {
        self.stopped_time
            .get(host as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Takes notice of an observation. Costs nothing while no fault counts messages.
    #[inline]
    pub fn see(&mut self, seen: &Observation<'_>) {
        match seen.what {
            Seen::Began { index, action } => self.began(seen.at, index, action),
            Seen::Ended { index, action } => self.ended(seen.at, index, action),
            Seen::Started
            | Seen::Stopped { .. }
            | Seen::Opened { .. }
            | Seen::Closed { .. }
            | Seen::Close { .. }
            | Seen::RequestSent { .. }
            | Seen::RequestReceived { .. }
            | Seen::Unhandled { .. }
            | Seen::ResponseSent { .. }
            | Seen::ResponseReceived { .. }
            | Seen::Node(_)
            | Seen::Client(_)
            | Seen::Called { .. }
            | Seen::Returned { .. } => {
                if !self.counted.is_empty() {
                    self.count(seen);
                }
                if !self.backlogs.is_empty() {
                    self.drain(seen);
                }
            }
        }
    }

    fn began(&mut self, at: Mono, index: usize, action: &Action) {
        let What::Fault { fault, lasts } = &action.what else {
            return;
        };
        let lasts = *lasts > Period::ZERO;
        match fault {
            Fault::Link(path, LinkFault::Drop { count }) => {
                self.counted.push(Counted {
                    index,
                    left: *count,
                    what: Takes::Messages(path.clone()),
                });
                self.each_pair(path, |state| state.active += 1);
            }
            Fault::Link(path, fault) => {
                let (harm, slow) = (harm(path), lets_through(path, fault));
                self.each_pair(path, |state| {
                    state.touch(at, harm);
                    state.active += u32::from(lasts);
                    state.slow += u32::from(lasts && slow);
                });
                if let (true, LinkFault::Bandwidth { .. }) = (lasts, fault) {
                    self.backlogs.push(Backlog::new(index, path.clone()));
                }
            }
            Fault::Conns(path, fault) => {
                let noticed = match fault {
                    ConnFault::Reset => at,
                    // Nobody is told: the clocks start when a health check must have noticed.
                    ConnFault::HalfOpen | ConnFault::DeadStream => at + self.silence,
                };
                self.each_pair(path, |state| state.touch(noticed, Harm::Severe));
            }
            Fault::Hosts(hosts, fault) => {
                let slow = matches!(fault.effect(), Effect::Late);
                self.each_upset(hosts, fault, at, |state| {
                    state.active += u32::from(lasts);
                    state.slow += u32::from(lasts && slow);
                });
            }
            Fault::Node(node, NodeFault::FailApply { count }) => {
                self.counted.push(Counted {
                    index,
                    left: *count,
                    what: Takes::Applies(*node),
                });
                if let Some(state) = self.host.get_mut(node.index()) {
                    state.active += 1;
                }
            }
        }
    }

    fn ended(&mut self, at: Mono, index: usize, action: &Action) {
        let What::Fault { fault, lasts } = &action.what else {
            return;
        };
        if let Some(place) = self
            .counted
            .iter()
            .position(|counted| counted.index == index)
        {
            let lasted = *lasts > Period::ZERO;
            if lasted {
                self.spent(place, at);
            }
            return;
        }
        if *lasts == Period::ZERO {
            return;
        }
        match fault {
            Fault::Link(_, LinkFault::Drop { .. }) | Fault::Conns(..) | Fault::Node(..) => {}
            Fault::Link(path, fault) => {
                let waits = self
                    .backlogs
                    .iter_mut()
                    .find(|backlog| backlog.index == index)
                    .is_some_and(|backlog| !backlog.end());
                if !waits {
                    self.backlogs.retain(|backlog| backlog.index != index);
                    // What was sent last arrives, and holds up what follows, for that much longer.
                    let at = at + tail(fault);
                    self.leave_path(path, lets_through(path, fault), at);
                }
            }
            Fault::Hosts(hosts, fault) => {
                let slow = matches!(fault.effect(), Effect::Late);
                self.each_upset(hosts, fault, at, |state| {
                    state.active = state.active.saturating_sub(1);
                    if slow {
                        state.hurry(at);
                    }
                });
            }
        }
    }

    /// The fault of a limit of bandwidth is over when its queues are empty.
    fn drain(&mut self, seen: &Observation<'_>) {
        let mut left = core::mem::take(&mut self.backlogs);
        left.retain_mut(|backlog| {
            let drained = backlog.see(seen);
            if drained {
                self.leave_path(&backlog.path, true, seen.at);
            }
            !drained
        });
        self.backlogs = left;
    }

    /// A fault on a path is over.
    fn leave_path(&mut self, path: &Path, slow: bool, at: Mono) {
        let harm = harm(path);
        self.each_pair(path, |state| {
            state.active = state.active.saturating_sub(1);
            state.touch(at, harm);
            if slow {
                state.hurry(at);
            }
        });
    }

    /// Hosts that a fault makes late or stops are touched, when it begins and when it ends. Deaths
    /// and starts are seen as such.
    fn each_upset(
        &mut self,
        hosts: &[HostId],
        fault: &HostFault,
        at: Mono,
        mut act: impl FnMut(&mut State),
    ) {
        let still = match fault.effect() {
            Effect::Late => false,
            Effect::Still => true,
            Effect::Nothing | Effect::Down | Effect::Again => return,
        };
        for host in hosts {
            self.touch_host(host.0, at);
            if let Some(state) = self.host.get_mut(host.index()) {
                act(state);
            }
            if let Some(time) = self.stopped_time.get_mut(host.index()).filter(|_| still) {
                *time = at;
            }
        }
    }

    fn each_pair(&mut self, path: &Path, mut act: impl FnMut(&mut State)) {
        let mut places: Vec<usize> = Vec::new();
        for from in &path.from {
            for to in &path.to {
                places.extend(self.place(from.0, to.0));
            }
        }
        // A pair that is named in both directions counts once.
        places.sort_unstable();
        places.dedup();
        for place in places {
            act(&mut self.pair[place]);
        }
    }

    fn spent(&mut self, place: usize, at: Mono) {
        let counted = self.counted.swap_remove(place);
        match &counted.what {
            Takes::Messages(path) => {
                let harm = harm(path);
                self.each_pair(path, |state| {
                    state.active = state.active.saturating_sub(1);
                    state.touch(at, harm);
                });
            }
            Takes::Applies(node) => {
                if let Some(state) = self.host.get_mut(node.index()) {
                    state.active = state.active.saturating_sub(1);
                    state.touch(at, Harm::Mild);
                }
            }
        }
        if self.counted.is_empty() {
            self.requests.clear();
        }
    }

    fn count(&mut self, seen: &Observation<'_>) {
        let message = match seen.what {
            Seen::RequestReceived {
                conn, id, request, ..
            } => {
                self.requests.insert((seen.host, conn, id), request.kind());
                self.count_apply(seen.host, request.kind(), seen.at);
                return;
            }
            Seen::Unhandled {
                conn, id, received, ..
            } => {
                self.requests.insert((seen.host, conn, id), received.kind());
                return;
            }
            Seen::RequestSent { peer, request, .. } => (peer, Some(request.kind()), true),
            Seen::ResponseSent { conn, peer, id, .. } => {
                (peer, self.requests.remove(&(seen.host, conn, id)), false)
            }
            Seen::Started
            | Seen::Stopped { .. }
            | Seen::Opened { .. }
            | Seen::Closed { .. }
            | Seen::Close { .. }
            | Seen::ResponseReceived { .. }
            | Seen::Node(_)
            | Seen::Client(_)
            | Seen::Called { .. }
            | Seen::Returned { .. }
            | Seen::Began { .. }
            | Seen::Ended { .. } => return,
        };
        let (peer, kind, is_request) = message;
        let taken = self.counted.iter().position(|counted| match &counted.what {
            Takes::Messages(path) => takes(path, seen.host, peer, kind, is_request),
            Takes::Applies(_) => false,
        });
        self.take(taken, seen.at);
    }

    fn count_apply(&mut self, node: HostId, kind: MessageKind, at: Mono) {
        if !matches!(
            kind,
            MessageKind::Change | MessageKind::Add | MessageKind::Delete
        ) {
            return;
        }
        let taken = self.counted.iter().position(|counted| match &counted.what {
            Takes::Applies(whose) => *whose == node,
            Takes::Messages(_) => false,
        });
        self.take(taken, at);
    }

    fn take(&mut self, taken: Option<usize>, at: Mono) {
        let Some(place) = taken else { return };
        let counted = &mut self.counted[place];
        counted.left = counted.left.saturating_sub(1);
        if counted.left == 0 {
            self.spent(place, at);
        }
    }
}
