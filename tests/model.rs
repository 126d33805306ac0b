//! A node against a small reference model: whatever clients and fellow nodes do, in any order, the
//! node's tables, index and lists are those of a model that a page can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use distro_core::config::Config;
use distro_core::event::Event;
use distro_core::ids::{ClientId, ConnId, Incarnation, NodeId, RequestId, Revision, Str};
use distro_core::io::{Input, Listener, Output};
use distro_core::message::distro::{ClientSyncData, DistroDataRequest, Origin};
use distro_core::message::internal::{ConnectionSetupRequest, label};
use distro_core::message::naming::{
    Instance, InstanceOperation, InstanceRequest, Published, ServiceKey,
};
use distro_core::message::{Request, Response};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Period, Wall};
use proptest::prelude::*;

/// One step. Small numbers name things, so that a failing case shrinks to something readable.
#[derive(Debug, Clone)]
enum Step {
    Connect,
    Disconnect {
        client: usize,
    },
    Register {
        client: usize,
        service: u8,
        port: u16,
    },
    Deregister {
        client: usize,
        service: u8,
    },
    PeerLife {
        peer: u8,
        life: u8,
    },
    Sync {
        peer: u8,
        client: u8,
        revision: u8,
        service: u8,
        port: u16,
    },
    Delete {
        peer: u8,
        client: u8,
    },
    SyncNative {
        peer: u8,
        client: usize,
    },
    DeleteNative {
        peer: u8,
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Connect),
        (0..6usize).prop_map(|client| Step::Disconnect { client }),
        (0..6usize, 0..3u8, 1..4u16).prop_map(|(client, service, port)| Step::Register {
            client,
            service,
            port
        }),
        (0..6usize, 0..3u8).prop_map(|(client, service)| Step::Deregister { client, service }),
        (0..2u8, 1..4u8).prop_map(|(peer, life)| Step::PeerLife { peer, life }),
        (0..2u8, 0..4u8, 0..5u8, 0..3u8, 1..4u16).prop_map(
            |(peer, client, revision, service, port)| Step::Sync {
                peer,
                client,
                revision,
                service,
                port
            }
        ),
        (0..2u8, 0..4u8).prop_map(|(peer, client)| Step::Delete { peer, client }),
        (0..2u8, 0..6usize).prop_map(|(peer, client)| Step::SyncNative { peer, client }),
        (0..2u8, 0..6usize).prop_map(|(peer, client)| Step::DeleteNative { peer, client }),
    ]
}

type Content = BTreeMap<ServiceKey, (String, i32)>;

/// What a record should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    origin: Origin,
    revision: u64,
    content: Content,
}

/// The reference: records, who is native, who is buried, and the latest life of each peer.
#[derive(Debug, Default)]
struct Model {
    records: BTreeMap<ClientId, Record>,
    natives: BTreeSet<ClientId>,
    buried: BTreeSet<ClientId>,
    lives: BTreeMap<NodeId, Incarnation>,
}

impl Model {
    fn sync(&mut self, client: &ClientId, record: Record) {
        let life = self
            .lives
            .get(&record.origin.node)
            .copied()
            .unwrap_or_default();
        let is_late = record.origin.incarnation < life;
        if is_late || self.buried.contains(client) || self.natives.contains(client) {
            return;
        }
        let is_newer = self.records.get(client).is_none_or(|held| {
            held.origin.node == record.origin.node
                && (record.origin.incarnation, record.revision)
                    > (held.origin.incarnation, held.revision)
        });
        if is_newer {
            self.records.insert(client.clone(), record);
        }
    }

    fn delete(&mut self, client: &ClientId, by: &Origin) {
        if self.natives.contains(client) {
            return;
        }
        let may = self.records.get(client).is_none_or(|held| {
            held.origin.node == by.node && held.origin.incarnation <= by.incarnation
        });
        if may {
            self.records.remove(client);
            self.buried.insert(client.clone());
        }
    }
}

