//! One attempt after the other at a connection: dial, server check, setup, back-off.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::constants::RECONNECT_STEPS_MAX;
use crate::ids::{ClientId, ConnId, RequestId, Str};
use crate::message::internal::{ConnectionSetupRequest, label};
use crate::message::{Request, Response, ResponseBody};
use crate::sdk::due;
use crate::sdk::health::Health;
use crate::sdk::io::{SdkEvent, SdkOutput};
use crate::time::{Mono, Period};

use super::{Change, Connector, Current};

/// Wait after the setup when the server does not acknowledge setups
/// (`GrpcClient.connectToServer`, sleep 100 ms).
const SETUP_PAUSE: Period = Period::from_millis(100);
/// What the client calls itself in the setup.
const CLIENT_VERSION: &str = "Distro-Sdk:v0.1.0";

/// How far the attempt is.
#[derive(Debug)]
pub(super) enum Attempt {
    /// No other connection is wanted.
    Idle,
    /// Backing off.
    Waiting { until: Mono },
    /// The shell dials.
    Dialing { server: usize },
    /// A server check was sent.
    Checking {
        conn: ConnId,
        server: usize,
        id: RequestId,
        until: Mono,
    },
    /// The setup was sent. `acknowledged`: the server promised a `SetupAck`; otherwise the client
    /// just waits a moment.
    SettingUp {
        conn: ConnId,
        server: usize,
        id: RequestId,
        client: ClientId,
        acknowledged: bool,
        until: Mono,
    },
}

impl Attempt {
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Attempt::Checking { conn, .. } | Attempt::SettingUp { conn, .. } => Some(*conn),
            Attempt::Idle | Attempt::Waiting { .. } | Attempt::Dialing { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self {
            Attempt::Waiting { until }
            | Attempt::Checking { until, .. }
            | Attempt::SettingUp { until, .. } => Some(*until),
            Attempt::Idle | Attempt::Dialing { .. } => None,
        }
    }
}

impl Connector {
    /// Does what is due about the attempt; the first call starts the client.
    pub(in crate::sdk) fn wake_attempt(&mut self, now: Mono, out: &mut Vec<SdkOutput>) -> Change {
        if !self.started {
            self.started = true;
            self.recommended = self.config.first.checked_rem(self.config.servers.len());
            self.dial(out);
            return Change::Same;
        }
        if self.attempt.deadline().is_none_or(|until| now < until) {
            return Change::Same;
        }
        match self.attempt {
            Attempt::Idle | Attempt::Dialing { .. } => {}
            Attempt::Waiting { .. } => self.dial(out),
            Attempt::SettingUp {
                acknowledged: false,
                ..
            } => return self.set_up(now, out),
            Attempt::Checking { conn, .. } | Attempt::SettingUp { conn, .. } => {
                out.push(SdkOutput::Close { conn });
                self.fail(now);
            }
        }
        Change::Same
    }

    /// The shell has a transport. One that was not asked for is closed.
    pub(in crate::sdk) fn dialed(&mut self, now: Mono, conn: ConnId, out: &mut Vec<SdkOutput>) {
        let Attempt::Dialing { server } = self.attempt else {
            out.push(SdkOutput::Close { conn });
            return;
        };
        let id = self.request_id();
        let until = due(now, self.config.timing.connect_timeout);
        self.attempt = Attempt::Checking {
            conn,
            server,
            id,
            until,
        };
        out.push(SdkOutput::Request {
            conn,
            id,
            request: Request::ServerCheck,
        });
    }

    pub(in crate::sdk) fn dial_failed(&mut self, now: Mono) {
        if matches!(self.attempt, Attempt::Dialing { .. }) {
            self.fail(now);
        }
    }

    /// An answer on the transport that is being set up.
    pub(in crate::sdk) fn attempt_answered(
        &mut self,
        now: Mono,
        id: RequestId,
        response: Response,
        out: &mut Vec<SdkOutput>,
    ) {
        match &self.attempt {
            Attempt::Checking {
                conn,
                server,
                id: asked,
                ..
            } if *asked == id => {
                let (conn, server) = (*conn, *server);
                let ok = response.is_ok();
                if let (true, ResponseBody::ServerCheck(check)) = (ok, response.body) {
                    let acknowledged = check.support_ability_negotiation;
                    self.send_setup(now, conn, server, check.connection_id, acknowledged, out);
                } else {
                    out.push(SdkOutput::Close { conn });
                    self.fail(now);
                }
            }
            // A setup has no answer; one that comes all the same can only be a refusal.
            Attempt::SettingUp {
                conn, id: asked, ..
            } if *asked == id && !response.is_ok() => {
                out.push(SdkOutput::Close { conn: *conn });
                self.fail(now);
            }
            Attempt::Checking { .. }
            | Attempt::SettingUp { .. }
            | Attempt::Idle
            | Attempt::Waiting { .. }
            | Attempt::Dialing { .. } => {}
        }
    }

