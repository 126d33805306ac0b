//! Where the client is connected, and when it seeks another server: loss, giving up, moving.
//!
//! There is at most one current connection and at most one attempt at the next. A connection that
//! is given up while its transport still stands is kept until the next one is set up (Nacos
//! `RpcClient.reconnect` closes the old one last), but nothing is asked on it any more.

mod attempt;

use alloc::vec::Vec;

use crate::ids::{ClientId, ConnId, NodeId, RequestId};
use crate::message::Request;
use crate::message::internal::ConnectResetRequest;
use crate::rng::Rng;
use crate::time::{Mono, Period};

use super::due;
use super::health::{Health, Step};
use super::io::{SdkConfig, SdkEvent, SdkOutput};
use attempt::Attempt;

/// A connection that is lost sooner counts like a failed attempt. Why: a server that accepts every
/// setup and then refuses every request would otherwise be dialled without end or pause.
const LASTING: Period = Period::from_secs(1);
/// Where the client is connected and where it wants to be.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) config: SdkConfig,
    created: Mono,
    started: bool,
    /// Server of the latest attempt.
    cursor: usize,
    /// The next attempt goes here, once.
    recommended: Option<usize>,
    attempt: Attempt,
    /// Attempts that failed, and connections that did not last, since the last one that did.
    failures: u64,
    current: Option<Current>,
    last_request_id: u64,
    health_rng: Rng,
}

#[derive(Debug)]
struct Current {
    conn: ConnId,
    server: usize,
    client: ClientId,
    /// Given up; kept until the next one is set up.
    lost: bool,
    /// When it was set up.
    since: Mono,
    health: Health,
}

/// What a transport is to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is being set up.
    Attempt,
    /// It is the current connection, given up or not.
    Current,
    /// It is unknown, or was closed.
    Stranger,
}

/// What became of the current connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Change {
    /// Nothing.
    Same,
    /// A new one is set up; the server knows nothing of this client yet.
    Up,
    /// It was lost or given up.
    Lost,
}

impl Connector {
    pub(super) fn new(config: SdkConfig, now: Mono) -> Connector {
        let health_rng = Rng::new(config.seed, "sdk.health");
        Connector {
            created: now,
            started: false,
            cursor: 0,
            recommended: None,
            attempt: Attempt::Idle,
            failures: 0,
            current: None,
            last_request_id: 0,
            health_rng,
            config,
        }
    }

    /// A request number that was not used before on any connection.
    pub(super) fn request_id(&mut self) -> RequestId {
        self.last_request_id += 1;
        RequestId(self.last_request_id)
    }

    /// The connection to send requests on.
    pub(super) fn usable(&self) -> Option<ConnId> {
        self.current
            .as_ref()
            .filter(|current| !current.lost)
            .map(|current| current.conn)
    }

    /// The server and the id there, of the connection to send requests on.
    pub(super) fn connected(&self) -> Option<(&NodeId, &ClientId)> {
        let current = self.current.as_ref().filter(|current| !current.lost)?;
        Some((self.config.servers.get(current.server)?, &current.client))
    }

    pub(super) fn role(&self, conn: ConnId) -> Role {
        if self.attempt.conn() == Some(conn) {
            Role::Attempt
        } else if self
            .current
            .as_ref()
            .is_some_and(|current| current.conn == conn)
        {
            Role::Current
        } else {
            Role::Stranger
        }
    }

    /// The latest instant at which to call [`Connector::wake`].
    pub(super) fn deadline(&self) -> Option<Mono> {
        if !self.started {
            return Some(self.created);
        }
        let health = self
            .current
            .as_ref()
            .filter(|current| !current.lost)
            .map(|current| current.health.deadline(&self.config.timing));
        super::earlier(self.attempt.deadline(), health)
    }

    /// Does what is due about the current connection's health.
    pub(super) fn wake_health(&mut self, now: Mono, out: &mut Vec<SdkOutput>) -> Change {
        let Some(current) = self.current.as_mut().filter(|current| !current.lost) else {
            return Change::Same;
        };
        match current
            .health
            .wake(now, &self.config.timing, &mut self.health_rng)
        {
            Step::Rest => Change::Same,
            Step::Send => {
                self.send_health_check(now, out);
                Change::Same
            }
            Step::GiveUp => self.give_up(now, out),
        }
    }

