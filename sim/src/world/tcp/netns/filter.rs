//! What the packet filter of the hub is told: rules of nftables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Pair;
use crate::scenario::model::{Fault, Path};

/// The table, its counters and an empty chain.
pub(super) const TABLE: &str = "table inet testbed {\n\
    counter cut { }\n\
    counter lost { }\n\
    counter limited { }\n\
    chain between { type filter hook forward priority filter; policy accept; }\n\
}\n";

/// Which packets are dropped at the moment.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Packets that every link loses, per million.
    pub(super) lost_per_million: u32,
    /// Of actions that last.
    pub(super) lasting: BTreeMap<u32, Vec<String>>,
    /// Of what never heals.
    pub(super) dead: Vec<String>,
    /// Addresses that are switched off.
    pub(super) off: BTreeSet<String>,
}

impl Filter {
    /// The whole chain, to be put in place at once.
    pub(super) fn text(&self) -> String {
        let mut text = "flush chain inet testbed between\n".to_owned();
        let mut rule = |rule: &str| {
            // Writing to a string does not fail.
            writeln!(text, "add rule inet testbed between {rule}").unwrap_or_default();
        };
        for address in &self.off {
            rule(&format!("ip saddr {address} {CUT}"));
            rule(&format!("ip daddr {address} {CUT}"));
        }
        self.dead.iter().for_each(|dead| rule(dead));
        self.lasting.values().flatten().for_each(|last| rule(last));
        if self.lost_per_million > 0 {
            rule(&lost(self.lost_per_million));
        }
        text
    }
}

const CUT: &str = "counter name cut drop";

fn lost(per_million: u32) -> String {
    format!("numgen random mod 1000000 < {per_million} counter name lost drop")
}

fn between((from, to): &Pair) -> String {
    format!("ip saddr {from} ip daddr {to}")
}

/// The rules of a fault that lasts, for these pairs; none when it is none of packets.
pub(super) fn rules(fault: &Fault, pairs: &[Pair]) -> Option<Vec<String>> {
    let what = match fault {
        Fault::Partition(_) => CUT.to_owned(),
        Fault::Loss { per_million, .. } => lost(*per_million),
        Fault::Bandwidth {
            bytes_per_second,
            queue_bytes,
            ..
        } => format!(
            "limit rate over {bytes_per_second} bytes/second burst {queue_bytes} bytes \
             counter name limited drop"
        ),
        Fault::Drop { .. }
        | Fault::Delay { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Slow { .. }
        | Fault::Pause(_)
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => return None,
    };
    // One rule for each pair: a limit is one of its own.
    let rule = |pair| format!("{} {what}", between(pair));
    Some(pairs.iter().map(rule).collect())
}

/// Resets do not get through from the first of the pair to the second.
pub(super) fn without_resets(pair: &Pair) -> String {
    format!("{} tcp flags & rst == rst {CUT}", between(pair))
}

/// One direction of one connection is dead.
pub(super) fn dead(pair: &Pair, (from, to): (u16, u16)) -> String {
    format!("{} tcp sport {from} tcp dport {to} {CUT}", between(pair))
}

/// Why a fault cannot be done to packets, if it cannot.
pub(in crate::world::tcp) fn obstacle(fault: &Fault) -> Option<String> {
    let messages = |name| Some(format!("{name}: namespaces show packets, not messages"));
    let whole = |name, path: &Path| {
        let is_whole = path.kinds.is_empty() && path.requests.is_none();
        if is_whole { None } else { messages(name) }
    };
    let only = |name| Some(format!("{name}: packets are dropped, and nothing else"));
    match fault {
        Fault::Partition(path) => whole("partition of some messages", path),
        Fault::Loss { path, .. } => whole("loss of some messages", path),
        Fault::Bandwidth { path, .. } => whole("bandwidth of some messages", path),
        Fault::Drop { .. } => messages("drop"),
        Fault::Slow { .. } => messages("slow"),
        Fault::Delay { .. } => only("delay"),
        Fault::Duplicate { .. } => only("duplicate"),
        Fault::Reorder { .. } => only("reorder"),
        Fault::Corrupt { .. } => only("corrupt"),
        Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Pause(_)
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::model::HostId;

    fn path() -> Path {
        Path {
            from: vec![HostId(0)],
            to: vec![HostId(1)],
            both: false,
            kinds: Vec::new(),
            requests: None,
        }
    }

    fn pair() -> Pair {
        ("10.0.0.1".to_owned(), "10.0.0.2".to_owned())
    }

    #[test]
    fn the_chain_is_replaced_as_a_whole() {
        let mut filter = Filter {
            lost_per_million: 10_000,
            ..Filter::default()
        };
        let cut = rules(&Fault::Partition(path()), &[pair()]).unwrap();
        filter.lasting.insert(3, cut);
        filter.dead.push(dead(&pair(), (9848, 40_000)));
        filter.off.insert("10.0.0.3".to_owned());
        let text = filter.text();
        let lines: Vec<&str> = text
            .lines()
            .map(|line| {
                line.strip_prefix("add rule inet testbed between ")
                    .unwrap_or(line)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "flush chain inet testbed between",
                "ip saddr 10.0.0.3 counter name cut drop",
                "ip daddr 10.0.0.3 counter name cut drop",
                "ip saddr 10.0.0.1 ip daddr 10.0.0.2 tcp sport 9848 tcp dport 40000 \
                 counter name cut drop",
                "ip saddr 10.0.0.1 ip daddr 10.0.0.2 counter name cut drop",
                "numgen random mod 1000000 < 10000 counter name lost drop",
            ]
        );
    }

    #[test]
    fn what_is_about_messages_is_said_to_be_impossible() {
        let some = Path {
            requests: Some(true),
            ..path()
        };
        assert_eq!(obstacle(&Fault::Partition(path())), None);
        let why = obstacle(&Fault::Partition(some)).unwrap();
        assert!(why.ends_with("packets, not messages"), "{why}");
        let drop = Fault::Drop {
            path: path(),
            count: 1,
        };
        assert!(obstacle(&drop).is_some());
        assert_eq!(rules(&drop, &[pair()]), None);
    }
}
