//! Who has to leave: idle connections that do not answer, and those over a limit (Nacos
//! `NacosRuntimeConnectionEjector`).

use alloc::vec::Vec;

use super::Node;
use super::calls::Purpose;
use super::timers::Timer;
use crate::event::{Event, FailCause};
use crate::ids::{ConnId, NodeId, Str};
use crate::io::{CloseReason, Output};
use crate::message::internal::ConnectResetRequest;
use crate::message::{Request, Response};
use crate::profile::Quirk;

impl Node {
    /// Scans run as long as there is anything to scan.
    pub(super) fn arm_scan(&mut self) {
        if !self.timers.is_armed(Timer::Scan) {
            let first = self.load.started() + self.config.timing.scan_initial_delay;
            self.timers.arm(
                Timer::Scan,
                first.max(self.run() + self.config.timing.scan_interval),
            );
        }
    }

    /// One scan: probe the idle, drop the blocked, send away the excess.
    pub(super) fn scan(&mut self, out: &mut Vec<Output>) {
        if self.connections.len() == 0 {
            // The next connection arms the scan again.
            return;
        }
        self.timers
            .arm(Timer::Scan, self.run() + self.config.timing.scan_interval);
        if !self.config.profile.has(Quirk::SilentClientsNeverEjected) {
            self.probe_idle(out);
        }
        self.send_away_excess(out);
        self.close_overstayed(out);
    }

    fn close_overstayed(&mut self, out: &mut Vec<Output>) {
        let run = self.run();
        let overstayed: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.leaving.is_some_and(|by| by < run))
            .map(|(conn, _)| conn)
            .collect();
        for conn in overstayed {
            self.close(conn, CloseReason::Rebalanced, out);
        }
    }

    fn probe_idle(&mut self, out: &mut Vec<Output>) {
        let aged = self.aged();
        let (keep_alive, limit) = (
            self.config.timing.keep_alive,
            self.config.timing.blocked_limit,
        );
        let mut idle = Vec::new();
        let mut blocked = Vec::new();
        for (conn, connection) in self.connections.iter() {
            if connection.detecting {
                continue;
            }
            if connection
                .blocked
                .is_some_and(|(first, last)| last.since(first) > limit)
            {
                blocked.push(conn);
            } else if aged.since(connection.active) >= keep_alive {
                idle.push((conn, connection.setup.is_some()));
            }
        }
        for conn in blocked {
            self.close(conn, CloseReason::Blocked, out);
        }
        for (conn, is_set_up) in idle {
            if !is_set_up {
                // Nobody there to ask: a transport that was never set up.
                self.counters.conns_ejected += 1;
                self.close(conn, CloseReason::Idle, out);
                continue;
            }
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.detecting = true;
            }
            self.counters.conns_detected += 1;
            out.push(Output::Event(Event::Detecting(conn)));
            let timeout = self.config.timing.detection_timeout;
            self.call(
                conn,
                Request::ClientDetection,
                Purpose::Detection,
                timeout,
                out,
            );
        }
    }

    /// The outcome of a probe.
    pub(super) fn detected(
        &mut self,
        conn: ConnId,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let aged = self.aged();
        let keep_alive = self.config.timing.keep_alive;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.detecting = false;
        let answered = outcome.as_ref().is_ok_and(Response::is_ok);
        // A full queue says that the client reads slowly, not that it is dead (part 12.32); and
        // whoever was active since the probe left has answered in another way.
        let alive = answered
            || matches!(outcome, Err(FailCause::Busy))
            || aged.since(connection.active) < keep_alive;
        if alive {
            connection.active = aged;
            return;
        }
        self.counters.conns_ejected += 1;
        self.close(conn, CloseReason::Idle, out);
    }

    fn send_away_excess(&mut self, out: &mut Vec<Output>) {
        let rebalance = self.rebalance.take();
        let limits = &self.connections.limits;
        let limited = limits.total.is_some()
            || limits.per_ip_default.is_some()
            || !limits.per_ip.is_empty()
            || !limits.per_app.is_empty();
        if rebalance.is_none() && !limited {
            return;
        }
        let (keep, redirect) = match rebalance {
            Some((keep, redirect)) => (Some(keep), redirect),
            None => (None, None),
        };
        let leave_by = self.run() + self.config.timing.reset_wait;
        for conn in self.connections.excess(keep) {
            let request = reset_request(self.connections.get(conn).map(|c| &c.client), &redirect);
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.leaving = Some(leave_by);
                let client = connection.client.clone();
                self.asked_to_leave(&client);
            }
            self.counters.conns_reset += 1;
            self.call(
                conn,
                request,
                Purpose::Reset,
                self.config.timing.reset_wait,
                out,
            );
        }
    }

    /// The answer to a reset request. One that acknowledged it gets the rest of its time; one that
    /// did not understand it is closed now (not every SDK knows the request, part 2.6).
    pub(super) fn reset_answered(
        &mut self,
        conn: ConnId,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        match outcome {
            Ok(response) if response.is_ok() => {}
            Ok(_) | Err(FailCause::Timeout | FailCause::Busy | FailCause::TooLarge) => {
                self.close(conn, CloseReason::Rebalanced, out);
            }
            Err(FailCause::Closed | FailCause::Refused | FailCause::Unreachable) => {}
        }
    }
}

fn reset_request(client: Option<&crate::ids::ClientId>, redirect: &Option<NodeId>) -> Request {
    Request::ConnectReset(ConnectResetRequest {
        server_ip: redirect.as_ref().map(|node| Str::from(node.ip())),
        server_port: redirect.as_ref().map(|node| Str::from(node.port())),
        connection_id: client.cloned(),
    })
}
