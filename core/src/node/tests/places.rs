//! Who of several is listed at a place, and clients on their way to another node
//! (docs/PROTOCOL.md, Places and Departures).

use alloc::vec;
use alloc::vec::Vec;

use super::cluster::{Cluster, node_id};
use crate::event::Event;
use crate::io::{CloseReason, Command, Input, RemoveCause};
use crate::message::Request;
use crate::message::naming::{Instance, ServiceKey, Weight};
use crate::profile::Profile;
use crate::time::Period;

/// The place that both clients of a test publish, as one of them says it.
fn place(weight: f64) -> Instance {
    let mut instance = Instance::new("10.9.0.1", 80);
    instance.weight = Weight(weight);
    instance
}

fn publish(cluster: &mut Cluster, client: usize, weight: f64) {
    cluster.publish(client, ServiceKey::named("orders"), place(weight));
}

/// The weights that each node lists.
fn weights(cluster: &Cluster) -> Vec<Vec<f64>> {
    let list = |node: &crate::node::Node| {
        let selection = node.list(&ServiceKey::named("orders"), "", false);
        selection.iter().map(|one| one.weight.0).collect()
    };
    cluster.nodes.iter().map(list).collect()
}

#[test]
fn of_two_publishers_of_a_place_every_node_lists_who_said_so_last() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    let (one, two) = (cluster.connect(0), cluster.connect(1));
    publish(&mut cluster, one, 1.0);
    cluster.run(Period::from_secs(2));
    publish(&mut cluster, two, 3.0);
    cluster.run(Period::from_secs(2));
    assert_eq!(weights(&cluster), vec![[3.0]; 3]);
    publish(&mut cluster, one, 5.0);
    cluster.run(Period::from_secs(2));
    assert_eq!(weights(&cluster), vec![[5.0]; 3]);
    // Another service of the first is no word about this place.
    publish(&mut cluster, two, 7.0);
    cluster.register(one, "stock", 81);
    cluster.run(Period::from_secs(2));
    assert_eq!(weights(&cluster), vec![[7.0]; 3]);
    cluster.disconnect(two);
    cluster.run(Period::from_secs(2));
    assert_eq!(
        weights(&cluster),
        vec![[5.0]; 3],
        "the first is still there"
    );
}

#[test]
fn two_who_say_so_at_once_are_listed_alike_everywhere() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    let (one, two) = (cluster.connect(0), cluster.connect(2));
    publish(&mut cluster, one, 1.0);
    publish(&mut cluster, two, 3.0);
    cluster.run(Period::from_secs(3));
    let listed = weights(&cluster);
    assert_eq!(listed[0].len(), 1);
    assert_eq!(listed, vec![listed[0].clone(); 3]);
}

/// Lets the first node ask all its clients to leave.
fn send_away(cluster: &mut Cluster) {
    let command = Command::Rebalance {
        keep: 0,
        redirect: (cluster.nodes.len() > 1).then(|| node_id(1)),
    };
    cluster.feed(0, Input::Command(command));
    let is_reset = |(_, request): &(usize, Request)| matches!(request, Request::ConnectReset(_));
    for _ in 0..40 {
        if cluster.requests.iter().any(is_reset) {
            return;
        }
        cluster.run(Period::from_millis(100));
    }
    panic!("a scan comes every three seconds");
}

fn native_removals(cluster: &Cluster, node: usize) -> Vec<RemoveCause> {
    let removal = |event: &Event| {
        let Event::ClientDisconnect {
            removed,
            native: true,
            ..
        } = event
        else {
            return None;
        };
        Some(removed.cause)
    };
    cluster.events[node].iter().filter_map(removal).collect()
}

#[test]
fn a_client_that_is_sent_away_is_listed_until_it_has_arrived() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    let before = cluster.connect(0);
    publish(&mut cluster, before, 1.0);
    cluster.run(Period::from_secs(2));
    send_away(&mut cluster);
    cluster.disconnect(before);
    cluster.run(Period::from_secs(2));
    assert_eq!(weights(&cluster), vec![[1.0]; 2]);
    assert_eq!(native_removals(&cluster, 0), []);
    let after = cluster.connect(1);
    publish(&mut cluster, after, 2.0);
    cluster.run(Period::from_secs(2));
    assert_eq!(weights(&cluster), vec![[2.0]; 2]);
    let arrived = RemoveCause::Ejected(CloseReason::Rebalanced);
    assert_eq!(native_removals(&cluster, 0), [arrived]);
    // Nothing is left of its stay at the first node.
    cluster.disconnect(after);
    cluster.run(Period::from_secs(2));
    assert_eq!(cluster.listed(0, "orders") + cluster.listed(1, "orders"), 0);
}

#[test]
fn a_client_that_arrives_before_it_leaves_leaves_nothing_behind() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    let before = cluster.connect(0);
    publish(&mut cluster, before, 1.0);
    send_away(&mut cluster);
    let after = cluster.connect(1);
    publish(&mut cluster, after, 2.0);
    cluster.run(Period::from_millis(1_300));
    cluster.disconnect(before);
    assert_eq!(native_removals(&cluster, 0), [RemoveCause::Disconnected]);
    assert_eq!(weights(&cluster)[0], [2.0]);
}

#[test]
fn a_client_that_never_arrives_is_given_up_after_the_time_to_return() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    let client = cluster.connect(0);
    publish(&mut cluster, client, 1.0);
    send_away(&mut cluster);
    cluster.disconnect(client);
    cluster.run(Period::from_secs(24));
    assert_eq!(weights(&cluster), vec![[1.0]; 2]);
    cluster.run(Period::from_secs(3));
    assert_eq!(cluster.listed(0, "orders") + cluster.listed(1, "orders"), 0);
}

#[test]
fn a_node_alone_keeps_nobody_who_left() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    publish(&mut cluster, client, 1.0);
    send_away(&mut cluster);
    cluster.disconnect(client);
    assert_eq!(cluster.listed(0, "orders"), 0);
}
