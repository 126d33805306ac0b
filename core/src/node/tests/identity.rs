//! Who may pass for a member, and which lives are believed.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;

use super::cluster::{Cluster, node_id};
use crate::constants::{LIFE_AHEAD_MAX, LIFE_FLOOR};
use crate::event::Event;
use crate::ids::{ClientId, ConnId, Incarnation, NodeId, RequestId, Revision, Str};
use crate::io::{Input, Listener};
use crate::message::Request;
use crate::message::distro::{ClientSyncData, DistroDataRequest, Origin, Word};
use crate::message::internal::{ConnectionSetupRequest, label};
use crate::message::naming::{Instance, Published, ServiceKey};
use crate::profile::Profile;
use crate::time::Period;

/// A stranger's connection to the first node.
struct Stranger(ConnId);

impl Stranger {
    fn connect(cluster: &mut Cluster, number: u64, listener: Listener) -> Stranger {
        let conn = ConnId(1_000_000 + number);
        let remote_ip = Str::from(format!("10.66.0.{number}"));
        let remote_port = 666;
        cluster.feed(
            0,
            Input::ConnOpened {
                conn,
                listener,
                remote_ip,
                remote_port,
            },
        );
        Stranger(conn)
    }

    fn ask(&self, cluster: &mut Cluster, request: Request) {
        let (conn, id) = (self.0, RequestId(1));
        let received = request.into();
        cluster.feed(0, Input::Request { conn, id, received });
    }

    /// Says that it is this life of this node.
    fn claim(&self, cluster: &mut Cluster, node: &NodeId, life: u64) {
        let mut setup = ConnectionSetupRequest::default();
        let life = format!("{life}");
        for (key, value) in [
            (label::SOURCE, label::SOURCE_CLUSTER),
            (label::NODE, node.as_str()),
            (label::INCARNATION, &life),
        ] {
            setup.labels.insert(Str::from(key), Str::from(value));
        }
        self.ask(cluster, Request::ConnectionSetup(Box::new(setup)));
    }

    /// Syncs a client of this origin that publishes one instance of `orders`.
    fn sync(&self, cluster: &mut Cluster, origin: Option<Origin>) {
        self.sync_said(cluster, origin, ("9_10.66.0.1_1", 1), 1);
    }

    /// The same with this client, revision and word.
    fn sync_said(
        &self,
        cluster: &mut Cluster,
        origin: Option<Origin>,
        (client, revision): (&str, u64),
        word: u64,
    ) {
        let instance = Arc::new(Instance::new("10.66.0.1", 666));
        let data = ClientSyncData {
            client: ClientId::new(client),
            origin,
            revision: Revision(revision),
            services: vec![(ServiceKey::named("orders"), Published::Single(instance))],
            words: vec![Word(word)],
        };
        let data = DistroDataRequest::Change(Arc::new(data));
        self.ask(cluster, Request::DistroData(data));
    }
}

fn origin(node: NodeId, life: u64) -> Origin {
    Origin {
        node,
        incarnation: Incarnation(life),
    }
}

fn new_lives(cluster: &Cluster) -> usize {
    let is_new = |event: &&Event| matches!(event, Event::MemberRestarted { .. });
    cluster.events[0].iter().filter(is_new).count()
}

/// Three nodes; a client of the second registers, and everybody lists it.
fn with_a_client_elsewhere() -> (Cluster, usize) {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    let client = cluster.connect(1);
    cluster.register(client, "orders", 80);
    cluster.run(Period::from_secs(5));
    assert_eq!(cluster.listed(0, "orders"), 1);
    (cluster, client)
}

#[test]
fn on_the_client_port_nobody_is_a_member() {
    let (mut cluster, _) = with_a_client_elsewhere();
    let lives = new_lives(&cluster);
    for number in 0..20 {
        let stranger = Stranger::connect(&mut cluster, number, Listener::Sdk);
        stranger.claim(&mut cluster, &node_id(1), u64::MAX);
        stranger.sync(&mut cluster, Some(origin(node_id(1), u64::MAX)));
        cluster.run(Period::from_secs(3));
    }
    assert_eq!(new_lives(&cluster), lives);
    assert_eq!(cluster.listed(0, "orders"), 1, "the true member's client");
    assert_eq!(cluster.nodes[0].counters().conns_refused, 20);
    // A later life of the true member is told, and its clients come with it.
    cluster.restart(1, 2);
    let back = cluster.connect(1);
    cluster.run(Period::from_secs(2));
    let back = if cluster.nodes[1].is_ready() {
        cluster.connect(1)
    } else {
        back
    };
    cluster.register(back, "orders", 81);
    cluster.run(Period::from_secs(40));
    assert_eq!(new_lives(&cluster), lives + 1);
    assert_eq!(cluster.listed(0, "orders"), 1);
}

