//! What this world can do of a timeline, and what it says of the rest.

use distro_core::profile::Profile;

use super::netns::filter::Drops;
use crate::scenario::model::{
    Action, Fault, HostFault, HostId, LinkFault, NodeFault, NodeOp, Path, Scenario, What,
};
use crate::world::link::BANDWIDTH_NOTE;
use crate::world::script::{self, Can, Skipped};

/// Why no clock is changed.
pub(super) const CLOCKS: &str = "the clocks of the machine are not the testbed's to change";
/// Why faults of messages are none of packets.
pub(super) const MESSAGES: &str = "namespaces show packets, not messages";
/// Why no name fails.
const NAMES: &str = "hosts have addresses here and no names";
/// Why no node is told to fail.
pub(super) const NO_ORDER: &str = "no released node takes the order to fail";

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
