//! S11: versions of a service never go back on one connection, and when all is quiet every live
//! subscriber has the list that its node has.

use std::collections::BTreeMap;

use distro_core::ids::ConnId;
use distro_core::time::Mono;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
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
    /// The first look in this stretch found a list that differs.
    doubted: bool,
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
                let all = (node, conn, 0)..=(node, conn, u32::MAX);
                take_range(&mut self.versions, all);
            }
            Seen::Started | Seen::Stopped { .. } => {
                let all = (node, ConnId(0), 0)..=(node, ConnId(u64::MAX), u32::MAX);
                take_range(&mut self.versions, all);
                self.judged = false;
                self.doubted = false;
            }
            Seen::Node(_) | Seen::Began { .. } | Seen::Ended { .. } => {
                self.judged = false;
                self.doubted = false;
            }
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
        let quiet = facts
            .last_touched
            .max(facts.last_change + facts.bounds.sync());
        let due = facts.deadline(calm, quiet, facts.bounds.push());
        if facts.now.at <= due {
            return;
        }
        self.judged = true;
        let mut looks = Vec::new();
        for client in facts.nodes..u32::try_from(facts.processes.len()).unwrap_or(u32::MAX) {
            look(client, cx, &mut looks);
        }
        let some = looks.iter().any(Option::is_some);
        if some && !cx.over && !core::mem::replace(&mut self.doubted, true) {
            self.judged = false;
            return;
        }
        let when = Moment {
            at: due,
            entry: facts.now.entry,
        };
        for wrong in looks {
            match wrong {
                None => found.held(Property::S11),
                Some(text) => found.broken(Property::S11, when, || text),
            }
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

/// Holds a client's lists against those of its node: for each of them what is wrong, if anything.
fn look(client: u32, cx: &Context<'_>, looks: &mut Vec<Option<String>>) {
    let facts = cx.facts;
    cx.tables.with_sdk(HostId(client), &mut |sdk| {
        let Some(node) = sdk
            .connected()
            .and_then(|(server, _)| facts.node_of(server))
        else {
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
            let has = have.map_or(&[][..], |info| &info.hosts[..]);
            let mut wrong = None;
            cx.tables.with_node(HostId(node), &mut |machine| {
                let want = machine.list(service, clusters, false);
                if *has != *want {
                    wrong = Some(format!(
                        "all is quiet, but the list of {service} at {} ({} instances) is not \
                         that of {} ({})",
                        facts.name(client),
                        has.len(),
                        facts.name(node),
                        want.len()
                    ));
                }
            });
            looks.push(wrong);
        }
    });
}
