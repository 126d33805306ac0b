//! S1: a record changes content, revision or existence only by messages that its owner
//! originated; no remote message changes a native record; an id has one owner.

use std::collections::BTreeMap;

use distro_core::event::{ChangeCause, Event};
use distro_core::io::RemoveCause;
use distro_core::message::Request;
use distro_core::message::distro::DistroDataRequest;
use distro_core::time::Mono;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property, words};
use crate::observe::{Observation, Seen};

/// Judge of S1.
#[derive(Debug, Default)]
pub(crate) struct SingleWriter {
    /// By node: when and from whom the last CHANGE or ADD came.
    senders: BTreeMap<u32, (Mono, u32)>,
}

impl Check for SingleWriter {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::Changed,
            Kind::Removed,
            Kind::Connected,
            Kind::SyncReceived,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        match seen.what {
            Seen::RequestReceived {
                peer,
                request:
                    Request::DistroData(DistroDataRequest::Change(_) | DistroDataRequest::Add(_)),
                ..
            } => {
                self.senders.insert(node, (seen.at, peer.0));
            }
            Seen::Node(Event::ClientChanged { native, cause, .. }) => {
                self.changed(node, *native, *cause, cx, found);
            }
            Seen::Node(Event::ClientDisconnect {
                removed,
                native: true,
                ..
            }) => {
                removed_native(node, removed.cause, cx, found);
            }
            _ => {}
        }
    }
}

impl SingleWriter {
    fn changed(
        &self,
        node: u32,
        native: bool,
        cause: ChangeCause,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let Some(client) = facts.client else { return };
        let record = &facts.clients[client as usize];
        let owner = record.owner;
        if native {
            let other = owner != node;
            if cause == ChangeCause::Request && !other {
                return found.held(Property::S1);
            }
            return found.broken(Property::S1, facts.now, || {
                let (name, node) = (facts.client_name(client), facts.name(node));
                if other {
                    let owner = facts.name(owner);
                    format!("{node} holds {name} as native, but it is connected to {owner}")
                } else {
                    let cause = words::change(cause);
                    format!("{cause} changed {name}, which {node} itself owns")
                }
            });
        }
        let own = owner == node && record.host.is_some() && record.gone.is_none();
        let sender = self
            .senders
            .get(&node)
            .filter(|(at, _)| *at == facts.now.at);
        let forged = cause == ChangeCause::Sync
            && record.host.is_some()
            && sender.is_some_and(|(_, sender)| *sender != owner);
        if !own && !forged {
            return found.held(Property::S1);
        }
        found.broken(Property::S1, facts.now, || {
            let (name, node) = (facts.client_name(client), facts.name(node));
            match sender {
                Some((_, sender)) if forged => format!(
                    "{node} changed its record of {name} on the word of {}, but {} owns it",
                    facts.name(*sender),
                    facts.name(owner)
                ),
                Some(_) | None => {
                    format!("{node} gave up its own native record of {name} for a synced one")
                }
            }
        });
    }
}

fn removed_native(node: u32, cause: RemoveCause, cx: &Context<'_>, found: &mut Found) {
    match cause {
        RemoveCause::Disconnected | RemoveCause::Ejected(_) => found.held(Property::S1),
        RemoveCause::Deleted | RemoveCause::Expired | RemoveCause::OwnerRestarted => {
            let Some(client) = cx.facts.client else {
                return;
            };
            found.broken(Property::S1, cx.facts.now, || {
                format!(
                    "{} removed its own native record of {}: {}",
                    cx.facts.name(node),
                    cx.facts.client_name(client),
                    words::removal(cause)
                )
            });
        }
    }
}
