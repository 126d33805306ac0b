//! S12: a connection id is given once, over all nodes and all time, and a transport's number once
//! in a process's life.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::event::Event;
use distro_core::ids::{ClientId, ConnId};

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S12.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// Every id that was given, with the node that gave it.
    given: BTreeMap<ClientId, u32>,
    /// Transports that are open at nodes.
    open: BTreeSet<(u32, ConnId)>,
}

impl Check for Identity {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Connected, Kind::Transport, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        if !facts.is_node(node) {
            return;
        }
        match seen.what {
            Seen::Node(Event::ClientConnected { client, .. }) => {
                let Some(first) = self.given.insert(client.clone(), node) else {
                    return found.held(Property::S12);
                };
                found.broken(Property::S12, facts.now, || {
                    format!(
                        "{} gave the id {client}, which {} had given before",
                        facts.name(node),
                        facts.name(first)
                    )
                });
            }
            Seen::Opened { conn, peer } if !self.open.insert((node, conn)) => {
                found.broken(Property::S12, facts.now, || {
                    format!(
                        "{} has transport {conn} open already and opened it again for {}",
                        facts.name(node),
                        facts.name(peer.0)
                    )
                });
            }
            Seen::Closed { conn, .. } | Seen::Close { conn, .. } => {
                self.open.remove(&(node, conn));
            }
            Seen::Started | Seen::Stopped { .. } => self.open.retain(|(whose, _)| *whose != node),
            _ => {}
        }
    }
}
