//! The lines of a recording.

use std::collections::BTreeMap;

use bytes::Bytes;
use distro_core::config::{Config, ConnectionLimits, TimingKey};
use distro_core::ids::{ConnId, Incarnation, NodeId, RequestId, Str};
use distro_core::io::{Command, Input, Listener, SendError};
use distro_core::message::{Denied, Malformed, Received, Response};
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Period, Wall};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ask::AskLine;
use crate::codec::{
    Ends, Payload, decode_request, decode_response, encode_request, encode_response,
};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HeaderLine {
    pub(super) format: String,
    pub(super) version: u32,
    /// Version of the binary.
    pub(super) build: String,
    /// `CLOCK_MONOTONIC` of the machine, in microseconds, when the node's monotonic clock was zero.
    pub(super) zero: u64,
    pub(super) born: Clocks,
    pub(super) config: ConfigLine,
}

/// Both clocks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Clocks {
    /// Monotonic, in microseconds.
    m: u64,
    /// Wall, in milliseconds.
    w: i64,
}

impl From<Now> for Clocks {
    fn from(now: Now) -> Clocks {
        Clocks {
            m: now.mono.0,
            w: now.wall.0,
        }
    }
}

impl From<Clocks> for Now {
    fn from(clocks: Clocks) -> Now {
        Now {
            mono: Mono(clocks.m),
            wall: Wall(clocks.w),
        }
    }
}

/// What the node was told before it started.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ConfigLine {
    node: NodeId,
    members: Vec<NodeId>,
    incarnation: Incarnation,
    seed: u64,
    /// Microseconds by name.
    timing: BTreeMap<String, Period>,
    limits: LimitsLine,
    message_bytes_max: u64,
    /// Absent in recordings of builds that had no such limit.
    batch_instances_max: Option<u32>,
    #[serde(default)]
    trusted_proxies: Vec<Str>,
    version: Str,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LimitsLine {
    total: Option<u32>,
    per_ip_default: Option<u32>,
    per_ip: BTreeMap<Str, u32>,
    per_app: BTreeMap<Str, u32>,
}

impl From<&ConnectionLimits> for LimitsLine {
    fn from(limits: &ConnectionLimits) -> LimitsLine {
        LimitsLine {
            total: limits.total,
            per_ip_default: limits.per_ip_default,
            per_ip: limits.per_ip.clone(),
            per_app: limits.per_app.clone(),
        }
    }
}

impl From<LimitsLine> for ConnectionLimits {
    fn from(line: LimitsLine) -> ConnectionLimits {
        ConnectionLimits {
            total: line.total,
            per_ip_default: line.per_ip_default,
            per_ip: line.per_ip,
            per_app: line.per_app,
        }
    }
}

impl From<&Config> for ConfigLine {
    fn from(config: &Config) -> ConfigLine {
        let keys = TimingKey::ALL.iter();
        let timing = keys.map(|key| (key.name().to_owned(), config.timing[*key]));
        ConfigLine {
            node: config.node.clone(),
            members: config.members.clone(),
            incarnation: config.incarnation,
            seed: config.seed,
            timing: timing.collect(),
            limits: (&config.limits).into(),
            message_bytes_max: config.message_bytes_max,
            batch_instances_max: Some(config.batch_instances_max),
            trusted_proxies: config.trusted_proxies.clone(),
            version: config.version.clone(),
        }
    }
}

impl ConfigLine {
    pub(super) fn config(self) -> Result<Config, String> {
        let mut config = Config::new(self.node, self.members, Profile::DISTRO);
        for (name, period) in self.timing {
            let key = TimingKey::from_name(&name);
            let key = key.ok_or_else(|| format!("no timing `{name}` in this build"))?;
            config.timing[key] = period;
        }
        config.incarnation = self.incarnation;
        config.seed = self.seed;
        config.limits = self.limits.into();
        config.message_bytes_max = self.message_bytes_max;
        config.batch_instances_max = self.batch_instances_max.unwrap_or(u32::MAX);
        config.trusted_proxies = self.trusted_proxies;
        config.version = self.version;
        Ok(config)
    }
}

/// Any later line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// The core took an input.
    Step(StepLine),
    /// This output of the step before, counted from 0, was not carried out.
    Refused(usize),
}

