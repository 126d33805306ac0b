//! The script of a run: what happens when, in every world. It starts processes, calls as
//! applications do, begins and ends the faults of the timeline, repeats what churns and says what
//! could not be done. How each of these is done is the world's own: a world is a [`Stage`].
//!
//! # Layout
//! - [`stage`]: what a world does for its script · [`agenda`]: what is due next, for worlds that
//!   have no queue of their own

pub(crate) mod agenda;
pub(crate) mod stage;

use std::borrow::Cow;

use distro_core::profile::Profile;
use distro_core::time::Period;

use crate::scenario::model::{
    Action, Fault, HostFault, HostId, LinkFault, NodeFault, Scenario, What,
};
use crate::world::common::application::Application;
use crate::world::common::clock::Turn;
use crate::world::common::nodes_of;
use stage::{Done, Order, Stage};

/// What could not be done, or not wholly: the line in the file, and why.
pub(crate) type Skipped = Vec<(u32, String)>;

/// What a world can do of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Can {
    /// All of it.
    Wholly,
    /// It, but not quite as it is meant.
    Partly(String),
    /// Nothing.
    Not(String),
}

/// The scenario without what a world cannot do, and what is to be said of that.
pub(crate) fn possible(
    scenario: &Scenario,
    can: impl Fn(&Action) -> Can,
) -> (Cow<'_, Scenario>, Skipped) {
    let mut skipped = Skipped::new();
    let mut left_out = vec![false; scenario.timeline.len()];
    for (action, left_out) in scenario.timeline.iter().zip(&mut left_out) {
        match can(action) {
            Can::Wholly => {}
            Can::Partly(note) => skipped.push((action.line, note)),
            Can::Not(why) => {
                skipped.push((action.line, why));
                *left_out = true;
            }
        }
    }
    if !left_out.contains(&true) {
        return (Cow::Borrowed(scenario), skipped);
    }
    let mut possible = scenario.clone();
    let mut left_out = left_out.into_iter();
    possible.timeline.retain(|_| left_out.next() == Some(false));
    (Cow::Owned(possible), skipped)
}

/// Something of the script that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A host's process starts for the first time.
    Start(u32),
    /// An action of the timeline begins.
    Begin(u32),
    /// It ends.
    End(u32),
    /// A rolling restart (action, position in its list) stops a host.
    RollStop(u32, u32),
    /// It starts that host again.
    RollStart(u32, u32),
    /// A client with churn changes something.
    Churn(u32),
}

/// What the script knows of a host.
#[derive(Debug)]
struct Part {
    /// It was started or stopped once.
    started: bool,
    /// The build that runs, or would run, there.
    profile: Profile,
    /// Pauses that last.
    pauses: u32,
    /// Slow faults that last: action and time per message.
    slow: Vec<(u32, Period)>,
}

/// The script of one run.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    scenario: &'a Scenario,
    parts: Vec<Part>,
    applications: Vec<Application>,
    /// Actions that last.
    lasting: Vec<bool>,
    skipped: Skipped,
}

/// The builds of all hosts at the start. A client is of its first server's.
fn builds(scenario: &Scenario) -> impl Iterator<Item = Profile> {
    let nodes = scenario.nodes.iter().map(|node| node.profile);
    let clients = scenario.clients.iter().map(|client| {
        let first = client.servers.first();
        let first = first.and_then(|host| scenario.nodes.get(host.index()));
        first.map(|node| node.profile).unwrap_or_default()
    });
    nodes.chain(clients)
}