#[test]
fn on_the_members_port_only_members_get_in() {
    let (mut cluster, _) = with_a_client_elsewhere();
    let other = NodeId::new("10.66.0.1:8848");
    for (number, node) in [other, node_id(0)].into_iter().enumerate() {
        let stranger = Stranger::connect(&mut cluster, number as u64, Listener::Cluster);
        stranger.claim(&mut cluster, &node, 5);
        stranger.sync(&mut cluster, Some(origin(node, 5)));
    }
    // One that speaks plain Nacos has its address only.
    let stranger = Stranger::connect(&mut cluster, 2, Listener::Cluster);
    let mut setup = ConnectionSetupRequest::default();
    setup
        .labels
        .insert(Str::from(label::SOURCE), Str::from(label::SOURCE_CLUSTER));
    setup.client_ip = Str::from("10.0.0.2");
    stranger.ask(&mut cluster, Request::ConnectionSetup(Box::new(setup)));
    stranger.sync(&mut cluster, None);
    assert_eq!(cluster.nodes[0].counters().conns_refused, 3);
    assert_eq!(cluster.listed(0, "orders"), 1);
}

#[test]
fn a_node_that_is_alone_has_no_members_to_let_in() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let stranger = Stranger::connect(&mut cluster, 1, Listener::Cluster);
    stranger.claim(&mut cluster, &NodeId::new("10.66.0.1:8848"), 5);
    stranger.sync(&mut cluster, Some(origin(NodeId::new("10.66.0.1:8848"), 5)));
    assert_eq!(cluster.listed(0, "orders"), 0);
    assert_eq!(cluster.nodes[0].counters().conns_refused, 1);
}

#[test]
fn a_life_too_far_ahead_is_not_believed_and_the_last_that_is_can_be_outbid() {
    let (mut cluster, _) = with_a_client_elsewhere();
    // The nodes' clock stands before the floor, so from the floor on their running time counts.
    let most = LIFE_FLOOR.0 + cluster.now.mono.0 / 1_000 + LIFE_AHEAD_MAX.millis();
    for (number, life) in [u64::MAX, u64::MAX - 1, most + 1].into_iter().enumerate() {
        let liar = Stranger::connect(&mut cluster, number as u64, Listener::Cluster);
        liar.claim(&mut cluster, &node_id(1), life);
    }
    assert_eq!(cluster.nodes[0].counters().conns_refused, 3);
    assert_eq!(cluster.listed(0, "orders"), 1);
    // Whoever passes for a member may say the highest life there is.
    let liar = Stranger::connect(&mut cluster, 9, Listener::Cluster);
    liar.claim(&mut cluster, &node_id(1), most);
    assert_eq!(cluster.nodes[0].counters().conns_refused, 3);
    // The true one is told, takes the next, and is believed.
    cluster.run(Period::from_secs(60));
    assert_eq!(cluster.nodes[1].incarnation(), Incarnation(most + 1));
    assert_eq!(cluster.listed(0, "orders"), 1, "its client is listed again");
    cluster.restart(1, 2);
    cluster.run(Period::from_secs(10));
    assert_eq!(cluster.nodes[1].incarnation(), Incarnation(most + 2));
}

#[test]
fn a_member_can_say_no_number_that_nobody_goes_beyond() {
    let (mut cluster, _) = with_a_client_elsewhere();
    let life = cluster.nodes[1].incarnation().0;
    let liar = Stranger::connect(&mut cluster, 1, Listener::Cluster);
    liar.claim(&mut cluster, &node_id(1), life);
    let member = || Some(origin(node_id(1), life));
    liar.sync_said(&mut cluster, member(), ("9_10.66.0.1_1", 1), u64::MAX);
    liar.sync_said(&mut cluster, member(), ("10.66.0.1:666#true", u64::MAX), 1);
    assert_eq!(cluster.listed(0, "orders"), 1, "neither is believed");
    liar.sync_said(&mut cluster, member(), ("9_10.66.0.1_1", 1), 1);
    assert_eq!(cluster.listed(0, "orders"), 2, "but what can be is");
}

#[test]
fn a_member_has_a_few_transports_and_the_newest_are_the_ones_that_count() {
    let (mut cluster, client) = with_a_client_elsewhere();
    let before = cluster.nodes[0].sizes().connections;
    let life = cluster.nodes[1].incarnation().0;
    for number in 0..100 {
        let liar = Stranger::connect(&mut cluster, number, Listener::Cluster);
        liar.claim(&mut cluster, &node_id(1), life);
    }
    let more = cluster.nodes[0].sizes().connections - before;
    assert!(more < 16, "{more}");
    // The true one, whose transport was the oldest, comes back and is heard.
    cluster.register(client, "stock", 80);
    cluster.run(Period::from_secs(10));
    assert_eq!(cluster.listed(0, "stock"), 1);
}

#[test]
fn who_left_the_list_is_no_member_any_more() {
    let (mut cluster, client) = with_a_client_elsewhere();
    let members = crate::io::Command::SetMembers(vec![node_id(0), node_id(2)]);
    cluster.feed(0, Input::Command(members));
    cluster.register(client, "stock", 80);
    cluster.run(Period::from_secs(10));
    assert_eq!(cluster.listed(0, "stock"), 0);
    assert_eq!(cluster.listed(2, "stock"), 1);
    let members = crate::io::Command::SetMembers((0..3).map(node_id).collect());
    cluster.feed(0, Input::Command(members));
    cluster.run(Period::from_secs(10));
    assert_eq!(cluster.listed(0, "stock"), 1);
}
