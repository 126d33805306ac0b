//! Replication: CHANGE, DELETE, ADD, verify, snapshot, leases (part 7).

use alloc::vec::Vec;

use super::cluster::Cluster;
use crate::event::Event;
use crate::io::Input;
use crate::message::MessageKind;
use crate::message::naming::ServiceKey;
use crate::profile::{Profile, Release};
use crate::time::{Mono, Period};

/// Client ids and revisions of a node.
fn table(cluster: &Cluster, node: usize) -> Vec<(alloc::string::String, u64)> {
    use alloc::string::ToString;
    cluster.nodes[node]
        .clients()
        .map(|client| (client.data.client.to_string(), client.data.revision.0))
        .collect()
}

#[test]
fn a_registration_reaches_every_node_and_a_disconnect_too() {
    for release in [
        Release::Distro,
        Release::Nacos20,
        Release::Nacos23,
        Release::Nacos3,
    ] {
        let mut cluster = Cluster::new(3, Profile::of(release));
        let client = cluster.connect(0);
        cluster.register(client, "orders", 1);
        cluster.run(Period::from_millis(1_200));
        assert_eq!(table(&cluster, 0), table(&cluster, 1), "{release:?}");
        assert_eq!(table(&cluster, 0), table(&cluster, 2), "{release:?}");
        assert_eq!(cluster.listed(2, "orders"), 1, "{release:?}");
        cluster.disconnect(client);
        cluster.run(Period::from_millis(1_200));
        assert_eq!(
            cluster.listed(1, "orders") + cluster.listed(2, "orders"),
            0,
            "{release:?}"
        );
    }
}

#[test]
fn a_subscriber_on_another_node_is_told_once_per_burst() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    let subscriber = cluster.connect(1);
    cluster.subscribe(subscriber, "orders");
    cluster.run(Period::from_secs(1));
    cluster.requests.clear();
    for _ in 0..5 {
        let client = cluster.connect(0);
        cluster.register(client, "orders", 1);
    }
    cluster.run(Period::from_secs(3));
    let lists: Vec<usize> = cluster
        .requests
        .iter()
        .filter_map(|(to, request)| {
            let crate::message::Request::NotifySubscriber(info) = request else {
                return None;
            };
            (*to == subscriber).then(|| info.hosts.len())
        })
        .collect();
    assert_eq!(lists, [5]);
}

#[test]
fn verify_repairs_what_every_sync_lost() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    cluster.lost = [MessageKind::Change, MessageKind::Add]
        .map(|kind| (0, 1, kind))
        .to_vec();
    let client = cluster.connect(0);
    cluster.register(client, "orders", 1);
    cluster.run(Period::from_secs(20));
    assert_eq!(cluster.listed(1, "orders"), 0);
    cluster.lost.clear();
    cluster.run(Period::from_millis(6_500));
    assert_eq!(table(&cluster, 0), table(&cluster, 1));
    assert_eq!(cluster.listed(1, "orders"), 1);
}

#[test]
fn verify_repairs_a_delete_that_was_lost_for_good() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    let client = cluster.connect(0);
    cluster.register(client, "orders", 1);
    cluster.run(Period::from_secs(3));
    cluster.lost = [(0, 1, MessageKind::Delete)].to_vec();
    cluster.disconnect(client);
    cluster.run(Period::from_secs(30));
    assert_eq!(
        cluster.listed(1, "orders"),
        1,
        "the DELETE is lost every time"
    );
    cluster.lost.clear();
    cluster.run(Period::from_millis(6_500));
    assert_eq!(cluster.listed(1, "orders"), 0);
}

#[test]
fn quiet_digests_match_and_cost_one_message_per_peer() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    for node in [0, 0, 1] {
        let client = cluster.connect(node);
        cluster.register(client, "orders", 1);
    }
    cluster.run(Period::from_secs(10));
    let before = cluster.nodes[0].counters().clone();
    cluster.run(Period::from_secs(50));
    let after = cluster.nodes[0].counters();
    assert_eq!(
        after.verifies_sent - before.verifies_sent,
        20,
        "ten rounds to two peers"
    );
    assert_eq!(after.verifies_matched - before.verifies_matched, 20);
    assert_eq!(after.verifies_failed, before.verifies_failed);
}

#[test]
fn a_lease_ends_only_in_time_that_the_holder_was_running() {
    // The defect of Java's nodes, which count the time of a pause too, is compiled with the quirks
    // only.
    let java = u64::from(cfg!(feature = "quirks"));
    for (release, expired) in [(Release::Distro, 0), (Release::Nacos3, java)] {
        let mut cluster = Cluster::new(2, Profile::of(release));
        let client = cluster.connect(0);
        cluster.register(client, "orders", 1);
        cluster.run(Period::from_secs(3));
        // Node 1 stops for 200 s: it alone is not woken.
        let stopped = cluster.now;
        let resumed = crate::time::Now {
            mono: stopped.mono + Period::from_secs(200),
            wall: crate::time::Wall(stopped.wall.0 + 200_000),
        };
        cluster.now = resumed;
        cluster.feed(1, Input::Wake);
        let counters = cluster.nodes[1].counters();
        assert_eq!(counters.clients_expired, expired, "{release:?}");
        assert_eq!(counters.pauses, 1 - expired, "{release:?}");
    }
}

#[test]
fn a_restarted_node_loads_everything_before_it_is_ready() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    for node in [0, 1, 2] {
        let client = cluster.connect(node);
        cluster.register(client, "orders", 1);
    }
    cluster.run(Period::from_secs(3));
    cluster.restart(0, 2);
    cluster.run(Period::from_secs(1));
    let ready = cluster.events[0]
        .iter()
        .any(|event| matches!(event, Event::Ready(_)));
    assert!(ready, "{:?}", cluster.events[0]);
    assert_eq!(
        cluster.listed(0, "orders"),
        3,
        "its own earlier client is bridged"
    );
    cluster.run(Period::from_secs(35));
    assert_eq!(
        [0, 1, 2].map(|node| cluster.listed(node, "orders")),
        [2, 2, 2]
    );
    assert_eq!(table(&cluster, 0), table(&cluster, 1));
    assert_eq!(table(&cluster, 0), table(&cluster, 2));
}

#[test]
fn a_node_whose_clock_went_back_takes_a_higher_incarnation() {
    let mut cluster = Cluster::new(3, Profile::DISTRO);
    cluster.restart(0, 100);
    cluster.run(Period::from_secs(5));
    cluster.restart(0, 7);
    cluster.run(Period::from_secs(5));
    assert!(cluster.nodes[0].is_ready());
    assert!(
        cluster.nodes[0].incarnation().0 > 100,
        "{}",
        cluster.nodes[0].incarnation()
    );
    let client = cluster.connect(0);
    cluster.register(client, "orders", 1);
    cluster.run(Period::from_secs(7));
    assert_eq!(
        cluster.nodes[1]
            .list(&ServiceKey::named("orders"), "", false)
            .len(),
        1
    );
    assert!(cluster.now.mono > Mono(0));
}
