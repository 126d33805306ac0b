//! A node that is written down and read back is the same node.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use distro_core::config::{Config, ConnectionLimits};
use distro_core::ids::{ConnId, Incarnation, NodeId, RequestId, Str};
use distro_core::io::{Command, Input, Listener, Output, SendError};
use distro_core::message::ask::{Ask, Change, Place};
use distro_core::message::internal::ConnectionSetupRequest;
use distro_core::message::naming::{
    Instance, InstanceOperation, InstanceRequest, ServiceKey, Weight,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Denied, Malformed, Received, Request, Response, ResponseBody, code};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Wall};

use super::read::{Step, header, steps};
use super::write::{Recorder, zero_of};
use super::*;
use crate::net::Clock;
use crate::net::tokio::TokioClock;
use crate::shell::Tap;

/// A file that a test can read back.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader is gone.
struct Shut;

impl Write for Shut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.starts_with(b"{\"format\"") {
            return Ok(bytes.len());
        }
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn config() -> Config {
    let members = ["127.0.0.1:8848", "127.0.0.2:8848"].map(NodeId::new);
    let mut config = Config::new(members[0].clone(), members.to_vec(), Profile::DISTRO);
    config.incarnation = Incarnation(7);
    config.seed = 3;
    config.limits.per_ip.insert(Str::from("10.0.0.9"), 4);
    config.timing.load_wait = distro_core::time::Period::from_millis(5);
    config
}

fn at(millis: u64) -> Now {
    Now {
        mono: Mono(millis * 1_000),
        wall: Wall(1_000_000 + i64::try_from(millis).unwrap()),
    }
}

fn request(conn: u64, id: u64, received: impl Into<Received>) -> Input {
    Input::Request {
        conn: ConnId(conn),
        id: RequestId(id),
        received: received.into(),
    }
}

fn ask(id: u64, ask: Ask) -> Input {
    Input::Command(Command::Ask {
        id: RequestId(id),
        ask: Box::new(ask),
    })
}

fn service() -> ServiceKey {
    ServiceKey::named("old")
}

fn place() -> Place {
    Place {
        ip: Str::from("10.1.0.7"),
        port: 81,
    }
}

/// Requests over connection 1, of every kind that is written differently.
fn requests() -> Vec<Input> {
    let setup = ConnectionSetupRequest {
        client_ip: Str::from("10.1.0.1"),
        ..ConnectionSetupRequest::default()
    };
    let register = InstanceRequest {
        service: ServiceKey::named("orders"),
        operation: InstanceOperation::Register,
        instance: Instance::new("10.1.0.1", 80),
    };
    let malformed = Malformed {
        type_name: Str::from("InstanceRequest"),
        message: Str::from("no \"object\""),
    };
    let denied = Denied {
        request: Request::Instance(Box::new(register.clone())),
        refusal: Response::fail(code::NO_RIGHT, "no token", ResponseBody::BatchInstance),
    };
    vec![
        request(1, 1, Request::ServerCheck),
        request(1, 2, Request::ConnectionSetup(Box::new(setup))),
        request(1, 3, Request::Instance(Box::new(register))),
        request(1, 4, Received::Malformed(Box::new(malformed))),
        request(1, 5, Received::Unknown(Str::from("NonsenseRequest"))),
        request(1, 6, Received::Unsupported(Unsupported::ConfigQuery)),
        request(1, 7, Received::Denied(Box::new(denied))),
    ]
}

/// One of every command, and of every question.
fn commands(node: &NodeId) -> Vec<Input> {
    let mut weighted = Instance::new("10.1.0.7", 81);
    weighted.weight = Weight(1.0 / 3.0);
    let limits = ConnectionLimits {
        total: Some(3),
        ..ConnectionLimits::default()
    };
    let beat = Ask::Beat {
        service: service(),
        place: place(),
        instance: Some(Box::new(weighted.clone())),
    };
    let change = Change {
        weight: Some(Weight(0.1 + 0.2)),
        ..Change::default()
    };
    vec![
        Input::Command(Command::SetLimits(limits)),
        Input::Command(Command::Rebalance {
            keep: 2,
            redirect: Some(node.clone()),
        }),
        Input::Command(Command::SetMembers(vec![node.clone()])),
        Input::Command(Command::FailApply { count: 1 }),
        ask(1, Ask::Register(service(), Box::new(weighted))),
        ask(2, beat),
        ask(3, Ask::Update(service(), place(), Box::new(change))),
        ask(4, Ask::Deregister(service(), place())),
    ]
}

