//! Verify: every five seconds a node proves to each member that it has this node's clients right.
//!
//! Between our own nodes one digest does it, whatever the number of clients. When it differs the
//! two narrow down in two more rounds: which branches, which leaves, which records. A record that
//! has a sync on its way is left to that. Towards a Nacos peer it is one message per client.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::calls::Purpose;
use super::digest::{DigestTree, branch_of};
use super::timers::Timer;
use super::{NamingEvent, Node, Stage};
use crate::constants::DIGEST_ENTRIES_MAX;
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, ConnId, NodeId, Revision};
use crate::io::Output;
use crate::message::distro::{
    Digest, DigestAnswer, DigestRound, DigestVerify, DistroDataRequest, DistroDataResponse,
    GivenUp, Origin,
};
use crate::message::{Request, Response, ResponseBody, code};
use crate::profile::Quirk;
use crate::view::PeerProof;

impl Node {
    /// One verify round to all members that can be reached.
    pub(super) fn verify_round(&mut self, out: &mut Vec<Output>) {
        self.timers.arm(
            Timer::Verify,
            self.run() + self.config.timing.verify_interval,
        );
        let waits = self.config.profile.has(Quirk::VerifyWaitsForLoad);
        if waits && self.stage != Stage::Ready {
            return;
        }
        for member in self.members.ids() {
            self.verify_member(&member, out);
        }
    }

    /// Verifies with one member now, if it can be reached.
    pub(super) fn verify_member(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let Some(conn) = self.members.reachable_conn(member) else {
            return;
        };
        let run = self.run();
        if let Some(fellow) = self.members.table.get_mut(member) {
            fellow.verified = run;
        }
        if self.members.speaks_distro(member) {
            let round = DigestRound::Whole(self.clients.own_tree().whole());
            let told = self
                .members
                .table
                .get(member)
                .map_or(0, |fellow| fellow.told);
            let (given_up, telling) = self.clients.given_up.after(told, run);
            if let Some(fellow) = self.members.table.get_mut(member) {
                fellow.telling = telling;
            }
            return self.send_digest(member, conn, round, given_up, out);
        }
        let natives: Vec<(ClientId, Revision)> = self
            .clients
            .natives()
            .map(|(client, entry)| (client.clone(), entry.data.revision))
            .collect();
        for (client, revision) in natives {
            self.count_proof(member, |proof| proof.sent += 1);
            let purpose = Purpose::Verify(member.clone(), client.clone());
            let request = Request::DistroData(DistroDataRequest::Verify(client, revision));
            self.call(
                conn,
                request,
                purpose,
                self.config.timing.verify_timeout,
                out,
            );
        }
    }

    /// Counts what verify did with one member, there and in the node's sums. `failed` is counted
    /// where a difference is repaired.
    fn count_proof(&mut self, member: &NodeId, count: impl Fn(&mut PeerProof)) {
        let mut step = PeerProof::default();
        count(&mut step);
        self.counters.verifies_sent += step.sent;
        self.counters.verifies_matched += step.matched;
        self.counters.verifies_lost += step.lost;
        if let Some(proof) = self.members.proof_mut(member) {
            count(proof);
        }
    }

    fn send_digest(
        &mut self,
        member: &NodeId,
        conn: ConnId,
        round: DigestRound,
        given_up: Vec<GivenUp>,
        out: &mut Vec<Output>,
    ) {
        self.count_proof(member, |proof| proof.sent += 1);
        let verify = DigestVerify {
            origin: self.origin.clone(),
            round,
            clock: self.words.now(self.now.mono),
            given_up,
        };
        let request = Request::DistroData(DistroDataRequest::Digest(Box::new(verify)));
        let purpose = Purpose::Digest(member.clone());
        self.call(
            conn,
            request,
            purpose,
            self.config.timing.verify_timeout,
            out,
        );
    }

    /// A Nacos peer verifies one client: equal revisions renew its lease.
    pub(super) fn verify_received(&mut self, client: &ClientId, revision: Revision) -> Response {
        let profile = self.config.profile;
        let matches = self.clients.revision(client).is_some_and(|held| {
            held == revision
                || (revision == Revision(0) && profile.has(Quirk::VerifyZeroMatches))
                || profile.has(Quirk::VerifyIgnoresRevision)
        });
        let body = ResponseBody::DistroData(DistroDataResponse::Done);
        if !matches {
            return Response::fail(
                code::FAIL,
                "[DISTRO-FAILED] distro data verify failed",
                body,
            );
        }
        let expires = self.lease_from_now();
        self.clients.renew(client, expires);
        Response::ok(body)
    }

    /// The outcome of a verify of one client.
    pub(super) fn verified_one(
        &mut self,
        target: NodeId,
        client: ClientId,
        outcome: &Result<Response, FailCause>,
    ) {
        match outcome {
            Ok(response) if response.is_ok() => {
                self.count_proof(&target, |proof| proof.matched += 1);
            }
            Ok(response) if response.body == ResponseBody::Error => {
                self.count_proof(&target, |proof| proof.lost += 1);
            }
            Ok(_) => self.publish(NamingEvent::ClientVerifyFailed(client, target)),
            Err(_) => self.count_proof(&target, |proof| proof.lost += 1),
        }
    }

