//! What the applications want published, and which of it a server has acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::sdk::io::{CallError, SdkEvent};
use distro_core::time::Mono;

use crate::check::mirror::Services;
use crate::check::sets::take_range;
use crate::observe::Seen;
use crate::scenario::model::{ClientOp, Scenario};

/// One wish: a service that a client wants to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What it wants to publish; absent when a server refused it, so that the wish before stands.
    wanted: Option<Vec<Instance>>,
    /// At least one instance of it is enabled.
    pub listed: bool,
    /// Since when a server has acknowledged it in this life of the client, over reconnects.
    pub since: Option<Mono>,
    /// Acknowledged on the connection that the client has now.
    pub here: bool,
}

/// All wishes of all clients.
#[derive(Debug, Default)]
pub struct Intents {
    initial: Vec<Vec<(ServiceKey, Vec<Instance>)>>,
    wanted: BTreeMap<(u32, u32), Intent>,
    /// The same turned round: (service, host).
    publishers: BTreeSet<(u32, u32)>,
    /// Calls that are under way, by (host, number): what they are about.
    calls: BTreeMap<(u32, u64), u32>,
    nodes: usize,
}

impl Intents {
    /// What the scenario's clients want when they start.
    pub fn new(scenario: &Scenario) -> Intents {
        let initial = scenario.clients.iter().map(|client| {
            let single = client
                .register
                .iter()
                .map(|(key, one)| (key.clone(), vec![one.clone()]));
            single.chain(client.batch.iter().cloned()).collect()
        });
        Intents {
            initial: initial.collect(),
            wanted: BTreeMap::new(),
            publishers: BTreeSet::new(),
            calls: BTreeMap::new(),
            nodes: scenario.nodes.len(),
        }
    }

    /// A host's process starts: its wishes are those of the file again.
    pub fn restart(&mut self, host: u32, services: &mut Services) {
        if (host as usize) < self.nodes {
            return;
        }
        let wishes = self.wanted.range((host, 0)..=(host, u32::MAX));
        let old: Vec<_> = wishes.map(|(place, _)| *place).collect();
        for (host, service) in old {
            self.wanted.remove(&(host, service));
            self.publishers.remove(&(service, host));
        }
        take_range(&mut self.calls, (host, 0)..=(host, u64::MAX));
        let Some(wishes) = self.initial.get(host as usize - self.nodes) else {
            return;
        };
        for (key, all) in wishes {
            let intent = Intent {
                listed: all.iter().any(|one| one.enabled),
                wanted: Some(all.clone()),
                since: None,
                here: false,
            };
            let service = services.number(key);
            self.wanted.insert((host, service), intent);
            self.publishers.insert((service, host));
        }
    }

    /// Takes notice of a call or of what a client tells.
    pub fn see(&mut self, host: u32, what: &Seen<'_>, services: &mut Services, at: Mono) {
        match what {
            Seen::Called { call, op } => self.called(host, *call, op, services),
            Seen::Returned { call, result } => {
                let about = self.calls.remove(&(host, *call));
                let refused = matches!(result, Err(CallError::Refused { .. }));
                if let Some(service) = about.filter(|_| refused)
                    && let Some(intent) = self.wanted.get_mut(&(host, service))
                {
                    intent.wanted = None;
                }
            }
            Seen::Client(SdkEvent::Registered { service, .. }) => {
                let service = services.number(service);
                if let Some(intent) = self.wanted.get_mut(&(host, service)) {
                    intent.since.get_or_insert(at);
                    intent.here = true;
                }
            }
            Seen::Client(SdkEvent::Connected { .. } | SdkEvent::Disconnected { .. }) => {
                for (_, intent) in self.wanted.range_mut((host, 0)..=(host, u32::MAX)) {
                    intent.here = false;
                }
            }
            _ => {}
        }
    }

    fn called(&mut self, host: u32, call: u64, op: &ClientOp, services: &mut Services) {
        let (key, wanted) = match op {
            ClientOp::Register(key, instance) => (key, Some(vec![instance.clone()])),
            ClientOp::Batch(key, all) => (key, Some(all.clone())),
            ClientOp::Deregister(key) => (key, None),
            ClientOp::Subscribe(_) | ClientOp::Unsubscribe(_) | ClientOp::Query(_) => return,
        };
        let service = services.number(key);
        self.calls.insert((host, call), service);
        let place = (host, service);
        let Some(wanted) = wanted else {
            self.wanted.remove(&place);
            self.publishers.remove(&(service, host));
            return;
        };
        let old = self.wanted.get(&place);
        let intent = Intent {
            listed: wanted.iter().any(|one| one.enabled),
            wanted: Some(wanted),
            since: old.and_then(|intent| intent.since),
            here: old.is_some_and(|intent| intent.here),
        };
        self.wanted.insert(place, intent);
        self.publishers.insert((service, host));
    }

    /// Clients that want a service published and were once acknowledged, with the moment.
    pub fn publishers(&self, service: u32) -> impl Iterator<Item = (u32, Mono)> {
        let hosts = self.publishers.range((service, 0)..=(service, u32::MAX));
        let wishes = hosts.filter_map(move |(_, host)| {
            let intent = self.wanted.get(&(*host, service))?;
            Some((*host, intent))
        });
        wishes
            .filter(|(_, intent)| intent.listed)
            .filter_map(|(host, intent)| intent.since.map(|since| (host, since)))
    }

    /// What a client wants published, by service; the content is absent when a server refused it.
    pub fn of(&self, host: u32) -> impl Iterator<Item = (u32, Option<&[Instance]>)> {
        self.wanted
            .range((host, 0)..=(host, u32::MAX))
            .map(|((_, service), intent)| (*service, intent.wanted.as_deref()))
    }

    /// True when a client wants a service published.
    pub fn wants(&self, host: u32, service: u32) -> bool {
        self.wanted.contains_key(&(host, service))
    }

    /// True when everything that a client wants published is acknowledged where it is now.
    pub fn settled(&self, host: u32) -> bool {
        self.wanted
            .range((host, 0)..=(host, u32::MAX))
            .all(|(_, intent)| intent.here)
    }

    /// True when a client wants anything published.
    pub fn any(&self, host: u32) -> bool {
        self.wanted
            .range((host, 0)..=(host, u32::MAX))
            .next()
            .is_some()
    }
}
