//! The first load: a starting node gets what the others have before it serves.
//!
//! From a node of our kind it takes, in chunks, what that node owns; then, from one that is
//! settled, what is held for owners nobody reached and for this node's own earlier lives. A node
//! that is still loading owns nothing and says so, so a cluster that starts together does not wait
//! for itself. When peers cannot be reached the node waits a while and then serves with what it
//! has; verify brings the rest. From a Nacos peer it takes everything in one message.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::calls::Purpose;
use super::timers::Timer;
use super::{Node, Stage};
use crate::config::Timing;
use crate::event::{ChangeCause, Event, FailCause};
use crate::ids::{ClientId, Incarnation, NodeId, Str};
use crate::io::Output;
use crate::message::distro::{
    ClientSyncData, DistroDataRequest, DistroDataResponse, SnapshotChunk, SnapshotChunkRequest,
    SnapshotEntry, SnapshotScope,
};
use crate::message::{Request, Response, ResponseBody};
use crate::time::{Mono, Period};

/// How far the load from one peer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerLoad {
    /// Not asked yet, or failed: asked again from this running time on.
    Waiting(Mono),
    /// Asked.
    Asking,
    /// What it owns is here. `settled`: what it holds for others would be complete too.
    Done { settled: bool },
}

/// What is asked for, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// What each peer owns.
    Owned,
    /// What one peer holds for owners that were not reached.
    Held,
}

/// The load's state.
#[derive(Debug, Default)]
pub(crate) struct Load {
    started: Mono,
    peers: BTreeMap<NodeId, PeerLoad>,
    /// Second phase: what is held for others is asked for, and nobody is waited for any more.
    holding: bool,
    /// Whom it asked in the second phase and who has not answered yet.
    held_from: Option<NodeId>,
    tried: Vec<NodeId>,
    applied: u64,
}

impl Load {
    pub(crate) fn started(&self) -> Mono {
        self.started
    }
}

impl Node {
    /// Timer `Load`: start, or look again whether the load is settled.
    pub(super) fn load_step(&mut self, out: &mut Vec<Output>) {
        match self.stage {
            Stage::New => self.start(out),
            Stage::Loading if self.config.profile.speaks_distro() => self.advance_load(out),
            Stage::Loading => self.load_like_nacos(out),
            Stage::Ready => {}
        }
    }

    fn start(&mut self, out: &mut Vec<Output>) {
        let run = self.run();
        self.stage = Stage::Loading;
        self.load.started = run;
        out.push(Output::Event(Event::Starting(self.origin.incarnation)));
        let timing = &self.config.timing;
        self.timers.arm(
            Timer::EmptyServices,
            run + timing.empty_service_clean_interval,
        );
        if self.is_standalone() {
            return self.become_ready(out);
        }
        self.timers.arm(Timer::Verify, run + timing.verify_interval);
        self.timers
            .arm(Timer::Clean, run + timing.client_clean_interval);
        if self.config.profile.speaks_distro() {
            self.timers.arm(Timer::Load, run + timing.load_wait);
        } else {
            // DistroLoadDataTask waits in steps of a second for members.
            self.timers.arm(Timer::Load, run + Period::from_secs(1));
        }
        for peer in self.members.ids() {
            self.load.peers.insert(peer, PeerLoad::Waiting(run));
        }
        self.arm_reports();
    }

    fn become_ready(&mut self, out: &mut Vec<Output>) {
        self.stage = Stage::Ready;
        if self.config.profile.speaks_distro() {
            let returned = self.run() + self.config.timing.return_grace;
            self.fuzzy.hold_until(returned);
        }
        out.push(Output::Event(Event::Ready(self.origin.incarnation)));
    }

