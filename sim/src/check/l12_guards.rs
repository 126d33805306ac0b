//! L12: what bridges an outage or a restart lets go: records of a dead owner live no longer than
//! a lease, and those of an owner's earlier life no longer than their clients need to return.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::event::Event;
use distro_core::time::Mono;

use crate::check::duty;
use crate::check::facts::bit;
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of L12.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Records whose owner's life has ended and that some node holds.
    orphans: BTreeSet<u32>,
    /// When a node learned of a new life of an owner, by (node, owner), with that life's number.
    learned: BTreeMap<(u32, u32), (Mono, u32)>,
    /// Judged as broken already, by (client, node).
    told: BTreeSet<(u32, u32)>,
}

impl Check for Guards {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Changed, Kind::Removed, Kind::Member])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Stopped { .. } if facts.is_node(node) => {
                for (client, record) in (0..).zip(&facts.clients) {
                    if record.owner == node && record.orphaned == Some(facts.now) {
                        self.orphans.insert(client);
                    }
                }
                self.learned.retain(|(whose, _), _| *whose != node);
            }
            Seen::Node(Event::MemberRestarted { member, .. }) => {
                if let Some(owner) = facts.node_of(member) {
                    let life = facts.processes[owner as usize].life;
                    self.learned.insert((node, owner), (facts.now.at, life));
                }
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
                if let Some((since, due)) = self.deadline(client, node, cx) {
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
            .retain(|client| facts.clients[*client as usize].holders != 0);
        let mut missed = Vec::new();
        for client in &self.orphans {
            let holders = facts.clients[*client as usize].holders;
            for node in (0..facts.nodes).filter(|node| holders & bit(*node) != 0) {
                let Some((since, due)) = self.deadline(*client, node, cx) else {
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

impl Guards {
    /// From when to when a node may keep an orphan. A handed-on record gets no new lease; a stop
    /// of the node, or trouble between it and its fellows, starts the clock again.
    fn deadline(&self, client: u32, node: u32, cx: &Context<'_>) -> Option<(Mono, Mono)> {
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
        let learned = self.learned.get(&(node, record.owner));
        let due = match learned {
            Some((at, life)) if *life > record.owner_life => {
                lease.min(since.max(*at) + facts.bounds.grace_over())
            }
            Some(_) | None => lease,
        };
        Some((since, due))
    }
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
