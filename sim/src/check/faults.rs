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
use crate::scenario::model::{Action, Fault, HostId, Path, What};
use backlog::Backlog;
pub use reach::Harm;
use reach::{harm, kinds_harm, lasting_hosts, lasting_path, lets_through, tail, takes};

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
        match fault {
            Fault::Drop { path, count } => {
                self.counted.push(Counted {
                    index,
                    left: *count,
                    what: Takes::Messages(path.clone()),
                });
                self.each_pair(path, |state| state.active += 1);
            }
            Fault::FailApply { node, count } => {
                self.counted.push(Counted {
                    index,
                    left: *count,
                    what: Takes::Applies(*node),
                });
                if let Some(state) = self.host.get_mut(node.index()) {
                    state.active += 1;
                }
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Bandwidth { .. }
            | Fault::Slow { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. } => {
                self.apply(fault, at);
                if *lasts > Period::ZERO {
                    self.enter(fault);
                    if let Fault::Bandwidth { path, .. } = fault {
                        let backlog = Backlog::new(index, fault.clone(), path.clone());
                        self.backlogs.push(backlog);
                    }
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
        if matches!(fault, Fault::Drop { .. } | Fault::FailApply { .. }) {
            return;
        }
        let waits = self
            .backlogs
            .iter_mut()
            .find(|backlog| backlog.index == index)
            .is_some_and(|backlog| !backlog.end());
        if *lasts > Period::ZERO && !waits {
            self.leave(fault, at);
            self.backlogs.retain(|backlog| backlog.index != index);
        }
    }

    /// The fault of a limit of bandwidth is over when its queues are empty.
    fn drain(&mut self, seen: &Observation<'_>) {
        let mut left = core::mem::take(&mut self.backlogs);
        left.retain_mut(|backlog| {
            let drained = backlog.see(seen);
            if drained {
                self.leave(&backlog.fault, seen.at);
            }
            !drained
        });
        self.backlogs = left;
    }

    /// A fault that lets something through ends.
    fn speed_up(&mut self, fault: &Fault, at: Mono) {
        let end = |state: &mut State| {
            state.slow = state.slow.saturating_sub(1);
            state.slow_until = state.slow_until.max(at);
        };
        if let Some(path) = lasting_path(fault) {
            self.each_pair(path, end);
        }
        for host in lasting_hosts(fault) {
            self.host.get_mut(host.index()).into_iter().for_each(end);
        }
    }

    fn leave_path(&mut self, path: &Path, harm: Harm, at: Mono) {
        self.each_pair(path, |state| {
            state.active = state.active.saturating_sub(1);
            state.touch(at, harm);
        });
    }

    fn enter(&mut self, fault: &Fault) {
        let slow = u32::from(lets_through(fault));
        if let Some(path) = lasting_path(fault) {
            self.each_pair(path, |state| {
                state.active += 1;
                state.slow += slow;
            });
        }
        for host in lasting_hosts(fault) {
            if let Some(state) = self.host.get_mut(host.index()) {
                state.active += 1;
                state.slow += slow;
            }
        }
    }

    fn leave(&mut self, fault: &Fault, at: Mono) {
        if let Some(path) = lasting_path(fault) {
            // What was sent last arrives, and holds up what follows, for that much longer.
            self.leave_path(path, harm(path, fault), at + tail(fault));
        }
        if lets_through(fault) {
            self.speed_up(fault, at + tail(fault));
        }
        for host in lasting_hosts(fault) {
            if let Some(state) = self.host.get_mut(host.index()) {
                state.active = state.active.saturating_sub(1);
                state.touch(at, Harm::Severe);
            }
        }
        if let Fault::Pause(hosts) = fault {
            for host in hosts {
                self.stopped_time[host.index()] = at;
            }
        }
    }

    /// What a fault does at the moment it begins, whether it lasts or not.
    fn apply(&mut self, fault: &Fault, at: Mono) {
        match fault {
            Fault::Partition(path)
            | Fault::Loss { path, .. }
            | Fault::Delay { path, .. }
            | Fault::Duplicate { path, .. }
            | Fault::Reorder { path, .. }
            | Fault::Corrupt { path, .. }
            | Fault::Drop { path, .. }
            | Fault::Bandwidth { path, .. } => {
                let harm = harm(path, fault);
                self.each_pair(path, |state| state.touch(at, harm));
            }
            Fault::Reset(path) => self.each_pair(path, |state| state.touch(at, Harm::Severe)),
            Fault::HalfOpen(path) | Fault::DeadStream(path) => {
                // Nobody is told: the clocks start when a health check must have noticed.
                let noticed = at + self.silence;
                self.each_pair(path, |state| state.touch(noticed, Harm::Severe));
            }
            Fault::Pause(hosts) => {
                for host in hosts {
                    self.touch_host(host.0, at);
                    if let Some(time) = self.stopped_time.get_mut(host.index()) {
                        *time = at;
                    }
                }
            }
            Fault::Slow { hosts, .. } | Fault::MonoJump { hosts, .. } => {
                for host in hosts {
                    self.touch_host(host.0, at);
                }
            }
            // Deaths and starts are seen as such. Wall clocks excuse nothing, and drift is in the
            // bounds.
            Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::WallJump { .. }
            | Fault::Drift { .. }
            | Fault::FailApply { .. } => {}
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
            Takes::Messages(path) => self.leave_path(path, kinds_harm(path), at),
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
