//! S4: while a client's process lives and its owner holds it for connected, no node removes it or
//! pushes a list without it, unless that node heard nothing from the owner for a whole lease of
//! its own running time.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::message::Request;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::mirror::Place;
use crate::check::sets::take_range;
use crate::check::{Check, Context, Listing, Property, words};
use crate::observe::{Observation, Seen};

/// Judge of S4.
#[derive(Debug, Default)]
pub(crate) struct FalseRemoval {
    /// Places in the last push by (node, service).
    pushed: BTreeMap<(u32, u32), Vec<Place>>,
}

impl Check for FalseRemoval {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Removed, Kind::PushSent, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        match seen.what {
            Seen::Started | Seen::Stopped { .. } => {
                take_range(&mut self.pushed, (node, 0)..=(node, u32::MAX));
            }
            Seen::Node(Event::ClientDisconnect {
                removed,
                native: false,
                ..
            }) => {
                let Some(client) = cx.facts.client else {
                    return;
                };
                judge_removal(node, client, &removed.cause, cx, found);
            }
            Seen::RequestSent {
                request: Request::NotifySubscriber(_),
                ..
            } => {
                if let Some(listing) = cx.listing.filter(|listing| listing.whole) {
                    self.judge_push(node, listing, cx, found);
                }
            }
            _ => {}
        }
    }
}

fn judge_removal(
    node: u32,
    client: u32,
    cause: &distro_core::io::RemoveCause,
    cx: &Context<'_>,
    found: &mut Found,
) {
    let facts = cx.facts;
    if !facts.process_lives(client) || !facts.connected(client) {
        return;
    }
    let owner = facts.clients[client as usize].owner;
    if facts.may_drop(node, owner) {
        return found.held(Property::S4);
    }
    let (lease, unheard) = (facts.bounds.lease_min(), facts.unheard(node, owner));
    found.late(Property::S4, facts.now, (lease, unheard), || {
        format!(
            "{} removed {} ({}), which lives and is connected to {}, {unheard} after it \
             last heard from {}",
            facts.name(node),
            facts.client_name(client),
            words::removal(*cause),
            facts.name(owner),
            facts.name(owner)
        )
    });
}

impl FalseRemoval {
    fn judge_push(
        &mut self,
        node: u32,
        listing: &Listing<'_>,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let before = self.pushed.entry((node, listing.service)).or_default();
        if before == listing.places {
            return;
        }
        let missing = before
            .iter()
            .filter(|place| listing.places.binary_search(place).is_err())
            .find_map(|place| {
                missed(node, listing.service, *place, cx).map(|client| (*place, client))
            });
        before.clear();
        before.extend_from_slice(listing.places);
        let Some((_, client)) = missing else {
            return found.held(Property::S4);
        };
        let owner = facts.clients[client as usize].owner;
        found.broken(Property::S4, facts.now, || {
            format!(
                "{} pushed a list of {} without the instance of {}, which lives and is connected \
                 to {}",
                facts.name(node),
                listing.info.service,
                facts.client_name(client),
                facts.name(owner)
            )
        });
    }
}

/// The live client whose instance is at a place, when the node should know of it.
fn missed(node: u32, service: u32, place: Place, cx: &Context<'_>) -> Option<u32> {
    let facts = cx.facts;
    let settle = facts.bounds.settle();
    (0..facts.nodes).find_map(|owner| {
        let mirror = &facts.node[owner as usize].mirror;
        mirror.list(service)?.holders(place).find(|client| {
            let record = &facts.clients[*client as usize];
            record.owner == owner
                && record.changed.at + settle <= facts.now.at
                && facts.process_lives(*client)
                && facts.connected(*client)
                && (owner == node || told(owner, node, cx))
        })
    })
}

/// A node can miss only what its owner could tell it: nothing was wrong between them for long.
fn told(owner: u32, node: u32, cx: &Context<'_>) -> bool {
    let facts = cx.facts;
    let settle = facts.bounds.settle();
    let calm = facts.calm(owner, node);
    facts.tells(owner, node)
        && !facts.may_drop(node, owner)
        && calm.is_some_and(|calm| calm.severe.max(calm.mild) + settle <= facts.now.at)
}
