//! The timeline: faults begin, do what they do, and end.

use distro_core::io::Command;
use distro_core::time::Period;

use super::World;
use super::conn::EndState;
use super::machine::{Arrival, Machine};
use super::network::path_of;
use super::queue::Event;
use crate::observe::Seen;
use crate::scenario::model::{Action, Fault, HostId, Path, Scenario, What};
use crate::world::common::rules::Scope;

/// Which actions last at the moment.
#[derive(Debug)]
pub(crate) struct Faults {
    lasting: Vec<bool>,
}

impl Faults {
    /// Nothing has begun.
    pub(crate) fn new(scenario: &Scenario) -> Faults {
        Faults {
            lasting: vec![false; scenario.timeline.len()],
        }
    }
}

/// The first host that an action names.
pub(crate) fn first_host(action: &Action) -> HostId {
    let named = match &action.what {
        What::Call { client, .. } => Some(*client),
        What::Operate { node, .. } => Some(*node),
        What::Fault { fault, .. } => match path_of(fault) {
            Some(path) => path.from.first().or(path.to.first()).copied(),
            None => hosts_of(fault).first().copied(),
        },
    };
    named.unwrap_or(HostId(0))
}

/// When a fault that has begun ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// When it is done, or never.
    ByItself,
    /// As soon as it has begun.
    AtOnce,
    /// Some time later.
    After(Period),
}

/// When a fault that lasts so long ends.
pub(crate) fn end_of(fault: &Fault, lasts: Period) -> End {
    let until_done = match fault {
        Fault::RollingRestart { hosts, .. } => !hosts.is_empty(),
        Fault::Drop { count, .. } => *count > 0 && lasts == Period::ZERO,
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
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => false,
    };
    if until_done || lasts == Period::MAX {
        End::ByItself
    } else if lasts == Period::ZERO {
        End::AtOnce
    } else {
        End::After(lasts)
    }
}

/// The host at a place of a rolling restart, and whether it is the last.
pub(crate) fn rolled(scenario: &Scenario, action: u32, place: usize) -> Option<(u32, bool)> {
    let What::Fault { fault, .. } = &scenario.timeline[action as usize].what else {
        return None;
    };
    let hosts = hosts_of(fault);
    let host = hosts.get(place)?;
    Some((host.0, place + 1 == hosts.len()))
}

