//! S14: a fault at one node removes at others only records of that node, and only after the
//! lease; and no node's list of a service is empty, pushed or not, while a publisher of it lives
//! that the node should know of.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::io::RemoveCause;
use distro_core::message::Request;
use distro_core::time::Mono;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::Scenario;

/// Judge of S14.
#[derive(Debug)]
pub(crate) struct BlastRadius {
    /// Lists that lost their last instance, by (node, service): when.
    empty: BTreeMap<(u32, u32), Mono>,
    /// Servers of each client.
    servers: Vec<Vec<u32>>,
}

impl BlastRadius {
    pub(crate) fn new(scenario: &Scenario) -> BlastRadius {
        let servers = scenario
            .clients
            .iter()
            .map(|client| client.servers.iter().map(|server| server.0).collect());
        BlastRadius {
            empty: BTreeMap::new(),
            servers: servers.collect(),
        }
    }
}

impl Check for BlastRadius {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Removed, Kind::Changed, Kind::PushSent, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        match seen.what {
            Seen::Node(Event::ClientDisconnect {
                removed, native, ..
            }) => {
                if removed.cause == RemoveCause::Expired && !*native {
                    judge_expiry(node, cx, found);
                }
                self.note(node, cx);
            }
            Seen::Node(Event::ClientChanged { .. }) => self.note(node, cx),
            Seen::RequestSent {
                request: Request::NotifySubscriber(_),
                ..
            } => {
                let Some(listing) = cx.listing.filter(|listing| listing.whole) else {
                    return;
                };
                if listing.places.is_empty() {
                    self.judge_empty(node, listing.service, "pushed an empty list", cx, found);
                } else {
                    found.held(Property::S14);
                }
            }
            Seen::Started | Seen::Stopped { .. } => {
                take_range(&mut self.empty, (node, 0)..=(node, u32::MAX));
            }
            _ => {}
        }
    }

    /// A list that is empty for as long as a push waits is one that subscribers are told.
    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let told = facts.bounds.push_leaves();
        let mut over = Vec::new();
        for (place, since) in &self.empty {
            if *since + told <= facts.now.at {
                over.push(*place);
            }
        }
        for (node, service) in over {
            self.empty.remove(&(node, service));
            let list = facts.node[node as usize].mirror.list(service);
            if list.is_some_and(|list| list.count() == 0) {
                self.judge_empty(node, service, "has an empty list", cx, found);
            }
        }
    }
}

/// Only silence of a whole lease ends a record whose owner has died: silence of that life of the
/// owner, whatever a later one says.
fn judge_expiry(node: u32, cx: &Context<'_>, found: &mut Found) {
    let facts = cx.facts;
    let Some(client) = facts.client else { return };
    let record = &facts.clients[client as usize];
    if record.orphaned.is_none() {
        return;
    }
    let owner = record.owner;
    if facts.lease_over(node, owner, record.owner_life) || facts.may_drop(node, owner) {
        return found.held(Property::S14);
    }
    let (lease, unheard) = (facts.bounds.lease_min(), facts.unheard(node, owner));
    found.late(Property::S14, facts.now, (lease, unheard), || {
        format!(
            "{} let {} expire {unheard} after it last heard from {}, which has died",
            facts.name(node),
            facts.client_name(client),
            facts.name(owner)
        )
    });
}

impl BlastRadius {
    /// Notes which lists the present change of a record left empty.
    fn note(&mut self, node: u32, cx: &Context<'_>) {
        for service in cx.facts.node[node as usize].mirror.emptied() {
            self.empty.insert((node, *service), cx.facts.now.at);
        }
    }

