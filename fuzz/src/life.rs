//! A node's life: steps of a recording, fed to a node.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::config::Config;
use distro_core::ids::{ConnId, Incarnation, NodeId, RequestId};
use distro_core::io::{Command, Input, Output};
use distro_core::message::Request;
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Wall};
use distro_node::codec::{Ends, decode_request, decode_response, encode_request, encode_response};
use distro_node::record::read;

/// Longest pause between two steps, in microseconds: two days.
const PAUSE_MAX: u64 = 2 * 24 * 3_600 * 1_000_000;

/// Whatever peers and clients say to a node, it goes on, and what it says itself can be read.
///
/// The input is a recording without its header. What only the shell could do wrong (a connection
/// number that is used twice, a clock that goes back) is mended or left out. An answer is taken for
/// one to a request that is open on its connection, whatever its number.
pub fn life(input: &[u8]) {
    let Ok(steps) = std::str::from_utf8(input)
        .map_err(|_| ())
        .and_then(|text| read::steps(text).map_err(|_| ()))
    else {
        return;
    };
    let mut world = World::new();
    for step in steps {
        world.step(step.now, step.input);
    }
}

struct World {
    node: Node,
    now: Now,
    conns: BTreeSet<ConnId>,
    dials: BTreeSet<NodeId>,
    /// What the node asked and nobody has answered.
    open: BTreeMap<ConnId, Vec<RequestId>>,
    out: Vec<Output>,
}

impl World {
    fn new() -> World {
        let members = ["127.0.0.1:8848", "127.0.0.2:8848", "127.0.0.3:8848"].map(NodeId::new);
        let mut config = Config::new(members[0].clone(), members.to_vec(), Profile::DISTRO);
        config.incarnation = Incarnation(7);
        config.message_bytes_max = 64 * 1024;
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_700_000_000_000),
        };
        let mut world = World {
            node: Node::new(config, now).expect("the configuration is good"),
            now,
            conns: BTreeSet::new(),
            dials: BTreeSet::new(),
            open: BTreeMap::new(),
            out: Vec::new(),
        };
        world.step(now, Input::Wake);
        world
    }

    fn step(&mut self, now: Now, mut input: Input) {
        if !self.may_happen(&input) {
            return;
        }
        if let Input::Response { conn, id, .. } = &mut input {
            *id = self.answered(*conn, *id);
        }
        let mono = now
            .mono
            .0
            .clamp(self.now.mono.0, self.now.mono.0 + PAUSE_MAX);
        self.now = Now {
            mono: Mono(mono),
            wall: now.wall,
        };
        self.node.handle(self.now, input, &mut self.out);
        for output in std::mem::take(&mut self.out) {
            self.carry_out(output);
        }
    }

    /// What a shell keeps to.
    fn may_happen(&mut self, input: &Input) -> bool {
        match input {
            Input::ConnOpened { conn, .. } => self.conns.insert(*conn),
            Input::Dialed { member, conn } => {
                !self.conns.contains(conn) && self.dials.remove(member) && self.conns.insert(*conn)
            }
            Input::DialFailed { member, .. } => self.dials.remove(member),
            Input::Command(command) => match command {
                Command::SetLimits(_) | Command::Rebalance { .. } | Command::Ask { .. } => true,
                // Settings check what an operator names a member; a test alone makes syncs fail.
                Command::SetMembers(_) | Command::FailApply { .. } => false,
            },
            Input::ConnClosed { .. }
            | Input::Request { .. }
            | Input::Response { .. }
            | Input::SendFailed { .. }
            | Input::Wake => true,
        }
    }

    fn answered(&mut self, conn: ConnId, id: RequestId) -> RequestId {
        match self.open.get_mut(&conn) {
            Some(open) if !open.is_empty() => open.remove(id.0 as usize % open.len()),
            Some(_) | None => id,
        }
    }

    fn carry_out(&mut self, output: Output) {
        let ends = Ends::default();
        match output {
            Output::Dial { member } => assert!(self.dials.insert(member), "one dial at a time"),
            Output::Request { conn, id, request } => {
                assert!(self.conns.contains(&conn));
                self.open.entry(conn).or_default().push(id);
                let read = decode_request(&encode_request(&request, Some(id), &ends));
                assert!(
                    !matches!(read, Request::Malformed(_)),
                    "{request:?}: {read:?}"
                );
            }
            Output::Response { conn, id, response } => {
                assert!(self.conns.contains(&conn));
                let read = decode_response(&encode_response(&response, Some(id), &ends));
                assert!(read.is_ok(), "{response:?}: {read:?}");
            }
            Output::Close { .. } | Output::Answer { .. } | Output::Event(_) => {}
        }
    }
}
