//! L5: a client that left its owner leaves all other nodes within the sync delay, and within a
//! repair when a message was lost. What comes back late counts from the same moment.

use std::collections::BTreeMap;

use distro_core::event::Event;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of L5.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    /// Records that should go, by (client, node).
    ghosts: BTreeMap<(u32, u32), Moment>,
}

impl Check for Replicas {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Changed, Kind::Removed, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Node(Event::ClientDisconnect { native, .. }) => {
                let Some(client) = facts.client else { return };
                let record = &facts.clients[client as usize];
                // A later life of the owner holds what is left of earlier ones like any replica.
                if record.owner == node && *native {
                    let holds = |peer: &u32| record.holders.contains(*peer) && *peer != node;
                    for peer in facts.node[node as usize]
                        .members
                        .iter()
                        .copied()
                        .filter(holds)
                    {
                        self.ghosts.insert((client, peer), facts.now);
                    }
                } else if let Some(since) = self.ghosts.remove(&(client, node)) {
                    if !facts.tells(record.owner, node) {
                        return;
                    }
                    let due = facts.due(record.owner, node, since.at, facts.bounds.sync());
                    duty::done(found, Property::L5, (since.at, facts.now), due, || {
                        late(client, node, since, cx)
                    });
                }
            }
            Seen::Node(Event::ClientChanged { native: false, .. }) => {
                let Some(client) = facts.client else { return };
                let record = &facts.clients[client as usize];
                // An owner that died before its DELETE went out took it along: a lease ends it.
                let told = !facts.owner_ended(client) && facts.tells(record.owner, node);
                if let Some(gone) = record.gone.filter(|_| told) {
                    self.ghosts.entry((client, node)).or_insert(gone);
                }
            }
            // Records of a dead owner are under L12: a lease ends them.
            Seen::Started | Seen::Stopped { .. } if facts.is_node(node) => {
                self.ghosts.retain(|(client, peer), _| {
                    *peer != node && facts.clients[*client as usize].owner != node
                })
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let (now, tight) = (facts.now, facts.bounds.sync());
        self.ghosts.retain(|(client, node), since| {
            if now.at <= since.at + tight {
                return true;
            }
            let owner = facts.clients[*client as usize].owner;
            // What a node has of one that left it out ends with a lease.
            if !facts.tells(owner, *node) {
                return false;
            }
            let due = facts.due(owner, *node, since.at, tight);
            let outcome = duty::open(found, Property::L5, (since.at, now), due, || {
                late(*client, *node, *since, cx)
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

fn late(client: u32, node: u32, since: Moment, cx: &Context<'_>) -> String {
    let facts = cx.facts;
    format!(
        "{} left {} at {} and was still on {} after the bound",
        facts.client_name(client),
        facts.name(facts.clients[client as usize].owner),
        since.at,
        facts.name(node)
    )
}
