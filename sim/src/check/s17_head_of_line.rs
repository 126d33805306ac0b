//! S17: a sync for a healthy, connected target leaves when it is due, whatever other targets do.

use std::collections::BTreeMap;

use distro_core::constants::SYNC_IN_FLIGHT_MAX;
use distro_core::event::Event;
use distro_core::ids::Revision;
use distro_core::message::Request;
use distro_core::message::distro::DistroDataRequest;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S17.
#[derive(Debug, Default)]
pub(crate) struct HeadOfLine {
    /// Changes that have not left yet, by (owner, target, client).
    due: BTreeMap<(u32, u32, u32), (Revision, Moment)>,
}

impl Check for HeadOfLine {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Changed, Kind::Removed, Kind::SyncSent, Kind::Process])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Node(Event::ClientChanged {
                data, native: true, ..
            }) => {
                let Some(client) = facts.client else { return };
                if facts.clients[client as usize].owner != node || data.services.is_empty() {
                    return;
                }
                let alive = |target: &&u32| facts.processes[**target as usize].alive;
                for target in facts.node[node as usize].members.iter().filter(alive) {
                    let due = self
                        .due
                        .entry((node, *target, client))
                        .or_insert((data.revision, facts.now));
                    due.0 = data.revision;
                }
            }
            Seen::Node(Event::ClientChanged {
                data,
                native: false,
                ..
            }) => {
                // The target has it by another way: there is nothing left to send.
                let Some(client) = facts.client else { return };
                let key = (facts.clients[client as usize].owner, node, client);
                if self
                    .due
                    .get(&key)
                    .is_some_and(|(revision, _)| *revision <= data.revision)
                {
                    self.due.remove(&key);
                }
            }
            Seen::Node(Event::ClientDisconnect { .. }) => {
                let Some(client) = facts.client else { return };
                if facts.clients[client as usize].owner == node {
                    for target in 0..facts.nodes {
                        self.due.remove(&(node, target, client));
                    }
                }
            }
            Seen::RequestSent {
                peer,
                request:
                    Request::DistroData(DistroDataRequest::Change(data) | DistroDataRequest::Add(data)),
                ..
            } => {
                let Some(client) = facts.client_of(&data.client) else {
                    return;
                };
                self.left(node, peer.0, client, data.revision, cx, found);
            }
            Seen::Started | Seen::Stopped { .. } if facts.is_node(node) => {
                self.due
                    .retain(|(owner, target, _), _| *owner != node && *target != node);
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let now = cx.facts.now;
        let waiting = self.due.len();
        self.due.retain(|(owner, target, client), (_, since)| {
            if now.at <= since.at + cx.facts.bounds.sync_sent() {
                return true;
            }
            if !cx.facts.tells(*owner, *target) {
                return false;
            }
            let due = deadline(*owner, *target, *since, waiting, cx);
            let outcome = duty::open(found, Property::S17, (since.at, now), due, || {
                late(*owner, *target, *client, cx)
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl HeadOfLine {
    fn left(
        &mut self,
        node: u32,
        target: u32,
        client: u32,
        revision: Revision,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let waiting = self.due.len();
        let Some((newest, since)) = self.due.get(&(node, target, client)).copied() else {
            return;
        };
        if revision >= newest {
            self.due.remove(&(node, target, client));
        } else {
            self.due
                .insert((node, target, client), (newest, cx.facts.now));
        }
        if !cx.facts.tells(node, target) {
            return;
        }
        let due = deadline(node, target, since, waiting, cx);
        duty::done(found, Property::S17, (since.at, cx.facts.now), due, || {
            late(node, target, client, cx)
        });
    }
}

/// When a change must have left: later when so many wait that the target's window is full.
fn deadline(
    owner: u32,
    target: u32,
    since: Moment,
    waiting: usize,
    cx: &Context<'_>,
) -> Option<distro_core::time::Mono> {
    let facts = cx.facts;
    let windows = (waiting / SYNC_IN_FLIGHT_MAX) as u64;
    let tick = facts.bounds.timing().delay_tick;
    let queue = (facts.bounds.rtt + tick).times(windows);
    facts.due(owner, target, since.at, facts.bounds.sync_sent() + queue)
}

fn late(owner: u32, target: u32, client: u32, cx: &Context<'_>) -> String {
    format!(
        "a change of {} was not sent in time from {} to {}, which is well",
        cx.facts.client_name(client),
        cx.facts.name(owner),
        cx.facts.name(target)
    )
}
