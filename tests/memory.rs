//! What an instance costs in memory, at its owner and at another node, counted by the allocator: at
//! most 500 bytes and its texts. What the allocator needs for itself comes on top of it.

use std::sync::Arc;

use distro_core::config::Config;
use distro_core::ids::{ClientId, ConnId, Incarnation, NodeId, RequestId, Revision, Str};
use distro_core::io::{Input, Listener, Output};
use distro_core::message::Request;
use distro_core::message::distro::{ClientSyncData, DistroDataRequest, Origin, Word};
use distro_core::message::internal::{ConnectionSetupRequest, label};
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{Instance, InstanceOperation, InstanceRequest, ServiceKey};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::{Mono, Now, Wall};
use distro_node::codec::{Ends, decode_request, encode_request};

/// Bytes that an instance may cost beside its texts, and a client's record without any.
const BYTES_MAX: usize = 500;

const ME: &str = "10.0.0.1:8848";
const OWNER: &str = "10.0.0.2:8848";

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Who registers what.
struct Load {
    name: &'static str,
    clients: usize,
    /// How many each of them publishes, one instance each.
    services: usize,
    /// How many there are.
    services_in_all: usize,
    metadata: &'static [(&'static str, &'static str)],
}

const SPRING: [(&str, &str); 1] = [("preserved.register.source", "SPRING_CLOUD")];

const LOADS: [Load; 3] = [
    Load {
        name: "100 clients of 1,000 services",
        clients: 100,
        services: 1_000,
        services_in_all: 1_000,
        metadata: &[],
    },
    Load {
        name: "the same with metadata",
        clients: 100,
        services: 1_000,
        services_in_all: 1_000,
        metadata: &SPRING,
    },
    Load {
        name: "20,000 clients of one service, with metadata",
        clients: 20_000,
        services: 1,
        services_in_all: 200,
        metadata: &SPRING,
    },
];

impl Load {
    fn count(&self) -> usize {
        self.clients * self.services
    }

    fn requests(&self, client: usize) -> impl Iterator<Item = Request> {
        (0..self.services).map(move |place| {
            let service = ServiceKey::named(&format!(
                "service-{:05}",
                (client + place) % self.services_in_all
            ));
            let ip = format!("10.{}.{}.{}", client / 250, client % 250, place % 250);
            let mut instance = Instance::new(&ip, 8_080);
            let pairs = self.metadata.iter();
            instance.metadata = pairs
                .map(|(key, value)| (Str::from(*key), Str::from(*value)))
                .collect::<Metadata>();
            Request::Instance(Box::new(InstanceRequest {
                service,
                operation: InstanceOperation::Register,
                instance,
            }))
        })
    }
}

struct Rig {
    node: Node,
    now: Now,
    out: Vec<Output>,
    conns: u64,
}

impl Rig {
    /// A node that serves, without reaching anybody.
    fn new(members: &[&str]) -> Rig {
        let members = members.iter().map(|member| NodeId::new(member)).collect();
        let mut config = Config::new(NodeId::new(ME), members, Profile::DISTRO);
        config.incarnation = Incarnation(1);
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_700_000_000_000),
        };
        let mut rig = Rig {
            node: Node::new(config, now).expect("the configuration is good"),
            now,
            out: Vec::new(),
            conns: 0,
        };
        rig.feed(Input::Wake);
        while !rig.node.is_ready() {
            rig.now.mono = rig.node.next_deadline().expect("its load is not settled");
            rig.feed(Input::Wake);
        }
        rig
    }

    fn feed(&mut self, input: Input) {
        self.node.handle(self.now, input, &mut self.out);
        for output in std::mem::take(&mut self.out) {
            if let Output::Dial { member } = output {
                let refused = true;
                self.feed(Input::DialFailed { member, refused });
            }
        }
    }

    fn open(&mut self, listener: Listener, labels: &[(&str, &str)]) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.feed(Input::ConnOpened {
            conn,
            listener,
            remote_ip: Str::from("10.1.0.1"),
            remote_port: 40_000,
        });
        let mut setup = ConnectionSetupRequest::default();
        let labels = labels.iter();
        setup.labels = labels
            .map(|(key, value)| (Str::from(*key), Str::from(*value)))
            .collect();
        self.ask(conn, &Request::ConnectionSetup(Box::new(setup)));
        conn
    }

    /// Asks as over a wire: what is asked shares nothing with this test.
    fn ask(&mut self, conn: ConnId, request: &Request) {
        let received = decode_request(&encode_request(request, None, &Ends::default()));
        self.feed(Input::Request {
            conn,
            id: RequestId(1),
            received,
        });
    }

    /// Bytes of all texts of all instances, without what is the same for all of a service.
    fn texts(&self) -> usize {
        let of = |instance: &Arc<Instance>| {
            let metadata = instance.metadata.iter();
            instance.instance_id.as_ref().map_or(0, |id| id.len())
                + instance.ip.len()
                + metadata
                    .map(|(key, value)| key.len() + value.len())
                    .sum::<usize>()
        };
        let clients = self.node.clients();
        let records = clients.flat_map(|client| &client.data.services);
        let instances = records.flat_map(|(_, published)| published.instances());
        instances.map(of).sum()
    }
}