    /// Asks every peer that can be asked, and moves on when all have answered or the wait is over.
    pub(super) fn advance_load(&mut self, out: &mut Vec<Output>) {
        if self.stage != Stage::Loading || !self.config.profile.speaks_distro() {
            return;
        }
        let run = self.run();
        if self.load.holding {
            return;
        }
        for peer in self.members.ids() {
            let state = *self
                .load
                .peers
                .entry(peer.clone())
                .or_insert(PeerLoad::Waiting(run));
            let PeerLoad::Waiting(from) = state else {
                continue;
            };
            let left = self.load_until(Phase::Owned).since(run);
            if left == Period::ZERO {
                continue;
            }
            if from <= run && self.members.running_conn(&peer).is_some() {
                self.load.peers.insert(peer.clone(), PeerLoad::Asking);
                let timeout = left.min(self.config.timing.load_timeout);
                self.ask(&peer, SnapshotScope::Owned, None, timeout, out);
            } else if from > run {
                self.timers.arm_no_later(Timer::Load, from);
            }
        }
        let members = &self.members;
        self.load.peers.retain(|peer, _| members.contains(peer));
        let wait_over = run >= self.load.started + self.config.timing.load_wait;
        let is_settled = self.load.peers.values().all(|state| match state {
            PeerLoad::Done { .. } => true,
            PeerLoad::Asking => false,
            PeerLoad::Waiting(_) => wait_over,
        });
        if is_settled {
            self.load.holding = true;
            self.load_held(out);
        } else if !wait_over {
            self.timers.arm_no_later(
                Timer::Load,
                self.load.started + self.config.timing.load_wait,
            );
        }
    }

    /// Second phase: what a settled peer holds for owners that were not reached. Who does not
    /// answer is not asked again; what is left of the time is shared among those who were not asked
    /// yet.
    fn load_held(&mut self, out: &mut Vec<Output>) {
        let mut candidates = self.load.peers.iter().filter(|(peer, state)| {
            **state == (PeerLoad::Done { settled: true })
                && self.members.speaks_distro(peer)
                && !self.load.tried.contains(peer)
                && self.members.running_conn(peer).is_some()
        });
        let first = candidates.next().map(|(peer, _)| peer.clone());
        let count = 1 + candidates.count() as u64;
        let left = self.load_until(Phase::Held).since(self.run());
        let Some(peer) = first.filter(|_| left > Period::ZERO) else {
            return self.become_ready(out);
        };
        self.load.tried.push(peer.clone());
        self.load.held_from = Some(peer.clone());
        let scope = self.held_scope();
        self.ask(
            &peer,
            scope,
            None,
            Period(left.micros().div_ceil(count)),
            out,
        );
    }

    /// When a phase of the load is over if nothing comes: the first leaves half of a request's time
    /// to the second. Why in all and not for each request: a node must be ready at some time (L7).
    fn load_until(&self, phase: Phase) -> Mono {
        let Timing {
            load_wait,
            load_timeout,
            ..
        } = self.config.timing;
        let share = match phase {
            Phase::Owned => Period(load_timeout.micros() / 2),
            Phase::Held => load_timeout,
        };
        self.load.started + load_wait + share
    }

    fn held_scope(&self) -> SnapshotScope {
        let unreached = self
            .load
            .peers
            .iter()
            .filter_map(|(peer, state)| match state {
                PeerLoad::Done { .. } => None,
                PeerLoad::Asking | PeerLoad::Waiting(_) => Some(peer.clone()),
            });
        SnapshotScope::Held(unreached.chain([self.config.node.clone()]).collect())
    }

    fn ask(
        &mut self,
        peer: &NodeId,
        scope: SnapshotScope,
        after: Option<ClientId>,
        timeout: Period,
        out: &mut Vec<Output>,
    ) {
        let Some(conn) = self.members.running_conn(peer) else {
            return;
        };
        let data = if self.members.speaks_distro(peer) {
            let requester = self.origin.clone();
            let request = SnapshotChunkRequest {
                requester,
                scope,
                after,
            };
            DistroDataRequest::SnapshotChunk(Box::new(request))
        } else {
            DistroDataRequest::Snapshot
        };
        let purpose = Purpose::Snapshot(peer.clone());
        self.call(conn, Request::DistroData(data), purpose, timeout, out);
    }

    /// Nacos: the first member that answers is enough; if none does, all again much later.
    fn load_like_nacos(&mut self, out: &mut Vec<Output>) {
        let next = self.members.ids().into_iter().find(|peer| {
            !self.load.tried.contains(peer) && self.members.reachable_conn(peer).is_some()
        });
        match next {
            Some(peer) => {
                self.load.tried.push(peer.clone());
                let timeout = self.config.timing.load_timeout;
                self.ask(&peer, SnapshotScope::Owned, None, timeout, out);
            }
            None => {
                self.load.tried.clear();
                self.timers.arm(
                    Timer::Load,
                    self.run() + self.config.timing.load_retry_delay,
                );
            }
        }
    }