/// One step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepLine {
    pub(super) at: Clocks,
    /// Hash of what came out.
    pub(super) out: u64,
    #[serde(rename = "in")]
    pub(super) input: In,
}

/// The input of a step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum In {
    Accepted {
        conn: ConnId,
        cluster: bool,
        ip: Str,
        port: u16,
    },
    Dialed {
        conn: ConnId,
        member: NodeId,
    },
    DialFailed {
        member: NodeId,
        refused: bool,
    },
    Closed {
        conn: ConnId,
    },
    Request {
        conn: ConnId,
        id: RequestId,
        kind: Str,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        ip: Str,
        body: Box<RawValue>,
    },
    Response {
        conn: ConnId,
        id: RequestId,
        kind: Str,
        body: Box<RawValue>,
    },
    Denied {
        conn: ConnId,
        id: RequestId,
        asked: MessageLine,
        refusal: MessageLine,
    },
    Malformed {
        conn: ConnId,
        id: RequestId,
        kind: Str,
        why: Str,
    },
    Unknown {
        conn: ConnId,
        id: RequestId,
        kind: Str,
    },
    Busy {
        conn: ConnId,
        id: RequestId,
    },
    Gone {
        conn: ConnId,
        id: RequestId,
    },
    TooLarge {
        conn: ConnId,
        id: RequestId,
    },
    Wake {},
    Limits(LimitsLine),
    Rebalance {
        keep: u32,
        redirect: Option<NodeId>,
    },
    Members(Vec<NodeId>),
    FailApply {
        count: u32,
    },
    Ask {
        id: RequestId,
        ask: AskLine,
    },
}

/// A message inside an input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MessageLine {
    kind: Str,
    body: Box<RawValue>,
}

impl From<Payload> for MessageLine {
    fn from(payload: Payload) -> MessageLine {
        MessageLine {
            body: raw(&payload.body),
            kind: payload.type_name,
        }
    }
}

impl MessageLine {
    fn payload(self) -> Payload {
        payload(self.kind, Str::default(), &self.body)
    }
}

/// A body as it stands. Our own encoder made it, so it is JSON text.
fn raw(body: &Bytes) -> Box<RawValue> {
    let text = String::from_utf8_lossy(body).into_owned();
    RawValue::from_string(text).expect("the codec writes JSON")
}

fn payload(kind: Str, client_ip: Str, body: &RawValue) -> Payload {
    Payload {
        type_name: kind,
        client_ip,
        body: Bytes::copy_from_slice(body.get().as_bytes()),
    }
}

impl From<&Input> for In {
    fn from(input: &Input) -> In {
        match input.clone() {
            Input::ConnOpened {
                conn,
                listener,
                remote_ip,
                remote_port,
            } => In::Accepted {
                conn,
                cluster: listener == Listener::Cluster,
                ip: remote_ip,
                port: remote_port,
            },
            Input::Dialed { member, conn } => In::Dialed { conn, member },
            Input::DialFailed { member, refused } => In::DialFailed { member, refused },
            Input::ConnClosed { conn } => In::Closed { conn },
            Input::Request { conn, id, received } => request_line(conn, id, received),
            Input::Response { conn, id, response } => {
                let payload = encode_response(&response, None, &Ends::default());
                In::Response {
                    conn,
                    id,
                    kind: payload.type_name.clone(),
                    body: raw(&payload.body),
                }
            }
            Input::SendFailed { conn, id, cause } => match cause {
                SendError::Busy => In::Busy { conn, id },
                SendError::Closed => In::Gone { conn, id },
                SendError::TooLarge => In::TooLarge { conn, id },
            },
            Input::Wake => In::Wake {},
            Input::Command(command) => match command {
                Command::SetLimits(limits) => In::Limits((&limits).into()),
                Command::Rebalance { keep, redirect } => In::Rebalance { keep, redirect },
                Command::SetMembers(members) => In::Members(members),
                Command::FailApply { count } => In::FailApply { count },
                Command::Ask { id, ask } => In::Ask {
                    id,
                    ask: (*ask).into(),
                },
            },
        }
    }
}

