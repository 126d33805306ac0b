//! S8: a success answer to a register, batch register, deregister, CHANGE, ADD or DELETE means
//! that the node's table has it, or something newer.

use std::collections::BTreeMap;

use distro_core::ids::{ClientId, ConnId, RequestId, Revision};
use distro_core::message::Request;
use distro_core::message::distro::{ClientSyncData, DistroDataRequest};
use distro_core::message::naming::{
    DEFAULT_CLUSTER, Instance, InstanceOperation, Published, ServiceKey,
};

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::HostId;

/// What a request asks to be true.
#[derive(Debug)]
enum Asked {
    /// The client publishes this for a service; nothing when absent.
    Publish(ServiceKey, Option<Vec<Instance>>),
    /// The record has at least this revision.
    Sync(ClientId, Revision),
    /// The record is gone.
    Delete(ClientId),
}

/// Judge of S8.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgement {
    /// Requests without an answer yet, by node, transport and number.
    asked: BTreeMap<(u32, ConnId, RequestId), Asked>,
}

impl Check for Acknowledgement {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::RegisterReceived,
            Kind::SyncReceived,
            Kind::RegisterAnswered,
            Kind::SyncAnswered,
            Kind::OtherAnswered,
            Kind::Transport,
            Kind::Process,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let node = seen.host.0;
        if !cx.facts.is_node(node) {
            return;
        }
        match seen.what {
            Seen::RequestReceived {
                conn, id, request, ..
            } => {
                if let Some(asked) = asked(request) {
                    self.asked.insert((node, conn, id), asked);
                }
            }
            Seen::ResponseSent {
                conn, id, response, ..
            } => {
                if self.asked.is_empty() {
                    return;
                }
                let Some(asked) = self.asked.remove(&(node, conn, id)) else {
                    return;
                };
                if response.is_ok() {
                    judge(node, conn, &asked, cx, found);
                }
            }
            Seen::Closed { conn, .. } | Seen::Close { conn, .. } => {
                let all = (node, conn, RequestId(0))..=(node, conn, RequestId(u64::MAX));
                take_range(&mut self.asked, all);
            }
            Seen::Started | Seen::Stopped { .. } => {
                self.asked.retain(|(whose, ..), _| *whose != node);
            }
            _ => {}
        }
    }
}

fn asked(request: &Request) -> Option<Asked> {
    if let Request::Instance(request) = request {
        let wanted = match request.operation {
            InstanceOperation::Register => Some(vec![request.instance.clone()]),
            InstanceOperation::Deregister => None,
        };
        return Some(Asked::Publish(request.service.clone(), wanted));
    }
    if let Request::BatchInstance(request) = request {
        return Some(Asked::Publish(
            request.service.clone(),
            Some(request.instances.clone()),
        ));
    }
    let Request::DistroData(data) = request else {
        return None;
    };
    match data {
        DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => {
            Some(Asked::Sync(data.client.clone(), data.revision))
        }
        DistroDataRequest::Delete(client, _) => Some(Asked::Delete(client.clone())),
        DistroDataRequest::Verify(..)
        | DistroDataRequest::Digest(_)
        | DistroDataRequest::Snapshot
        | DistroDataRequest::SnapshotChunk(_)
        | DistroDataRequest::Query(_) => None,
    }
}

fn judge(node: u32, conn: ConnId, asked: &Asked, cx: &Context<'_>, found: &mut Found) {
    let facts = cx.facts;
    let id = match asked {
        Asked::Sync(id, _) | Asked::Delete(id) => Some(id.clone()),
        Asked::Publish(..) => {
            let client = facts.conns.get(&(node, conn)).and_then(|conn| conn.client);
            client.map(|client| facts.clients[client as usize].id.clone())
        }
    };
    // A transport that closed in the same step has no client any more: nothing to hold it to.
    let Some(id) = id else { return };
    // A record that its owner has given up may be refused as a matter of order.
    let gone = facts
        .client_of(&id)
        .is_some_and(|client| facts.clients[client as usize].gone.is_some());
    let mut wrong = None;
    let mut looked = false;
    cx.tables.with_node(HostId(node), &mut |machine| {
        looked = true;
        let view = machine.client(&id);
        let record = view.as_ref().map(|view| (&**view.data, view.native));
        wrong = untrue(asked, record, gone);
    });
    if !looked {
        return;
    }
    match wrong {
        None => found.held(Property::S8),
        Some(text) => found.broken(Property::S8, facts.now, || {
            format!("{} answered success for {id}, but {text}", facts.name(node))
        }),
    }
}

