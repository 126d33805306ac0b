//! L1: after the last fault and the last operation the tables of all live nodes become equal:
//! every record's owner, revision and content, and every service's list. Whom an owner does not
//! hold for a member it tells nothing, so what that node has of it is not compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::{ClientId, NodeId};
use distro_core::message::distro::ClientSyncData;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::time::Mono;

use crate::check::faults::Calm;
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
        let due = deadline(calm, cx);
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

/// When everything must be equal at the latest: later while the connections of clients that have
/// moved on stand, which their old nodes have yet to find dead.
fn deadline(calm: Calm, cx: &Context<'_>) -> Mono {
    let facts = cx.facts;
    let mut due = facts.deadline(calm, facts.last_change, facts.bounds.converge());
    for client in facts.node.iter().flat_map(|node| &node.natives) {
        let host = facts.clients[*client as usize].host;
        let latest = host.and_then(|host| facts.latest[host as usize]);
        let Some(latest) = latest.filter(|latest| latest != client) else {
            continue;
        };
        let moved = facts.clients[latest as usize].connected.at;
        due = due.max(moved + facts.bounds.ejected(true) + facts.bounds.sync());
    }
    due
}

/// The first difference between live nodes; absent when no two could be compared. An owner's
/// records must be the same on all whom it holds for members, and where two nodes have the same
/// records of a service they must list the same.
fn compare(cx: &Context<'_>) -> Option<Option<String>> {
    let facts = cx.facts;
    let pictures: Vec<(u32, Picture)> = (0..facts.nodes)
        .filter(|node| facts.serves(*node))
        .filter_map(|node| Some((node, picture(node, cx)?)))
        .collect();
    let mut compared = false;
    for (owner, own) in &pictures {
        for (node, other) in &pictures {
            if owner == node || !facts.tells(*owner, *node) {
                continue;
            }
            compared = true;
            let id = facts.node[*owner as usize].id.as_ref();
            let names = (facts.name(*owner), facts.name(*node));
            let text = id.and_then(|id| records_differ(id, (names.0, own), (names.1, other)));
            if text.is_some() {
                return Some(text);
            }
        }
    }
    for pair in pictures.windows(2) {
        let [(one, left), (two, right)] = pair else {
            continue;
        };
        let text = lists_differ((facts.name(*one), left), (facts.name(*two), right));
        if text.is_some() {
            return Some(text);
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
                // A Nacos node does not say who owns what it holds.
                let unsaid = view.origin.node.as_str().is_empty();
                let owner = known.filter(|_| unsaid).and_then(|client| {
                    let owner = facts.clients[client as usize].owner;
                    facts.node[owner as usize].id.clone()
                });
                let row = Row {
                    data: view.data.clone(),
                    owner: owner.unwrap_or_else(|| view.origin.node.clone()),
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

/// The first difference between what an owner has and what another node has of it, in words. What
/// nobody vouches for any more ends on each node when its lease does, so it may be on one of them
/// only.
pub(crate) fn records_differ(
    owner: &NodeId,
    (a, own): (&str, &Picture),
    (b, other): (&str, &Picture),
) -> Option<String> {
    let vouched = |row: &&Row| row.vouched && row.owner == *owner;
    for (id, row) in own.rows.iter().filter(|(_, row)| vouched(row)) {
        let Some(copy) = other.rows.get(id) else {
            return Some(format!("{a} has the record of {id}, {b} does not"));
        };
        if let Some(what) = rows_differ(row, copy) {
            return Some(format!("{a} and {b} differ in the {what} of {id}"));
        }
    }
    let mut copies = other.rows.iter().filter(|(_, row)| vouched(row));
    let (id, _) = copies.find(|(id, _)| !own.rows.contains_key(*id))?;
    Some(format!("{b} has the record of {id}, {a} does not"))
}

/// The first service of which two nodes have the same records and list something else: in its
/// places, or in the weight, metadata, health or another part of an instance.
pub(crate) fn lists_differ(
    (a, left): (&str, &Picture),
    (b, right): (&str, &Picture),
) -> Option<String> {
    let keys = left.lists.keys().chain(right.lists.keys());
    for key in keys {
        let (ours, theirs) = (left.lists.get(key), right.lists.get(key));
        if ours == theirs || !same_publishers(key, left, right) {
            continue;
        }
        let count = |list: Option<&Arc<[Arc<Instance>]>>| list.map_or(0, |list| list.len());
        return Some(format!(
            "{a} lists {} instances of {key} and {b} lists {}, and they are not the same",
            count(ours),
            count(theirs)
        ));
    }
    None
}

/// Two nodes have the same records of those who publish a service.
fn same_publishers(key: &ServiceKey, left: &Picture, right: &Picture) -> bool {
    fn publishers<'a>(
        key: &'a ServiceKey,
        picture: &'a Picture,
    ) -> impl Iterator<Item = (&'a ClientId, &'a Row)> {
        let publishes = |row: &Row| row.data.entry(key).is_some();
        picture.rows.iter().filter(move |(_, row)| publishes(row))
    }
    let mut ours = publishers(key, left);
    let mut theirs = publishers(key, right);
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some((one, ours)), Some((two, theirs))) => {
                if one != two || rows_differ(ours, theirs).is_some() {
                    return false;
                }
            }
            (Some(_), None) | (None, Some(_)) => return false,
        }
    }
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