    /// An empty list is a lie while a publisher lives that was registered, that nothing but the
    /// death of nodes has cut off, and of whom the node should know.
    fn judge_empty(
        &self,
        node: u32,
        service: u32,
        what: &str,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let settle = facts.bounds.settle();
        let old = |since: Mono| since + settle < facts.now.at;
        // The node's own ways to its fellows, its own start left out, must have been good.
        let ways = (0..facts.nodes)
            .filter(|other| *other != node)
            .all(|other| {
                let calm = facts.faults.path_calm(node, other);
                calm.is_some_and(|calm| {
                    (calm.severe.0 == 0 || old(calm.severe)) && (calm.mild.0 == 0 || old(calm.mild))
                })
            });
        // What a slow node gets it may get when a lease is over.
        let lately = facts.now.at - (facts.bounds.lease_over() + settle);
        let held_up =
            facts.faults.last_pause(node).0 > 0 || facts.faults.slowed_since(node, node, lately);
        if !ways || held_up || !facts.serves(node) {
            return;
        }
        let publisher = facts.intents.publishers(service).find(|(client, since)| {
            let process = &facts.processes[*client as usize];
            process.alive
                && old(*since)
                && undisturbed(*client, process.started.at, cx)
                && self.owed(*client, node, cx)
        });
        let Some((client, _)) = publisher else {
            return found.held(Property::S14);
        };
        found.broken(Property::S14, facts.now, || {
            format!(
                "{} {what} of {} though {} lives and publishes it",
                facts.name(node),
                facts.known.services.key(service),
                facts.name(client)
            )
        });
    }

    /// A node should know of a client: from its present owner, from the lease of the one before,
    /// or because there was time enough to come back somewhere.
    fn owed(&self, client: u32, node: u32, cx: &Context<'_>) -> bool {
        let facts = cx.facts;
        let Some(latest) = facts.latest[client as usize] else {
            return false;
        };
        let record = &facts.clients[latest as usize];
        if !facts.connected(latest) {
            return self.owed_after(latest, node, cx);
        }
        let arrived = record.connected.at + facts.bounds.returned(true, 0, false);
        let told = record.owner == node
            || facts.tells(record.owner, node) && !facts.may_drop(node, record.owner);
        if arrived + facts.bounds.sync() < facts.now.at {
            return told;
        }
        // It is on its way into the lists: the record before it stands in until then.
        let before = record.previous;
        told && before.is_some_and(|before| self.owed_after(before, node, cx))
    }

    /// The same of a client that has lost the owner of this record.
    fn owed_after(&self, record: u32, node: u32, cx: &Context<'_>) -> bool {
        let facts = cx.facts;
        let past = &facts.clients[record as usize];
        let Some(gone) = past.gone else {
            // Its owner holds it for connected still.
            return past.owner == node || facts.tells(past.owner, node);
        };
        if facts.limited {
            return false;
        }
        let Some(index) = past.host.map(|host| (host - facts.nodes) as usize) else {
            return false;
        };
        let servers = &self.servers[index];
        let home = |server: &&u32| {
            facts.serves(**server) && (**server == node || facts.tells(**server, node))
        };
        if past.orphaned.is_none() {
            // A living owner let it go because it moved, and it is at home elsewhere.
            return servers
                .iter()
                .any(|server| home(&server) && *server != past.owner);
        }
        let owner = past.owner;
        let learned = facts.node[node as usize].learned.get(&owner);
        let grace = learned
            .filter(|(_, life)| *life > past.owner_life)
            .is_none_or(|(at, _)| facts.now.at < *at + facts.bounds.grace_min());
        let held = owner != node && facts.processes[node as usize].started.at < gone.at;
        if held && grace && !facts.lease_over(node, owner, past.owner_life) {
            return facts.tells(owner, node);
        }
        let dead = servers.len() as u64;
        let back = facts.bounds.returned(false, dead, true) + facts.bounds.sync();
        servers.iter().filter(home).any(|server| {
            let ready = facts.node[*server as usize].ready;
            ready.is_some_and(|ready| ready.at.max(gone.at) + back < facts.now.at)
        })
    }
}

/// No fault touched the client or its ways to any node since it started.
fn undisturbed(client: u32, started: Mono, cx: &Context<'_>) -> bool {
    let facts = cx.facts;
    let own = facts
        .faults
        .host_calm(client)
        .is_some_and(|calm| calm.severe <= started);
    own && (0..facts.nodes).all(|node| {
        let calm = facts.faults.path_calm(node, client);
        calm.is_some_and(|calm| calm.severe.0 == 0 && calm.mild.0 == 0)
    })
}
