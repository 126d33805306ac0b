//! Replication out: CHANGE, DELETE and ADD to fellow nodes (Nacos `DistroProtocol` with its delay
//! and execute engines).
//!
//! Per target and client there is at most one task that waits and one sync under way. A task says
//! what the target *should have*, present or absent; what is sent is the record as it is at that
//! moment. Absent is final, because a connection id is never reused.
//!
//! Why: Nacos lets a retried CHANGE replace a waiting DELETE (hazard H1) and sends two syncs of one
//! client at once, whose order nothing guards (part 12.4 to 12.6).

use alloc::vec::Vec;

use super::Node;
use super::calls::Purpose;
use super::sync_queue::{Action, SyncRules};
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, NodeId, Revision};
use crate::io::Output;
use crate::message::distro::DistroDataRequest;
use crate::message::{Request, Response};
use crate::profile::Quirk;
use crate::time::Period;

/// How [`Event::BoundReached`] names [`SYNC_PENDING_MAX`](crate::constants::SYNC_PENDING_MAX).
const PENDING: &str = "sync-pending";

impl Node {
    fn sync_rules(&self) -> SyncRules {
        SyncRules {
            aged: self.aged(),
            tick: self.config.timing.delay_tick,
            newest_wins: self.config.profile.has(Quirk::RetryReplacesDelete),
        }
    }

    /// ClientChanged: every other member gets a CHANGE.
    pub(super) fn client_changed(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        self.sync_to_all(client, Action::Change, out);
    }

    /// ClientDisconnect: every other member gets a DELETE.
    pub(super) fn client_gone(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        self.sync_to_all(client, Action::Delete, out);
    }

    fn sync_to_all(&mut self, client: &ClientId, action: Action, out: &mut Vec<Output>) {
        let rules = self.sync_rules();
        let delay = self.config.timing.sync_delay;
        for target in self.syncs.targets_mut() {
            if target.add(client, action, delay, rules) {
                out.push(Output::Event(Event::BoundReached(PENDING)));
            }
        }
    }

    /// ClientVerifyFailed: the member gets what it lacks, or a DELETE of what is no more.
    pub(super) fn verify_failed(
        &mut self,
        client: &ClientId,
        target: &NodeId,
        out: &mut Vec<Output>,
    ) {
        self.counters.verifies_failed += 1;
        if let Some(proof) = self.members.proof_mut(target) {
            proof.failed += 1;
        }
        out.push(Output::Event(Event::ClientVerifyFailed {
            client: client.clone(),
            target: target.clone(),
        }));
        let is_native = self
            .clients
            .get(client)
            .is_some_and(|client| client.native.is_some());
        let action = if is_native {
            Action::Add
        } else {
            Action::Delete
        };
        if self.has_moved(client) {
            return;
        }
        if !is_native && !self.config.profile.speaks_distro() {
            // Nacos: "if the client still exists and is mine".
            return;
        }
        self.sync_to_one(client, target, action, Period::ZERO, out);
    }

    fn sync_to_one(
        &mut self,
        client: &ClientId,
        target: &NodeId,
        action: Action,
        delay: Period,
        out: &mut Vec<Output>,
    ) {
        let rules = self.sync_rules();
        let Some(entry) = self.syncs.target_mut(target) else {
            return;
        };
        if entry.add(client, action, delay, rules) {
            out.push(Output::Event(Event::BoundReached(PENDING)));
        }
    }

    /// Sends every sync that is due to a target that can be reached.
    pub(super) fn send_due_syncs(&mut self, out: &mut Vec<Output>) {
        let rules = self.sync_rules();
        if !self.syncs.any_due(rules) {
            return;
        }
        while let Some((target, client, action)) = self.syncs.take_due(rules) {
            self.send_sync(&target, client, action, out);
        }
    }

    fn send_sync(
        &mut self,
        target: &NodeId,
        client: ClientId,
        action: Action,
        out: &mut Vec<Output>,
    ) {
        let Some(action) = self.action_now(&client, action) else {
            return;
        };
        let record = self
            .clients
            .get(&client)
            .filter(|entry| entry.native.is_some());
        let (request, purpose) = match (action, record) {
            (Action::Delete, _) => {
                let origin = self
                    .config
                    .profile
                    .speaks_distro()
                    .then(|| self.origin.clone());
                let purpose = Purpose::Delete(target.clone(), client.clone());
                (DistroDataRequest::Delete(client.clone(), origin), purpose)
            }
            (Action::Change | Action::Add, Some(record)) => {
                let data = record.data.clone();
                let purpose = Purpose::Sync(target.clone(), client.clone(), data.revision);
                let request = if action == Action::Add && self.config.profile.speaks_distro() {
                    DistroDataRequest::Add(data)
                } else {
                    DistroDataRequest::Change(data)
                };
                (request, purpose)
            }
            // Only the quirk loses the DELETE that should stand here.
            (Action::Change | Action::Add, None) => return,
        };
        let Some(conn) = self.members.reachable_conn(target) else {
            return self.answered_unreachable(target, &client, action, out);
        };
        self.counters.syncs_sent += 1;
        if let Some(entry) = self.syncs.target_mut(target) {
            entry.began(client);
        }
        let timeout = self.config.timing.sync_timeout;
        self.call(conn, Request::DistroData(request), purpose, timeout, out);
    }

    fn answered_unreachable(
        &mut self,
        target: &NodeId,
        client: &ClientId,
        action: Action,
        out: &mut Vec<Output>,
    ) {
        let revision = match action {
            Action::Delete => None,
            Action::Add | Action::Change => self.clients.revision(client),
        };
        self.synced(
            target,
            client.clone(),
            revision,
            &Err(FailCause::Unreachable),
            out,
        );
    }

    /// The outcome of a sync; `revision` is absent for a DELETE. A failed one is tried again.
    pub(super) fn synced(
        &mut self,
        target: &NodeId,
        client: ClientId,
        revision: Option<Revision>,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let Some(entry) = self.syncs.target_mut(target) else {
            return;
        };
        entry.finished(&client);
        let cause = match outcome {
            Ok(response) if response.is_ok() => {
                self.counters.syncs_succeeded += 1;
                let target = target.clone();
                out.push(Output::Event(Event::Synced {
                    client,
                    revision,
                    target,
                }));
                return;
            }
            Ok(_) => FailCause::Refused,
            Err(cause) => *cause,
        };
        self.counters.syncs_failed += 1;
        out.push(Output::Event(Event::SyncFailed {
            client: client.clone(),
            target: target.clone(),
            cause,
        }));
        let newest_wins = self.config.profile.has(Quirk::RetryReplacesDelete);
        let is_native = self
            .clients
            .get(&client)
            .is_some_and(|client| client.native.is_some());
        let action = match revision {
            None => Action::Delete,
            Some(_) if newest_wins || is_native => Action::Change,
            Some(_) => Action::Delete,
        };
        if self.has_moved(&client) {
            return;
        }
        let has_newer_task = self.syncs.waits(target, &client);
        if newest_wins || !has_newer_task {
            let delay = self.config.timing.sync_retry_delay;
            self.sync_to_one(&client, target, action, delay, out);
        }
    }
}
