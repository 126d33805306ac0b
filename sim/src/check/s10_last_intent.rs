//! S10: what a client's owner has of it is what its application said last, service by service,
//! whatever redo, retry or late message was still under way.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::message::naming::{Instance, Published, ServiceKey};
use distro_core::sdk::io::SdkEvent;
use distro_core::time::Mono;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::s08_acknowledgement::publishes;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S10.
#[derive(Debug, Default)]
pub(crate) struct LastIntent {
    /// Clients about which something was said or changed since they were looked at: when.
    unsure: BTreeMap<u32, Mono>,
}

impl Check for LastIntent {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Client, Kind::Changed, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, _found: &mut Found) {
        let facts = cx.facts;
        match seen.what {
            Seen::Called { .. }
            | Seen::Returned { .. }
            | Seen::Client(SdkEvent::Connected { .. } | SdkEvent::Registered { .. }) => {
                self.unsure.insert(seen.host.0, seen.at);
            }
            Seen::Node(Event::ClientChanged { native: true, .. }) => {
                let record = facts.client.map(|client| &facts.clients[client as usize]);
                if let Some(host) = record.and_then(|record| record.host) {
                    self.unsure.insert(host, seen.at);
                }
            }
            Seen::Started | Seen::Stopped { .. } => {
                self.unsure.remove(&seen.host.0);
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let bound = facts.bounds.returned(true, 0, false);
        self.unsure.retain(|host, since| {
            if facts.now.at <= *since + bound {
                return true;
            }
            let Some(owner) = facts.present_owner(*host) else {
                return true;
            };
            let Some(due) = facts.due(owner, *host, *since, bound) else {
                return true;
            };
            // What its server has not acknowledged yet is not its last word there; L3 has an eye
            // on that.
            if facts.now.at <= due || !facts.intents.settled(*host) {
                return true;
            }
            match wrong(*host, owner, cx) {
                None => found.held(Property::S10),
                Some(text) => {
                    let when = Moment {
                        at: due,
                        entry: facts.now.entry,
                    };
                    found.broken(Property::S10, when, || text);
                }
            }
            false
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

/// How a client's record at its owner differs from what its application wants.
fn wrong(host: u32, owner: u32, cx: &Context<'_>) -> Option<String> {
    let facts = cx.facts;
    let latest = facts.latest[host as usize]?;
    let records = &facts.node[owner as usize].mirror.records;
    let none = Vec::new();
    let held = records
        .get(&latest)
        .map_or(&none, |record| &record.data.services);
    let names = || (facts.name(host), facts.name(owner));
    for (service, wanted) in facts.intents.of(host) {
        let key = facts.known.services.key(service);
        if let Some(what) = differs(key, wanted, held) {
            let (client, node) = names();
            return Some(format!("{client} wants {key} published and {node} {what}"));
        }
    }
    let unwanted = held.iter().find(|(key, _)| {
        let service = facts.known.services.known(key);
        !service.is_some_and(|service| facts.intents.wants(host, service))
    });
    let (key, _) = unwanted?;
    let (client, node) = names();
    Some(format!(
        "{client} wants nothing published for {key} and {node} publishes it still"
    ))
}

/// What a record has in place of what is wanted for a service.
fn differs(
    key: &ServiceKey,
    wanted: Option<&[Instance]>,
    held: &[(ServiceKey, Published)],
) -> Option<&'static str> {
    let Some((_, published)) = held.iter().find(|(service, _)| service == key) else {
        return Some("does not publish it");
    };
    // A server refused the last word: which one stands is the client's to say.
    let same = wanted.is_none_or(|wanted| publishes(published, wanted));
    (!same).then_some("publishes it with other content")
}
