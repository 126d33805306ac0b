//! Replication in: what fellow nodes send is applied by difference, all of it or nothing.
//!
//! A record is applied only if it is newer than what is there, by (incarnation, revision) of its
//! owner; a buried client stays buried; this node's own clients are nobody else's business. So
//! nothing that arrives late, twice or out of order can resurrect, shadow or roll back (S1-S3).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{NamingEvent, Node};
use crate::event::{ChangeCause, Event};
use crate::ids::ClientId;
use crate::io::{Output, RemoveCause};
use crate::message::distro::{ClientSyncData, DistroDataRequest, DistroDataResponse, Origin};
use crate::message::naming::{Instance, Published};
use crate::message::{Response, ResponseBody, code};
use crate::profile::Quirk;
use crate::time::{Mono, Period};

/// What became of an incoming record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// The table changed.
    Changed,
    /// It already had this.
    Same,
    /// It is older than what the table has, or about a client that is gone or this node's own.
    Ignored,
}

fn done() -> Response {
    Response::ok(ResponseBody::DistroData(DistroDataResponse::Done))
}

fn refused(error_code: i32, text: &str) -> Response {
    Response::fail(
        error_code,
        text,
        ResponseBody::DistroData(DistroDataResponse::Done),
    )
}

impl Node {
    /// Handles replication from a fellow node. `sender` is absent for a Nacos peer.
    pub(super) fn distro_data(
        &mut self,
        sender: Option<Origin>,
        request: DistroDataRequest,
        out: &mut Vec<Output>,
    ) -> Response {
        if let Some(sender) = &sender {
            self.hear(sender);
        }
        match request {
            DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => {
                self.sync_received(sender.as_ref(), data, out)
            }
            DistroDataRequest::Delete(client, origin) => {
                if origin.is_some() && origin != sender {
                    return refused(code::NO_RIGHT, "[DISTRO-FAILED] only its owner may delete");
                }
                self.delete_received(&client, origin.as_ref(), out)
            }
            DistroDataRequest::Verify(client, revision) => self.verify_received(&client, revision),
            DistroDataRequest::Digest(verify) => {
                self.digest_received(sender.as_ref(), &verify, out)
            }
            DistroDataRequest::Snapshot => self.snapshot_requested(),
            DistroDataRequest::SnapshotChunk(request) => self.chunk_requested(&request),
            DistroDataRequest::Query(client) => {
                let body = match self.clients.get(&client) {
                    Some(entry) => DistroDataResponse::Client(entry.data.clone()),
                    None => DistroDataResponse::Done,
                };
                Response::ok(ResponseBody::DistroData(body))
            }
        }
    }

    /// A message of an owner, or of what is not yet known to be its ghost, renews its lease.
    fn hear(&mut self, sender: &Origin) {
        if sender.incarnation >= self.members.incarnation(&sender.node) {
            let expires = self.lease_from_now();
            self.clients.group_mut(sender).expires = expires;
        }
    }

    /// When a lease that begins now is over, in aging time.
    pub(super) fn lease_from_now(&self) -> Mono {
        self.aged() + self.config.timing.client_expired_time
    }

    /// The answer to a sync that a test makes fail.
    fn injected_failure(&mut self) -> Option<Response> {
        self.fail_apply = self.fail_apply.checked_sub(1)?;
        self.counters.syncs_rejected += 1;
        Some(
            if self.config.profile.has(Quirk::FailedApplyAnswersSuccess) {
                done()
            } else {
                refused(code::FAIL, "handle distro request with exception")
            },
        )
    }

    fn sync_received(
        &mut self,
        sender: Option<&Origin>,
        data: Arc<ClientSyncData>,
        out: &mut Vec<Output>,
    ) -> Response {
        if sender.is_some() && data.origin.as_ref() != sender {
            self.counters.syncs_rejected += 1;
            return refused(
                code::NO_RIGHT,
                "[DISTRO-FAILED] only its owner may change a record",
            );
        }
        if let Some(failure) = self.injected_failure() {
            return failure;
        }
        let expires = self.lease_from_now();
        match self.apply(data, ChangeCause::Sync, expires, out) {
            Applied::Changed => self.counters.syncs_applied += 1,
            Applied::Same | Applied::Ignored => self.counters.syncs_ignored += 1,
        }
        done()
    }

