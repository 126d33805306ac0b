//! A node's life: steps of a recording, fed to a node.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::config::Config;
use distro_core::ids::{ConnId, Incarnation, NodeId, RequestId};
use distro_core::io::{Command, Input, Output};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Wall};
use distro_node::codec::{Ends, decode_request, decode_response, encode_request, encode_response};
use distro_node::record::read::{self, Header};

/// Longest pause between two steps, in microseconds: two days.
const PAUSE_MAX: u64 = 2 * 24 * 3_600 * 1_000_000;

/// Most members that a header may name.
const MEMBERS_MAX: usize = 8;

/// Whatever peers and clients say to a node, it goes on, and what it says itself can be read.
///
/// The input is a recording: its header makes the same node, which asks with the numbers that the
/// recorded answers have. Without a header it is one that found nobody to load from. What only the
/// shell could do wrong (a connection number used twice, a clock that goes back) is mended or left
/// out, and the protocol's times are the usual ones.
pub fn life(input: &[u8]) {
    drop(node_after(input));
}

/// The node after its life; `None` when the input is no recording.
pub fn node_after(input: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(input).ok()?;
    let (first, rest) = text.split_once('\n')?;
    let (mut world, steps) = match read::header(first) {
        Ok(header) => (World::of(&header)?, read::steps(rest).ok()?),
        Err(_) => (World::alone(), read::steps(text).ok()?),
    };
    let start = world.now.mono.0;
    for step in steps {
        let at = start.saturating_add(step.now.mono.0);
        world.step(at, step.now.wall, step.input);
    }
    Some(world.node)
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
    /// The node of a recording; `None` when no node starts like this.
    fn of(header: &Header) -> Option<World> {
        let recorded = &header.config;
        if recorded.members.len() > MEMBERS_MAX {
            return None;
        }
        let mut config = Config::new(
            recorded.node.clone(),
            recorded.members.clone(),
            Profile::DISTRO,
        );
        config.incarnation = recorded.incarnation;
        config.seed = recorded.seed;
        World::with(config)
    }

    /// A node that serves.
    fn alone() -> World {
        let members = ["127.0.0.1:8848", "127.0.0.2:8848", "127.0.0.3:8848"].map(NodeId::new);
        let mut config = Config::new(members[0].clone(), members.to_vec(), Profile::DISTRO);
        config.incarnation = Incarnation(7);
        let mut world = World::with(config).expect("the configuration is good");
        world.until_ready();
        world
    }

    fn with(mut config: Config) -> Option<World> {
        config.message_bytes_max = 64 * 1024;
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_700_000_000_000),
        };
        let mut world = World {
            node: Node::new(config, now).ok()?,
            now,
            conns: BTreeSet::new(),
            dials: BTreeSet::new(),
            open: BTreeMap::new(),
            out: Vec::new(),
        };
        world.step(0, now.wall, Input::Wake);
        Some(world)
    }

    /// Nobody can be reached: the node serves when its wait is over.
    fn until_ready(&mut self) {
        while !self.node.is_ready() {
            for member in std::mem::take(&mut self.dials) {
                self.dials.insert(member.clone());
                let refused = true;
                let input = Input::DialFailed { member, refused };
                self.step(self.now.mono.0, self.now.wall, input);
            }
            let due = self.node.next_deadline().expect("its load is not settled");
            self.step(due.0, self.now.wall, Input::Wake);
        }
    }

    fn step(&mut self, mono: u64, wall: Wall, mut input: Input) {
        if !self.may_happen(&input) {
            return;
        }
        if let Input::Response { conn, id, .. } = &mut input {
            *id = self.answered(*conn, *id);
        }
        let now = self.now.mono.0;
        self.now = Now {
            mono: Mono(mono.clamp(now, now + PAUSE_MAX)),
            wall,
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

    /// The request that an answer with this number is for: an altered one is for the oldest.
    fn answered(&mut self, conn: ConnId, id: RequestId) -> RequestId {
        match self.open.get_mut(&conn) {
            Some(open) if !open.is_empty() => {
                let at = open.iter().position(|asked| *asked == id);
                open.remove(at.unwrap_or(0))
            }
            Some(_) | None => id,
        }
    }

    fn carry_out(&mut self, output: Output) {
        let ends = Ends::default();
        match output {
            Output::Dial { member } => assert!(self.dials.insert(member), "one dial at a time"),
            Output::Request { conn, id, request } => {
                assert!(self.conns.contains(&conn));
                if request.expects_response() {
                    self.open.entry(conn).or_default().push(id);
                }
                let read = decode_request(&encode_request(&request, Some(id), &ends));
                assert!(read.request().is_some(), "{request:?}: {read:?}");
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
