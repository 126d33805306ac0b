//! Member reports and the states that follow from them (Nacos `ServerMemberManager`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::calls::Purpose;
use super::timers::Timer;
use super::{NamingEvent, Node, Stage};
use crate::constants::REPORT_FAILURES_MAX;
use crate::event::{Event, FailCause};
use crate::ids::{Incarnation, NodeId};
use crate::io::{CloseReason, Output};
use crate::message::cluster::{Member, NodeState};
use crate::message::distro::Origin;
use crate::message::{Request, Response, ResponseBody, code};
use crate::profile::Quirk;

impl Node {
    fn set_state(&mut self, member: &NodeId, state: NodeState, out: &mut Vec<Output>) {
        let Some(fellow) = self.members.table.get_mut(member) else {
            return;
        };
        if state == NodeState::Up {
            fellow.failures = 0;
        }
        if fellow.state == state {
            return;
        }
        fellow.state = state;
        out.push(Output::Event(Event::MembersChange {
            member: member.clone(),
            state,
        }));
        self.publish(NamingEvent::MembersChange(member.clone()));
    }

    pub(super) fn arm_reports(&mut self) {
        let timing = &self.config.timing;
        let first = self.run() + timing.report_initial_delay;
        self.timers.arm(Timer::Report, first);
        self.timers.arm(Timer::ReportUnhealthy, first);
    }

    /// Reports to the next member in the round (Nacos `MemberInfoReportTask`).
    pub(super) fn report_next(&mut self, out: &mut Vec<Output>) {
        self.timers.arm(
            Timer::Report,
            self.run() + self.config.timing.report_interval,
        );
        let after = self.members.reported.as_ref();
        let next = self
            .members
            .table
            .keys()
            .find(|member| after.is_none_or(|after| *member > after))
            .or_else(|| self.members.table.keys().next());
        if let Some(member) = next.cloned() {
            self.members.reported = Some(member.clone());
            self.report_to(&member, out);
        }
    }

    /// Reports to all members that are not UP (Nacos `UnhealthyMemberInfoReportTask`).
    pub(super) fn report_unhealthy(&mut self, out: &mut Vec<Output>) {
        let again = self.run() + self.config.timing.report_unhealthy_interval;
        self.timers.arm(Timer::ReportUnhealthy, again);
        for member in self.members.ids() {
            if self
                .members
                .table
                .get(&member)
                .is_some_and(|fellow| fellow.state != NodeState::Up)
            {
                self.report_to(&member, out);
            }
        }
    }

    /// One report at a time: a second one would say nothing new while the first has no answer.
    fn report_to(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let Some(conn) = self.members.running_conn(member) else {
            return self.report_failed(member, out);
        };
        let (run, distro) = (self.run(), self.config.profile.speaks_distro());
        if let Some(fellow) = self.members.table.get_mut(member) {
            if fellow.reporting && distro {
                return;
            }
            fellow.reporting = true;
            fellow.reported = Some(run);
        }
        let request = Request::MemberReport(Box::new(self.self_member()));
        let purpose = Purpose::Report(member.clone());
        self.call(
            conn,
            request,
            purpose,
            self.config.timing.report_timeout,
            out,
        );
    }

    fn report_failed(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let Some(fellow) = self.members.table.get_mut(member) else {
            return;
        };
        fellow.failures += 1;
        let state = if fellow.failures > REPORT_FAILURES_MAX {
            NodeState::Down
        } else {
            NodeState::Suspicious
        };
        self.set_state(member, state, out);
    }

    /// The outcome of a report.
    pub(super) fn reported(
        &mut self,
        member: &NodeId,
        outcome: Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        if let Some(fellow) = self.members.table.get_mut(member) {
            fellow.reporting = false;
        }
        match outcome {
            Ok(response) if response.is_ok() => {
                if let ResponseBody::MemberReport(Some(reported)) = &response.body {
                    self.hear_member(member, reported, out);
                }
                self.set_state(member, NodeState::Up, out);
            }
            // A node that is starting answers so (part 12.51); it is there.
            Ok(response) if response.error_code == code::INVALID_SERVER_STATUS => {}
            Ok(_) => self.report_failed(member, out),
            Err(FailCause::Timeout) if self.config.profile.has(Quirk::ReportTimeoutNotCounted) => {}
            Err(_) => self.report_failed(member, out),
        }
    }

