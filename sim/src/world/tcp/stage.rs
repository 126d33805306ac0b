//! What the script wants done here: what this world can do of it, and how.

use std::collections::BTreeSet;

use distro_core::profile::Profile;
use distro_core::time::Period;

use super::between::Between;
use super::driver::{Driver, Running};
use super::lived::Told;
use super::netns::filter::Drops;
use super::operate::{ask, question};
use crate::scenario::model::{
    Action, ClientOp, ConnFault, Fault, HostFault, HostId, LinkFault, NodeFault, NodeOp, Path,
    Scenario, What,
};
use crate::world::common::clock::Turn;
use crate::world::link::BANDWIDTH_NOTE;
use crate::world::script::stage::{Done, Order, Stage};
use crate::world::script::{self, Can, Due, Skipped};

/// Why no clock is changed.
const CLOCKS: &str = "the clocks of the machine are not the testbed's to change";
/// Why faults of messages are none of packets.
pub(super) const MESSAGES: &str = "namespaces show packets, not messages";
/// Why no name fails.
const NAMES: &str = "hosts have addresses here and no names";
/// Why no node is told to fail.
const NO_ORDER: &str = "no released node takes the order to fail";

/// The scenario without what cannot be done here.
///
/// # Errors
/// Nothing of it can: its nodes are no released build.
pub(super) fn possible(scenario: &Scenario, netns: bool) -> Result<(Scenario, Skipped), String> {
    let historical = scenario
        .nodes
        .iter()
        .find(|node| node.profile != Profile::DISTRO);
    if let Some(node) = historical {
        return Err(format!(
            "world tcp runs the released node, which has only the profile distro: {} has {}",
            node.name,
            crate::scenario::profile_text(node.profile)
        ));
    }
    let (possible, skipped) = script::possible(scenario, |action| can(scenario, action, netns));
    Ok((possible.into_owned(), skipped))
}

/// What this world can do of an action.
fn can(scenario: &Scenario, action: &Action, netns: bool) -> Can {
    match &action.what {
        What::Fault { fault, .. } => match fault {
            Fault::Link(path, fault) => link(path, fault, netns),
            Fault::Conns(..) => Can::Wholly,
            Fault::Hosts(_, fault) => host(fault, netns),
            Fault::Node(_, fault @ NodeFault::FailApply { .. }) => not(fault.name(), NO_ORDER),
        },
        What::Operate {
            node,
            op: NodeOp::SetMembers(members),
        } => unknown_member(scenario, *node, members),
        What::Operate { .. } | What::Call { .. } => Can::Wholly,
    }
}

fn not(name: &str, why: &str) -> Can {
    Can::Not(format!("{name}: {why}"))
}

/// What it can do to links.
fn link(path: &Path, fault: &LinkFault, netns: bool) -> Can {
    let partly = |note: &str| Can::Partly(note.to_owned());
    if netns {
        return match drops(path, fault) {
            Err(why) => Can::Not(why),
            Ok(Drops::All) => Can::Wholly,
            Ok(Drops::Some(_)) => partly(
                "packets are lost here, and TCP sends them again: what messages lose is time",
            ),
            Ok(Drops::Over(..)) => partly(
                "packets over the limit are dropped here, and TCP slows down; no sender is told",
            ),
        };
    }
    match fault {
        LinkFault::Bandwidth { .. } => partly(BANDWIDTH_NOTE),
        LinkFault::DnsFailure { .. } => not(fault.name(), NAMES),
        LinkFault::Partition
        | LinkFault::Loss { .. }
        | LinkFault::Drop { .. }
        | LinkFault::Delay { .. }
        | LinkFault::Duplicate { .. }
        | LinkFault::Reorder { .. }
        | LinkFault::Corrupt { .. } => Can::Wholly,
    }
}

