//! The client machine, driven by hand. Time is virtual; the server is a few helper functions.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the outputs it is about"
)]

mod ask;
mod connect;
mod fuzz;
mod health;
mod lists;
mod redo;
mod serve;

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Sdk;
use super::io::{Answer, Call, CallError, SdkConfig, SdkEvent, SdkInput, SdkOutput};
use crate::config::Timing;
use crate::ids::{ClientId, ConnId, NodeId, RequestId, Str};
use crate::message::internal::{ServerCheckResponse, SetupAckRequest};
use crate::message::naming::{Instance, InstanceOperation, ServiceInfo, ServiceKey};
use crate::message::{Received, Request, Response, ResponseBody, code};
use crate::profile::Profile;
use crate::time::{Mono, Now, Wall};

const A: &str = "10.0.0.1:8848";
const B: &str = "10.0.0.2:8848";
const C: &str = "10.0.0.3:8848";

/// A client and its shell.
struct Bench {
    sdk: Sdk,
    now: Mono,
    conns: u64,
    calls: u64,
}

fn config(servers: &[&str]) -> SdkConfig {
    SdkConfig {
        servers: servers.iter().map(|server| NodeId::new(server)).collect(),
        first: 0,
        client_ip: Str::from("10.0.1.1"),
        app: Str::from("shop"),
        seed: 7,
        timing: Timing::default(),
        profile: Profile::DISTRO,
    }
}

impl Bench {
    fn new(servers: &[&str]) -> Bench {
        Bench::with(config(servers))
    }

    fn with(config: SdkConfig) -> Bench {
        let sdk = Sdk::new(config, Now::default());
        Bench {
            sdk,
            now: Mono(0),
            conns: 0,
            calls: 0,
        }
    }

    /// A started client that is connected to A, and its connection.
    fn connected() -> (Bench, ConnId) {
        let mut bench = Bench::new(&[A, B, C]);
        bench.step(SdkInput::Wake);
        let (conn, _) = bench.set_up();
        (bench, conn)
    }

    /// One input; what came out.
    fn step(&mut self, input: SdkInput) -> Vec<SdkOutput> {
        let mut out = Vec::new();
        // A wall clock that jumps about must not matter.
        let wall = Wall((self.now.0 as i64).wrapping_mul(-7919));
        self.sdk.handle(
            Now {
                mono: self.now,
                wall,
            },
            input,
            &mut out,
        );
        out
    }

    /// Wakes the client at each of its deadlines up to this instant; all that came out.
    fn run_to(&mut self, at: Mono) -> Vec<SdkOutput> {
        let mut out = Vec::new();
        while let Some(deadline) = self.sdk.next_deadline().filter(|deadline| *deadline <= at) {
            self.now = self.now.max(deadline);
            out.extend(self.step(SdkInput::Wake));
            assert!(
                self.sdk.next_deadline().is_none_or(|next| next > self.now),
                "it spins"
            );
        }
        self.now = at;
        out
    }

    fn run_for(&mut self, millis: u64) -> Vec<SdkOutput> {
        self.run_to(Mono(self.now.0 + millis * 1000))
    }

    /// The dial under way succeeds; the transport and the server check's number.
    fn dialed(&mut self) -> (ConnId, RequestId) {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let out = self.step(SdkInput::Dialed { conn });
        match &out[..] {
            [
                SdkOutput::Request {
                    conn: on,
                    id,
                    request: Request::ServerCheck,
                },
            ] if *on == conn => (conn, *id),
            other => panic!("no server check but {other:?}"),
        }
    }

    /// The dial under way succeeds and the setup too; what the last step put out.
    fn set_up(&mut self) -> (ConnId, Vec<SdkOutput>) {
        let (conn, id) = self.dialed();
        self.answer(conn, id, server_check(conn, true));
        (conn, self.ack_setup(conn))
    }

    fn ack_setup(&mut self, conn: ConnId) -> Vec<SdkOutput> {
        let request = Request::SetupAck(SetupAckRequest::default());
        self.ask(conn, 1, request)
    }

    /// The server answers.
    fn answer(&mut self, conn: ConnId, id: RequestId, response: Response) -> Vec<SdkOutput> {
        self.step(SdkInput::Response { conn, id, response })
    }

    /// The server asks.
    fn ask(&mut self, conn: ConnId, id: u64, received: impl Into<Received>) -> Vec<SdkOutput> {
        self.step(SdkInput::Request {
            conn,
            id: RequestId(id),
            received: received.into(),
        })
    }

    fn close(&mut self, conn: ConnId) -> Vec<SdkOutput> {
        self.step(SdkInput::ConnClosed { conn })
    }

    /// The application calls; its number for the call is one more than the last.
    fn call(&mut self, what: Call) -> Vec<SdkOutput> {
        self.calls += 1;
        self.step(SdkInput::Call {
            call: self.calls,
            what,
        })
    }

