//! S16: verify messages per round are bounded by the clients that are verified, an unchanged
//! record is not sent again and again, and everything else that nodes send each other by themselves
//! has its pace.

use std::collections::{BTreeMap, VecDeque};

use distro_core::event::Event;
use distro_core::ids::Revision;
use distro_core::message::Request;
use distro_core::message::distro::DistroDataRequest;
use distro_core::time::Mono;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::pace::Pace;
use crate::check::sets::take_range;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Messages that verifies between our own nodes may take within an interval: the whole and the
/// leaves of the round that is due, and of two more, half an interval apart, when a connection came
/// back.
const ROUNDS_MAX: u64 = 6;
/// Sends of one revision to one target within one verify interval: the first, a retry, and the
/// resend that a verify asked for in between.
const SENDS_MAX: u32 = 3;
/// Resends of a revision that its target has acknowledged.
const AFTER_ACK_MAX: u32 = 2;

#[derive(Debug, Clone, Copy)]
struct Window {
    from: Mono,
    sent: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sends {
    revision: Revision,
    from: Mono,
    sent: u32,
    acknowledged: bool,
    after: u32,
}

/// Judge of S16.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Verifies by (node, target).
    verifies: BTreeMap<(u32, u32), Window>,
    /// Sends of records by (node, client, target).
    sends: BTreeMap<(u32, u32, u32), Sends>,
    /// DELETEs within one verify interval from the first one, by (node, client, target), and the
    /// same in time order, to forget them.
    deletes: BTreeMap<(u32, u32, u32), u32>,
    deleted: VecDeque<(Mono, (u32, u32, u32))>,
    pace: Pace,
}

impl Check for Work {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::VerifySent,
            Kind::SyncSent,
            Kind::SyncSettled,
            Kind::Process,
            Kind::Removed,
            Kind::OtherSent,
            Kind::Transport,
            Kind::Timeline,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let host = seen.host.0;
        self.see_pace(cx, seen, found);
        match seen.what {
            Seen::RequestSent {
                peer,
                request: Request::DistroData(data),
                ..
            } => match data {
                DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => {
                    let Some(client) = cx.facts.client_of(&data.client) else {
                        return;
                    };
                    self.resend(host, (client, data.revision), peer.0, cx, found);
                }
                DistroDataRequest::Verify(..) | DistroDataRequest::Digest(_) => {
                    self.verify(host, peer.0, cx, found);
                }
                DistroDataRequest::Delete(client, _) => {
                    if let Some(client) = cx.facts.client_of(client) {
                        self.delete((host, client, peer.0), cx, found);
                    }
                }
                DistroDataRequest::Snapshot
                | DistroDataRequest::SnapshotChunk(_)
                | DistroDataRequest::Query(_) => {}
            },
            Seen::Node(Event::Synced {
                revision: Some(revision),
                target,
                ..
            }) => {
                let (Some(client), Some(target)) = (cx.facts.client, cx.facts.node_of(target))
                else {
                    return;
                };
                if let Some(sends) = self.sends.get_mut(&(host, client, target))
                    && sends.revision == *revision
                {
                    sends.acknowledged = true;
                }
            }
            Seen::Node(Event::ClientDisconnect { .. }) => {
                // What a target has dropped must be sent to it again.
                let Some(client) = cx.facts.client else {
                    return;
                };
                let owner = cx.facts.clients[client as usize].owner;
                if owner == host {
                    let all = (owner, client, 0)..=(owner, client, u32::MAX);
                    take_range(&mut self.sends, all);
                } else {
                    self.sends.remove(&(owner, client, host));
                }
            }
            Seen::Started | Seen::Stopped { .. } if cx.facts.is_node(host) => {
                self.verifies
                    .retain(|(node, target), _| *node != host && *target != host);
                self.sends
                    .retain(|(node, _, target), _| *node != host && *target != host);
                self.pace.forget(host);
            }
            _ => {}
        }
    }
}

impl Work {
    /// Counts what nodes send each other by themselves, of every kind.
    fn see_pace(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let host = seen.host.0;
        match seen.what {
            Seen::RequestSent { peer, request, .. } if cx.facts.are_nodes(host, peer.0) => {
                let over = self.pace.sent((host, peer.0), request, cx);
                tell(over, (host, peer.0), cx, found);
            }
            Seen::Opened { peer, .. } if cx.facts.are_nodes(host, peer.0) => {
                let over = self.pace.opened((host, peer.0), cx);
                tell(over, (host, peer.0), cx, found);
            }
            Seen::Began { .. } | Seen::Ended { .. } => {
                let window = cx.facts.bounds.work_window();
                self.pace.upset(seen.at, window);
            }
            _ => {}
        }
    }
}

