//! What this world can do of a timeline, and what it says of the rest.

use distro_core::profile::Profile;

use super::netns::filter;
use crate::scenario::model::{Action, Fault, HostId, NodeOp, Scenario, What};
use crate::world::link::agenda::BANDWIDTH_NOTE;

/// Actions that are left out: their line in the file, and why.
pub(super) type Skipped = Vec<(u32, String)>;

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
    let mut possible = scenario.clone();
    let mut skipped = Skipped::new();
    possible.timeline.retain(|action| {
        let why = obstacle(scenario, action).or_else(|| packets(action).filter(|_| netns));
        if let Some(why) = &why {
            skipped.push((action.line, why.clone()));
        }
        why.is_none()
    });
    skipped.extend(notes(&possible, netns));
    Ok((possible, skipped))
}

/// Why an action is left out.
fn obstacle(scenario: &Scenario, action: &Action) -> Option<String> {
    let clock = "the clocks of the machine are not the testbed's to change";
    match &action.what {
        What::Fault { fault, .. } => match fault {
            Fault::WallJump { .. } => Some(format!("wall-jump: {clock}")),
            Fault::MonoJump { .. } => Some(format!("mono-jump: {clock}")),
            Fault::Drift { .. } => Some(format!("drift: {clock}")),
            Fault::FailApply { .. } => {
                Some("fail-apply: no released node takes the order to fail".to_owned())
            }
            Fault::Restart {
                profile: Some(profile),
                ..
            } if *profile != Profile::DISTRO => {
                Some("restart: the released node has only the profile distro".to_owned())
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
            | Fault::Slow { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. } => None,
        },
        What::Operate {
            node,
            op: NodeOp::SetMembers(members),
        } => unknown_member(scenario, *node, members),
        What::Operate { .. } | What::Call { .. } => None,
    }
}

/// Why an action cannot be done to packets.
fn packets(action: &Action) -> Option<String> {
    match &action.what {
        What::Fault { fault, .. } => filter::obstacle(fault),
        What::Operate { .. } | What::Call { .. } => None,
    }
}

/// A node learns the ports of its members once, at its start.
fn unknown_member(scenario: &Scenario, node: HostId, members: &[HostId]) -> Option<String> {
    let known = &scenario.nodes[node.index()].members;
    let new = members.iter().find(|member| !known.contains(member))?;
    Some(format!(
        "set-members: a node learns the relay's ports of its members when it starts, and {} was \
         none of them",
        scenario.host_name(*new)
    ))
}

/// What is done, but not wholly.
fn notes(scenario: &Scenario, netns: bool) -> Skipped {
    let note = |action: &Action| {
        let What::Fault { fault, .. } = &action.what else {
            return None;
        };
        let bandwidth = matches!(fault, Fault::Bandwidth { .. });
        let loss = matches!(fault, Fault::Loss { .. });
        let note = if bandwidth && netns {
            "packets over the limit are dropped here, and TCP slows down; no sender is told"
        } else if bandwidth {
            BANDWIDTH_NOTE
        } else if loss && netns {
            "packets are lost here, and TCP sends them again: what messages lose is time"
        } else {
            return None;
        };
        Some((action.line, note.to_owned()))
    };
    scenario.timeline.iter().filter_map(note).collect()
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
}
