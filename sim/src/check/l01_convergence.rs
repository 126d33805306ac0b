//! L1: after the last fault and the last operation the tables of all live nodes become equal:
//! every record's owner, revision and content, and every service's list.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::{ClientId, NodeId};
use distro_core::message::distro::ClientSyncData;
use distro_core::message::naming::{Instance, ServiceKey};

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::Observation;
use crate::scenario::model::HostId;

/// A record as a node holds it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) data: Arc<ClientSyncData>,
    /// Who vouches for it; empty when the node does not know.
    pub(crate) owner: NodeId,
    /// Its owner lives, and in the life that vouches for it.
    pub(crate) vouched: bool,
}

/// A node's tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    pub(crate) rows: BTreeMap<ClientId, Row>,
    pub(crate) lists: BTreeMap<ServiceKey, Arc<[Arc<Instance>]>>,
}

/// Judge of L1.
#[derive(Debug, Default)]
pub(crate) struct Convergence {
    /// The present quiet stretch was judged.
    judged: bool,
    /// The first look in this stretch found a difference.
    doubted: bool,
}

impl Check for Convergence {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::Changed,
            Kind::Removed,
            Kind::Process,
            Kind::Readiness,
            Kind::Timeline,
        ])
    }

    fn see(&mut self, _cx: &Context<'_>, _seen: &Observation<'_>, _found: &mut Found) {
        self.judged = false;
        self.doubted = false;
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        if self.judged {
            return;
        }
        let facts = cx.facts;
        let Some(calm) = facts.cluster_calm() else {
            return;
        };
        let due = facts.deadline(calm, facts.last_change, facts.bounds.converge());
        if facts.now.at <= due {
            return;
        }
        self.judged = true;
        let Some(difference) = compare(cx) else {
            return;
        };
        if difference.is_some() && !cx.over && !core::mem::replace(&mut self.doubted, true) {
            self.judged = false;
            return;
        }
        let since = facts.last_change.max(calm.severe).max(calm.mild);
        let (bound, measured) = (due.since(since), facts.now.at.since(since));
        match difference {
            None => found.held(Property::L1),
            Some(text) => {
                let when = Moment {
                    at: due,
                    entry: facts.now.entry,
                };
                found.late(Property::L1, when, (bound, measured), || text);
            }
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

/// The first difference between any two live nodes that hold each other for members; absent when
/// there are no two such nodes to compare.
fn compare(cx: &Context<'_>) -> Option<Option<String>> {
    let facts = cx.facts;
    let mut first: Option<(u32, Picture)> = None;
    let mut compared = false;
    for node in (0..facts.nodes).filter(|node| facts.serves(*node)) {
        let Some(picture) = picture(node, cx) else {
            continue;
        };
        let Some((other, before)) = &first else {
            first = Some((node, picture));
            continue;
        };
        let knows = |a: u32, b: u32| facts.node[a as usize].members.contains(&b);
        if !knows(node, *other) || !knows(*other, node) {
            continue;
        }
        compared = true;
        if let Some(text) = differs((facts.name(*other), before), (facts.name(node), &picture)) {
            return Some(Some(text));
        }
    }
    compared.then_some(None)
}

fn picture(node: u32, cx: &Context<'_>) -> Option<Picture> {
    let facts = cx.facts;
    let mut picture = None;
    cx.tables.with_node(HostId(node), &mut |machine| {
        let rows = machine
            .clients()
            .filter(|view| !view.data.services.is_empty())
            .map(|view| {
                let known = facts.client_of(&view.data.client);
                let ended = known.is_some_and(|client| facts.owner_ended(client));
                let row = Row {
                    data: view.data.clone(),
                    owner: view.origin.node.clone(),
                    vouched: !ended,
                };
                (view.data.client.clone(), row)
            });
        let lists = machine
            .services()
            .map(|view| (view.key.clone(), machine.list(view.key, "", false)))
            .filter(|(_, list)| !list.is_empty());
        picture = Some(Picture {
            rows: rows.collect(),
            lists: lists.collect(),
        });
    });
    picture
}

/// The first difference between two nodes' tables, in words. What nobody vouches for any more
/// ends on each node when its lease does, so until then it may be on one of them only.
pub(crate) fn differs((a, left): (&str, &Picture), (b, right): (&str, &Picture)) -> Option<String> {
    let mut whole = true;
    let ids = left
        .rows
        .keys()
        .chain(right.rows.keys().filter(|id| !left.rows.contains_key(*id)));
    for id in ids {
        let (ours, theirs) = (left.rows.get(id), right.rows.get(id));
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            let (has, lacks) = if ours.is_some() { (a, b) } else { (b, a) };
            let vouched = ours.or(theirs).is_some_and(|row| row.vouched);
            if vouched {
                return Some(format!("{has} has the record of {id}, {lacks} does not"));
            }
            whole = false;
            continue;
        };
        let Some(what) = rows_differ(ours, theirs) else {
            continue;
        };
        if ours.vouched {
            return Some(format!("{a} and {b} differ in the {what} of {id}"));
        }
        // The owner died before its last change was everywhere; nobody can bring it there now.
        whole = false;
    }
    if !whole {
        return None;
    }
    let keys = left.lists.keys().chain(right.lists.keys());
    for key in keys {
        let (ours, theirs) = (left.lists.get(key), right.lists.get(key));
        if ours != theirs {
            let count = |list: Option<&Arc<[Arc<Instance>]>>| list.map_or(0, |list| list.len());
            return Some(format!(
                "{a} lists {} instances of {key} and {b} lists {}, and they are not the same",
                count(ours),
                count(theirs)
            ));
        }
    }
    None
}

fn rows_differ(ours: &Row, theirs: &Row) -> Option<&'static str> {
    let known = !ours.owner.as_str().is_empty() && !theirs.owner.as_str().is_empty();
    if known && ours.owner != theirs.owner {
        return Some("owner");
    }
    if ours.data.revision != theirs.data.revision {
        return Some("revision");
    }
    let same = Arc::ptr_eq(&ours.data, &theirs.data) || ours.data.services == theirs.data.services;
    (!same).then_some("content")
}