/// The packets that a fault of links drops, or why it cannot be done to packets.
///
/// # Errors
/// It is about messages, or does something else to them.
pub(super) fn drops(path: &Path, fault: &LinkFault) -> Result<Drops, String> {
    let name = fault.name();
    let drops = match *fault {
        LinkFault::Partition => Drops::All,
        LinkFault::Loss { per_million } => Drops::Some(per_million),
        LinkFault::Bandwidth {
            bytes_per_second,
            queue_bytes,
        } => Drops::Over(bytes_per_second, queue_bytes),
        LinkFault::Drop { .. } => return Err(format!("{name}: {MESSAGES}")),
        LinkFault::Delay { .. }
        | LinkFault::Duplicate { .. }
        | LinkFault::Reorder { .. }
        | LinkFault::Corrupt { .. } => {
            return Err(format!("{name}: packets are dropped, and nothing else"));
        }
        LinkFault::DnsFailure { .. } => return Err(format!("{name}: {NAMES}")),
    };
    if path.is_whole() {
        Ok(drops)
    } else {
        Err(format!("{name} of some messages: {MESSAGES}"))
    }
}

/// What it can do to hosts.
fn host(fault: &HostFault, netns: bool) -> Can {
    match fault {
        HostFault::WallJump { .. } | HostFault::MonoJump { .. } | HostFault::Drift { .. } => {
            not(fault.name(), CLOCKS)
        }
        HostFault::Slow { .. } if netns => not(fault.name(), MESSAGES),
        HostFault::Restart {
            profile: Some(profile),
        } if *profile != Profile::DISTRO => not(
            fault.name(),
            "the released node has only the profile distro",
        ),
        HostFault::Slow { .. }
        | HostFault::Pause
        | HostFault::Kill
        | HostFault::PowerOff
        | HostFault::Restart { .. }
        | HostFault::RollingRestart { .. } => Can::Wholly,
    }
}

/// A node learns the ports of its members once, at its start.
fn unknown_member(scenario: &Scenario, node: HostId, members: &[HostId]) -> Can {
    let known = &scenario.nodes[node.index()].members;
    match members.iter().find(|member| !known.contains(member)) {
        None => Can::Wholly,
        Some(new) => Can::Not(format!(
            "set-members: a node learns the relay's ports of its members when it starts, and {} \
             was none of them",
            scenario.host_name(*new)
        )),
    }
}

impl<'a> Driver<'a> {
    /// Does something to what lies between hosts. How long the kernel's tools take is a delay of
    /// everything else.
    fn between(&mut self, act: impl FnOnce(&mut Between<'a>, u64) -> Done) -> Done {
        let now = self.time.now();
        act(&mut self.between, now)?;
        self.lag.note(self.time.now().saturating_sub(now));
        Ok(())
    }

    fn operate(&mut self, node: HostId, op: &NodeOp) -> Done {
        if let NodeOp::SetMembers(members) = op {
            let written = self.files.write(self.plan, node, members);
            return written.map_err(|error| format!("a member file: {error}"));
        }
        let Some(question) = question(self.scenario, op) else {
            return Ok(());
        };
        let ((place, at), failure) = (self.plan.operator(node), self.failure.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = ask((place, at), question).await {
                let text = format!("the operator's port at {at}: {error}");
                failure.borrow_mut().get_or_insert(text);
            }
        });
        Ok(())
    }

    /// The checks learn of the actions that are over. A process takes its time to start, and what
    /// starts it lasts until it has.
    pub(super) fn tell_ends(&mut self) {
        for action in std::mem::take(&mut self.over) {
            let What::Fault { fault, .. } = &self.scenario.timeline[action as usize].what else {
                continue;
            };
            let waits = |host: &&HostId| {
                let running = &self.hosts[host.index()].running;
                matches!(running, Running::Node { up: false, .. })
            };
            let hosts = fault.hosts().iter();
            let waiting: BTreeSet<u32> = hosts.filter(waits).map(|host| host.0).collect();
            if waiting.is_empty() {
                self.tell_end(action, self.time.now());
            } else {
                self.ending.insert(action, waiting);
            }
        }
    }

