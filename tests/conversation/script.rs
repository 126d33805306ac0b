//! What a stranger says to one node, in Nacos's own JSON: for what no client of ours would say.
//!
//! A line is a time and then either `opens sdk` or `opens cluster`, or a type name and a body.

use bytes::Bytes;
use distro_core::config::Config;
use distro_core::ids::{ConnId, RequestId, Str};
use distro_core::io::{Input, Listener, Output};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Wall};
use distro_node::codec::{Payload, decode_request};
use distro_sim::observe::{Observation, Seen};
use distro_sim::scenario::model::{HostId, WorldKind};
use distro_sim::scenario::{address, parse};
use distro_sim::trace::{Header, TraceWriter};

const NODE: HostId = HostId(0);
const STRANGER: HostId = HostId(1);

/// The node, the stranger's connection to it, and what was seen.
struct Stage {
    node: Node,
    now: Now,
    conn: ConnId,
    asked: u64,
    trace: TraceWriter<Vec<u8>>,
}

/// The trace of a script.
pub(crate) fn run(script: &str) -> String {
    let cast = "about = \"x\"\nduration = \"60s\"\nnodes = 1\n[[clients]]\nname = \"stranger\"";
    let cast = parse("script", cast).unwrap();
    let header = Header {
        world: WorldKind::Event,
        seed: 1,
        profile: None,
    };
    let now = Now {
        mono: Mono(0),
        wall: Wall(0),
    };
    let config = Config::new(
        address::node_id(0),
        vec![address::node_id(0)],
        Profile::DISTRO,
    );
    let mut stage = Stage {
        node: Node::new(config, now).unwrap(),
        now,
        conn: ConnId(0),
        asked: 0,
        trace: TraceWriter::new(Vec::new(), &cast, &header).unwrap(),
    };
    for line in script.lines().filter(|line| !line.is_empty()) {
        stage.line(line);
    }
    String::from_utf8(stage.trace.finish().unwrap()).unwrap()
}

impl Stage {
    fn line(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or("");
        let (at, name, body) = (word(), word(), word());
        let seconds: f64 = at.strip_suffix('s').unwrap().parse().unwrap();
        self.wait(Mono((seconds * 1e6) as u64));
        if name == "opens" {
            let listener = match body {
                "sdk" => Listener::Sdk,
                "cluster" => Listener::Cluster,
                other => panic!("sdk or cluster, not {other}"),
            };
            self.conn = ConnId(self.conn.0 + 1);
            return self.feed(Input::ConnOpened {
                conn: self.conn,
                listener,
                remote_ip: address::client_ip(0),
                remote_port: 40_000,
            });
        }
        let received = decode_request(&Payload {
            type_name: Str::from(name),
            client_ip: Str::from(""),
            body: Bytes::copy_from_slice(body.as_bytes()),
        });
        self.asked += 1;
        let (conn, id) = (self.conn, RequestId(self.asked));
        self.see(NODE, Seen::received(conn, STRANGER, id, &received));
        self.feed(Input::Request { conn, id, received });
    }

    /// Lets time pass, waking the node when it wants to be woken.
    fn wait(&mut self, until: Mono) {
        while let Some(due) = self.node.next_deadline().filter(|due| *due <= until) {
            self.now.mono = due.max(self.now.mono);
            self.feed(Input::Wake);
        }
        self.now.mono = until;
    }

    fn see(&mut self, host: HostId, what: Seen<'_>) {
        let at = self.now.mono;
        self.trace.see(&Observation { at, host, what }).unwrap();
    }

    fn feed(&mut self, input: Input) {
        let mut out = Vec::new();
        self.node.handle(self.now, input, &mut out);
        for output in &out {
            self.show(output);
        }
    }

    /// Shows what the node puts out. Whatever it sends arrives at once.
    fn show(&mut self, output: &Output) {
        match *output {
            Output::Request {
                conn,
                id,
                ref request,
            } => {
                let (peer, node) = (STRANGER, NODE);
                self.see(
                    node,
                    Seen::RequestSent {
                        conn,
                        peer,
                        id,
                        request,
                    },
                );
                self.see(
                    peer,
                    Seen::RequestReceived {
                        conn,
                        peer: node,
                        id,
                        request,
                    },
                );
            }
            Output::Response {
                conn,
                id,
                ref response,
            } => {
                let (peer, node) = (STRANGER, NODE);
                self.see(
                    node,
                    Seen::ResponseSent {
                        conn,
                        peer,
                        id,
                        response,
                    },
                );
                self.see(
                    peer,
                    Seen::ResponseReceived {
                        conn,
                        peer: node,
                        id,
                        response,
                    },
                );
            }
            Output::Close { conn, reason } => {
                let (peer, reason) = (STRANGER, Some(reason));
                self.see(NODE, Seen::Close { conn, peer, reason });
            }
            Output::Event(ref event) => self.see(NODE, Seen::Node(event)),
            Output::Dial { .. } | Output::Answer { .. } => {}
        }
    }
}