impl<'a> Script<'a> {
    /// The script of a scenario. All that it fixes in advance is planned.
    pub(crate) fn new(scenario: &'a Scenario, seed: u64, stage: &mut impl Stage) -> Script<'a> {
        let parts = builds(scenario).map(|profile| Part {
            started: false,
            profile,
            pauses: 0,
            slow: Vec::new(),
        });
        let clients = scenario.clients.iter();
        let mut script = Script {
            scenario,
            parts: parts.collect(),
            applications: clients.map(|spec| Application::new(spec, seed)).collect(),
            lasting: vec![false; scenario.timeline.len()],
            skipped: Skipped::new(),
        };
        let nodes = scenario.nodes.iter().map(|node| node.start);
        let clients = scenario.clients.iter().map(|client| client.start);
        for (start, host) in nodes.chain(clients).zip(0..) {
            stage.plan(start.0, Due::Start(host));
        }
        for (action, index) in scenario.timeline.iter().zip(0..) {
            stage.plan(action.at.0, Due::Begin(index));
        }
        for (_, client) in scenario.clients.iter().zip(0..) {
            script.plan_churn(stage, client, None);
        }
        script
    }

    /// What could not be done.
    pub(crate) fn into_skipped(self) -> Skipped {
        self.skipped
    }

    /// Does what was planned for this moment.
    ///
    /// # Errors
    /// The stage could not do what it can.
    pub(crate) fn due(&mut self, stage: &mut impl Stage, due: Due) -> Done {
        match due {
            Due::Start(host) if self.parts[host as usize].started => Ok(()),
            Due::Start(host) => self.start(stage, host),
            Due::Begin(action) => self.begin(stage, action),
            Due::End(action) => self.end(stage, action),
            Due::RollStop(action, place) => match self.rolled(action, place) {
                Some((host, _)) => self.stop(stage, host, false),
                None => Ok(()),
            },
            Due::RollStart(action, place) => self.roll_start(stage, action, place),
            Due::Churn(client) => self.churn(stage, client),
        }
    }

    fn start(&mut self, stage: &mut impl Stage, host: u32) -> Done {
        let part = &mut self.parts[host as usize];
        part.started = true;
        stage.start(host, part.profile)?;
        let Some(client) = self.scenario.client(HostId(host)) else {
            return Ok(());
        };
        for op in self.applications[client].begins() {
            stage.call(host, op)?;
        }
        Ok(())
    }

    fn stop(&mut self, stage: &mut impl Stage, host: u32, silent: bool) -> Done {
        self.parts[host as usize].started = true;
        stage.stop(host, silent)
    }

    fn begin(&mut self, stage: &mut impl Stage, action: u32) -> Done {
        let index = action as usize;
        let planned = &self.scenario.timeline[index];
        stage.began(index, planned);
        match &planned.what {
            What::Call { client, op } => {
                if stage.runs(client.0) {
                    return stage.call(client.0, op.clone());
                }
                self.skip(planned, *client, "is not running and cannot be called");
            }
            What::Operate { node, op } => {
                if stage.runs(node.0) {
                    return stage.order(node.0, Order::Operator(op));
                }
                self.skip(planned, *node, "is not running and cannot be operated");
            }
            What::Fault { fault, lasts } => {
                self.lasting[index] = true;
                self.begin_fault(stage, action, fault)?;
                return self.plan_end(stage, action, fault, *lasts);
            }
        }
        Ok(())
    }

    fn skip(&mut self, action: &Action, host: HostId, why: &str) {
        let name = self.scenario.host_name(host);
        self.skipped.push((action.line, format!("{name} {why}")));
    }

    fn plan_end(
        &mut self,
        stage: &mut impl Stage,
        action: u32,
        fault: &Fault,
        lasts: Period,
    ) -> Done {
        let until_done = match fault {
            Fault::Hosts(hosts, HostFault::RollingRestart { .. }) => !hosts.is_empty(),
            Fault::Link(_, LinkFault::Drop { count }) => *count > 0 && lasts == Period::ZERO,
            Fault::Link(..) | Fault::Conns(..) | Fault::Hosts(..) | Fault::Node(..) => false,
        };
        if until_done || lasts == Period::MAX {
            return Ok(());
        }
        if lasts == Period::ZERO {
            return self.end(stage, action);
        }
        let at = self.scenario.timeline[action as usize].at + lasts;
        stage.plan(at.0.max(stage.now()), Due::End(action));
        Ok(())
    }

    fn begin_fault(&mut self, stage: &mut impl Stage, action: u32, fault: &Fault) -> Done {
        match fault {
            Fault::Link(path, fault) => stage.link(action, path, fault),
            Fault::Conns(path, fault) => stage.cut(path, *fault),
            Fault::Hosts(hosts, HostFault::RollingRestart { every, down }) => {
                self.plan_roll(stage, action, hosts, (*every, *down));
                Ok(())
            }
            Fault::Hosts(hosts, fault) => {
                { hosts.iter() }.try_for_each(|host| self.begin_at(stage, host.0, action, fault))
            }
            Fault::Node(node, NodeFault::FailApply { count }) => {
                if stage.runs(node.0) {
                    return stage.order(node.0, Order::FailApply(*count));
                }
                let planned = &self.scenario.timeline[action as usize];
                self.skip(planned, *node, "is not running and applies nothing");
                Ok(())
            }
        }
    }

    /// What a fault does to one host.
    fn begin_at(
        &mut self,
        stage: &mut impl Stage,
        host: u32,
        action: u32,
        fault: &HostFault,
    ) -> Done {
        let part = &mut self.parts[host as usize];
        match fault {
            HostFault::Slow { per_message } => {
                part.slow.push((action, *per_message));
                stage.slow(host, part.per_message())
            }
            HostFault::Pause => {
                part.pauses += 1;
                if part.pauses == 1 {
                    stage.pause(host, true)
                } else {
                    Ok(())
                }
            }
            HostFault::Kill => self.stop(stage, host, false),
            HostFault::PowerOff => self.stop(stage, host, true),
            HostFault::Restart { profile } => {
                part.profile = profile.unwrap_or(part.profile);
                self.stop(stage, host, false)?;
                self.start(stage, host)
            }
            HostFault::WallJump { by_millis } => stage.clock(host, Turn::Wall(*by_millis)),
            HostFault::MonoJump { by } => stage.clock(host, Turn::Mono(*by)),
            HostFault::Drift { ppm } => stage.clock(host, Turn::Rate(i64::from(*ppm))),
            // One host after the other, when it is due.
            HostFault::RollingRestart { .. } => Ok(()),
        }
    }

    /// An action of the timeline ends, unless it has.
    ///
    /// # Errors
    /// The stage could not do what it can.
    pub(crate) fn end(&mut self, stage: &mut impl Stage, action: u32) -> Done {
        let index = action as usize;
        let planned = &self.scenario.timeline[index];
        if !std::mem::replace(&mut self.lasting[index], false) {
            return Ok(());
        }
        stage.ended(index, planned);
        let What::Fault { fault, lasts } = &planned.what else {
            return Ok(());
        };
        match fault {
            Fault::Link(_, fault) => stage.unlink(action, fault),
            Fault::Hosts(hosts, fault) => hosts
                .iter()
                .try_for_each(|host| self.end_at(stage, host.0, action, fault, *lasts)),
            Fault::Conns(..) | Fault::Node(..) => Ok(()),
        }
    }

    fn end_at(
        &mut self,
        stage: &mut impl Stage,
        host: u32,
        action: u32,
        fault: &HostFault,
        lasts: Period,
    ) -> Done {
        let part = &mut self.parts[host as usize];
        let lasted = lasts > Period::ZERO;
        match fault {
            HostFault::Slow { .. } => {
                part.slow.retain(|(owner, _)| *owner != action);
                stage.slow(host, part.per_message())
            }
            HostFault::Pause => {
                part.pauses -= 1;
                if part.pauses == 0 {
                    stage.pause(host, false)
                } else {
                    Ok(())
                }
            }
            HostFault::Kill | HostFault::PowerOff if lasted && !stage.runs(host) => {
                self.start(stage, host)
            }
            HostFault::WallJump { by_millis } if lasted => {
                stage.clock(host, Turn::Wall(by_millis.saturating_neg()))
            }
            HostFault::Drift { ppm } => stage.clock(host, Turn::Rate(-i64::from(*ppm))),
            HostFault::Kill
            | HostFault::PowerOff
            | HostFault::Restart { .. }
            | HostFault::RollingRestart { .. }
            | HostFault::WallJump { .. }
            | HostFault::MonoJump { .. } => Ok(()),
        }
    }

    fn plan_roll(
        &self,
        stage: &mut impl Stage,
        action: u32,
        hosts: &[HostId],
        (every, down): (Period, Period),
    ) {
        for (_, place) in hosts.iter().zip(0..) {
            let stop = stage.now().saturating_add(every.times(u64::from(place)).0);
            stage.plan(stop, Due::RollStop(action, place));
            stage.plan(stop.saturating_add(down.0), Due::RollStart(action, place));
        }
    }

    /// The host at a place of a rolling restart, and whether it is the last.
    fn rolled(&self, action: u32, place: u32) -> Option<(u32, bool)> {
        let What::Fault { fault, .. } = &self.scenario.timeline[action as usize].what else {
            return None;
        };
        let (hosts, place) = (fault.hosts(), place as usize);
        Some((hosts.get(place)?.0, place + 1 == hosts.len()))
    }

    fn roll_start(&mut self, stage: &mut impl Stage, action: u32, place: u32) -> Done {
        let Some((host, last)) = self.rolled(action, place) else {
            return Ok(());
        };
        if !stage.runs(host) {
            self.start(stage, host)?;
        }
        if last {
            self.end(stage, action)
        } else {
            Ok(())
        }
    }

    /// Plans a client's next change, one gap after the last one or after its churn begins.
    fn plan_churn(&mut self, stage: &mut impl Stage, client: u32, last: Option<u64>) {
        let index = client as usize;
        let Some(churn) = &self.scenario.clients[index].churn else {
            return;
        };
        let now = stage.now();
        if let Some(at) = self.applications[index].next_change(churn, last, now) {
            stage.plan(at, Due::Churn(client));
        }
    }

    /// A client with churn changes something, if it runs.
    fn churn(&mut self, stage: &mut impl Stage, client: u32) -> Done {
        let index = client as usize;
        let host = nodes_of(self.scenario).saturating_add(client);
        let churn = self.scenario.clients[index].churn.as_ref();
        let over = churn.is_some_and(|churn| stage.now() >= churn.until.0);
        if stage.runs(host) {
            let application = &mut self.applications[index];
            let ops = if over {
                application.bring_back()
            } else {
                application.change().into_iter().collect()
            };
            for op in ops {
                stage.call(host, op)?;
            }
        }
        if !over {
            self.plan_churn(stage, client, Some(stage.now()));
        }
        Ok(())
    }
}

impl Part {
    /// The time that one message takes; none while the host is as fast as any.
    fn per_message(&self) -> Option<Period> {
        let slow = self.slow.iter().map(|(_, period)| *period);
        slow.reduce(|sum, period| Period(sum.0.saturating_add(period.0)))
    }
}

#[cfg(test)]
mod tests;