/// What of a success answer is not true, given the record as it is right after it.
fn untrue(asked: &Asked, record: Option<(&ClientSyncData, bool)>, gone: bool) -> Option<String> {
    match asked {
        Asked::Publish(service, wanted) => {
            let entry = record
                .and_then(|(data, _)| data.services.iter().find(|(key, _)| key == service))
                .map(|(_, published)| published);
            match (wanted, entry) {
                (None, None) => None,
                (None, Some(_)) => Some(format!("{service} is still published")),
                (Some(_), None) => Some(format!("{service} is not published")),
                (Some(wanted), Some(entry)) => (!publishes(entry, wanted))
                    .then(|| format!("{service} is published with other content")),
            }
        }
        Asked::Sync(_, revision) => match record {
            Some((_, true)) => None,
            Some((data, false)) if data.revision >= *revision => None,
            Some((data, false)) => {
                Some(format!("has revision {} and not {revision}", data.revision))
            }
            None if gone => None,
            None => Some("has no record of it".into()),
        },
        Asked::Delete(_) => match record {
            Some((_, false)) if gone => Some("still has the record".into()),
            Some(_) | None => None,
        },
    }
}

/// True when an entry is what a register or batch register asked for.
pub(crate) fn publishes(entry: &Published, wanted: &[Instance]) -> bool {
    let held = entry.instances();
    held.len() == wanted.len()
        && held.iter().zip(wanted).all(|(held, wanted)| {
            let cluster = wanted.cluster_name.trim();
            let cluster = if cluster.is_empty() {
                DEFAULT_CLUSTER
            } else {
                cluster
            };
            held.ip == wanted.ip
                && held.port == wanted.port
                && held.weight == wanted.weight
                && held.enabled == wanted.enabled
                && held.healthy == wanted.healthy
                && *held.cluster_name == *cluster
                && held.metadata == wanted.metadata
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn record(revision: u64, port: u16) -> ClientSyncData {
        let mut instance = Instance::new("10.1.0.1", port);
        instance.instance_id = Some("10.1.0.1#8080#DEFAULT#g@@s".into());
        ClientSyncData {
            client: ClientId::new("c"),
            origin: None,
            revision: Revision(revision),
            services: vec![(
                ServiceKey::named("s"),
                Published::Single(Arc::new(instance)),
            )],
            words: Vec::new(),
        }
    }

    fn register(port: u16) -> Asked {
        let mut wanted = Instance::new("10.1.0.1", port);
        wanted.cluster_name = "".into();
        Asked::Publish(ServiceKey::named("s"), Some(vec![wanted]))
    }

    #[test]
    fn success_for_what_is_published_is_true() {
        assert_eq!(
            untrue(&register(80), Some((&record(1, 80), true)), false),
            None
        );
    }

    #[test]
    fn success_for_a_register_that_left_no_trace_is_untrue() {
        assert!(untrue(&register(80), None, false).is_some());
        assert!(untrue(&register(80), Some((&record(1, 81), true)), false).is_some());
    }

    #[test]
    fn success_for_a_deregister_that_left_the_instance_is_untrue() {
        let asked = Asked::Publish(ServiceKey::named("s"), None);
        assert!(untrue(&asked, Some((&record(1, 80), true)), false).is_some());
        assert_eq!(untrue(&asked, None, false), None);
    }

    #[test]
    fn success_for_a_sync_that_was_not_applied_is_untrue() {
        let asked = Asked::Sync(ClientId::new("c"), Revision(2));
        assert!(untrue(&asked, Some((&record(1, 80), false)), false).is_some());
        assert!(untrue(&asked, None, false).is_some());
        assert_eq!(untrue(&asked, Some((&record(3, 80), false)), false), None);
        assert_eq!(untrue(&asked, None, true), None);
    }

    #[test]
    fn success_for_a_delete_that_left_the_record_is_untrue() {
        let asked = Asked::Delete(ClientId::new("c"));
        assert!(untrue(&asked, Some((&record(1, 80), false)), true).is_some());
        assert_eq!(untrue(&asked, None, true), None);
    }
}