    /// The checks learn that an action ended.
    pub(super) fn tell_end(&mut self, action: u32, at: u64) {
        self.told.push((at, Told::Ended(action)));
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Stage for Driver<'_> {
    fn now(&self) -> u64 {
        self.time.now()
    }

    fn plan(&mut self, at: u64, due: Due) {
        self.agenda.push(at, due);
    }

    fn began(&mut self, index: usize, _: &Action) {
        self.told
            .push((self.time.now(), Told::Began(number(index))));
    }

    fn ended(&mut self, index: usize, _: &Action) {
        self.over.push(number(index));
    }

    fn runs(&self, host: u32) -> bool {
        !matches!(self.hosts[host as usize].running, Running::Nothing)
    }

    fn start(&mut self, host: u32, _: Profile) -> Done {
        self.start_process(host)
    }

    fn stop(&mut self, host: u32, silent: bool) -> Done {
        self.stop_process(host, silent)
    }

    fn pause(&mut self, host: u32, pause: bool) -> Done {
        let now = self.time.now();
        let plan = &mut self.hosts[host as usize];
        plan.paused = pause;
        match &plan.running {
            Running::Node {
                process, up: true, ..
            } => process.pause(pause)?,
            Running::Client(client) => client.gate.pause(pause),
            Running::Node { .. } | Running::Nothing => {}
        }
        let told = if pause {
            Told::Paused(host)
        } else {
            Told::Resumed(host)
        };
        self.told.push((now, told));
        Ok(())
    }

    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done {
        self.between.slow(host, per_message)
    }

    fn clock(&mut self, _: u32, _: Turn) -> Done {
        Err(CLOCKS.to_owned())
    }

    fn call(&mut self, host: u32, op: ClientOp) -> Done {
        self.call_client(host, op)
    }

    fn order(&mut self, host: u32, order: Order<'_>) -> Done {
        match order {
            Order::Operator(op) => self.operate(HostId(host), op),
            Order::FailApply(_) => Err(NO_ORDER.to_owned()),
        }
    }

    fn link(&mut self, action: u32, path: &Path, fault: &LinkFault) -> Done {
        self.between(|between, _| between.begin(action, path, fault))
    }

    fn unlink(&mut self, action: u32, _: &LinkFault) -> Done {
        self.between(|between, _| between.end(action))
    }

    fn cut(&mut self, path: &Path, fault: ConnFault) -> Done {
        self.between(|between, now| between.cut(path, fault, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    const FILE: &str = "about = \"x\"\nduration = \"60s\"\nnodes = 2\n\
        [[timeline]]\nat = \"10s\"\nfault = \"wall-jump\"\nhosts = \"n1\"\nby = \"1h\"\n\
        [[timeline]]\nat = \"11s\"\nfault = \"fail-apply\"\nnode = \"n1\"\ncount = 1\n\
        [[timeline]]\nat = \"20s\"\nfault = \"kill\"\nhosts = \"n1\"\n";

    #[test]
    fn what_cannot_be_done_is_left_out_and_said_with_its_line() {
        let scenario = parse("x", FILE).unwrap();
        let (possible, skipped) = possible(&scenario, false).unwrap();
        assert_eq!(possible.timeline.len(), 1);
        let lines: Vec<u32> = skipped.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 9]);
        assert!(skipped[0].1.starts_with("wall-jump: "), "{}", skipped[0].1);
    }

    #[test]
    fn a_historical_profile_is_refused() {
        let mut scenario = parse("x", FILE).unwrap();
        scenario.nodes[1].profile = crate::scenario::profile("nacos-2.3").unwrap();
        let error = possible(&scenario, false).unwrap_err();
        assert!(error.ends_with("n2 has nacos-2.3"), "{error}");
    }

    #[test]
    fn what_is_about_messages_cannot_be_done_to_packets() {
        let whole = Path {
            from: vec![HostId(0)],
            to: vec![HostId(1)],
            both: false,
            kinds: Vec::new(),
            requests: None,
        };
        let some = Path {
            requests: Some(true),
            ..whole.clone()
        };
        assert_eq!(drops(&whole, &LinkFault::Partition), Ok(Drops::All));
        let why = drops(&some, &LinkFault::Partition).unwrap_err();
        assert!(why.ends_with("packets, not messages"), "{why}");
        assert!(drops(&whole, &LinkFault::Drop { count: 1 }).is_err());
    }
}