fn request_line(conn: ConnId, id: RequestId, received: Received) -> In {
    let request = match received {
        Received::Request(request) => request,
        Received::Denied(denied) => {
            let Denied { request, refusal } = *denied;
            return In::Denied {
                conn,
                id,
                asked: encode_request(&request, None, &Ends::default()).into(),
                refusal: encode_response(&refusal, None, &Ends::default()).into(),
            };
        }
        Received::Malformed(malformed) => {
            let Malformed { type_name, message } = *malformed;
            return In::Malformed {
                conn,
                id,
                kind: type_name,
                why: message,
            };
        }
        Received::Unknown(kind) => return In::Unknown { conn, id, kind },
        Received::Unsupported(which) => {
            // Of its body nothing was kept.
            return In::Request {
                conn,
                id,
                kind: Str::from(which.type_name()),
                ip: Str::default(),
                body: raw(&Bytes::from_static(b"{}")),
            };
        }
    };
    let payload = encode_request(&request, None, &Ends::default());
    In::Request {
        conn,
        id,
        kind: payload.type_name.clone(),
        ip: payload.client_ip.clone(),
        body: raw(&payload.body),
    }
}

impl In {
    /// The input that was written.
    pub(super) fn input(self) -> Result<Input, String> {
        Ok(match self {
            In::Accepted {
                conn,
                cluster,
                ip,
                port,
            } => Input::ConnOpened {
                conn,
                listener: listener(cluster),
                remote_ip: ip,
                remote_port: port,
            },
            In::Dialed { conn, member } => Input::Dialed { member, conn },
            In::DialFailed { member, refused } => Input::DialFailed { member, refused },
            In::Closed { conn } => Input::ConnClosed { conn },
            In::Request {
                conn,
                id,
                kind,
                ip,
                body,
            } => arrived(conn, id, decode_request(&payload(kind, ip, &body))),
            In::Response {
                conn,
                id,
                kind,
                body,
            } => {
                let response: Response = decode_response(&payload(kind, Str::default(), &body))
                    .map_err(|error| error.to_string())?;
                Input::Response { conn, id, response }
            }
            In::Denied {
                conn,
                id,
                asked,
                refusal,
            } => denied(conn, id, asked, refusal)?,
            In::Malformed {
                conn,
                id,
                kind,
                why,
            } => {
                let malformed = Malformed {
                    type_name: kind,
                    message: why,
                };
                arrived(conn, id, Received::Malformed(Box::new(malformed)))
            }
            In::Unknown { conn, id, kind } => arrived(conn, id, Received::Unknown(kind)),
            In::Busy { conn, id } => failed(conn, id, SendError::Busy),
            In::Gone { conn, id } => failed(conn, id, SendError::Closed),
            In::TooLarge { conn, id } => failed(conn, id, SendError::TooLarge),
            In::Wake {} => Input::Wake,
            In::Limits(limits) => Input::Command(Command::SetLimits(limits.into())),
            In::Rebalance { keep, redirect } => {
                Input::Command(Command::Rebalance { keep, redirect })
            }
            In::Members(members) => Input::Command(Command::SetMembers(members)),
            In::FailApply { count } => Input::Command(Command::FailApply { count }),
            In::Ask { id, ask } => Input::Command(Command::Ask {
                id,
                ask: Box::new(ask.into()),
            }),
        })
    }
}

fn denied(
    conn: ConnId,
    id: RequestId,
    asked: MessageLine,
    refusal: MessageLine,
) -> Result<Input, String> {
    let refusal = decode_response(&refusal.payload()).map_err(|error| error.to_string())?;
    let Received::Request(request) = decode_request(&asked.payload()) else {
        return Err("what was denied is no request".to_owned());
    };
    let received = Received::Denied(Box::new(Denied { request, refusal }));
    Ok(arrived(conn, id, received))
}

const fn arrived(conn: ConnId, id: RequestId, received: Received) -> Input {
    Input::Request { conn, id, received }
}

const fn listener(cluster: bool) -> Listener {
    if cluster {
        Listener::Cluster
    } else {
        Listener::Sdk
    }
}

fn failed(conn: ConnId, id: RequestId, cause: SendError) -> Input {
    Input::SendFailed { conn, id, cause }
}