    /// The outcome of a snapshot request.
    pub(super) fn snapshot_answered(
        &mut self,
        peer: &NodeId,
        outcome: Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let data = match outcome {
            Ok(Response {
                body: ResponseBody::DistroData(data),
                result_code: 200,
                ..
            }) => Ok(data),
            Ok(_) => Err(FailCause::Refused),
            Err(cause) => Err(cause),
        };
        match data {
            Ok(DistroDataResponse::Chunk(chunk)) => self.chunk_received(peer, *chunk, out),
            Ok(DistroDataResponse::Snapshot(records)) => self.whole_received(peer, records, out),
            Ok(
                DistroDataResponse::Done
                | DistroDataResponse::Digest(_)
                | DistroDataResponse::Client(_),
            ) => self.load_failed(peer, FailCause::Refused, out),
            Err(cause) => self.load_failed(peer, cause, out),
        }
    }

    fn load_failed(&mut self, peer: &NodeId, cause: FailCause, out: &mut Vec<Output>) {
        self.counters.snapshots_failed += 1;
        out.push(Output::Event(Event::SnapshotFailed {
            from: peer.clone(),
            cause,
        }));
        if self.stage != Stage::Loading {
            return;
        }
        if !self.config.profile.speaks_distro() {
            return self.load_like_nacos(out);
        }
        if self.load.holding {
            if self.load.held_from.as_ref() == Some(peer) {
                self.load.held_from = None;
                self.load_held(out);
            }
            return;
        }
        let again = self.run() + self.config.timing.load_retry_delay;
        self.load
            .peers
            .insert(peer.clone(), PeerLoad::Waiting(again));
        self.advance_load(out);
    }

    fn chunk_received(&mut self, peer: &NodeId, chunk: SnapshotChunk, out: &mut Vec<Output>) {
        let lives = [chunk.seen, chunk.origin.incarnation];
        if chunk.origin.node != *peer || !lives.iter().all(|life| self.is_plausible(*life)) {
            return self.load_failed(peer, FailCause::Refused, out);
        }
        if chunk.seen > self.origin.incarnation {
            self.reincarnate(chunk.seen, out);
            return;
        }
        self.heard_of_life(&chunk.origin, out);
        for entry in chunk.entries {
            self.apply_entry(entry, out);
        }
        if self.stage != Stage::Loading {
            return;
        }
        let is_held = self.load.held_from.as_ref() == Some(peer);
        if let Some(after) = chunk.next {
            let scope = if is_held {
                self.held_scope()
            } else {
                SnapshotScope::Owned
            };
            // It answers, so it may take its time for the rest.
            let timeout = self.config.timing.load_timeout;
            return self.ask(peer, scope, Some(after), timeout, out);
        }
        self.loaded_from(peer, out);
        if is_held {
            self.load.held_from = None;
            return self.become_ready(out);
        }
        let settled = chunk.settled;
        self.load
            .peers
            .insert(peer.clone(), PeerLoad::Done { settled });
        self.advance_load(out);
    }

    fn whole_received(
        &mut self,
        peer: &NodeId,
        records: Vec<Arc<ClientSyncData>>,
        out: &mut Vec<Output>,
    ) {
        // A Nacos snapshot says nothing of leases: every entry starts a full new one.
        let expires = self.lease_from_now();
        for data in records {
            let applied = self.apply(data, ChangeCause::Snapshot, expires, out);
            self.load.applied += u64::from(applied == super::apply::Applied::Changed);
        }
        self.loaded_from(peer, out);
        if self.stage != Stage::Loading {
            return;
        }
        if self.config.profile.speaks_distro() {
            self.load
                .peers
                .insert(peer.clone(), PeerLoad::Done { settled: true });
            self.advance_load(out);
        } else {
            self.become_ready(out);
        }
    }