/// Bytes that `grow` adds to what is allocated.
fn growth(rig: &mut Rig, grow: impl FnOnce(&mut Rig)) -> usize {
    let before = dhat::HeapStats::get().curr_bytes;
    grow(rig);
    dhat::HeapStats::get().curr_bytes - before
}

fn judge(load: &Load, place: &str, rig: &Rig, bytes: usize) {
    let (bytes, texts) = (bytes / load.count(), rig.texts() / load.count());
    let beside = bytes - texts;
    println!(
        "{}, {place}: {bytes} bytes, {texts} of them texts",
        load.name
    );
    assert_eq!(rig.node.sizes().instances, load.count() as u64);
    assert!(texts > 20, "each instance has an address and an id");
    assert!(
        beside <= BYTES_MAX,
        "{beside} bytes beside the texts, at most {BYTES_MAX} are allowed"
    );
}

/// The clients register at a node.
fn at_the_owner(load: &Load) -> Rig {
    let mut rig = Rig::new(&[ME]);
    let labels = [(label::SOURCE, "sdk"), (label::MODULE, "naming")];
    let conns: Vec<ConnId> = (0..load.clients)
        .map(|_| rig.open(Listener::Sdk, &labels))
        .collect();
    let bytes = growth(&mut rig, |rig| {
        for (client, conn) in conns.iter().enumerate() {
            for request in load.requests(client) {
                rig.ask(*conn, &request);
            }
        }
    });
    judge(load, "at the owner", &rig, bytes);
    rig
}

/// What the clients registered at the owner comes to another node, twice: first a part, then all.
fn at_another_node(load: &Load, owner: &Rig) {
    let mut rig = Rig::new(&[ME, OWNER]);
    let labels = [
        (label::SOURCE, label::SOURCE_CLUSTER),
        (label::NODE, OWNER),
        (label::INCARNATION, "5"),
    ];
    let conn = rig.open(Listener::Cluster, &labels);
    let record = |client: &ClientId, services: Vec<_>, revision| {
        let words = (0..services.len() as u64).map(Word).collect();
        Request::DistroData(DistroDataRequest::Change(Arc::new(ClientSyncData {
            client: client.clone(),
            origin: Some(Origin {
                node: NodeId::new(OWNER),
                incarnation: Incarnation(5),
            }),
            revision: Revision(revision),
            services,
            words,
        })))
    };
    let clients = || owner.node.clients().map(|client| client.data);
    let bytes = growth(&mut rig, |rig| {
        for data in clients() {
            rig.ask(conn, &record(&data.client, Vec::new(), 1));
        }
    });
    let bytes = bytes / load.clients;
    println!("{}, records at another node: {bytes} bytes", load.name);
    assert!(bytes <= BYTES_MAX, "at most {BYTES_MAX} are allowed");
    let bytes = growth(&mut rig, |rig| {
        for data in clients() {
            let part = data.services[..data.services.len().div_ceil(2)].to_vec();
            rig.ask(conn, &record(&data.client, part, 2));
            rig.ask(conn, &record(&data.client, data.services.clone(), 3));
        }
    });
    judge(load, "at another node", &rig, bytes);
}

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    for load in &LOADS {
        let owner = at_the_owner(load);
        at_another_node(load, &owner);
    }
}
