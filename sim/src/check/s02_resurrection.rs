//! S2: after a node applied a DELETE of a record nothing brings that record back there.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::event::Event;
use distro_core::io::RemoveCause;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property, words};
use crate::observe::{Observation, Seen};

/// Judge of S2.
#[derive(Debug, Default)]
pub(crate) struct Resurrection {
    /// By node: clients that were deleted there in the node's present life.
    deleted: BTreeMap<u32, BTreeSet<u32>>,
}

impl Check for Resurrection {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Changed, Kind::Removed, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Started | Seen::Stopped { .. } => {
                self.deleted.remove(&node);
            }
            Seen::Node(Event::ClientDisconnect {
                removed,
                native: false,
                ..
            }) if removed.cause == RemoveCause::Deleted => {
                let deleted = self.deleted.entry(node).or_default();
                deleted.extend(facts.client);
            }
            Seen::Node(Event::ClientChanged {
                created: true,
                native: false,
                cause,
                ..
            }) => {
                let Some(client) = facts.client else { return };
                let deleted = self.deleted.get(&node);
                if !deleted.is_some_and(|deleted| deleted.contains(&client)) {
                    return found.held(Property::S2);
                }
                found.broken(Property::S2, facts.now, || {
                    format!(
                        "{} had deleted {} on its owner's word; {} that came late brought \
                         it back",
                        facts.name(node),
                        facts.client_name(client),
                        words::change(*cause)
                    )
                });
            }
            _ => {}
        }
    }
}