    /// A request on the transport that is being set up could not be sent.
    pub(in crate::sdk) fn attempt_not_sent(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        if let Some(conn) = self.attempt.conn() {
            out.push(SdkOutput::Close { conn });
            self.fail(now);
        }
    }

    /// The server acknowledged a setup.
    pub(in crate::sdk) fn setup_acknowledged(
        &mut self,
        now: Mono,
        conn: ConnId,
        out: &mut Vec<SdkOutput>,
    ) -> Change {
        match self.attempt {
            Attempt::SettingUp {
                conn: setting_up, ..
            } if setting_up == conn => self.set_up(now, out),
            Attempt::SettingUp { .. }
            | Attempt::Idle
            | Attempt::Waiting { .. }
            | Attempt::Dialing { .. }
            | Attempt::Checking { .. } => Change::Same,
        }
    }

    pub(super) fn dial(&mut self, out: &mut Vec<SdkOutput>) {
        let next = (self.cursor + 1).checked_rem(self.config.servers.len());
        let Some(server) = self.recommended.take().or(next) else {
            self.attempt = Attempt::Idle;
            return;
        };
        self.cursor = server;
        self.attempt = Attempt::Dialing { server };
        if let Some(server) = self.config.servers.get(server) {
            out.push(SdkOutput::Dial {
                server: server.clone(),
            });
        }
    }

    pub(super) fn fail(&mut self, now: Mono) {
        self.failures += 1;
        self.attempt = Attempt::Waiting {
            until: due(now, self.back_off()),
        };
    }

    /// One step more with each full round of the list (`RpcClient.reconnect`).
    pub(super) fn back_off(&self) -> Period {
        let turns = self.failures.saturating_sub(1) / (self.config.servers.len().max(1) as u64);
        let step = self.config.timing.reconnect_step;
        step.times((turns + 1).min(RECONNECT_STEPS_MAX))
    }

    fn send_setup(
        &mut self,
        now: Mono,
        conn: ConnId,
        server: usize,
        client: ClientId,
        acknowledged: bool,
        out: &mut Vec<SdkOutput>,
    ) {
        let id = self.request_id();
        let wait = if acknowledged {
            self.config.timing.setup_ack_timeout
        } else {
            SETUP_PAUSE
        };
        let until = due(now, wait);
        self.attempt = Attempt::SettingUp {
            conn,
            server,
            id,
            client,
            acknowledged,
            until,
        };
        let request = Request::ConnectionSetup(Box::new(self.setup()));
        out.push(SdkOutput::Request { conn, id, request });
    }

    fn setup(&self) -> ConnectionSetupRequest {
        let labels = BTreeMap::from([
            (Str::from(label::SOURCE), Str::from(label::SOURCE_SDK)),
            (Str::from(label::MODULE), Str::from(label::MODULE_NAMING)),
            (Str::from(label::APP_NAME), self.config.app.clone()),
        ]);
        ConnectionSetupRequest {
            client_version: Some(Str::from(CLIENT_VERSION)),
            tenant: None,
            labels,
            ability_table: Some(BTreeMap::new()),
            client_ip: self.config.client_ip.clone(),
        }
    }

    /// The attempt succeeded: it takes the place of the current connection, which is closed.
    fn set_up(&mut self, now: Mono, out: &mut Vec<SdkOutput>) -> Change {
        let attempt = core::mem::replace(&mut self.attempt, Attempt::Idle);
        let Attempt::SettingUp {
            conn,
            server,
            client,
            ..
        } = attempt
        else {
            self.attempt = attempt;
            return Change::Same;
        };
        if let Some(old) = self.current.take() {
            out.push(SdkOutput::Close { conn: old.conn });
            if let (false, Some(server)) = (old.lost, self.config.servers.get(old.server)) {
                out.push(SdkOutput::Event(SdkEvent::Disconnected {
                    server: server.clone(),
                }));
            }
        }
        if let Some(server) = self.config.servers.get(server) {
            let (server, client) = (server.clone(), client.clone());
            out.push(SdkOutput::Event(SdkEvent::Connected { server, client }));
        }
        let health = Health::new(now);
        self.current = Some(Current {
            conn,
            server,
            client,
            lost: false,
            since: now,
            health,
        });
        Change::Up
    }
}
