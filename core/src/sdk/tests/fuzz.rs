use super::*;
use crate::io::SendError;
use crate::message::internal::ConnectResetRequest;
use crate::rng::Rng;
use alloc::collections::{BTreeMap, BTreeSet};

/// A shell and a server that do anything at any time.
struct Chaos {
    bench: Bench,
    rng: Rng,
    dialing: bool,
    open: BTreeSet<ConnId>,
    asked: Vec<(ConnId, RequestId, Request)>,
    /// Calls that are not over.
    calls: BTreeSet<u64>,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let (mut bench, mut rng) = (Bench::new(&[A, B, C]), Rng::new(seed, "chaos"));
        if rng.chance(200_000) {
            let timing = Timing {
                request_timeout: crate::time::Period::ZERO,
                health_check_timeout: crate::time::Period::ZERO,
                redo_interval: crate::time::Period::ZERO,
                connect_timeout: crate::time::Period::ZERO,
                ..Timing::default()
            };
            bench = Bench::with(SdkConfig {
                timing,
                ..config(&[A, B, C])
            });
        }
        let (dialing, open) = (false, BTreeSet::new());
        Chaos {
            bench,
            rng,
            dialing,
            open,
            asked: Vec::new(),
            calls: BTreeSet::new(),
        }
    }

    fn pick(&mut self, count: usize) -> usize {
        self.rng.below(count as u64) as usize
    }

    fn conn(&mut self) -> ConnId {
        ConnId(self.rng.below(self.bench.conns + 2))
    }

    fn input(&mut self) -> SdkInput {
        match self.pick(12) {
            0 => SdkInput::Wake,
            1 | 2 if self.dialing && self.rng.chance(300_000) => SdkInput::DialFailed,
            1 | 2 if self.dialing => {
                self.bench.conns += 1;
                let conn = ConnId(self.bench.conns);
                self.open.insert(conn);
                SdkInput::Dialed { conn }
            }
            3 if self.rng.chance(200_000) => SdkInput::ConnClosed { conn: self.conn() },
            4 => SdkInput::Request {
                conn: self.conn(),
                id: RequestId(self.rng.below(50)),
                received: self.request().into(),
            },
            5 if self.rng.chance(200_000) => SdkInput::SendFailed {
                conn: self.conn(),
                id: RequestId(self.rng.below(500)),
                cause: [SendError::Busy, SendError::Closed, SendError::TooLarge][self.pick(3)],
            },
            6 | 7 => {
                self.bench.calls += 1;
                self.calls.insert(self.bench.calls);
                SdkInput::Call {
                    call: self.bench.calls,
                    what: self.call(),
                }
            }
            _ => self.response(),
        }
    }

    fn response(&mut self) -> SdkInput {
        let Some(last) = self.asked.len().checked_sub(1) else {
            return SdkInput::Wake;
        };
        let index = last - self.pick(5).min(last);
        let (conn, id, request) = self.asked[index].clone();
        let response = match request {
            _ if self.rng.chance(300_000) => self.any_response(),
            Request::ServerCheck => server_check(conn, self.rng.chance(700_000)),
            Request::Instance(_) => registered(),
            Request::BatchInstance(_) => Response::ok(ResponseBody::BatchInstance),
            Request::SubscribeService(_) => subscribed(&list("s1", 3, 3, &[1])),
            Request::ConnectionSetup(_) => {
                let received = Request::SetupAck(SetupAckRequest::default()).into();
                return SdkInput::Request { conn, id, received };
            }
            _ => health_ok(),
        };
        SdkInput::Response { conn, id, response }
    }

    fn any_response(&mut self) -> Response {
        let code = [0, 300, 301, 302, 400, 403, 500, 501, 503, -401][self.pick(10)];
        let body = match self.pick(4) {
            0 => ResponseBody::Error,
            1 => ResponseBody::SubscribeService(None),
            2 => ResponseBody::Instance(InstanceOperation::Deregister),
            _ => ResponseBody::HealthCheck,
        };
        if self.rng.chance(500_000) {
            Response::ok(body)
        } else {
            Response::fail(code, "", body)
        }
    }

    fn request(&mut self) -> Request {
        let reset = ConnectResetRequest {
            server_ip: self.rng.chance(500_000).then(|| Str::from("10.0.0.2")),
            ..ConnectResetRequest::default()
        };
        let (version, stamp) = (self.rng.below(9), self.rng.below(9) as i64);
        match self.pick(12) {
            0 => Request::ConnectReset(reset),
            1 | 2 => Request::SetupAck(SetupAckRequest::default()),
            3 => Request::ServerCheck,
            4 => Request::ClientDetection,
            _ => Request::NotifySubscriber(list(["s0", "s1"][self.pick(2)], version, stamp, &[1])),
        }
    }

    fn call(&mut self) -> Call {
        let service = ServiceKey::named(["s0", "s1", "s2"][self.pick(3)]);
        let clusters = Str::from("");
        match self.pick(7) {
            0 | 1 => Call::Register {
                service,
                instance: Instance::new("10.0.1.1", 1),
            },
            2 => Call::BatchRegister {
                service,
                instances: vec![],
            },
            3 => Call::Deregister { service },
            4 => Call::Subscribe { service, clusters },
            5 => Call::Unsubscribe { service },
            _ => Call::Query {
                service,
                clusters,
                healthy_only: false,
            },
        }
    }

    /// What every client owes its shell.
    fn check(&mut self, input: &SdkInput, out: &[SdkOutput]) {
        match input {
            SdkInput::Dialed { .. } | SdkInput::DialFailed => self.dialing = false,
            SdkInput::ConnClosed { conn } => drop(self.open.remove(conn)),
            SdkInput::Request { .. }
            | SdkInput::Response { .. }
            | SdkInput::SendFailed { .. }
            | SdkInput::Wake
            | SdkInput::Call { .. } => {}
        }
        for output in out {
            match output {
                SdkOutput::Dial { .. } => {
                    assert!(!self.dialing, "two dials at once");
                    self.dialing = true;
                }
                SdkOutput::Close { conn } => assert!(self.open.remove(conn), "closed twice"),
                SdkOutput::Request { conn, id, request } => {
                    assert!(self.open.contains(conn), "sent on a closed connection");
                    assert!(self.asked.last().is_none_or(|(_, last, _)| last < id));
                    self.asked.push((*conn, *id, request.clone()));
                }
                SdkOutput::Response { conn, .. } => assert!(self.open.contains(conn)),
                SdkOutput::Done { call, .. } => assert!(self.calls.remove(call), "ended twice"),
                SdkOutput::Event(_) => {}
            }
        }
        assert!(
            self.open.len() <= 2,
            "at most the old and the new connection"
        );
        if *input == SdkInput::Wake {
            let next = self.bench.sdk.next_deadline();
            assert!(next.is_none_or(|next| next > self.bench.now), "it spins");
        }
    }
}

