//! What the packet filter of the hub is told: rules of nftables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Pair;
use crate::scenario::model::{LinkFault, Path};

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

/// Why faults of messages are none of packets.
pub(in crate::world::tcp) const MESSAGES: &str = "namespaces show packets, not messages";

/// What happens to the packets of a fault that lasts, or why it cannot be done to packets.
pub(in crate::world::tcp) fn rule(path: &Path, fault: &LinkFault) -> Result<String, String> {
    let name = fault.name();
    let rule = match fault {
        LinkFault::Partition => CUT.to_owned(),
        LinkFault::Loss { per_million } => lost(*per_million),
        LinkFault::Bandwidth {
            bytes_per_second,
            queue_bytes,
        } => format!(
            "limit rate over {bytes_per_second} bytes/second burst {queue_bytes} bytes \
             counter name limited drop"
        ),
        LinkFault::Drop { .. } => return Err(format!("{name}: {MESSAGES}")),
        LinkFault::Delay { .. }
        | LinkFault::Duplicate { .. }
        | LinkFault::Reorder { .. }
        | LinkFault::Corrupt { .. } => {
            return Err(format!("{name}: packets are dropped, and nothing else"));
        }
    };
    if path.is_whole() {
        Ok(rule)
    } else {
        Err(format!("{name} of some messages: {MESSAGES}"))
    }
}

/// The rule for these pairs, one for each: a limit is one of its own.
pub(super) fn rules(rule: &str, pairs: &[Pair]) -> Vec<String> {
    let rule = |pair| format!("{} {rule}", between(pair));
    pairs.iter().map(rule).collect()
}

/// Resets do not get through from the first of the pair to the second.
pub(super) fn without_resets(pair: &Pair) -> String {
    format!("{} tcp flags & rst == rst {CUT}", between(pair))
}

/// One direction of one connection is dead.
pub(super) fn dead(pair: &Pair, (from, to): (u16, u16)) -> String {
    format!("{} tcp sport {from} tcp dport {to} {CUT}", between(pair))
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
        let cut = rule(&path(), &LinkFault::Partition).unwrap();
        let cut = rules(&cut, &[pair()]);
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
        assert!(rule(&path(), &LinkFault::Partition).is_ok());
        let why = rule(&some, &LinkFault::Partition).unwrap_err();
        assert!(why.ends_with("packets, not messages"), "{why}");
        let drop = LinkFault::Drop { count: 1 };
        assert!(rule(&path(), &drop).is_err());
    }
}
