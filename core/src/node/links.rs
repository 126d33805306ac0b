//! The connection that this node keeps to each member: dialled, checked, set up, kept alive (Nacos
//! `ClusterRpcClientProxy`).

use alloc::vec::Vec;

use super::calls::Purpose;
use super::members::{Fellow, Link};
use super::session::cluster_setup;
use super::{NamingEvent, Node, Stage};
use crate::constants::{HEALTH_CHECK_TRIES, REDIAL_STEPS_MAX};
use crate::event::FailCause;
use crate::ids::{ConnId, NodeId};
use crate::io::{CloseReason, Output};
use crate::message::internal::{SetupAckRequest, ability};
use crate::message::{Request, Response, ResponseBody, code};
use crate::time::Period;

impl Node {
    /// Dials whom it is time to dial, gives up setups that took too long, checks idle connections.
    pub(super) fn tend_members(&mut self, out: &mut Vec<Output>) {
        let run = self.run();
        if self.stage == Stage::New || self.members.next.is_none_or(|next| next > run) {
            return;
        }
        for member in self.members.ids() {
            let Some(fellow) = self.members.table.get(&member) else {
                continue;
            };
            let link = fellow.link;
            if link.due().is_none_or(|due| due > run) {
                continue;
            }
            match link {
                Link::Down(_) => {
                    self.members.set_link(&member, Link::Dialing);
                    out.push(Output::Dial { member });
                }
                Link::SettingUp(conn, _) => {
                    self.close_member_conn(&member, conn, CloseReason::Unresponsive, out);
                }
                Link::Running(conn, _) => self.check_idle(&member, conn, out),
                Link::Dialing | Link::Checking(_) => {}
            }
        }
    }

    fn check_idle(&mut self, member: &NodeId, conn: ConnId, out: &mut Vec<Output>) {
        let run = self.run();
        let idle_limit = self.config.timing.health_check_idle;
        let Some(fellow) = self.members.table.get(member) else {
            return;
        };
        let due = fellow.heard + idle_limit;
        if due > run {
            return self.members.set_link(member, Link::Running(conn, due));
        }
        let timeout = self.config.timing.health_check_timeout;
        self.members
            .set_link(member, Link::Running(conn, run + timeout + idle_limit));
        let purpose = Purpose::HealthCheck(member.clone());
        self.call(conn, Request::HealthCheck, purpose, timeout, out);
    }

    /// The outcome of a health check: unanswered ones are repeated, then the link is given up.
    pub(super) fn health_checked(
        &mut self,
        member: &NodeId,
        conn: ConnId,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let run = self.run();
        let Some(fellow) = self.members.table.get_mut(member) else {
            return;
        };
        if fellow.link.conn() != Some(conn) {
            return;
        }
        match outcome {
            Ok(response)
                if response.is_ok() || response.error_code == code::INVALID_SERVER_STATUS => {}
            // It no longer knows this connection: a new one must be set up.
            Ok(_) => self.close_member_conn(member, conn, CloseReason::Unresponsive, out),
            Err(FailCause::Closed) => {}
            Err(_) if fellow.heard + self.config.timing.health_check_idle > run => {}
            Err(_) => {
                fellow.unanswered += 1;
                if fellow.unanswered >= HEALTH_CHECK_TRIES {
                    self.close_member_conn(member, conn, CloseReason::Unresponsive, out);
                } else {
                    self.members.set_link(member, Link::Running(conn, run));
                }
            }
        }
    }

    pub(super) fn dialed(&mut self, member: &NodeId, conn: ConnId, out: &mut Vec<Output>) {
        let is_awaited = self
            .members
            .table
            .get(member)
            .is_some_and(|fellow| fellow.link == Link::Dialing);
        if !is_awaited {
            // The member left the list while the shell was dialling.
            out.push(Output::Close {
                conn,
                reason: CloseReason::Obsolete,
            });
            return;
        }
        self.members.set_link(member, Link::Checking(conn));
        let purpose = Purpose::ServerCheck(member.clone());
        self.call(
            conn,
            Request::ServerCheck,
            purpose,
            self.config.timing.connect_timeout,
            out,
        );
    }

    pub(super) fn dial_failed(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let is_awaited = self
            .members
            .table
            .get(member)
            .is_some_and(|fellow| fellow.link == Link::Dialing);
        if is_awaited {
            self.link_down(member, out);
        }
    }

    /// Plans the next dial: a step longer each time, spread by a fifth so that nodes that lost
    /// each other do not dial in step.
    fn link_down(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let run = self.run();
        let jitter = self.rng.below(20);
        let Some(fellow) = self.members.table.get_mut(member) else {
            return;
        };
        fellow.dials += 1;
        fellow.unanswered = 0;
        let step = self.config.timing.reconnect_step;
        let step = step.times(fellow.dials.min(REDIAL_STEPS_MAX));
        let wait = Period(step.micros() / 100 * (100 + jitter));
        self.members.set_link(member, Link::Down(run + wait));
        self.member_changed(member, out);
    }

