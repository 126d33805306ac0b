//! S13: tables are bounded by what lives or is leased, and back at nothing when every client has
//! been gone for a lease and a cleaning.

use std::collections::BTreeSet;

use distro_core::constants::{SYNC_IN_FLIGHT_MAX, SYNC_PENDING_MAX};
use distro_core::view::Sizes;

use crate::check::found::Found;
use crate::check::kind::Interest;
use crate::check::{Check, Context, Property};
use crate::observe::Observation;
use crate::scenario::model::HostId;

/// Judge of S13.
#[derive(Debug, Default)]
pub(crate) struct Bounded {
    /// Nodes that held too much at the last look.
    doubted: BTreeSet<u32>,
}

/// What a node's tables may hold at most.
#[derive(Debug, Clone, Copy, Default)]
struct Allowed {
    connections: u64,
    natives: u64,
    records: u64,
    entries: u64,
    /// Ids that were ever given: each can be remembered as deleted once.
    ids: u64,
}

impl Check for Bounded {
    fn interest(&self) -> Interest {
        Interest::default()
    }

    fn see(&mut self, _cx: &Context<'_>, _seen: &Observation<'_>, _found: &mut Found) {}

    fn scan(&mut self, node: u32, settled: bool, cx: &Context<'_>, found: &mut Found) -> bool {
        judge_pending(node, cx, found);
        if !settled {
            return false;
        }
        let facts = cx.facts;
        let range =
            (node, distro_core::ids::ConnId(0))..=(node, distro_core::ids::ConnId(u64::MAX));
        let conns = || facts.conns.range(range.clone());
        let records = &facts.node[node as usize].mirror.records;
        let natives = conns()
            .filter(|(_, conn)| !facts.is_node(conn.peer))
            .count() as u64;
        // Whom the node sent away it may hold until they have arrived elsewhere.
        let leaving = facts.node[node as usize].natives.iter().filter(|client| {
            let asked = facts.clients[**client as usize].asked;
            asked.is_some_and(|asked| {
                asked.at + facts.bounds.ejected(true) + facts.bounds.departed() > facts.now.at
            })
        });
        let leaving = leaving.count() as u64;
        let allowed = Allowed {
            connections: conns().count() as u64,
            natives: natives + leaving,
            records: records.len() as u64,
            entries: records
                .values()
                .map(|record| record.data.services.len() as u64)
                .sum(),
            ids: facts.clients.len() as u64,
        };
        let Some(sizes) = sizes(node, cx) else {
            return false;
        };
        let wrong = over(&sizes, allowed);
        if wrong.is_none() {
            self.doubted.remove(&node);
        } else if self.doubted.insert(node) && !cx.over {
            return true;
        }
        tell(node, wrong, cx, found);
        false
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let clients = &facts.processes[facts.nodes as usize..];
        let gone = |after| {
            clients
                .iter()
                .all(|client| !client.alive && client.stopped.at + after < facts.now.at)
        };
        if !gone(facts.bounds.baseline()) {
            return;
        }
        let calm = facts.cluster_calm();
        if calm.is_none_or(|calm| calm.severe + facts.bounds.baseline() >= facts.now.at) {
            return;
        }
        let forgotten = gone(facts.bounds.tombstone() + facts.bounds.baseline());
        for node in (0..facts.nodes).filter(|node| facts.serves(*node)) {
            if let Some(sizes) = sizes(node, cx) {
                tell(node, left(&sizes, forgotten), cx, found);
            }
        }
    }
}

fn sizes(node: u32, cx: &Context<'_>) -> Option<Sizes> {
    let mut sizes = None;
    cx.tables
        .with_node(HostId(node), &mut |machine| sizes = Some(machine.sizes()));
    sizes
}

/// What waits for a member, and what is under way to it, have bounds with a name.
fn judge_pending(node: u32, cx: &Context<'_>, found: &mut Found) {
    let mut most: Option<u64> = None;
    cx.tables.with_node(HostId(node), &mut |machine| {
        most = machine.members().map(|member| member.pending).max();
    });
    let Some(most) = most else { return };
    tell(node, too_many_wait(most), cx, found);
}

fn too_many_wait(pending: u64) -> Option<String> {
    let may = (SYNC_PENDING_MAX + SYNC_IN_FLIGHT_MAX) as u64;
    (pending > may).then(|| {
        format!("has {pending} syncs for one member, where {may} may wait and be under way")
    })
}

fn tell(node: u32, wrong: Option<String>, cx: &Context<'_>, found: &mut Found) {
    match wrong {
        None => found.held(Property::S13),
        Some(text) => found.broken(Property::S13, cx.facts.now, || {
            format!("{} {text}", cx.facts.name(node))
        }),
    }
}

/// What is more than can live or be leased.
fn over(sizes: &Sizes, allowed: Allowed) -> Option<String> {
    [
        ("connections", sizes.connections, allowed.connections),
        ("native clients", sizes.native_clients, allowed.natives),
        (
            "clients",
            sizes.native_clients + sizes.synced_clients,
            allowed.records + allowed.natives,
        ),
        ("publishers", sizes.publishers, allowed.entries),
        ("tombstones", sizes.tombstones, allowed.ids),
    ]
    .into_iter()
    .find(|(_, has, may)| has > may)
    .map(|(name, has, may)| format!("holds {has} {name}, with reason for {may} at most"))
}

/// What is left although every client has long gone.
fn left(sizes: &Sizes, forgotten: bool) -> Option<String> {
    [
        ("native clients", sizes.native_clients),
        ("synced clients", sizes.synced_clients),
        ("instances", sizes.instances),
        ("services", sizes.services),
        ("publishers", sizes.publishers),
        ("subscribers", sizes.subscribers),
        ("pending syncs", sizes.syncs_pending),
        ("pending pushes", sizes.pushes_pending),
        ("watched patterns", sizes.fuzzy_patterns),
        ("pending watches", sizes.watches_pending),
        ("tombstones", if forgotten { sizes.tombstones } else { 0 }),
    ]
    .into_iter()
    .find(|(_, has)| *has > 0)
    .map(|(name, has)| format!("still holds {has} {name} though every client has long gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_records_than_live_or_are_leased_are_too_many() {
        let allowed = Allowed {
            connections: 2,
            natives: 1,
            records: 1,
            entries: 1,
            ids: 1,
        };
        let fits = Sizes {
            connections: 2,
            native_clients: 1,
            ..Sizes::default()
        };
        assert_eq!(over(&fits, allowed), None);
        assert!(
            over(
                &Sizes {
                    native_clients: 2,
                    ..fits.clone()
                },
                allowed
            )
            .is_some()
        );
        assert!(
            over(
                &Sizes {
                    synced_clients: 2,
                    ..fits.clone()
                },
                allowed
            )
            .is_some()
        );
        assert!(
            over(
                &Sizes {
                    connections: 3,
                    ..fits
                },
                allowed
            )
            .is_some()
        );
    }

    #[test]
    fn syncs_for_a_member_that_is_away_have_a_bound() {
        assert_eq!(too_many_wait(SYNC_PENDING_MAX as u64), None);
        assert!(too_many_wait(90_000).is_some());
    }

    #[test]
    fn nothing_may_be_left_when_all_have_gone() {
        assert_eq!(left(&Sizes::default(), true), None);
        assert!(
            left(
                &Sizes {
                    services: 1,
                    ..Sizes::default()
                },
                false
            )
            .is_some()
        );
        let tombstone = Sizes {
            tombstones: 1,
            ..Sizes::default()
        };
        assert_eq!(left(&tombstone, false), None);
        assert!(left(&tombstone, true).is_some());
    }
}
