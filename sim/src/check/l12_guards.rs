//! L12: what bridges an outage or a restart lets go: records of a dead owner live no longer than
//! a lease, and those of an owner's earlier life no longer than their clients need to return.

use std::collections::BTreeSet;

use distro_core::event::Event;
use distro_core::time::Mono;

use crate::check::duty;
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of L12.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Records whose owner's life has ended and that some node holds.
    orphans: BTreeSet<u32>,
    /// Judged as broken already, by (client, node).
    told: BTreeSet<(u32, u32)>,
}

impl Check for Guards {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Changed, Kind::Removed])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Stopped { .. } if facts.is_node(node) => {
                self.orphans.extend(&facts.orphaned);
            }
            Seen::Node(Event::ClientChanged { native: false, .. }) => {
                let Some(client) = facts.client else { return };
                let record = &facts.clients[client as usize];
                // Its owner removed it and then died, and a third node handed it on.
                if record.orphaned.is_some() || facts.owner_ended(client) {
                    self.orphans.insert(client);
                }
            }
            Seen::Node(Event::ClientDisconnect { native: false, .. }) => {
                let Some(client) = facts.client else { return };
                if !self.orphans.contains(&client) {
                    return;
                }
                if let Some((since, due)) = deadline(client, node, cx) {
                    duty::done(found, Property::L12, (since, facts.now), Some(due), || {
                        late(client, node, cx)
                    });
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        if self.orphans.is_empty() {
            return;
        }
        let facts = cx.facts;
        self.orphans
            .retain(|client| !facts.clients[*client as usize].holders.is_empty());
        let mut missed = Vec::new();
        for client in &self.orphans {
            let holders = &facts.clients[*client as usize].holders;
            for node in (0..facts.nodes).filter(|node| holders.contains(*node)) {
                let Some((since, due)) = deadline(*client, node, cx) else {
                    continue;
                };
                if facts.now.at <= due || self.told.contains(&(*client, node)) {
                    continue;
                }
                let when = Moment {
                    at: due,
                    entry: facts.now.entry,
                };
                let times = (due.since(since), facts.now.at.since(since));
                found.late(Property::L12, when, times, || late(*client, node, cx));
                missed.push((*client, node));
            }
        }
        self.told.extend(missed);
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

/// From when to when a node may keep an orphan. A handed-on record gets no new lease; a stop
/// of the node, or trouble between it and its fellows, starts the clock again.
fn deadline(client: u32, node: u32, cx: &Context<'_>) -> Option<(Mono, Mono)> {
    let facts = cx.facts;
    let record = &facts.clients[client as usize];
    let mut since = record
        .orphaned
        .or(record.gone)?
        .at
        .max(facts.faults.last_pause(node));
    facts.faults.host_calm(node)?;
    for other in (0..facts.nodes).filter(|other| *other != node) {
        let calm = facts.faults.path_calm(node, other)?;
        since = since
            .max(calm.severe)
            .max(calm.mild)
            .max(facts.faults.last_pause(other));
    }
    let lease = since + facts.bounds.lease_over();
    let learned = facts.node[node as usize].learned.get(&record.owner);
    let due = match learned {
        Some((at, life)) if *life > record.owner_life => {
            lease.min(since.max(*at) + facts.bounds.grace_over())
        }
        Some(_) | None => lease,
    };
    Some((since, due))
}
fn late(client: u32, node: u32, cx: &Context<'_>) -> String {
    let facts = cx.facts;
    format!(
        "{} still held {} after the lease or grace that bridges the end of {}",
        facts.name(node),
        facts.client_name(client),
        facts.name(facts.clients[client as usize].owner)
    )
}