    fn register(&mut self, service: &str, port: u16) -> Vec<SdkOutput> {
        let instance = Instance::new("10.0.1.1", port);
        self.call(Call::Register {
            service: ServiceKey::named(service),
            instance,
        })
    }

    fn deregister(&mut self, service: &str) -> Vec<SdkOutput> {
        self.call(Call::Deregister {
            service: ServiceKey::named(service),
        })
    }

    fn subscribe(&mut self, service: &str) -> Vec<SdkOutput> {
        let service = ServiceKey::named(service);
        self.call(Call::Subscribe {
            service,
            clusters: Str::from(""),
        })
    }

    /// Each wanted port and whether it is acknowledged.
    fn wanted(&self) -> Vec<(i32, bool)> {
        let ports = |published: &super::Published| published.instances()[0].port;
        self.sdk
            .wanted()
            .map(|(_, published, done)| (ports(published), done))
            .collect()
    }
}

fn server_check(conn: ConnId, acknowledges: bool) -> Response {
    Response::ok(ResponseBody::ServerCheck(Box::new(ServerCheckResponse {
        connection_id: ClientId::new(&format!("client-{conn}")),
        support_ability_negotiation: acknowledges,
    })))
}

fn registered() -> Response {
    Response::ok(ResponseBody::Instance(InstanceOperation::Register))
}

fn deregistered() -> Response {
    Response::ok(ResponseBody::Instance(InstanceOperation::Deregister))
}

fn health_ok() -> Response {
    Response::ok(ResponseBody::HealthCheck)
}

/// A list of instances, one per port.
fn list(service: &str, version: u64, stamp: i64, ports: &[u16]) -> Arc<ServiceInfo> {
    Arc::new(ServiceInfo {
        service: ServiceKey::named(service),
        clusters: Str::from(""),
        hosts: ports
            .iter()
            .map(|port| Arc::new(Instance::new("10.0.1.9", *port)))
            .collect(),
        reach_protection_threshold: false,
        last_ref_time: stamp,
        version,
    })
}

fn subscribed(info: &Arc<ServiceInfo>) -> Response {
    Response::ok(ResponseBody::SubscribeService(Some(info.clone())))
}

/// The requests among the outputs.
fn requests(out: &[SdkOutput]) -> Vec<(ConnId, RequestId, Request)> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Request { conn, id, request } => Some((*conn, *id, request.clone())),
            _ => None,
        })
        .collect()
}

/// The only request among the outputs.
fn request(out: &[SdkOutput]) -> (ConnId, RequestId, Request) {
    let found = requests(out);
    assert_eq!(found.len(), 1, "exactly one request in {out:?}");
    found.into_iter().next().unwrap()
}

/// The only register or deregister among the outputs: its number and its port, none to deregister.
fn operation(out: &[SdkOutput]) -> (RequestId, Option<i32>) {
    match request(out) {
        (_, id, Request::Instance(request)) => match request.operation {
            InstanceOperation::Register => (id, Some(request.instance.port)),
            InstanceOperation::Deregister => (id, None),
        },
        other => panic!("not an instance request: {other:?}"),
    }
}

fn dials(out: &[SdkOutput]) -> Vec<NodeId> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Dial { server } => Some(server.clone()),
            _ => None,
        })
        .collect()
}

fn dones(out: &[SdkOutput]) -> Vec<(u64, Result<Answer, CallError>)> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Done { call, result } => Some((*call, result.clone())),
            _ => None,
        })
        .collect()
}

fn events(out: &[SdkOutput]) -> Vec<SdkEvent> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Event(event) => Some(event.clone()),
            _ => None,
        })
        .collect()
}

fn closes(out: &[SdkOutput]) -> Vec<ConnId> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Close { conn } => Some(*conn),
            _ => None,
        })
        .collect()
}

fn node(address: &str) -> NodeId {
    NodeId::new(address)
}

fn gone_from(address: &str) -> SdkEvent {
    SdkEvent::Disconnected {
        server: node(address),
    }
}

fn connected_to(address: &str, conn: ConnId) -> SdkEvent {
    SdkEvent::Connected {
        server: node(address),
        client: ClientId::new(&format!("client-{conn}")),
    }
}

fn refused(code: i32) -> Response {
    Response::fail(
        code,
        "no",
        ResponseBody::Instance(InstanceOperation::Register),
    )
}

fn unregistered() -> Response {
    Response::error(code::UN_REGISTER, "Connection is unregistered.")
}

/// The end of this call, and of no other.
fn only_done(out: &[SdkOutput], call: u64) -> Result<Answer, CallError> {
    let mut done = dones(out);
    assert_eq!(done.len(), 1, "exactly one call ends in {out:?}");
    let (ended, result) = done.remove(0);
    assert_eq!(ended, call);
    result
}