    /// Applies one record. `expires` is the end of its lease, if it begins one.
    pub(super) fn apply(
        &mut self,
        data: Arc<ClientSyncData>,
        cause: ChangeCause,
        expires: Mono,
        out: &mut Vec<Output>,
    ) -> Applied {
        if !self.is_credible(&data) {
            let (client, revision) = (data.client.clone(), Some(data.revision));
            out.push(Output::Event(Event::SyncIgnored { client, revision }));
            return Applied::Ignored;
        }
        self.beats.see(&data);
        if !self.may_apply(&data, cause) {
            self.assert_ownership(&data, out);
            let (client, revision) = (data.client.clone(), Some(data.revision));
            out.push(Output::Event(Event::SyncIgnored { client, revision }));
            return Applied::Ignored;
        }
        let old = self.clients.get(&data.client);
        let native = old.is_some_and(|entry| entry.native.is_some());
        let old = old.map(|entry| entry.data.clone());
        let data = self.as_stored(data, old.as_deref());
        let created = old.is_none();
        if old.as_deref() == Some(&*data) {
            return Applied::Same;
        }
        if let Some(word) = data.words.iter().max() {
            self.words.hear(*word, self.now.mono);
        }
        let content_changed = self.publish_difference(old.as_deref(), &data);
        let native = native && !self.yield_ownership(&data.client);
        self.clients.put_synced(data.clone(), expires);
        self.arrived_with(&data, out);
        self.arm_beats(&data.client);
        if native && content_changed {
            self.publish(NamingEvent::ClientChanged(data.client.clone()));
        }
        let owner = if native {
            &self.origin.node
        } else {
            &self.clients.origin_of(&data).node
        }
        .clone();
        out.push(Output::Event(Event::ClientChanged {
            data,
            owner,
            native,
            created,
            cause,
        }));
        self.settle(out);
        Applied::Changed
    }

    fn may_apply(&self, data: &ClientSyncData, cause: ChangeCause) -> bool {
        let profile = self.config.profile;
        let unordered = profile.has(Quirk::AppliesWithoutOrder);
        if let Some(origin) = &data.origin {
            let is_mine = origin.node == self.origin.node;
            let life = if is_mine {
                self.origin.incarnation
            } else {
                self.members.incarnation(&origin.node)
            };
            // An earlier life's records still come with snapshots, to bridge its clients' return.
            let is_late = origin.incarnation < life;
            if (is_mine && !is_late) || (is_late && cause == ChangeCause::Sync) {
                return false;
            }
        }
        match self.clients.get(&data.client) {
            Some(entry) if data.client.is_ip_port() && !unordered => {
                self.succeeds(data, &entry.data, entry.native.is_some())
            }
            Some(entry) if entry.native.is_some() => profile.has(Quirk::SnapshotOverwritesNative),
            Some(entry) => unordered || is_newer(data, &entry.data),
            None => unordered || !self.clients.is_buried(&data.client),
        }
    }

    /// The record as it will be stored: in service order, sharing texts, and with what a quirk does
    /// to it.
    fn as_stored(
        &self,
        mut data: Arc<ClientSyncData>,
        old: Option<&ClientSyncData>,
    ) -> Arc<ClientSyncData> {
        if !data.services.is_sorted_by(|(one, _), (two, _)| one < two) {
            let data = Arc::make_mut(&mut data);
            // A record of our own nodes comes in order; who breaks it has said nothing of when.
            data.words.clear();
            data.services.sort_by(|(one, _), (two, _)| one.cmp(two));
            data.services
                .dedup_by(|(later, _), (earlier, _)| later == earlier);
        }
        self.share_texts(&mut data, old);
        let Some(old) = old else { return data };
        if self.config.profile.has(Quirk::RevisionNotCopied) && data.revision != old.revision {
            Arc::make_mut(&mut data).revision = old.revision;
        }
        if self.config.profile.has(Quirk::ClusterIgnoredInEquality) {
            keep_if_only_clusters_differ(&mut data, old);
        }
        data
    }

