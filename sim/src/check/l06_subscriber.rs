//! L6: a changed list reaches every subscriber of the node within the push delay, and within a
//! repair when a push was lost.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::event::Event;
use distro_core::message::naming::ServiceInfo;
use distro_core::message::{Request, ResponseBody};
use distro_core::sdk::io::SdkEvent;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::{ClientOp, Scenario};

/// Changes of one list that were not judged yet.
#[derive(Debug, Clone, Copy)]
struct Pending {
    oldest: (u64, Moment),
    newest: (u64, Moment),
}

/// Judge of L6.
#[derive(Debug)]
pub(crate) struct Subscriber {
    /// By (node, service).
    pending: BTreeMap<(u32, u32), Pending>,
    /// What a client has from a node: the version by (node, service, client's host).
    has: BTreeMap<(u32, u32, u32), u64>,
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
            has: BTreeMap::new(),
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
            // What still arrives over a connection that is given up binds nobody.
            Seen::Client(SdkEvent::Disconnected { .. } | SdkEvent::Connected { .. }) => {
                self.has.retain(|(_, _, client), _| *client != host);
            }
            Seen::Started | Seen::Stopped { .. } => {
                self.has
                    .retain(|(node, _, client), _| *client != host && *node != host);
                self.pending.retain(|(node, _), _| *node != host);
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
        let has = self.has.entry((node, service, host)).or_insert(0);
        *has = (*has).max(info.version);
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
        for ((.., host), has) in self
            .has
            .range((node, service, 0)..=(node, service, u32::MAX))
        {
            if *has >= version || !self.wanted.contains(&(*host, key.clone())) {
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
                format!(
                    "{} was not told in time that {key} changed on {} (version {version})",
                    facts.name(*host),
                    facts.name(node)
                )
            });
        }
        wait
    }
}