    /// A member says of itself which life it is. What it says of others is not believed.
    fn hear_member(&mut self, member: &NodeId, reported: &Member, out: &mut Vec<Output>) {
        let speaks_distro = self.config.profile.speaks_distro();
        let is_own = reported.node == *member;
        if speaks_distro && is_own && reported.incarnation > Incarnation(0) {
            let origin = Origin {
                node: member.clone(),
                incarnation: reported.incarnation,
            };
            self.heard_of_life(&origin, out);
        }
    }

    /// A member reports itself: it is there. Whether it can be reached from here only this node's
    /// own path to it shows, so a report of somebody who is not UP makes this node ask, and that
    /// answer counts. Why: a member that is heard but not reached flaps with every report
    /// (part 12.43). It asks no sooner than an interval after it last did. Why: while answers are
    /// lost or late each takes the other for not UP, and two that answer every report with a report
    /// do nothing else.
    ///
    /// `sender` is absent for a Nacos peer: it tells no lives.
    pub(super) fn member_report(
        &mut self,
        sender: Option<&NodeId>,
        reported: &Member,
        out: &mut Vec<Output>,
    ) -> Response {
        if reported.node.ip().is_empty() || reported.node.port().is_empty() {
            let body = ResponseBody::MemberReport(None);
            return Response::fail(code::INVALID_PARAM, "Node information is illegal", body);
        }
        if sender.is_some_and(|sender| *sender != reported.node) {
            let body = ResponseBody::MemberReport(None);
            return Response::fail(code::NO_RIGHT, "a member reports itself only", body);
        }
        if let Some(fellow) = self.members.table.get(&reported.node) {
            let interval = self.config.timing.report_interval;
            let is_due = fellow.state != NodeState::Up
                && fellow
                    .reported
                    .is_none_or(|last| last + interval <= self.run());
            if let Some(sender) = sender {
                self.hear_member(sender, reported, out);
            }
            if !self.config.profile.speaks_distro() {
                self.set_state(&reported.node, NodeState::Up, out);
            } else if is_due && self.members.running_conn(&reported.node).is_some() {
                self.report_to(&reported.node, out);
            }
        }
        Response::ok(ResponseBody::MemberReport(Some(Box::new(
            self.self_member(),
        ))))
    }

    /// An operator replaces the member list.
    pub(super) fn set_members(&mut self, members: Vec<NodeId>, out: &mut Vec<Output>) {
        let was_standalone = self.is_standalone();
        self.config.members = members;
        let peers = self.config.peers();
        let run = self.run();
        for gone in self
            .members
            .ids()
            .into_iter()
            .filter(|member| !peers.contains(member))
        {
            if let Some(conn) = self
                .members
                .table
                .get(&gone)
                .and_then(|fellow| fellow.link.conn())
            {
                self.close_member_conn(&gone, conn, CloseReason::Obsolete, out);
                self.members.conns.remove(&conn);
            }
            self.members.table.remove(&gone);
            self.syncs.remove_target(&gone);
            self.note_presence(&gone, false);
            self.close_conns_of(&gone, out);
        }
        for peer in &peers {
            self.members.add(peer, run);
            self.syncs.add_target(peer);
        }
        self.members.update_next();
        if was_standalone && !self.is_standalone() && self.stage != Stage::New {
            let timing = &self.config.timing;
            self.timers.arm(Timer::Verify, run + timing.verify_interval);
            self.timers
                .arm(Timer::Clean, run + timing.client_clean_interval);
            self.arm_reports();
        }
    }
}