/// One of every kind of input.
fn inputs() -> Vec<Input> {
    let node = NodeId::new("127.0.0.2:8848");
    let (here, there) = (ConnId(1), ConnId(2));
    let mut inputs = vec![
        Input::Wake,
        Input::DialFailed {
            member: node.clone(),
            refused: true,
        },
        Input::Wake,
        Input::Wake,
        Input::Wake,
        Input::Wake,
        Input::ConnOpened {
            conn: here,
            listener: Listener::Sdk,
            remote_ip: Str::from("127.0.0.9"),
            remote_port: 4,
        },
    ];
    inputs.extend(requests());
    inputs.extend([
        Input::Dialed {
            member: node.clone(),
            conn: there,
        },
        Input::Response {
            conn: there,
            id: RequestId(77),
            response: Response::error(code::FAIL, "no"),
        },
        Input::SendFailed {
            conn: there,
            id: RequestId(78),
            cause: SendError::Busy,
        },
    ]);
    inputs.extend(commands(&node));
    inputs.extend([Input::ConnClosed { conn: here }, Input::Wake]);
    inputs
}

/// Lives and records it; what came out of each step.
fn live(paper: &Paper) -> Vec<Vec<Output>> {
    let mut node = Node::new(config(), at(0)).unwrap();
    let clock = TokioClock::start();
    let recorder = Recorder::start(Box::new(paper.clone()), &clock, at(0), &config());
    let (mut recorder, _failure) = recorder.unwrap();
    let mut all = Vec::new();
    for (input, millis) in inputs().into_iter().zip((1..).map(|step| step * 400)) {
        let mut out = Vec::new();
        node.handle(at(millis), input.clone(), &mut out);
        recorder.step(at(millis), &input, &out);
        recorder.input(&input);
        for (output, number) in out.iter().zip(0..) {
            // Every second one finds no room.
            if number % 2 == 1 {
                recorder.refused(output);
            } else {
                recorder.output(output);
            }
        }
        all.push(out);
    }
    all
}

fn text(paper: &Paper) -> String {
    String::from_utf8(paper.0.borrow().clone()).unwrap()
}

#[test]
fn a_replay_takes_the_same_inputs_and_puts_out_the_same() {
    let paper = Paper::default();
    let outputs = live(&paper);
    assert!(outputs.iter().filter(|out| out.len() > 1).count() > 3);
    let text = text(&paper);
    let (first, rest) = text.split_once('\n').unwrap();
    let header = header(first).unwrap();
    assert_eq!(header.config, config());
    assert_eq!(header.born, at(0));
    let steps: Vec<Step> = steps(rest).unwrap();
    let read: Vec<Input> = steps.iter().map(|step| step.input.clone()).collect();
    assert_eq!(read, inputs());
    let mut node = Node::new(header.config, header.born).unwrap();
    for (step, expected) in steps.into_iter().zip(outputs) {
        let mut out = Vec::new();
        node.handle(step.now, step.input, &mut out);
        assert_eq!(out, expected);
        assert_eq!(step.outputs, outputs_hash(&out));
        let odd: Vec<usize> = (0..out.len()).filter(|number| number % 2 == 1).collect();
        assert_eq!(step.refused, odd);
    }
}

#[test]
fn a_line_that_was_cut_off_is_left_out_and_a_broken_one_is_named() {
    let paper = Paper::default();
    live(&paper);
    let text = text(&paper);
    let (_, rest) = text.split_once('\n').unwrap();
    let whole = steps(rest).unwrap().len();
    let cut = &rest[..rest.rfind("{\"step\"").unwrap() + 9];
    assert_eq!(steps(cut).unwrap().len(), whole - 1);
    let broken = rest.replacen("\"step\"", "\"stop\"", 1);
    let error = steps(&broken).unwrap_err();
    assert!(error.starts_with("line 2: "), "{error}");
    assert!(steps("{\"refused\":0}\n").is_err());
}

#[test]
fn another_version_is_refused() {
    let paper = Paper::default();
    live(&paper);
    let text = text(&paper);
    let first = text.lines().next().unwrap();
    let later = first.replacen("\"version\":1", "\"version\":2", 1);
    assert!(header(&later).unwrap_err().contains("version 2"));
    assert!(header("{}").is_err());
}

#[test]
fn the_machine_clock_is_matched_to_microseconds() {
    let clock = TokioClock::start();
    let zero = zero_of(&clock);
    let (low, now) = (super::write::monotonic(), clock.now().mono.0);
    let high = super::write::monotonic();
    // What was read between two readings of the machine's clock lies between them.
    assert!(zero + now + 100 >= low && zero + now <= high + 100);
}

#[test]
fn a_reader_that_is_gone_is_told_once() {
    let clock = TokioClock::start();
    let (mut recorder, mut failure) =
        Recorder::start(Box::new(Shut), &clock, at(0), &config()).unwrap();
    assert!(failure.try_recv().is_err());
    recorder.step(at(1), &Input::Wake, &[]);
    recorder.step(at(2), &Input::Wake, &[]);
    assert_eq!(
        failure.try_recv().unwrap().kind(),
        io::ErrorKind::BrokenPipe
    );
}