/// Says that a node sent another too much of a kind.
fn tell(
    over: Option<(&'static str, u64, u64)>,
    (node, target): (u32, u32),
    cx: &Context<'_>,
    found: &mut Found,
) {
    let Some((kind, sent, allowed)) = over else {
        return found.held(Property::S16);
    };
    let facts = cx.facts;
    let (node, target) = (facts.name(node), facts.name(target));
    found.broken(Property::S16, facts.now, || {
        if kind == "transport" {
            return format!(
                "{sent} transports opened between {node} and {target} within one verify interval, \
                 with reason for {allowed} at most"
            );
        }
        format!(
            "{node} sent {target} {sent} messages of kind `{kind}` within one verify interval, with \
             reason for {allowed} at most"
        )
    });
}

impl Work {
    /// A DELETE is sent like a record: once, again when it failed, and once more when a verify
    /// found that it was in vain.
    fn delete(&mut self, place: (u32, u32, u32), cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let (now, interval) = (facts.now.at, facts.bounds.verify_interval_min());
        while let Some((from, old)) = self.deleted.front().copied()
            && from + interval <= now
        {
            self.deleted.pop_front();
            self.deletes.remove(&old);
        }
        let sent = self.deletes.entry(place).or_insert_with(|| {
            self.deleted.push_back((now, place));
            0
        });
        *sent += 1;
        let sent = *sent;
        if sent <= SENDS_MAX {
            return found.held(Property::S16);
        }
        let (node, client, target) = place;
        found.broken(Property::S16, facts.now, || {
            format!(
                "{} sent {} {sent} DELETEs of {} within one verify interval",
                facts.name(node),
                facts.name(target),
                facts.client_name(client)
            )
        });
    }

    fn verify(&mut self, node: u32, target: u32, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let now = facts.now.at;
        let interval = facts.bounds.verify_interval_min();
        let length = distro_core::time::Period(interval.0 / 10 * 9);
        let window = self
            .verifies
            .entry((node, target))
            .or_insert(Window { from: now, sent: 0 });
        if now >= window.from + length {
            *window = Window { from: now, sent: 0 };
        }
        window.sent += 1;
        if window.sent <= ROUNDS_MAX {
            return found.held(Property::S16);
        }
        let sent = window.sent;
        // Only now is it worth while to count.
        let records = facts.node[node as usize].mirror.records.values();
        let natives = records.filter(|record| record.native).count() as u64;
        let conns = facts.conns.range((node, distro_core::ids::ConnId(0))..);
        let connected = conns.take_while(|((whose, _), _)| *whose == node);
        let clients = connected.filter(|(_, conn)| conn.client.is_some()).count() as u64;
        let allowed = natives.max(clients) + ROUNDS_MAX;
        if sent <= allowed {
            return found.held(Property::S16);
        }
        found.broken(Property::S16, facts.now, || {
            format!(
                "{} sent {} {sent} verifies within one interval, with {} clients to verify",
                facts.name(node),
                facts.name(target),
                allowed - ROUNDS_MAX
            )
        });
    }

    fn resend(
        &mut self,
        node: u32,
        (client, revision): (u32, Revision),
        target: u32,
        cx: &Context<'_>,
        found: &mut Found,
    ) {
        let facts = cx.facts;
        let now = facts.now.at;
        let fresh = Sends {
            revision,
            from: now,
            sent: 0,
            acknowledged: false,
            after: 0,
        };
        let sends = self.sends.entry((node, client, target)).or_insert(fresh);
        if sends.revision != revision {
            *sends = fresh;
        }
        if now >= sends.from + facts.bounds.verify_interval_min() {
            sends.from = now;
            sends.sent = 0;
        }
        sends.sent += 1;
        // Answers to verifies that faults hold back tell of what was before the acknowledgement.
        if sends.acknowledged && facts.calm(node, target).is_some() {
            sends.after += 1;
        }
        let (sent, after) = (sends.sent, sends.after);
        if sent <= SENDS_MAX && after <= AFTER_ACK_MAX {
            return found.held(Property::S16);
        }
        found.broken(Property::S16, facts.now, || {
            let record = facts.client_name(client);
            let (node, target) = (facts.name(node), facts.name(target));
            if after > AFTER_ACK_MAX {
                format!(
                    "{node} sent {target} revision {revision} of {record} {after} times after it \
                     was acknowledged"
                )
            } else {
                format!(
                    "{node} sent {target} revision {revision} of {record} {sent} times within one \
                     verify interval"
                )
            }
        });
    }
}
