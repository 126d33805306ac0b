//! S5: the service index holds exactly what the client table says, and both are what the node's
//! events told. Judged at scans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use distro_core::ids::ClientId;
use distro_core::message::distro::ClientSyncData;
use distro_core::message::naming::ServiceKey;

use crate::check::found::Found;
use crate::check::kind::Interest;
use crate::check::mirror::Services;
use crate::check::{Check, Context, Property};
use crate::observe::Observation;
use crate::scenario::model::HostId;

/// Judge of S5.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Nodes whose table was not what their events told at the last look.
    doubted: BTreeSet<u32>,
}

/// One service of an index.
#[derive(Debug)]
pub(crate) struct IndexEntry<'a> {
    pub(crate) key: &'a ServiceKey,
    pub(crate) publishers: &'a BTreeSet<ClientId>,
    pub(crate) subscribers: &'a BTreeSet<ClientId>,
}

impl Check for Index {
    fn interest(&self) -> Interest {
        Interest::default()
    }

    fn see(&mut self, _cx: &Context<'_>, _seen: &Observation<'_>, _found: &mut Found) {}

    fn scan(&mut self, node: u32, settled: bool, cx: &Context<'_>, found: &mut Found) -> bool {
        let mut difference = None;
        let mut silent = None;
        let mut looked = false;
        cx.tables.with_node(HostId(node), &mut |machine| {
            looked = true;
            let clients: Vec<(&ClientSyncData, bool)> = machine
                .clients()
                .map(|view| (&**view.data, view.native))
                .collect();
            let services: Vec<IndexEntry<'_>> = machine
                .services()
                .map(|view| IndexEntry {
                    key: view.key,
                    publishers: view.publishers,
                    subscribers: view.subscribers,
                })
                .collect();
            if !agree(&clients, &services, &cx.facts.known.services) {
                difference = differs(&clients, &services);
            }
            if settled {
                silent = untold(node, machine.clients().map(|view| view.data), cx);
            }
        });
        if !looked {
            return false;
        }
        if silent.is_none() {
            self.doubted.remove(&node);
        } else if self.doubted.insert(node) && !cx.over {
            return true;
        }
        match difference.or(silent) {
            None => found.held(Property::S5),
            Some(text) => found.broken(Property::S5, cx.facts.now, || {
                format!("on {}: {text}", cx.facts.name(node))
            }),
        }
        false
    }
}

/// True when an index is certainly the table's projection. Why beside [`differs`]: the answer is
/// nearly always yes, and clients in order can be held against publishers in order without a
/// search. False says nothing: the table is not in id order, or a service never showed up.
fn agree(
    clients: &[(&ClientSyncData, bool)],
    services: &[IndexEntry<'_>],
    numbers: &Services,
) -> bool {
    let natives: Vec<&ClientId> = clients
        .iter()
        .filter(|(_, native)| *native)
        .map(|(data, _)| &data.client)
        .collect();
    let mut publishers = Vec::new();
    let mut missing = 0;
    for entry in services {
        let Some(number) = numbers.known(entry.key) else {
            return false;
        };
        let number = number as usize;
        if number >= publishers.len() {
            publishers.resize_with(number + 1, || None);
        }
        publishers[number] = Some(entry.publishers.iter());
        missing += entry.publishers.len();
        let connected = |client| natives.binary_search(&client).is_ok();
        if !entry.subscribers.iter().all(connected) {
            return false;
        }
    }
    for (data, _) in clients {
        for (key, _) in &data.services {
            let next = numbers
                .known(key)
                .and_then(|number| publishers.get_mut(number as usize)?.as_mut()?.next());
            if next != Some(&data.client) {
                return false;
            }
            missing -= 1;
        }
    }
    missing == 0
}

/// The first difference between a client table and an index.
pub(crate) fn differs(
    clients: &[(&ClientSyncData, bool)],
    services: &[IndexEntry<'_>],
) -> Option<String> {
    let natives: BTreeSet<&ClientId> = clients
        .iter()
        .filter(|(_, native)| *native)
        .map(|(data, _)| &data.client)
        .collect();
    let mut published: BTreeMap<&ServiceKey, BTreeSet<&ClientId>> = BTreeMap::new();
    for (data, _) in clients {
        for (key, _) in &data.services {
            published.entry(key).or_default().insert(&data.client);
        }
    }
    for entry in services {
        let table = published.remove(entry.key).unwrap_or_default();
        let index: BTreeSet<&ClientId> = entry.publishers.iter().collect();
        if let Some(client) = table.difference(&index).next() {
            return Some(format!(
                "{client} publishes {} and the index lacks it",
                entry.key
            ));
        }
        if let Some(client) = index.difference(&table).next() {
            return Some(format!(
                "the index lists {client} for {}, its record does not",
                entry.key
            ));
        }
        if let Some(client) = entry
            .subscribers
            .iter()
            .find(|client| !natives.contains(client))
        {
            return Some(format!(
                "{client} subscribes to {} and has no connection",
                entry.key
            ));
        }
    }
    let (key, clients) = published.into_iter().next()?;
    let client = clients.into_iter().next()?;
    Some(format!(
        "{client} publishes {key} and the index lacks the service"
    ))
}

/// The first difference between a table and what the node's events told of it.
fn untold<'a>(
    node: u32,
    table: impl Iterator<Item = &'a Arc<ClientSyncData>>,
    cx: &Context<'_>,
) -> Option<String> {
    let told = &cx.facts.node[node as usize].mirror.records;
    let mut known = 0;
    for data in table {
        let record = cx
            .facts
            .client_of(&data.client)
            .and_then(|client| told.get(&client));
        match record {
            Some(record) => {
                known += 1;
                let same = Arc::ptr_eq(&record.data, data) || record.data.services == data.services;
                if !same || record.data.revision != data.revision {
                    return Some(format!("{} changed without an event", data.client));
                }
            }
            None if data.services.is_empty() => {}
            None => return Some(format!("{} came without an event", data.client)),
        }
    }
    let gone = told.len() != known;
    gone.then(|| {
        format!(
            "{} records left without an event",
            told.len().saturating_sub(known)
        )
    })
}
