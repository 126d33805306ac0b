//! What the applications want published, and which of it a server has acknowledged.

use std::collections::BTreeMap;

use distro_core::sdk::io::SdkEvent;
use distro_core::time::Mono;

use crate::check::mirror::Services;
use crate::observe::Seen;
use crate::scenario::model::{ClientOp, Scenario};

/// One wish: a service that a client wants to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
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
    initial: Vec<Vec<(distro_core::message::naming::ServiceKey, bool)>>,
    wanted: BTreeMap<(u32, u32), Intent>,
    nodes: usize,
    pending: Vec<u32>,
}

impl Intents {
    /// What the scenario's clients want when they start.
    pub fn new(scenario: &Scenario) -> Intents {
        let initial = scenario.clients.iter().map(|client| {
            let single = client
                .register
                .iter()
                .map(|(key, one)| (key.clone(), one.enabled));
            let batch = client
                .batch
                .iter()
                .map(|(key, all)| (key.clone(), all.iter().any(|instance| instance.enabled)));
            single.chain(batch).collect()
        });
        Intents {
            initial: initial.collect(),
            wanted: BTreeMap::new(),
            nodes: scenario.nodes.len(),
            pending: Vec::new(),
        }
    }

    /// A host's process starts: its wishes are those of the file again.
    pub fn restart(&mut self, host: u32, _at: Mono) {
        if (host as usize) < self.nodes {
            return;
        }
        let wishes = self.wanted.range((host, 0)..=(host, u32::MAX));
        let old: Vec<_> = wishes.map(|(place, _)| *place).collect();
        for place in old {
            self.wanted.remove(&place);
        }
        self.pending.push(host);
    }

    /// Takes notice of a call or of what a client tells.
    pub fn see(&mut self, host: u32, what: &Seen<'_>, services: &mut Services, at: Mono) {
        self.fill(services);
        match what {
            Seen::Called { op, .. } => self.called(host, op, services),
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

    /// What a client wants when it starts gets its numbers at the first chance.
    fn fill(&mut self, services: &mut Services) {
        for host in core::mem::take(&mut self.pending) {
            let Some(wishes) = self.initial.get(host as usize - self.nodes) else {
                continue;
            };
            for (key, listed) in wishes {
                let intent = Intent {
                    listed: *listed,
                    since: None,
                    here: false,
                };
                self.wanted.insert((host, services.number(key)), intent);
            }
        }
    }

    fn called(&mut self, host: u32, op: &ClientOp, services: &mut Services) {
        let (key, listed) = match op {
            ClientOp::Register(key, instance) => (key, Some(instance.enabled)),
            ClientOp::Batch(key, all) => (key, Some(all.iter().any(|one| one.enabled))),
            ClientOp::Deregister(key) => (key, None),
            ClientOp::Subscribe(_) | ClientOp::Unsubscribe(_) | ClientOp::Query(_) => return,
        };
        let place = (host, services.number(key));
        match listed {
            None => {
                self.wanted.remove(&place);
            }
            Some(listed) => {
                let old = self.wanted.get(&place);
                let since = old.and_then(|intent| intent.since);
                let here = old.is_some_and(|intent| intent.here);
                self.wanted.insert(
                    place,
                    Intent {
                        listed,
                        since,
                        here,
                    },
                );
            }
        }
    }

    /// Clients that want a service published and were once acknowledged, with the moment.
    pub fn publishers(&self, service: u32) -> impl Iterator<Item = (u32, Mono)> {
        self.wanted
            .iter()
            .filter(move |((_, wanted), intent)| *wanted == service && intent.listed)
            .filter_map(|((host, _), intent)| intent.since.map(|since| (*host, since)))
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