    /// One of our nodes verifies all its clients at once.
    pub(super) fn digest_received(
        &mut self,
        sender: Option<&Origin>,
        verify: &DigestVerify,
        out: &mut Vec<Output>,
    ) -> Response {
        let answer =
            |answer| Response::ok(ResponseBody::DistroData(DistroDataResponse::Digest(answer)));
        if sender != Some(&verify.origin) {
            let body = ResponseBody::DistroData(DistroDataResponse::Done);
            let text = "[DISTRO-FAILED] a digest speaks for its sender only";
            return Response::fail(code::NO_RIGHT, text, body);
        }
        if !self.can_be_said(verify.clock) {
            let body = ResponseBody::DistroData(DistroDataResponse::Done);
            let text = "[DISTRO-FAILED] its clock is too far ahead";
            return Response::fail(code::NO_RIGHT, text, body);
        }
        let known = self.members.incarnation(&verify.origin.node);
        if known > verify.origin.incarnation {
            return answer(DigestAnswer::Superseded(known));
        }
        self.words.hear(verify.clock, self.now.mono);
        self.hear_given_up(&verify.given_up, out);
        let nothing = DigestTree::default();
        let group = self.clients.group(&verify.origin);
        let tree = group.map_or(&nothing, |group| &group.tree);
        answer(match &verify.round {
            DigestRound::Whole(whole) if *whole == tree.whole() => DigestAnswer::Match,
            DigestRound::Whole(_) => DigestAnswer::Branches(tree.branches()),
            DigestRound::Leaves(theirs) => self.differing_entries(tree, theirs),
        })
    }

    /// The records held in every leaf that differs, on the branches that are asked about.
    fn differing_entries(&self, tree: &DigestTree, theirs: &[(u16, Digest)]) -> DigestAnswer {
        let theirs: BTreeMap<u16, Digest> = theirs.iter().copied().collect();
        let asked: BTreeSet<u8> = theirs.keys().map(|leaf| branch_of(*leaf)).collect();
        let mut candidates: BTreeSet<u16> = theirs.keys().copied().collect();
        for branch in asked {
            candidates.extend(tree.branch_leaves(branch).map(|(leaf, _)| leaf));
        }
        let (mut leaves, mut held) = (Vec::new(), Vec::new());
        for leaf in candidates {
            if held.len() >= DIGEST_ENTRIES_MAX {
                // The rest waits for the next round.
                break;
            }
            if tree.leaf(leaf) == theirs.get(&leaf).copied().unwrap_or_default() {
                continue;
            }
            leaves.push(leaf);
            held.extend(
                tree.clients(leaf)
                    .filter_map(|client| Some((client.clone(), self.clients.revision(client)?))),
            );
        }
        DigestAnswer::Entries { leaves, held }
    }

    /// The outcome of a verify by digest.
    pub(super) fn digest_answered(
        &mut self,
        target: &NodeId,
        conn: ConnId,
        outcome: Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let Ok(Response {
            body: ResponseBody::DistroData(data),
            ..
        }) = outcome
        else {
            self.count_proof(target, |proof| proof.lost += 1);
            return;
        };
        let DistroDataResponse::Digest(answer) = data else {
            self.count_proof(target, |proof| proof.lost += 1);
            return;
        };
        if let Some(fellow) = self.members.table.get_mut(target) {
            fellow.told = fellow.telling;
        }
        match answer {
            DigestAnswer::Match => {
                self.count_proof(target, |proof| {
                    proof.matched += 1;
                    proof.divergent = 0;
                });
                out.push(Output::Event(Event::Verified {
                    target: target.clone(),
                }));
            }
            DigestAnswer::Branches(theirs) => {
                let leaves = self.leaves_of_differing_branches(&theirs);
                if !leaves.is_empty() {
                    let round = DigestRound::Leaves(leaves);
                    self.send_digest(target, conn, round, Vec::new(), out);
                }
            }
            DigestAnswer::Entries { leaves, held } => self.repair(target, &leaves, held),
            DigestAnswer::Superseded(later) if self.is_plausible(later) => {
                self.reincarnate(later, out);
            }
            DigestAnswer::Superseded(_) => self.count_proof(target, |proof| proof.lost += 1),
        }
    }

    /// This node's leaf digests on every branch that differs. A branch where this node has
    /// nothing is named by an empty first leaf.
    fn leaves_of_differing_branches(&self, theirs: &[(u8, Digest)]) -> Vec<(u16, Digest)> {
        let tree = self.clients.own_tree();
        let mut branches: BTreeMap<u8, (Digest, Digest)> = BTreeMap::new();
        for (branch, digest) in tree.branches() {
            branches.entry(branch).or_default().0 = digest;
        }
        for (branch, digest) in theirs {
            branches.entry(*branch).or_default().1 = *digest;
        }
        let mut leaves = Vec::new();
        for (branch, _) in branches.into_iter().filter(|(_, (mine, its))| mine != its) {
            let before = leaves.len();
            leaves.extend(tree.branch_leaves(branch));
            if leaves.len() == before {
                leaves.push((*super::digest::leaves_of(branch).start(), Digest::default()));
            }
        }
        leaves
    }

    /// Compares record by record: what the peer lacks or has in another revision is resent, what
    /// this node no longer has is deleted there.
    fn repair(&mut self, target: &NodeId, leaves: &[u16], held: Vec<(ClientId, Revision)>) {
        let held: BTreeMap<ClientId, Revision> = held.into_iter().collect();
        let mut failed: Vec<ClientId> = Vec::new();
        for leaf in leaves {
            for client in self.clients.own_tree().clients(*leaf) {
                if held.get(client).copied() != self.clients.revision(client) {
                    failed.push(client.clone());
                }
            }
        }
        let is_mine = |client: &ClientId| {
            self.clients
                .get(client)
                .is_some_and(|entry| entry.native.is_some())
        };
        failed.extend(held.into_keys().filter(|client| !is_mine(client)));
        if let Some(proof) = self.members.proof_mut(target) {
            proof.divergent = failed.len() as u64;
        }
        for client in failed {
            if !self.syncs.is_busy(target, &client) {
                self.publish(NamingEvent::ClientVerifyFailed(client, target.clone()));
            }
        }
    }
}
