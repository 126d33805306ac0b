//! S14: a fault at one node removes at others only records of that node, and only after the
//! lease; and nobody is told that a service is empty while a publisher of it lives.

use distro_core::event::Event;
use distro_core::io::RemoveCause;
use distro_core::message::Request;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S14.
#[derive(Debug)]
pub(crate) struct BlastRadius;

impl Check for BlastRadius {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Removed, Kind::PushSent])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        match seen.what {
            Seen::Node(Event::ClientDisconnect {
                removed,
                native: false,
                ..
            }) if removed.cause == RemoveCause::Expired => {
                judge_expiry(node, cx, found);
            }
            Seen::RequestSent {
                request: Request::NotifySubscriber(_),
                ..
            } => {
                judge_push(node, cx, found);
            }
            _ => {}
        }
    }
}

/// Only silence of a whole lease ends a record whose owner has died.
fn judge_expiry(node: u32, cx: &Context<'_>, found: &mut Found) {
    let facts = cx.facts;
    let Some(client) = facts.client else { return };
    let owner = facts.clients[client as usize].owner;
    let Some(died) = facts.clients[client as usize].orphaned else {
        return;
    };
    // A later life of the owner does not vouch for the records of this one, which was last heard at
    // most a verify interval before it died.
    let last = died.at - facts.bounds.verify_interval_min();
    let is_over = facts.owner_ended(client) && facts.now.at >= last + facts.bounds.lease_min();
    if is_over || facts.may_drop(node, owner) {
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

/// An empty list is a lie while a publisher lives that was registered and that nothing but the
/// death of nodes has cut off.
fn judge_push(node: u32, cx: &Context<'_>, found: &mut Found) {
    let Some(listing) = cx.listing.filter(|listing| listing.whole) else {
        return;
    };
    let facts = cx.facts;
    if !listing.places.is_empty() {
        return found.held(Property::S14);
    }
    let settle = facts.bounds.settle();
    let old = |since: distro_core::time::Mono| since + settle < facts.now.at;
    // The pushing node's own ways to its fellows, its own start left out, must have been good.
    let ways = (0..facts.nodes)
        .filter(|other| *other != node)
        .all(|other| {
            let calm = facts.faults.path_calm(node, other);
            calm.is_some_and(|calm| {
                (calm.severe.0 == 0 || old(calm.severe)) && (calm.mild.0 == 0 || old(calm.mild))
            })
        });
    if !ways || facts.faults.last_pause(node).0 > 0 {
        return;
    }
    let publisher = facts
        .intents
        .publishers(listing.service)
        .find(|(client, since)| {
            let process = &facts.processes[*client as usize];
            process.alive && old(*since) && undisturbed(*client, process.started.at, cx)
        });
    let Some((client, _)) = publisher else {
        return found.held(Property::S14);
    };
    found.broken(Property::S14, facts.now, || {
        format!(
            "{} pushed an empty list of {} though {} lives and publishes it",
            facts.name(node),
            listing.info.service,
            facts.name(client)
        )
    });
}

/// No fault touched the client or its ways to any node since it started.
fn undisturbed(client: u32, started: distro_core::time::Mono, cx: &Context<'_>) -> bool {
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
