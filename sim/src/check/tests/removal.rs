//! S4 and S14: what may be removed, and of what a list may be empty.

use std::sync::Arc;

use distro_core::event::Event;
use distro_core::io::RemoveCause;
use distro_core::message::cluster::NodeState;

use super::*;
use crate::scenario::model::HostFault;

/// A client at the first node that all nodes know of, and a verify of it at 6 s.
fn known(nodes: u32) -> (Run, ClientId) {
    let mut run = cluster(nodes, 1);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.at(2_000);
    for node in 1..nodes {
        run.sync(0, node, &data, true);
    }
    run.at(6_000);
    for node in 1..nodes {
        run.verify(0, node, &id);
    }
    (run, id)
}

#[test]
fn removing_a_live_client_within_the_lease_breaks_s4() {
    let (mut run, id) = known(2);
    run.at(180_000);
    run.remove(1, 0, &id, RemoveCause::Expired);
    // It was the last one: the list is empty now.
    assert_eq!(run.end(181), ["S4", "S14"]);
}

#[test]
fn removing_a_live_client_after_a_lease_of_silence_holds() {
    let (mut run, id) = known(2);
    run.at(187_000);
    run.remove(1, 0, &id, RemoveCause::Expired);
    let verdict = run.verdict(188);
    assert_eq!(codes(&verdict), [] as [&str; 0]);
    assert_eq!(judged(&verdict, "S4"), 1);
}

#[test]
fn a_pause_of_the_node_does_not_count_as_silence_of_others() {
    let (mut run, id) = known(2);
    run.at(10_000);
    run.fault(Fault::Hosts(vec![HostId(1)], HostFault::Pause), 200, true);
    run.at(210_000);
    run.fault(Fault::Hosts(vec![HostId(1)], HostFault::Pause), 200, false);
    run.remove(1, 0, &id, RemoveCause::Expired);
    assert_eq!(run.end(211), ["S4"]);
}

#[test]
fn removing_a_dead_client_is_no_false_removal() {
    let (mut run, id) = known(2);
    run.at(10_000);
    run.see(2, Seen::Stopped { silent: false });
    run.remove(0, 0, &id, RemoveCause::Disconnected);
    run.at(11_000);
    run.remove(1, 0, &id, RemoveCause::Deleted);
    assert_eq!(run.end(12), [] as [&str; 0]);
}

#[test]
fn a_push_without_a_live_client_breaks_s4() {
    let (mut run, _) = known(2);
    let full = list(1, &[&Arc::new(instance(0))]);
    run.push(1, 7, 2, &full);
    run.at(40_000);
    run.push(1, 7, 2, &list(2, &[]));
    let codes = run.end(41);
    assert!(codes.contains(&"S4"), "{codes:?}");
}

#[test]
fn records_of_a_dead_owner_that_end_before_the_lease_break_s14() {
    let expired = |at_millis| {
        let (mut run, id) = known(2);
        run.at(10_000);
        run.see(2, Seen::Stopped { silent: true });
        run.see(0, Seen::Stopped { silent: true });
        let down = NodeState::Down;
        run.node(
            1,
            &Event::MembersChange {
                member: node_id(0),
                state: down,
            },
        );
        run.at(at_millis);
        run.remove(1, 0, &id, RemoveCause::Expired);
        run.end(190)
    };
    assert_eq!(expired(60_000), ["S14"]);
    assert_eq!(expired(187_000), [] as [&str; 0]);
}

#[test]
fn an_empty_push_while_a_publisher_lives_breaks_s14() {
    let (mut run, id) = known(2);
    run.at(60_000);
    run.see(0, Seen::Stopped { silent: false });
    run.remove(1, 0, &id, RemoveCause::OwnerRestarted);
    run.at(61_000);
    run.push(1, 7, 2, &list(3, &[]));
    assert_eq!(run.end(62), ["S14"]);
}

#[test]
fn an_empty_push_after_the_last_publisher_died_holds() {
    let (mut run, id) = known(2);
    run.at(60_000);
    run.see(2, Seen::Stopped { silent: false });
    run.remove(0, 0, &id, RemoveCause::Disconnected);
    run.at(61_000);
    run.remove(1, 0, &id, RemoveCause::Deleted);
    run.push(1, 7, 2, &list(3, &[]));
    assert_eq!(run.end(62), [] as [&str; 0]);
}

#[test]
fn an_empty_list_is_a_lie_where_nobody_subscribes_too() {
    let (mut run, id) = known(2);
    run.at(60_000);
    run.see(0, Seen::Stopped { silent: false });
    run.remove(1, 0, &id, RemoveCause::OwnerRestarted);
    assert_eq!(run.end(62), ["S14"]);
}

/// A publisher whose only server, the first node, dies for good at 60 s; the second node lets go of
/// its record at some time.
fn only_server_gone(ends_secs: u64) -> Vec<&'static str> {
    let mut scenario = scenario(2, 1);
    scenario.clients[0].servers = vec![HostId(0)];
    let mut run = start(&scenario);
    let id = run.connect(0, 0, "c");
    run.sync(0, 1, &record(&id, 1, instance(0)), true);
    run.at(58_000);
    run.verify(0, 1, &id);
    run.at(60_000);
    run.see(0, Seen::Stopped { silent: true });
    let (member, state) = (node_id(0), NodeState::Down);
    run.node(1, &Event::MembersChange { member, state });
    run.at(ends_secs * 1_000);
    run.remove(1, 0, &id, RemoveCause::Expired);
    run.push(1, 7, 2, &list(3, &[]));
    run.end(ends_secs + 2)
}

#[test]
fn an_empty_list_is_no_lie_when_the_lease_of_the_only_server_is_over() {
    assert_eq!(only_server_gone(240), [] as [&str; 0]);
    assert_eq!(only_server_gone(100), ["S14"]);
}

#[test]
fn a_later_life_does_not_stretch_the_lease_of_an_earlier_one() {
    let (mut run, id) = known(2);
    run.at(100_000);
    run.see(0, Seen::Stopped { silent: false });
    run.see(2, Seen::Stopped { silent: false });
    run.see(0, Seen::Started);
    run.node(0, &Event::Ready(distro_core::ids::Incarnation(2)));
    run.at(185_000);
    run.verify(0, 1, &ClientId::new("d"));
    // Of the first life nothing was heard since 6 s.
    run.at(187_000);
    run.remove(1, 0, &id, RemoveCause::Expired);
    assert!(!run.end(188).contains(&"S14"));
}