    fn loaded_from(&mut self, peer: &NodeId, out: &mut Vec<Output>) {
        self.counters.snapshots_loaded += 1;
        let applied = core::mem::take(&mut self.load.applied);
        out.push(Output::Event(Event::SnapshotLoaded {
            from: peer.clone(),
            applied,
        }));
    }

    /// Applies one record with what remains of its lease, not a new one: else a chain of
    /// restarting nodes hands a ghost on for ever (part 12.7).
    fn apply_entry(&mut self, entry: SnapshotEntry, out: &mut Vec<Output>) {
        let lease = self.config.timing.client_expired_time;
        let aged = self.aged();
        let remaining = entry.remaining.min(lease);
        if remaining == Period::ZERO {
            return;
        }
        let origin = entry.data.origin.clone();
        let applied = self.apply(entry.data, ChangeCause::Snapshot, aged + remaining, out);
        self.load.applied += u64::from(applied == super::apply::Applied::Changed);
        let Some(origin) = origin else { return };
        let is_earlier_life = if origin.node == self.origin.node {
            origin.incarnation < self.origin.incarnation
        } else {
            origin.incarnation < self.members.incarnation(&origin.node)
        };
        if is_earlier_life && applied == super::apply::Applied::Changed {
            let group = self.clients.group_mut(&origin);
            let ends = aged + remaining;
            group.ends = Some(group.ends.map_or(ends, |before| before.max(ends)));
        }
    }

    /// A peer remembers a later life of this node than this one: the wall clock went back over a
    /// restart. This life takes a higher number, and its connections are made anew under it.
    pub(super) fn reincarnate(&mut self, seen: Incarnation, out: &mut Vec<Output>) {
        if seen < self.origin.incarnation {
            return;
        }
        self.origin.incarnation = Incarnation(seen.0.saturating_add(1));
        let origin = self.origin.clone();
        self.clients.reincarnate(&origin);
        let run = self.run();
        self.load.holding = false;
        self.load.held_from = None;
        self.load.tried.clear();
        for state in self.load.peers.values_mut() {
            *state = PeerLoad::Waiting(run);
        }
        self.drop_all_member_conns(out);
    }

    /// Answers a Nacos SNAPSHOT: everything, in one message.
    pub(super) fn snapshot_requested(&self) -> Response {
        let all = self
            .clients
            .iter()
            .map(|(_, entry)| entry.data.clone())
            .collect();
        Response::ok(ResponseBody::DistroData(DistroDataResponse::Snapshot(all)))
    }

    /// Answers one chunk. The chunk ends when it fills a quarter of the largest message, since
    /// the wire form is bigger than the estimate.
    pub(super) fn chunk_requested(&self, request: &SnapshotChunkRequest) -> Response {
        let bytes_max = self.config.message_bytes_max / 4;
        let aged = self.aged();
        let lease = self.config.timing.client_expired_time;
        let after = request.after.clone().unwrap_or(ClientId(Str::from("")));
        let (mut entries, mut bytes, mut next) = (Vec::new(), 0, None);
        for (_, entry) in self.clients.after(&after) {
            let origin = self.clients.origin_of(&entry.data);
            let wanted = match &request.scope {
                SnapshotScope::Owned => entry.native.is_some(),
                SnapshotScope::Held(owners) => {
                    entry.native.is_none()
                        && owners.contains(&origin.node)
                        && *origin != request.requester
                }
            };
            if !wanted {
                continue;
            }
            if bytes >= bytes_max {
                next = entries
                    .last()
                    .map(|last: &SnapshotEntry| last.data.client.clone());
                break;
            }
            let remaining = self.clients.remaining(entry, aged).unwrap_or(lease);
            if remaining == Period::ZERO {
                // Its time is up; it only has not been looked at since.
                continue;
            }
            bytes += entry.data.bytes_estimate();
            entries.push(SnapshotEntry {
                data: entry.data.clone(),
                remaining,
            });
        }
        Response::ok(ResponseBody::DistroData(DistroDataResponse::Chunk(
            Box::new(SnapshotChunk {
                origin: self.origin.clone(),
                settled: self.stage == Stage::Ready,
                seen: self.members.incarnation(&request.requester.node),
                entries,
                next,
            }),
        )))
    }
}