    pub(super) fn close_member_conn(
        &mut self,
        member: &NodeId,
        conn: ConnId,
        reason: CloseReason,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Close { conn, reason });
        self.link_down(member, out);
        for purpose in self.calls.take_conn(conn) {
            self.answered(conn, purpose, Err(FailCause::Closed), out);
        }
    }

    /// Gives up the connection to a member, if it is this one.
    pub(super) fn drop_member_conn(
        &mut self,
        conn: ConnId,
        reason: CloseReason,
        out: &mut Vec<Output>,
    ) {
        if let Some(member) = self.members.conns.get(&conn).cloned() {
            self.close_member_conn(&member, conn, reason, out);
        }
    }

    pub(super) fn drop_all_member_conns(&mut self, out: &mut Vec<Output>) {
        let conns: Vec<ConnId> = self.members.conns.keys().copied().collect();
        for conn in conns {
            self.drop_member_conn(conn, CloseReason::Obsolete, out);
        }
    }

    /// A transport ended; if it was one to a member it is dialled again.
    pub(super) fn member_conn_closed(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        if let Some(member) = self.members.conns.get(&conn).cloned() {
            self.link_down(&member, out);
        }
    }

    /// The outcome of a server check: set the connection up, or try again later.
    pub(super) fn server_checked(
        &mut self,
        member: &NodeId,
        conn: ConnId,
        outcome: Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let is_current = self
            .members
            .table
            .get(member)
            .is_some_and(|fellow| fellow.link == Link::Checking(conn));
        if !is_current {
            return;
        }
        let Ok(Response {
            body: ResponseBody::ServerCheck(check),
            ..
        }) = outcome
        else {
            return self.close_member_conn(member, conn, CloseReason::Unresponsive, out);
        };
        let distro = self.config.profile.speaks_distro();
        let request = cluster_setup(&self.origin, distro, &self.config.version);
        let id = self.calls.id();
        out.push(Output::Request { conn, id, request });
        let run = self.run();
        if check.support_ability_negotiation {
            let until = run + self.config.timing.setup_ack_timeout;
            self.members.set_link(member, Link::SettingUp(conn, until));
        } else {
            self.link_running(member, conn, false, out);
        }
    }

    /// The member acknowledged the setup.
    pub(super) fn member_acknowledged(
        &mut self,
        conn: ConnId,
        ack: &SetupAckRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(member) = self.members.conns.get(&conn).cloned() else {
            return;
        };
        let is_awaited = self
            .members
            .table
            .get(&member)
            .is_some_and(|fellow| matches!(fellow.link, Link::SettingUp(..)));
        if is_awaited {
            let offers = ack
                .ability_table
                .get(ability::DISTRO)
                .copied()
                .unwrap_or(false);
            let distro = offers && self.config.profile.speaks_distro();
            self.link_running(&member, conn, distro, out);
        }
    }

    fn link_running(&mut self, member: &NodeId, conn: ConnId, distro: bool, out: &mut Vec<Output>) {
        let run = self.run();
        let check_at = run + self.config.timing.health_check_idle;
        self.members.set_link(member, Link::Running(conn, check_at));
        if let Some(fellow) = self.members.table.get_mut(member) {
            fellow.dials = 0;
            fellow.heard = run;
            fellow.unanswered = 0;
            fellow.distro = distro;
            fellow.told = 0;
            fellow.telling = 0;
        }
        self.publish(NamingEvent::MembersChange(member.clone()));
        self.settle(out);
    }

    /// MembersChange: what waits for the member may go, or has to wait again.
    pub(super) fn member_changed(&mut self, member: &NodeId, out: &mut Vec<Output>) {
        let reachable = self.members.reachable_conn(member).is_some();
        let returned = self.syncs.set_reachable(member, reachable);
        self.note_presence(member, reachable);
        if self.stage == Stage::Loading {
            self.advance_load(out);
        }
        // What was missed while the member was away is found now, not at the next round; but a
        // member that comes and goes is not verified each time (S16).
        let paced = self.config.timing.verify_interval.micros() / 2;
        let run = self.run();
        let is_due = |fellow: &Fellow| run.since(fellow.verified).micros() >= paced;
        let is_due = self.members.table.get(member).is_some_and(is_due);
        if returned && is_due && self.stage == Stage::Ready && self.members.speaks_distro(member) {
            self.verify_member(member, out);
        }
    }
}