    /// Publishes what has to be registered and deregistered. False when the content is the same.
    fn publish_difference(&mut self, old: Option<&ClientSyncData>, new: &ClientSyncData) -> bool {
        let mut changed = false;
        for (service, published) in &new.services {
            let before = old.and_then(|old| old.entry(service));
            if before.is_some_and(|(_, before)| before == published) {
                continue;
            }
            changed = true;
            let (service, client) = (service.clone(), new.client.clone());
            self.publish(NamingEvent::ClientRegisterService(service, client));
        }
        for (service, _) in old.into_iter().flat_map(|old| &old.services) {
            if new.entry(service).is_none() {
                changed = true;
                let (service, client) = (service.clone(), new.client.clone());
                self.publish(NamingEvent::ClientDeregisterService(service, client));
            }
        }
        changed
    }

    fn delete_received(
        &mut self,
        client: &ClientId,
        origin: Option<&Origin>,
        out: &mut Vec<Output>,
    ) -> Response {
        if let Some(failure) = self.injected_failure() {
            return failure;
        }
        let unordered = self.config.profile.has(Quirk::AppliesWithoutOrder);
        if !unordered && self.belongs_elsewhere(client, origin) {
            let (client, revision) = (client.clone(), None);
            out.push(Output::Event(Event::SyncIgnored { client, revision }));
            self.counters.syncs_ignored += 1;
            return done();
        }
        let Some(entry) = self.clients.get(client) else {
            self.bury(client, out);
            self.counters.syncs_applied += 1;
            return done();
        };
        if entry.native.is_some() {
            if !self.config.profile.has(Quirk::SnapshotOverwritesNative) {
                let client = client.clone();
                out.push(Output::Event(Event::SyncIgnored {
                    client,
                    revision: None,
                }));
                return refused(
                    code::NO_RIGHT,
                    "[DISTRO-FAILED] the client is connected here",
                );
            }
        } else if !unordered && !may_delete(&entry.data, origin) {
            let client = client.clone();
            out.push(Output::Event(Event::SyncIgnored {
                client,
                revision: None,
            }));
            return refused(code::NO_RIGHT, "[DISTRO-FAILED] only its owner may delete");
        }
        self.bury(client, out);
        self.remove_client(client, RemoveCause::Deleted, Period::ZERO, out);
        self.counters.syncs_applied += 1;
        done()
    }

    fn bury(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        if self.config.profile.has(Quirk::AppliesWithoutOrder) || client.is_ip_port() {
            return;
        }
        if !self
            .clients
            .bury(client, self.run(), self.config.timing.tombstone_time)
        {
            out.push(Output::Event(Event::BoundReached("tombstones")));
        }
    }
}

/// Versions of one client are ordered by its owner's life, then by revision. A record of another
/// owner is no version of it at all.
fn is_newer(new: &ClientSyncData, old: &ClientSyncData) -> bool {
    match (&new.origin, &old.origin) {
        (Some(new_origin), Some(old_origin)) => {
            new_origin.node == old_origin.node
                && (new_origin.incarnation, new.revision) > (old_origin.incarnation, old.revision)
        }
        (None, None) => new.revision > old.revision,
        (Some(_), None) => true,
        (None, Some(_)) => false,
    }
}

fn may_delete(held: &ClientSyncData, by: Option<&Origin>) -> bool {
    match (&held.origin, by) {
        (Some(held), Some(by)) => held.node == by.node && held.incarnation <= by.incarnation,
        (None, _) => true,
        (Some(_), None) => false,
    }
}

fn keep_if_only_clusters_differ(data: &mut Arc<ClientSyncData>, old: &ClientSyncData) {
    let same_but_cluster = |one: &Instance, two: &Instance| {
        let mut two = two.clone();
        two.cluster_name = one.cluster_name.clone();
        *one == two
    };
    for at in 0..data.services.len() {
        let (service, new) = &data.services[at];
        let Some((_, kept)) = old.entry(service) else {
            continue;
        };
        let same = match (new, kept) {
            (Published::Single(new), Published::Single(old)) => same_but_cluster(new, old),
            (Published::Single(_) | Published::Batch(_), _) => false,
        };
        if same && new != kept {
            let kept = kept.clone();
            Arc::make_mut(data).services[at].1 = kept;
        }
    }
}