/// The node under test with the test's ends of its connections.
struct Rig {
    node: Node,
    now: Now,
    model: Model,
    conns: u64,
    clients: Vec<(ConnId, ClientId)>,
    peers: BTreeMap<(u8, u8), ConnId>,
    current: BTreeMap<u8, u8>,
}

fn peer_id(peer: u8) -> NodeId {
    NodeId::new(&format!("10.0.0.{}:8848", peer + 2))
}

fn service(number: u8) -> ServiceKey {
    ServiceKey::named(&format!("s{number}"))
}

impl Rig {
    fn new() -> Rig {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_700_000_000_000),
        };
        let me = NodeId::new("10.0.0.1:8848");
        let members = vec![me.clone(), peer_id(0), peer_id(1)];
        let config = Config::new(me, members, Profile::DISTRO);
        let node = Node::new(config, now).expect("the configuration is good");
        let mut rig = Rig {
            node,
            now,
            model: Model::default(),
            conns: 0,
            clients: Vec::new(),
            peers: BTreeMap::new(),
            current: BTreeMap::new(),
        };
        rig.feed(Input::Wake);
        // Nobody can be reached: the node serves when its wait is over.
        for _ in 0..1_000 {
            let Some(next) = rig.node.next_deadline().filter(|_| !rig.node.is_ready()) else {
                break;
            };
            rig.now.mono = next;
            rig.feed(Input::Wake);
        }
        assert!(rig.node.is_ready());
        rig
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.handle(self.now, input, &mut out);
        let dials: Vec<NodeId> = out
            .iter()
            .filter_map(|output| match output {
                Output::Dial { member } => Some(member.clone()),
                Output::Request { .. }
                | Output::Response { .. }
                | Output::Close { .. }
                | Output::Answer { .. }
                | Output::Event(_) => None,
            })
            .collect();
        for member in dials {
            out.extend(self.feed(Input::DialFailed {
                member,
                refused: true,
            }));
        }
        out
    }

    fn open(&mut self, listener: Listener, setup: ConnectionSetupRequest) -> (ConnId, Vec<Output>) {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let (remote_ip, remote_port) = (Str::from("10.1.0.1"), 40_000);
        self.feed(Input::ConnOpened {
            conn,
            listener,
            remote_ip,
            remote_port,
        });
        let request = Request::ConnectionSetup(Box::new(setup));
        let out = self.feed(Input::Request {
            conn,
            id: RequestId(0),
            received: request.into(),
        });
        (conn, out)
    }

    fn ask(&mut self, conn: ConnId, request: Request) -> Response {
        let out = self.feed(Input::Request {
            conn,
            id: RequestId(7),
            received: request.into(),
        });
        out.into_iter()
            .find_map(|output| match output {
                Output::Response { response, .. } => Some(response),
                Output::Dial { .. }
                | Output::Request { .. }
                | Output::Close { .. }
                | Output::Answer { .. }
                | Output::Event(_) => None,
            })
            .expect("every request is answered")
    }

    fn peer_conn(&mut self, peer: u8) -> (ConnId, Origin) {
        let life = *self.current.entry(peer).or_insert(1);
        let origin = Origin {
            node: peer_id(peer),
            incarnation: Incarnation(u64::from(life)),
        };
        if let Some(conn) = self.peers.get(&(peer, life)) {
            return (*conn, origin);
        }
        let mut setup = ConnectionSetupRequest::default();
        let mut say =
            |key: &str, value: &str| setup.labels.insert(Str::from(key), Str::from(value));
        say(label::SOURCE, label::SOURCE_CLUSTER);
        say(label::NODE, origin.node.as_str());
        say(label::INCARNATION, &life.to_string());
        let (conn, _) = self.open(Listener::Cluster, setup);
        // The node closes what belongs to an earlier life of the same peer.
        self.peers
            .retain(|(other, earlier), _| *other != peer || *earlier > life);
        self.peers.insert((peer, life), conn);
        let known = self.model.lives.entry(origin.node.clone()).or_default();
        *known = (*known).max(origin.incarnation);
        (conn, origin)
    }

    fn client(&self, number: usize) -> Option<(ConnId, ClientId)> {
        let at = number.checked_rem(self.clients.len())?;
        Some(self.clients[at].clone())
    }

    fn sync(&mut self, peer: u8, client: ClientId, revision: u64, content: Content) {
        let (conn, origin) = self.peer_conn(peer);
        let services = content
            .iter()
            .map(|(key, (ip, port))| {
                let port = u16::try_from(*port).expect("ports are small here");
                (
                    key.clone(),
                    Published::Single(Arc::new(Instance::new(ip, port))),
                )
            })
            .collect();
        let data = ClientSyncData {
            client: client.clone(),
            origin: Some(origin.clone()),
            revision: Revision(revision),
            services,
            words: Vec::new(),
        };
        let answer = self.ask(
            conn,
            Request::DistroData(DistroDataRequest::Change(Arc::new(data))),
        );
        assert!(answer.is_ok(), "{answer:?}");
        self.model.sync(
            &client,
            Record {
                origin,
                revision,
                content,
            },
        );
    }

    fn delete(&mut self, peer: u8, client: &ClientId) {
        let (conn, origin) = self.peer_conn(peer);
        let request = DistroDataRequest::Delete(client.clone(), Some(origin.clone()));
        let answer = self.ask(conn, Request::DistroData(request));
        self.model.delete(client, &origin);
        let is_gone = self.model.buried.contains(client);
        assert_eq!(answer.is_ok(), is_gone, "{answer:?}");
    }

    fn connect(&mut self) {
        let mut setup = ConnectionSetupRequest::default();
        let mut say =
            |key: &str, value: &str| setup.labels.insert(Str::from(key), Str::from(value));
        say(label::SOURCE, label::SOURCE_SDK);
        say(label::MODULE, label::MODULE_NAMING);
        let (conn, out) = self.open(Listener::Sdk, setup);
        let client = out
            .iter()
            .find_map(|output| match output {
                Output::Event(Event::ClientConnected { client, .. }) => Some(client.clone()),
                Output::Event(_)
                | Output::Dial { .. }
                | Output::Request { .. }
                | Output::Response { .. }
                | Output::Answer { .. }
                | Output::Close { .. } => None,
            })
            .expect("a naming setup makes a client");
        let origin = Origin {
            node: self.node.id().clone(),
            incarnation: self.node.incarnation(),
        };
        let record = Record {
            origin,
            revision: 0,
            content: Content::new(),
        };
        assert!(
            self.model.records.insert(client.clone(), record).is_none(),
            "ids are unique"
        );
        self.model.natives.insert(client.clone());
        self.clients.push((conn, client));
    }

    fn instance(
        &mut self,
        number: usize,
        operation: InstanceOperation,
        key: ServiceKey,
        port: u16,
    ) {
        let Some((conn, client)) = self.client(number) else {
            return;
        };
        let ip = format!("10.1.0.{number}");
        let instance = Instance::new(&ip, port);
        let request = InstanceRequest {
            service: key.clone(),
            operation,
            instance,
        };
        let answer = self.ask(conn, Request::Instance(Box::new(request)));
        assert!(answer.is_ok(), "{answer:?}");
        let record = self
            .model
            .records
            .get_mut(&client)
            .expect("a native client has a record");
        record.revision += 1;
        match operation {
            InstanceOperation::Register => {
                record.content.insert(key, (ip, i32::from(port)));
            }
            InstanceOperation::Deregister => {
                record.content.remove(&key);
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect => self.connect(),
            Step::Disconnect { client } => {
                if let Some((conn, id)) = self.client(client) {
                    self.feed(Input::ConnClosed { conn });
                    self.clients.retain(|(_, other)| *other != id);
                    self.model.records.remove(&id);
                    self.model.natives.remove(&id);
                }
            }
            Step::Register {
                client,
                service: number,
                port,
            } => {
                self.instance(client, InstanceOperation::Register, service(number), port);
            }
            Step::Deregister {
                client,
                service: number,
            } => {
                self.instance(client, InstanceOperation::Deregister, service(number), 1);
            }
            Step::PeerLife { peer, life } => {
                self.current.insert(peer, life);
                self.peer_conn(peer);
            }
            Step::Sync {
                peer,
                client,
                revision,
                service: number,
                port,
            } => {
                let ip = format!("10.2.{client}.{revision}");
                let content = Content::from([(service(number), (ip, i32::from(port)))]);
                let id = ClientId::new(&format!("synced-{client}"));
                self.sync(peer, id, u64::from(revision), content);
            }
            Step::Delete { peer, client } => {
                self.delete(peer, &ClientId::new(&format!("synced-{client}")));
            }
            Step::SyncNative { peer, client } => {
                if let Some((_, id)) = self.client(client) {
                    self.sync(peer, id, 1_000, Content::new());
                }
            }
            Step::DeleteNative { peer, client } => {
                if let Some((_, id)) = self.client(client) {
                    self.delete(peer, &id);
                }
            }
        }
    }

    fn compare(&self) {
        let content = |data: &ClientSyncData| -> Content {
            data.services
                .iter()
                .map(|(key, published)| {
                    let [instance] = published.instances() else {
                        panic!("{published:?}")
                    };
                    (key.clone(), (instance.ip.to_string(), instance.port))
                })
                .collect()
        };
        let held: BTreeMap<ClientId, Record> = self
            .node
            .clients()
            .map(|client| {
                let record = Record {
                    origin: client.origin.clone(),
                    revision: client.data.revision.0,
                    content: content(client.data),
                };
                (client.data.client.clone(), record)
            })
            .collect();
        assert_eq!(held, self.model.records);
        for number in 0..3 {
            let key = service(number);
            let expected: BTreeSet<(String, i32)> = self
                .model
                .records
                .values()
                .filter_map(|record| record.content.get(&key).cloned())
                .collect();
            let listed: Vec<(String, i32)> = self
                .node
                .list(&key, "", false)
                .iter()
                .map(|instance| (instance.ip.to_string(), instance.port))
                .collect();
            assert_eq!(listed.len(), expected.len(), "each instance is listed once");
            assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
            let publishers: BTreeSet<ClientId> = self
                .model
                .records
                .iter()
                .filter(|(_, record)| record.content.contains_key(&key))
                .map(|(client, _)| client.clone())
                .collect();
            let indexed = self.node.service(&key).map(|view| view.publishers.clone());
            assert_eq!(indexed.unwrap_or_default(), publishers);
        }
        let sizes = self.node.sizes();
        assert_eq!(sizes.native_clients, self.model.natives.len() as u64);
        assert_eq!(
            sizes.native_clients + sizes.synced_clients,
            held.len() as u64
        );
        assert_eq!(sizes.tombstones, self.model.buried.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_node_holds_exactly_what_the_model_holds(steps in proptest::collection::vec(step(), 1..80)) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.take(step);
            rig.compare();
        }
    }
}

#[test]
fn records_of_an_earlier_life_end_when_their_clients_had_time_to_return() {
    let mut rig = Rig::new();
    rig.take(&Step::Sync {
        peer: 0,
        client: 1,
        revision: 1,
        service: 0,
        port: 1,
    });
    rig.take(&Step::PeerLife { peer: 0, life: 2 });
    rig.compare();
    let end = rig.now.mono + Period::from_secs(31);
    while let Some(next) = rig.node.next_deadline().filter(|next| *next <= end) {
        rig.now.mono = next;
        rig.feed(Input::Wake);
    }
    assert_eq!(rig.node.clients().count(), 0);
}