/// The hosts of a fault that happens to hosts.
pub(crate) fn hosts_of(fault: &Fault) -> &[HostId] {
    match fault {
        Fault::Pause(hosts) | Fault::Kill(hosts) | Fault::PowerOff(hosts) => hosts,
        Fault::Slow { hosts, .. }
        | Fault::Restart { hosts, .. }
        | Fault::RollingRestart { hosts, .. }
        | Fault::WallJump { hosts, .. }
        | Fault::MonoJump { hosts, .. }
        | Fault::Drift { hosts, .. } => hosts,
        Fault::FailApply { node, .. } => std::slice::from_ref(node),
        Fault::Partition(_)
        | Fault::Loss { .. }
        | Fault::Drop { .. }
        | Fault::Delay { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Bandwidth { .. } => &[],
    }
}

impl<M: Machine> World<'_, M> {
    /// An action of the timeline is due.
    pub(super) fn begin(&mut self, action: u32) {
        let scenario = self.scenario;
        let index = action as usize;
        let planned = &scenario.timeline[index];
        self.see(
            first_host(planned).0,
            Seen::Began {
                index,
                action: planned,
            },
        );
        match &planned.what {
            What::Call { client, op } => self.call_planned(*client, op, planned.line),
            What::Operate { node, op } => self.operate(*node, op, planned.line),
            What::Fault { fault, lasts } => {
                self.faults.lasting[index] = true;
                self.begin_fault(action, fault, planned.line);
                self.plan_end(action, fault, *lasts);
            }
        }
    }

    fn plan_end(&mut self, action: u32, fault: &Fault, lasts: Period) {
        match end_of(fault, lasts) {
            End::ByItself => {}
            End::AtOnce => self.end(action),
            End::After(lasts) => {
                let at = self.now.saturating_add(lasts.0);
                self.queue.push(at, Event::End(action));
            }
        }
    }

    fn begin_fault(&mut self, action: u32, fault: &Fault, line: u32) {
        if self.net.rules.begin(action, fault, self.hosts.len()) {
            return;
        }
        match fault {
            Fault::Reset(path) => self.reset(path),
            Fault::HalfOpen(path) => self.half_open(path),
            Fault::DeadStream(path) => self.dead_stream(path),
            Fault::RollingRestart { every, down, .. } => self.plan_roll(action, *every, *down),
            Fault::FailApply { node, count } => {
                if self.hosts[node.0].process.is_none() {
                    let name = self.scenario.host_name(*node);
                    self.skipped
                        .push((line, format!("{name} is not running and applies nothing")));
                }
                self.deliver(
                    node.0,
                    Arrival::Command(Command::FailApply { count: *count }),
                );
            }
            Fault::Slow { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. } => {
                for host in hosts_of(fault) {
                    self.begin_at(host.0, action, fault);
                }
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. } => {}
        }
    }

    /// What a fault does to one host.
    fn begin_at(&mut self, host: u32, action: u32, fault: &Fault) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        match fault {
            Fault::Slow { per_message, .. } => entry.slow.push((action, *per_message)),
            Fault::Pause(_) => entry.pauses += 1,
            Fault::Kill(_) => self.stop(host, false),
            Fault::PowerOff(_) => self.stop(host, true),
            Fault::Restart { profile, .. } => {
                entry.profile = profile.unwrap_or(entry.profile);
                self.restart(host);
            }
            Fault::WallJump { by_millis, .. } => entry.clock.jump_wall(*by_millis),
            Fault::MonoJump { by, .. } => {
                entry.clock.jump_mono(*by);
                self.rearm(host);
            }
            Fault::Drift { ppm, .. } => {
                entry.clock.drift(now, i64::from(*ppm));
                self.rearm(host);
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Bandwidth { .. }
            | Fault::RollingRestart { .. }
            | Fault::FailApply { .. } => {}
        }
    }

    /// An action of the timeline ends, unless it has.
    pub(super) fn end(&mut self, action: u32) {
        let scenario = self.scenario;
        let index = action as usize;
        let planned = &scenario.timeline[index];
        if !std::mem::replace(&mut self.faults.lasting[index], false) {
            return;
        }
        self.see(
            first_host(planned).0,
            Seen::Ended {
                index,
                action: planned,
            },
        );
        if let What::Fault { fault, lasts } = &planned.what {
            self.net.rules.end(action);
            if let Fault::Partition(_) = fault {
                self.flush_held();
            }
            for host in hosts_of(fault) {
                self.end_at(host.0, action, fault, *lasts);
            }
        }
    }

    fn end_at(&mut self, host: u32, action: u32, fault: &Fault, lasts: Period) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        match fault {
            Fault::Slow { .. } => entry.slow.retain(|(owner, _)| *owner != action),
            Fault::Pause(_) => {
                entry.pauses -= 1;
                if entry.pauses == 0 {
                    self.resume(host);
                }
            }
            Fault::Kill(_) | Fault::PowerOff(_) => {
                if lasts > Period::ZERO && entry.process.is_none() {
                    self.start(host);
                }
            }
            Fault::WallJump { by_millis, .. } => {
                if lasts > Period::ZERO {
                    entry.clock.jump_wall(by_millis.saturating_neg());
                }
            }
            Fault::Drift { ppm, .. } => {
                entry.clock.drift(now, -i64::from(*ppm));
                self.rearm(host);
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Bandwidth { .. }
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::MonoJump { .. }
            | Fault::FailApply { .. } => {}
        }
    }

    /// Ends the faults that have nothing left to do.
    pub(super) fn end_exhausted(&mut self) {
        while let Some(action) = self.net.rules.exhausted.pop() {
            self.end(action);
        }
    }

    /// A paused host goes on: first the timers that are due, then what arrived, in its order.
    fn resume(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        if entry.process.is_none() {
            return;
        }
        if entry.due <= self.now {
            self.handle(host, Arrival::Wake);
        } else {
            self.arm(host);
        }
        self.plan_service(host);
    }

    fn restart(&mut self, host: u32) {
        self.stop(host, false);
        self.start(host);
    }

    fn plan_roll(&mut self, action: u32, every: Period, down: Period) {
        let What::Fault { fault, .. } = &self.scenario.timeline[action as usize].what else {
            return;
        };
        for (_, place) in hosts_of(fault).iter().zip(0..) {
            let stop = self.now.saturating_add(every.times(u64::from(place)).0);
            self.queue.push(stop, Event::RollStop(action, place));
            self.queue
                .push(stop.saturating_add(down.0), Event::RollStart(action, place));
        }
    }

    /// A rolling restart stops its next host.
    pub(super) fn roll_stop(&mut self, action: u32, place: u32) {
        if let Some((host, _)) = rolled(self.scenario, action, place as usize) {
            self.stop(host, false);
        }
    }

    /// A rolling restart starts that host again.
    pub(super) fn roll_start(&mut self, action: u32, place: u32) {
        let Some((host, last)) = rolled(self.scenario, action, place as usize) else {
            return;
        };
        if self.hosts[host].process.is_none() {
            self.start(host);
        }
        if last {
            self.end(action);
        }
    }

    /// All connections between two sides are reset: both ends notice at once.
    fn reset(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            let Some(entry) = self.net.conns.get(conn) else {
                continue;
            };
            let (a, b) = entry.pair(0);
            if scope.covers_pair(a, b) || scope.covers_pair(b, a) {
                self.ended(conn, 0);
                self.ended(conn, 1);
            }
        }
    }

    /// Connections die at their receiving end only.
    fn half_open(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            for from in [0, 1] {
                let Some(entry) = self.net.conns.get(conn) else {
                    continue;
                };
                let (sender, receiver) = entry.pair(from);
                let open = entry.ends[1 - from].state == EndState::Open;
                if open && scope.covers_pair(sender, receiver) {
                    self.ended(conn, 1 - from);
                }
            }
        }
    }

    /// On the connections that exist, one direction dies silently for good.
    fn dead_stream(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            for from in [0, 1] {
                let Some(entry) = self.net.conns.get_mut(conn) else {
                    continue;
                };
                let (sender, receiver) = entry.pair(from);
                if scope.covers_pair(sender, receiver) {
                    entry.ways[from].dead = true;
                    self.net.drop_waiting(conn, from);
                }
            }
        }
    }
}
