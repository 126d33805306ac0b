//! S11: versions of a service never go back on one connection, and when all is quiet every live
//! subscriber has the list that its node has.

use std::collections::BTreeMap;

use distro_core::ids::ConnId;
use distro_core::time::Mono;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::HostId;

/// Judge of S11.
#[derive(Debug, Default)]
pub(crate) struct PushOrder {
    /// Last version by (node, transport, service).
    versions: BTreeMap<(u32, ConnId, u32), u64>,
    /// The present quiet stretch was judged.
    judged: bool,
}

impl Check for PushOrder {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::PushSent,
            Kind::ListAnswered,
            Kind::Transport,
            Kind::Process,
            Kind::Changed,
            Kind::Removed,
            Kind::Connected,
            Kind::Timeline,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        match seen.what {
            Seen::RequestSent { conn, .. } | Seen::ResponseSent { conn, .. } => {
                self.sent(node, conn, cx, found);
            }
            Seen::Closed { conn, .. } | Seen::Close { conn, .. } => {
                self.versions
                    .retain(|(whose, on, _), _| (*whose, *on) != (node, conn));
            }
            Seen::Started | Seen::Stopped { .. } => {
                self.versions.retain(|(whose, ..), _| *whose != node);
                self.judged = false;
            }
            Seen::Node(_) | Seen::Began { .. } | Seen::Ended { .. } => self.judged = false,
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        if self.judged {
            return;
        }
        let facts = cx.facts;
        let Some(calm) = facts.cluster_calm() else {
            return;
        };
        let quiet = facts.last_change + facts.bounds.sync();
        let due = facts.deadline(calm, quiet, facts.bounds.push());
        if facts.now.at <= due {
            return;
        }
        self.judged = true;
        for client in facts.nodes..u32::try_from(facts.processes.len()).unwrap_or(u32::MAX) {
            judge_lists(client, due, cx, found);
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl PushOrder {
    fn sent(&mut self, node: u32, conn: ConnId, cx: &Context<'_>, found: &mut Found) {
        let Some(listing) = cx.listing.filter(|listing| listing.info.version > 0) else {
            return;
        };
        let version = listing.info.version;
        let last = self
            .versions
            .entry((node, conn, listing.service))
            .or_insert(version);
        if version >= *last {
            *last = version;
            return found.held(Property::S11);
        }
        let last = *last;
        let peer = cx
            .facts
            .conns
            .get(&(node, conn))
            .map_or("?", |conn| cx.facts.name(conn.peer));
        found.broken(Property::S11, cx.facts.now, || {
            format!(
                "{} sent {peer} version {version} of {} after version {last}",
                cx.facts.name(node),
                listing.info.service
            )
        });
    }
}

/// Holds a client's lists against those of its node.
fn judge_lists(client: u32, due: Mono, cx: &Context<'_>, found: &mut Found) {
    let facts = cx.facts;
    cx.tables.with_sdk(HostId(client), &mut |sdk| {
        let Some((server, _)) = sdk.connected() else {
            return;
        };
        let Some(node) = facts.node_of(server) else {
            return;
        };
        let long_calm = facts
            .due(node, client, Mono(0), facts.bounds.push())
            .is_some_and(|since| facts.now.at > since);
        if !long_calm {
            return;
        }
        for service in sdk.subscriptions() {
            let have = sdk.list(service);
            let clusters = have.map_or("", |info| &*info.clusters);
            let mut wrong = None;
            cx.tables.with_node(HostId(node), &mut |machine| {
                let want = machine.list(service, clusters, false);
                let same = have.map_or(want.is_empty(), |info| info.hosts == want);
                if !same {
                    wrong = Some((have.map_or(0, |info| info.hosts.len()), want.len()));
                }
            });
            match wrong {
                None => found.held(Property::S11),
                Some((has, wants)) => {
                    let when = Moment {
                        at: due,
                        entry: facts.now.entry,
                    };
                    found.broken(Property::S11, when, || {
                        format!(
                            "all is quiet, but the list of {service} at {} ({has} instances) is \
                             not that of {} ({wants})",
                            facts.name(client),
                            facts.name(node)
                        )
                    });
                }
            }
        }
    });
}