    /// A transport ended.
    pub(super) fn closed(&mut self, now: Mono, conn: ConnId, out: &mut Vec<SdkOutput>) -> Change {
        match self.role(conn) {
            Role::Stranger => Change::Same,
            Role::Attempt => {
                self.fail(now);
                Change::Same
            }
            Role::Current => {
                let change = self.give_up(now, out);
                self.current = None;
                change
            }
        }
    }

    /// The server sent something useful on the current connection.
    pub(super) fn heard(&mut self, now: Mono) {
        if let Some(current) = &mut self.current {
            current.health.heard(now);
        }
    }

    /// True when this request on the current connection is its health check.
    pub(super) fn is_health_check(&self, id: RequestId) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| !current.lost && current.health.awaits(id))
    }

    /// The health check was answered.
    pub(super) fn health_answered(
        &mut self,
        now: Mono,
        ok: bool,
        out: &mut Vec<SdkOutput>,
    ) -> Change {
        if !ok {
            return self.give_up(now, out);
        }
        if let Some(current) = &mut self.current {
            current.health.passed(now);
        }
        Change::Same
    }

    /// The health check could not be sent.
    pub(super) fn health_not_sent(&mut self, now: Mono, out: &mut Vec<SdkOutput>) -> Change {
        let step = self
            .current
            .as_mut()
            .map(|current| current.health.not_sent(now, &mut self.health_rng));
        if step == Some(Step::GiveUp) {
            self.give_up(now, out)
        } else {
            Change::Same
        }
    }

    /// A request failed in a way that makes the connection doubtful: check it now, as
    /// `RpcClient` does before it reconnects for a failed request.
    pub(super) fn doubt(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        let quiet = |current: &Current| !current.lost && current.health.is_quiet();
        if self.current.as_ref().is_some_and(quiet) {
            self.send_health_check(now, out);
        }
    }

    /// The current connection is of no use any more: seek another. Its transport, if it still
    /// stands, is closed when the other is set up.
    pub(super) fn give_up(&mut self, now: Mono, out: &mut Vec<SdkOutput>) -> Change {
        let Some(current) = self.current.as_mut().filter(|current| !current.lost) else {
            return Change::Same;
        };
        current.lost = true;
        let since = current.since;
        if let Some(server) = self.config.servers.get(current.server) {
            out.push(SdkOutput::Event(SdkEvent::Disconnected {
                server: server.clone(),
            }));
        }
        self.seek(now, since, out);
        Change::Lost
    }

    /// The server asked the client to leave. The connection serves until the next is set up. While
    /// the client seeks another server anyway, a reset changes nothing.
    pub(super) fn reset(
        &mut self,
        now: Mono,
        reset: &ConnectResetRequest,
        out: &mut Vec<SdkOutput>,
    ) {
        let Some(current) = self.current.as_ref().filter(|current| !current.lost) else {
            return;
        };
        if !matches!(self.attempt, Attempt::Idle) {
            return;
        }
        let since = current.since;
        self.recommended = self.named_server(reset);
        self.seek(now, since, out);
    }

    /// The server that a reset names, if its address is in the list. The list knows the port; the
    /// reset's only decides between servers of one address.
    fn named_server(&self, reset: &ConnectResetRequest) -> Option<usize> {
        let ip = reset.server_ip.as_deref()?;
        let port = reset.server_port.as_deref().unwrap_or_default();
        let servers = &self.config.servers;
        let exact = servers
            .iter()
            .position(|node| node.ip() == ip && node.port() == port);
        exact.or_else(|| servers.iter().position(|node| node.ip() == ip))
    }

    /// Starts an attempt unless one is under way: at once, if the connection set up at `since`
    /// has lasted and no attempt has failed since.
    fn seek(&mut self, now: Mono, since: Mono, out: &mut Vec<SdkOutput>) {
        if !matches!(self.attempt, Attempt::Idle) {
            return;
        }
        let lasted = now.since(since) >= LASTING;
        if lasted {
            self.failures = 0;
        }
        let at_once = self.failures == 0;
        if !lasted {
            self.failures += 1;
        }
        if at_once {
            self.dial(out);
        } else {
            self.attempt = Attempt::Waiting {
                until: due(now, self.back_off()),
            };
        }
    }

    fn send_health_check(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        let id = self.request_id();
        if let Some(current) = &mut self.current {
            current.health.sent(now, id, &self.config.timing);
            out.push(SdkOutput::Request {
                conn: current.conn,
                id,
                request: Request::HealthCheck,
            });
        }
    }
}
