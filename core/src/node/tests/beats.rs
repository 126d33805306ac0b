//! Clients without a connection (parts 5.9, 7.3, 9.3).

use alloc::boxed::Box;

use super::cluster::{Cluster, node_id};
use crate::ids::{ClientId, Str};
use crate::io::Input;
use crate::message::MessageKind;
use crate::message::ask::{Answer, Ask, Change, Place};
use crate::message::naming::{Instance, ServiceKey, Weight};
use crate::profile::Profile;
use crate::time::Period;

fn place(port: u16) -> Place {
    Place {
        ip: Str::from("10.2.0.1"),
        port: i32::from(port),
    }
}

fn instance(port: u16) -> Box<Instance> {
    Box::new(Instance::new("10.2.0.1", port))
}

fn orders() -> ServiceKey {
    ServiceKey::named("orders")
}

fn register(port: u16) -> Ask {
    Ask::Register(orders(), instance(port))
}

fn light_beat(port: u16) -> Ask {
    Ask::Beat {
        service: orders(),
        place: place(port),
        instance: None,
    }
}

/// (listed, listed as healthy) on a node.
fn seen(cluster: &Cluster, node: usize) -> (usize, usize) {
    let list = |healthy| cluster.nodes[node].list(&orders(), "", healthy).len();
    (list(false), list(true))
}

/// Beats for so many rounds of five seconds.
fn beat_for(cluster: &mut Cluster, node: usize, port: u16, rounds: u32) {
    for _ in 0..rounds {
        let answer = cluster.tell(node, light_beat(port));
        assert_eq!(answer, Answer::Beat(Period::from_secs(5)));
        cluster.run(Period::from_secs(5));
    }
}

#[test]
fn silence_makes_an_instance_unhealthy_after_15_s_and_removes_it_after_30() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    assert_eq!(cluster.tell(0, register(80)), Answer::Done);
    beat_for(&mut cluster, 0, 80, 8);
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
    cluster.run(Period::from_secs(9));
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
    cluster.run(Period::from_secs(8));
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 0); 3]);
    cluster.run(Period::from_secs(16));
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(0, 0); 3]);
    assert_eq!(cluster.tell(0, light_beat(80)), Answer::NotFound);
    cluster.run(Period::from_secs(40));
    let clients = [0, 1, 2].map(|node| cluster.nodes[node].ip_port_clients());
    assert_eq!(clients, [(0, 0); 3], "an empty client goes too");
}

#[test]
fn a_beat_makes_an_unhealthy_instance_healthy_everywhere() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    cluster.tell(0, register(80));
    cluster.run(Period::from_secs(22));
    assert_eq!(seen(&cluster, 1), (1, 0));
    beat_for(&mut cluster, 0, 80, 1);
    assert_eq!([0, 1].map(|node| seen(&cluster, node)), [(1, 1); 2]);
}

#[test]
fn a_beat_with_content_registers_and_a_light_one_does_not() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    assert_eq!(cluster.tell(0, light_beat(80)), Answer::NotFound);
    assert_eq!(seen(&cluster, 0), (0, 0));
    let full = Ask::Beat {
        service: orders(),
        place: place(80),
        instance: Some(instance(80)),
    };
    assert_eq!(cluster.tell(0, full), Answer::Beat(Period::from_secs(5)));
    assert_eq!(seen(&cluster, 0), (1, 1));
}

#[test]
fn a_stop_of_the_process_is_nobodys_silence() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    cluster.tell(0, register(80));
    cluster.run(Period::from_secs(3));
    let before = cluster.now;
    cluster.now.mono = before.mono + Period::from_secs(300);
    cluster.now.wall.0 += 300_000;
    cluster.feed(0, Input::Wake);
    cluster.run(Period::from_secs(7));
    assert_eq!(seen(&cluster, 0), (1, 1));
    cluster.run(Period::from_secs(12));
    assert_eq!(seen(&cluster, 0), (1, 0), "but silence after it counts");
}

#[test]
fn preserved_times_of_an_instance_are_its_own() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let mut quick = Instance::new("10.2.0.1", 80);
    for (key, millis) in [
        ("preserved.heart.beat.interval", "1000"),
        ("preserved.heart.beat.timeout", "3000"),
        ("preserved.ip.delete.timeout", "6000"),
    ] {
        quick.metadata.insert(Str::from(key), Str::from(millis));
    }
    cluster.tell(0, Ask::Register(orders(), Box::new(quick)));
    let answer = cluster.tell(0, light_beat(80));
    assert_eq!(answer, Answer::Beat(Period::from_secs(1)));
    cluster.run(Period::from_millis(5_500));
    assert_eq!(seen(&cluster, 0), (1, 0));
    cluster.run(Period::from_secs(5));
    assert_eq!(seen(&cluster, 0), (0, 0));
}