#[test]
fn nothing_that_arrives_makes_the_client_panic_spin_or_leak() {
    for seed in 0..8 {
        let mut chaos = Chaos::new(seed);
        let mut connects = 0;
        for _ in 0..20_000 {
            if chaos.rng.chance(300_000) {
                let wait = [1, 100, 1_000, 100_000, 3_000_000][chaos.pick(5)];
                chaos.bench.now.0 += chaos.rng.below(wait);
            }
            let input = chaos.input();
            let out = chaos.bench.step(input.clone());
            chaos.check(&input, &out);
            let connected = |event: &SdkEvent| matches!(event, SdkEvent::Connected { .. });
            connects += events(&out).iter().filter(|event| connected(event)).count();
        }
        assert!(connects > 20, "seed {seed} connected only {connects} times");
        let out = chaos.bench.run_for(10_000);
        chaos.check(&SdkInput::Wake, &out);
        assert_eq!(chaos.calls, BTreeSet::new(), "every call ends");
    }
}

/// A server that loses requests and answers, and delays and repeats answers, until it calms down.
struct Unreliable {
    rng: Rng,
    calm: bool,
    /// The port that each connection's client publishes.
    held: BTreeMap<ConnId, Option<i32>>,
    late: Vec<(ConnId, RequestId, Response)>,
}

impl Unreliable {
    fn take(&mut self, bench: &mut Bench, out: &[SdkOutput]) -> Vec<SdkOutput> {
        let mut next = Vec::new();
        for (conn, id, request) in requests(out) {
            let Request::Instance(request) = request else {
                next.extend(bench.answer(conn, id, health_ok()));
                continue;
            };
            let fate = if self.calm { 4 } else { self.rng.below(5) };
            if fate == 0 {
                continue;
            }
            let registers = request.operation == InstanceOperation::Register;
            self.held
                .insert(conn, registers.then_some(request.instance.port));
            match fate {
                1 => {}
                2 => self.late.push((conn, id, registered())),
                _ => next.extend(bench.answer(conn, id, registered())),
            }
        }
        if let Some((conn, id, response)) = self.late.pop().filter(|_| self.rng.chance(500_000)) {
            next.extend(bench.answer(conn, id, response.clone()));
            next.extend(bench.answer(conn, id, response));
        }
        next
    }
}

#[test]
fn last_intent_wins_whatever_is_lost_or_late() {
    for seed in 0..200 {
        let (mut bench, mut conn) = Bench::connected();
        let rng = Rng::new(seed, "intent");
        let (held, late) = (BTreeMap::new(), Vec::new());
        let mut server = Unreliable {
            rng,
            calm: false,
            held,
            late,
        };
        let (mut wanted, mut out) = (None, Vec::new());
        for step in 0..90 {
            server.calm = step >= 50;
            if !server.calm && server.rng.chance(500_000) {
                wanted = server.rng.chance(600_000).then_some(step);
                out.extend(match wanted {
                    Some(port) => bench.register("demo", port as u16),
                    None => bench.deregister("demo"),
                });
            }
            if !server.calm && server.rng.chance(50_000) {
                bench.close(conn);
                bench.run_for(1_000);
                (conn, out) = bench.set_up();
            }
            out = server.take(&mut bench, &out);
            let wait = server.rng.below(if server.calm { 500 } else { 2_500 });
            out.extend(bench.run_for(wait));
        }
        assert_eq!(
            server.held.get(&conn).copied().flatten(),
            wanted,
            "seed {seed}"
        );
        assert_eq!(
            bench.wanted().first().copied(),
            wanted.map(|port| (port, true))
        );
    }
}
