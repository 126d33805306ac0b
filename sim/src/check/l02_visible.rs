//! L2: a change at the owner is on every peer within the sync delay, and within a repair when a
//! message was lost. Whom the owner does not hold for a member it owes nothing.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::ids::Revision;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Changes on their way to one peer.
#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The oldest that has not arrived.
    oldest: (Revision, Moment),
    /// The newest.
    newest: (Revision, Moment),
}

/// Judge of L2.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    /// By (client, peer).
    pending: BTreeMap<(u32, u32), Pending>,
}

impl Check for Visible {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Changed, Kind::Removed, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Node(Event::ClientChanged { data, native, .. }) => {
                let Some(client) = facts.client else { return };
                // A later life of the owner vouches for nothing of an earlier one.
                if facts.clients[client as usize].owner == node && *native {
                    self.changed(client, node, data.revision, data.services.is_empty(), cx);
                } else {
                    self.arrived(client, node, data.revision, cx, found);
                }
            }
            Seen::Node(Event::ClientDisconnect { .. }) => {
                let Some(client) = facts.client else { return };
                if facts.clients[client as usize].owner == node {
                    take_range(&mut self.pending, (client, 0)..=(client, u32::MAX));
                }
            }
            Seen::Started | Seen::Stopped { .. } if facts.is_node(node) => {
                self.pending.retain(|(client, peer), _| {
                    *peer != node && facts.clients[*client as usize].owner != node
                })
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let (now, tight) = (facts.now, facts.bounds.sync());
        self.pending.retain(|(client, peer), pending| {
            let (revision, since) = pending.oldest;
            if now.at <= since.at + tight {
                return true;
            }
            let owner = facts.clients[*client as usize].owner;
            if !facts.tells(owner, *peer) {
                return false;
            }
            let due = facts.due(owner, *peer, since.at, tight);
            let outcome = duty::open(found, Property::L2, (since.at, now), due, || {
                late(*client, *peer, revision, cx)
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl Visible {
    fn changed(
        &mut self,
        client: u32,
        owner: u32,
        revision: Revision,
        empty: bool,
        cx: &Context<'_>,
    ) {
        let facts = cx.facts;
        for peer in &facts.node[owner as usize].members {
            if !facts.processes[*peer as usize].alive {
                continue;
            }
            let held = facts.node[*peer as usize].mirror.records.get(&client);
            // A record that was never shown to anyone and holds nothing need not be sent.
            if held.is_some_and(|held| held.data.revision >= revision) || (held.is_none() && empty)
            {
                self.pending.remove(&(client, *peer));
                continue;
            }
            let change = (revision, facts.now);
            let pending = self.pending.entry((client, *peer)).or_insert(Pending {
                oldest: change,
                newest: change,
            });
            pending.newest = change;
        }
    }

    fn arrived(
        &mut self,
        client: u32,
        peer: u32,
        revision: Revision,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let Some(pending) = self.pending.get_mut(&(client, peer)) else {
            return;
        };
        let (oldest, since) = pending.oldest;
        if revision < oldest {
            return;
        }
        if revision >= pending.newest.0 {
            self.pending.remove(&(client, peer));
        } else {
            pending.oldest = pending.newest;
        }
        let owner = facts.clients[client as usize].owner;
        if !facts.tells(owner, peer) {
            return;
        }
        let due = facts.due(owner, peer, since.at, facts.bounds.sync());
        duty::done(found, Property::L2, (since.at, facts.now), due, || {
            late(client, peer, oldest, cx)
        });
    }
}

fn late(client: u32, peer: u32, revision: Revision, cx: &Context<'_>) -> String {
    let facts = cx.facts;
    format!(
        "revision {revision} of {} at {} was not on {} in time",
        facts.client_name(client),
        facts.name(facts.clients[client as usize].owner),
        facts.name(peer)
    )
}
