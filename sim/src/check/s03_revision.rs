//! S3: a record's revision never falls on any node, and equal revisions mean equal content.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::hash::hash_of;
use distro_core::ids::Revision;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S3.
#[derive(Debug, Default)]
pub(crate) struct RevisionDiscipline {
    /// By node: the latest revision of each client in the node's present life.
    latest: BTreeMap<u32, BTreeMap<u32, Revision>>,
    /// By client: the content of each revision, with the node that showed it first.
    content: Vec<BTreeMap<Revision, (u64, u32)>>,
}

impl Check for RevisionDiscipline {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Changed, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        let Seen::Node(Event::ClientChanged { data, .. }) = seen.what else {
            self.latest.remove(&node);
            return;
        };
        let Some(client) = facts.client else { return };
        let revision = data.revision;
        let latest = self.latest.entry(node).or_default();
        let before = latest.insert(client, revision);
        if let Some(before) = before.filter(|before| *before > revision) {
            return found.broken(Property::S3, facts.now, || {
                format!(
                    "{} fell from revision {before} to {revision} on {}",
                    facts.client_name(client),
                    facts.name(node)
                )
            });
        }
        let hash = match &facts.clients[client as usize].last {
            Some((last, hash)) if std::sync::Arc::ptr_eq(last, data) => *hash,
            Some(_) | None => hash_of(&data.services),
        };
        let index = client as usize;
        if index >= self.content.len() {
            self.content.resize_with(index + 1, BTreeMap::new);
        }
        let (first, shown) = *self.content[index].entry(revision).or_insert((hash, node));
        if first == hash {
            return found.held(Property::S3);
        }
        found.broken(Property::S3, facts.now, || {
            format!(
                "{} has two contents at revision {revision}: one on {}, another on {}",
                facts.client_name(client),
                facts.name(shown),
                facts.name(node)
            )
        });
    }
}
