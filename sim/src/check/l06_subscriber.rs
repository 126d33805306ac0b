//! L6: of a changed list every subscriber's application is told within the push delay, and within a
//! repair when a push was lost. A list that the client got and kept to itself is not told.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use distro_core::event::Event;
use distro_core::message::naming::{Instance, ServiceInfo};
use distro_core::message::{Request, ResponseBody};
use distro_core::sdk::io::SdkEvent;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::{ClientOp, Scenario};

/// Changes of one list that were not judged yet.
#[derive(Debug, Clone, Copy)]
struct Pending {
    oldest: (u64, Moment),
    newest: (u64, Moment),
}

/// A list that a client got.
#[derive(Debug, Clone)]
struct Got {
    version: u64,
    hosts: Arc<[Arc<Instance>]>,
}

/// Judge of L6.
#[derive(Debug)]
pub(crate) struct Subscriber {
    /// By (node, service).
    pending: BTreeMap<(u32, u32), Pending>,
    /// The latest that a client got from a node, by (node, service, client's host), and by host
    /// what it has an entry for.
    got: BTreeMap<(u32, u32, u32), Got>,
    got_by: BTreeMap<u32, Vec<(u32, u32)>>,
    /// What a client's application was told last, by (client's host, service).
    told: BTreeMap<(u32, u32), Arc<[Arc<Instance>]>>,
    /// Clients' wishes by (host, service).
    wanted: BTreeSet<(u32, distro_core::message::naming::ServiceKey)>,
}

impl Subscriber {
    pub(crate) fn new(scenario: &Scenario) -> Subscriber {
        let mut wanted = BTreeSet::new();
        let first = u32::try_from(scenario.nodes.len()).unwrap_or(u32::MAX);
        for (host, client) in (first..).zip(&scenario.clients) {
            wanted.extend(client.subscribe.iter().map(|key| (host, key.clone())));
        }
        Subscriber {
            pending: BTreeMap::new(),
            got: BTreeMap::new(),
            got_by: BTreeMap::new(),
            told: BTreeMap::new(),
            wanted,
        }
    }
}

impl Check for Subscriber {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::ServiceChanged,
            Kind::PushReceived,
            Kind::ListReceived,
            Kind::Client,
            Kind::Process,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (host, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Node(Event::ServiceChanged { service, version }) => {
                let Some(service) = facts.known.services.known(service) else {
                    return;
                };
                let change = (*version, facts.now);
                let fresh = Pending {
                    oldest: change,
                    newest: change,
                };
                self.pending.entry((host, service)).or_insert(fresh).newest = change;
            }
            Seen::RequestReceived {
                peer,
                request: Request::NotifySubscriber(info),
                ..
            } => {
                self.got(peer.0, host, info, cx, found);
            }
            Seen::ResponseReceived { peer, response, .. } => {
                if let ResponseBody::SubscribeService(Some(info)) = &response.body {
                    self.got(peer.0, host, info, cx, found);
                }
            }
            Seen::Called {
                op: ClientOp::Subscribe(key),
                ..
            } => {
                self.wanted.insert((host, key.clone()));
            }
            Seen::Called {
                op: ClientOp::Unsubscribe(key),
                ..
            } => {
                self.wanted.remove(&(host, key.clone()));
            }
            Seen::Client(SdkEvent::ListChanged { info }) => {
                if let Some(service) = facts.known.services.known(&info.service) {
                    self.told.insert((host, service), info.hosts.clone());
                }
            }
            // What still arrives over a connection that is given up binds nobody.
            Seen::Client(SdkEvent::Disconnected { .. } | SdkEvent::Connected { .. }) => {
                self.forget_client(host);
            }
            Seen::Started | Seen::Stopped { .. } if facts.is_node(host) => {
                let all = (host, 0, 0)..=(host, u32::MAX, u32::MAX);
                take_range(&mut self.got, all);
                take_range(&mut self.pending, (host, 0)..=(host, u32::MAX));
            }
            Seen::Started | Seen::Stopped { .. } => {
                self.forget_client(host);
                take_range(&mut self.told, (host, 0)..=(host, u32::MAX));
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let tight = facts.bounds.push();
        let mut next = core::mem::take(&mut self.pending);
        next.retain(|(node, service), pending| {
            let (_, since) = pending.oldest;
            if facts.now.at <= since.at + tight {
                return true;
            }
            if self.judge(*node, *service, *pending, cx, found) {
                return true;
            }
            let more = pending.newest.0 > pending.oldest.0;
            pending.oldest = pending.newest;
            more
        });
        self.pending = next;
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl Subscriber {
    fn forget_client(&mut self, host: u32) {
        for (node, service) in self.got_by.remove(&host).into_iter().flatten() {
            self.got.remove(&(node, service, host));
        }
    }

    /// The application of a client was told of what the client got.
    fn was_told(&self, host: u32, service: u32, got: &Got) -> bool {
        match self.told.get(&(host, service)) {
            Some(told) => Arc::ptr_eq(told, &got.hosts) || *told == got.hosts,
            None => got.hosts.is_empty(),
        }
    }

    /// A list arrived at a client.
    fn got(
        &mut self,
        node: u32,
        host: u32,
        info: &ServiceInfo,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let Some(service) = facts.known.services.known(&info.service) else {
            return;
        };
        if info.version == 0 {
            return;
        }
        let fresh = Got {
            version: info.version,
            hosts: info.hosts.clone(),
        };
        match self.got.entry((node, service, host)) {
            Entry::Vacant(entry) => {
                entry.insert(fresh);
                self.got_by.entry(host).or_default().push((node, service));
            }
            Entry::Occupied(mut entry) => {
                if entry.get().version <= info.version {
                    entry.insert(fresh);
                }
            }
        }
        let Some(pending) = self.pending.get(&(node, service)) else {
            return;
        };
        let (version, since) = pending.oldest;
        if info.version < version {
            return;
        }
        let Some(due) = facts.due(node, host, since.at, facts.bounds.push()) else {
            return;
        };
        if facts.now.at <= due {
            let measured = facts.now.at.since(since.at);
            found.held_within(Property::L6, measured, due.since(since.at));
        }
    }

    /// Judges a change for all subscribers; true when it must wait for some of them still.
    fn judge(
        &self,
        node: u32,
        service: u32,
        pending: Pending,
        cx: &Context<'_>,
        found: &mut Found,
    ) -> bool {
        let facts = cx.facts;
        let (version, since) = pending.oldest;
        let key = facts.known.services.key(service);
        let mut wait = false;
        for ((.., host), got) in self
            .got
            .range((node, service, 0)..=(node, service, u32::MAX))
        {
            let arrived = got.version >= version;
            if arrived && self.was_told(*host, service, got)
                || !self.wanted.contains(&(*host, key.clone()))
            {
                continue;
            }
            let Some(due) = facts.due(node, *host, since.at, facts.bounds.push()) else {
                continue;
            };
            if facts.now.at <= due {
                wait = true;
                continue;
            }
            let times = (due.since(since.at), facts.now.at.since(since.at));
            let when = Moment {
                at: due,
                entry: facts.now.entry,
            };
            found.late(Property::L6, when, times, || {
                let why = if arrived {
                    "it got the list and did not pass it on"
                } else {
                    "the list did not arrive"
                };
                format!(
                    "the application of {} was not told in time that {key} changed on {} (version \
                     {version}): {why}",
                    facts.name(*host),
                    facts.name(node)
                )
            });
        }
        wait
    }
}