#[test]
fn an_owner_moves_without_a_gap_and_the_earlier_one_holds_a_copy() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    cluster.tell(0, register(80));
    cluster.run(Period::from_secs(3));
    for _ in 0..40 {
        cluster.tell(1, light_beat(80));
        for _ in 0..50 {
            cluster.run(Period::from_millis(100));
            assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
        }
    }
    let owned = [0, 1, 2].map(|node| cluster.nodes[node].ip_port_clients());
    assert_eq!(owned, [(1, 0), (1, 1), (1, 0)]);
    let client = ClientId::of_ip_port("10.2.0.1", 80);
    for node in [0, 2] {
        let view = cluster.nodes[node].client(&client).expect("it is held");
        assert_eq!(view.origin.node, node_id(1));
    }
}

#[test]
fn a_place_that_was_deregistered_can_be_registered_again_anywhere() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    for node in [0, 1, 2, 1] {
        assert_eq!(cluster.tell(node, register(80)), Answer::Done);
        cluster.run(Period::from_secs(3));
        assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
        let gone = Ask::Deregister(orders(), place(80));
        assert_eq!(cluster.tell(node, gone.clone()), Answer::Done);
        cluster.run(Period::from_secs(3));
        assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(0, 0); 3]);
        assert_eq!(cluster.tell(node, gone), Answer::Done, "also when absent");
    }
    // And after everybody has forgotten the client altogether.
    cluster.run(Period::from_secs(60));
    assert_eq!(cluster.nodes[0].ip_port_clients(), (0, 0));
    cluster.tell(1, register(80));
    cluster.run(Period::from_secs(3));
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
}

#[test]
fn two_owners_that_do_not_hear_of_each_other_agree_once_they_do() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    cluster.lost = [(0, 1), (1, 0)]
        .into_iter()
        .flat_map(|(from, to)| {
            [MessageKind::Change, MessageKind::Add, MessageKind::Verify]
                .map(|kind| (from, to, kind))
        })
        .collect();
    cluster.tell(0, register(80));
    let mut heavy = instance(80);
    heavy.weight = Weight(5.0);
    cluster.tell(1, Ask::Register(orders(), heavy));
    cluster.run(Period::from_secs(7));
    cluster.lost.clear();
    cluster.run(Period::from_secs(14));
    let lists = [0, 1, 2].map(|node| cluster.nodes[node].list(&orders(), "", false));
    assert_eq!(lists[0].len(), 1);
    assert_eq!(lists[0], lists[1]);
    assert_eq!(lists[0], lists[2]);
    let owners = [0, 1, 2].map(|node| cluster.nodes[node].ip_port_clients().1);
    assert_eq!(owners.iter().sum::<u64>(), 1, "{owners:?}");
}

#[test]
fn a_restarted_owner_takes_its_clients_back_and_judges_them() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    // A place that node 0 is responsible for.
    let port = (1..100).find(|port| {
        let tag = alloc::format!("10.2.0.1:{port}");
        *cluster.nodes[0].responsible(&tag) == node_id(0)
    });
    let port = port.expect("a third of all places is this node's");
    cluster.tell(0, register(port));
    cluster.run(Period::from_secs(3));
    cluster.restart(0, 2);
    cluster.run(Period::from_secs(12));
    assert_eq!(cluster.nodes[0].ip_port_clients(), (1, 1), "adopted");
    beat_for(&mut cluster, 0, port, 12);
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(1, 1); 3]);
    cluster.run(Period::from_secs(40));
    assert_eq!([0, 1, 2].map(|node| seen(&cluster, node)), [(0, 0); 3]);
}

#[test]
fn an_update_changes_parts_and_refuses_what_is_not_there() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let change = |weight| {
        let change = Change {
            weight: Some(Weight(weight)),
            ..Change::default()
        };
        Ask::Update(orders(), place(80), Box::new(change))
    };
    assert_eq!(cluster.tell(0, change(2.0)), Answer::NotFound);
    cluster.tell(0, register(80));
    assert_eq!(cluster.tell(0, change(2.0)), Answer::Done);
    let list = cluster.nodes[0].list(&orders(), "", true);
    assert_eq!(list[0].weight, Weight(2.0));
    assert!(list[0].healthy);
}

#[test]
fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let mut bad = Instance::new("10.2.0.1", 80);
    bad.port = 70_000;
    let answer = cluster.tell(0, Ask::Register(orders(), Box::new(bad)));
    assert!(matches!(answer, Answer::Refused(text) if text.contains("'port'")));
    assert_eq!(cluster.nodes[0].ip_port_clients(), (0, 0));
}

#[test]
fn all_nodes_name_the_same_responsible_node_and_share_the_places() {
    let cluster = Cluster::new(3, Profile::DISTRO);
    let mut shares = [0; 3];
    for port in 0..300 {
        let tag = alloc::format!("10.2.0.1:{port}");
        let named = [0, 1, 2].map(|node| cluster.nodes[node].responsible(&tag).clone());
        assert_eq!(named[0], named[1]);
        assert_eq!(named[0], named[2]);
        let at = (0..3).find(|node| node_id(*node) == named[0]);
        shares[at.expect("a member")] += 1;
    }
    assert!(shares.iter().all(|share| *share > 50), "{shares:?}");
}
