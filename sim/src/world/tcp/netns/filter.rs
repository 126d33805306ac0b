//! What the packet filter of the hub is told: rules of nftables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Pair;

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

/// Which packets a fault drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world::tcp) enum Drops {
    /// All.
    All,
    /// So many per million.
    Some(u32),
    /// What is over so many bytes a second, after so many bytes.
    Over(u64, u64),
}

impl Drops {
    fn rule(self) -> String {
        match self {
            Drops::All => CUT.to_owned(),
            Drops::Some(per_million) => lost(per_million),
            Drops::Over(per_second, queue) => format!(
                "limit rate over {per_second} bytes/second burst {queue} bytes \
                 counter name limited drop"
            ),
        }
    }
}

/// The rules for these pairs, one for each: a limit is one of its own.
pub(super) fn rules(drops: Drops, pairs: &[Pair]) -> Vec<String> {
    let rule = |pair| format!("{} {}", between(pair), drops.rule());
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

    fn pair() -> Pair {
        ("10.0.0.1".to_owned(), "10.0.0.2".to_owned())
    }

    #[test]
    fn the_chain_is_replaced_as_a_whole() {
        let mut filter = Filter {
            lost_per_million: 10_000,
            ..Filter::default()
        };
        filter.lasting.insert(3, rules(Drops::All, &[pair()]));
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
}
