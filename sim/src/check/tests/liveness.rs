//! L2-L7, L11, L12: what must come, and what must end, in time.

use distro_core::event::Event;
use distro_core::io::{CloseReason, RemoveCause};
use distro_core::message::Request;
use distro_core::message::cluster::NodeState;

use super::*;
use crate::scenario::model::{HostFault, LinkFault};

#[test]
fn a_change_that_reaches_a_peer_late_breaks_l2() {
    let arrives = |millis| {
        let mut run = cluster(2, 1);
        run.at(30_000);
        let id = run.connect(0, 0, "c");
        let data = record(&id, 1, instance(0));
        run.at(31_000);
        run.distro(
            0,
            1,
            distro_core::message::distro::DistroDataRequest::Change(data.clone()),
        );
        run.at(millis);
        run.change(1, 0, &data, true);
        run.end(40)
    };
    assert_eq!(arrives(31_100), [] as [&str; 0]);
    assert_eq!(arrives(31_200), ["L2"]);
}

#[test]
fn a_change_that_never_reaches_a_peer_breaks_l2_and_says_when() {
    let mut run = cluster(2, 1);
    run.at(30_000);
    run.connect(0, 0, "c");
    let verdict = run.verdict(40);
    let late = verdict
        .violations
        .iter()
        .find(|violation| violation.check == "L2")
        .unwrap();
    assert_eq!(late.bound, Some(Period::from_millis(1_122)));
    assert_eq!(late.at, Mono(31_122_000));
    assert!(
        late.text.contains("web-1") && late.text.contains("n2"),
        "{}",
        late.text
    );
}

#[test]
fn a_duty_whose_deadline_lies_behind_the_end_is_not_judged() {
    let mut run = cluster(2, 1);
    run.at(30_000);
    run.connect(0, 0, "c");
    let verdict = run.verdict(31);
    assert_eq!((codes(&verdict), judged(&verdict, "L2")), (vec![], 0));
}

#[test]
fn a_live_client_that_stays_away_breaks_l3() {
    let back = |millis: Option<u64>| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        run.at(60_000);
        run.see(0, Seen::Stopped { silent: false });
        let lost = SdkEvent::Disconnected { server: node_id(0) };
        run.see(2, Seen::Client(&lost));
        if let Some(millis) = millis {
            run.at(millis);
            run.connect(0, 1, "d");
        }
        run.end(90)
    };
    assert!(!back(Some(65_000)).contains(&"L3"));
    assert!(back(Some(80_000)).contains(&"L3"));
    assert!(back(None).contains(&"L3"));
}

#[test]
fn a_killed_client_that_stays_at_its_owner_breaks_l4() {
    let removed = |millis, silent| {
        let mut run = cluster(1, 1);
        let id = run.connect(0, 0, "c");
        run.at(60_000);
        run.see(1, Seen::Stopped { silent });
        run.at(millis);
        run.remove(0, 0, &id, RemoveCause::Ejected(CloseReason::Idle));
        run.end(120)
    };
    assert_eq!(removed(60_100, false), [] as [&str; 0]);
    assert_eq!(removed(60_300, false), ["L4"]);
    assert_eq!(removed(88_000, true), [] as [&str; 0]);
    assert_eq!(removed(89_000, true), ["L4"]);
}

#[test]
fn a_client_that_hangs_must_go_too() {
    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    run.at(60_000);
    run.fault(Fault::Hosts(vec![HostId(1)], HostFault::Pause), 100, true);
    assert_eq!(run.end(100), ["L4"]);
}

#[test]
fn a_record_that_outlives_its_owners_removal_breaks_l5() {
    let removed = |millis| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        run.at(60_000);
        run.see(2, Seen::Stopped { silent: false });
        run.remove(0, 0, &id, RemoveCause::Disconnected);
        run.at(millis);
        run.remove(1, 0, &id, RemoveCause::Deleted);
        run.end(70)
    };
    assert_eq!(removed(61_000), [] as [&str; 0]);
    assert_eq!(removed(61_300), ["L5"]);
}

#[test]
fn a_subscriber_that_is_not_told_breaks_l6() {
    let told = |millis, passes_on: bool| {
        let mut run = cluster(1, 2);
        run.connect(0, 0, "c");
        let lists = [
            list(1, &[&std::sync::Arc::new(instance(0))]),
            list(2, &[&std::sync::Arc::new(instance(1))]),
        ];
        let (conn, id, peer) = (ConnId(3), RequestId(1), HostId(0));
        for (at, version) in [(2_000, 1), (millis, 2)] {
            if version == 2 {
                run.at(30_000);
                run.node(
                    0,
                    &Event::ServiceChanged {
                        service: service(),
                        version,
                    },
                );
            }
            run.at(at);
            let info = lists[version as usize - 1].clone();
            let request = Request::NotifySubscriber(info.clone());
            run.see(
                2,
                Seen::RequestReceived {
                    conn,
                    peer,
                    id,
                    request: &request,
                },
            );
            if version == 1 || passes_on {
                run.see(2, Seen::Client(&SdkEvent::ListChanged { info }));
            } else {
                let service = service();
                run.see(2, Seen::Client(&SdkEvent::ListIgnored { service }));
            }
        }
        run.end(40)
    };
    assert_eq!(told(30_600, true), [] as [&str; 0]);
    assert_eq!(told(39_000, true), ["L6"]);
    assert_eq!(told(30_600, false), ["L6"], "it kept the list to itself");
}

#[test]
fn a_node_that_does_not_become_ready_breaks_l7() {
    let mut run = cluster(2, 0);
    run.see(1, Seen::Stopped { silent: false });
    run.see(1, Seen::Started);
    assert_eq!(run.end(40), ["L7"]);
}

#[test]
fn a_dead_member_that_stays_up_breaks_l11() {
    let seen = |state: Option<NodeState>| {
        let mut run = cluster(2, 0);
        run.at(30_000);
        run.see(1, Seen::Stopped { silent: false });
        run.at(50_000);
        if let Some(state) = state {
            run.node(
                0,
                &Event::MembersChange {
                    member: node_id(1),
                    state,
                },
            );
        }
        run.end(200)
    };
    assert_eq!(seen(Some(NodeState::Down)), [] as [&str; 0]);
    assert_eq!(seen(Some(NodeState::Suspicious)), ["L11"]);
    assert_eq!(seen(None), ["L11"]);
}

#[test]
fn a_live_member_that_stays_down_breaks_l11() {
    let mut run = cluster(2, 0);
    let member = node_id(1);
    run.node(
        0,
        &Event::MembersChange {
            member,
            state: NodeState::Down,
        },
    );
    assert_eq!(run.end(60), ["L11"]);
}

#[test]
fn a_record_that_outlives_the_lease_of_its_dead_owner_breaks_l12() {
    let removed = |secs: u64| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        run.at(10_000);
        run.see(2, Seen::Stopped { silent: true });
        run.see(0, Seen::Stopped { silent: true });
        run.node(
            1,
            &Event::MembersChange {
                member: node_id(0),
                state: NodeState::Down,
            },
        );
        run.at(secs * 1_000);
        run.remove(1, 0, &id, RemoveCause::Expired);
        run.end(400)
    };
    assert_eq!(removed(194), [] as [&str; 0]);
    assert_eq!(removed(200), ["L12"]);
}

#[test]
fn clients_of_an_earlier_life_that_stay_break_l12() {
    let removed = |secs: u64| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        run.at(10_000);
        run.see(2, Seen::Stopped { silent: true });
        run.see(0, Seen::Stopped { silent: true });
        run.see(0, Seen::Started);
        run.node(0, &Event::Ready(Incarnation(2)));
        let incarnation = Incarnation(2);
        run.node(
            1,
            &Event::MemberRestarted {
                member: node_id(0),
                incarnation,
            },
        );
        run.at(secs * 1_000);
        run.remove(1, 0, &id, RemoveCause::OwnerRestarted);
        run.end(secs + 1)
    };
    assert_eq!(removed(39), [] as [&str; 0]);
    assert_eq!(removed(42), ["L12"]);
}

/// A member that dies at 30 s, and an observer that drops it from its list at 40 s, or does not.
fn dead_member(dropped: bool) -> Vec<&'static str> {
    let mut run = cluster(2, 0);
    run.at(30_000);
    run.see(1, Seen::Stopped { silent: false });
    let (member, state) = (node_id(1), NodeState::Suspicious);
    run.node(0, &Event::MembersChange { member, state });
    run.at(40_000);
    if dropped {
        run.set_members(0, &[0]);
    }
    run.end(200)
}

#[test]
fn a_member_that_left_the_list_need_not_be_seen_as_down() {
    assert_eq!(dead_member(true), [] as [&str; 0]);
    assert_eq!(dead_member(false), ["L11"]);
}

#[test]
fn a_lost_report_may_make_a_well_member_suspicious_for_a_while_where_messages_get_lost() {
    let suspected = |loss: u32, for_secs: u64| {
        let mut scenario = scenario(2, 0);
        scenario.link.loss_per_million = loss;
        let mut run = start(&scenario);
        let state = |run: &mut Run, state| {
            let member = node_id(1);
            run.node(0, &Event::MembersChange { member, state });
        };
        run.at(300_000);
        state(&mut run, NodeState::Suspicious);
        run.at(300_000 + for_secs * 1_000);
        state(&mut run, NodeState::Up);
        run.end(500)
    };
    assert_eq!(suspected(0, 5), ["L11"]);
    assert_eq!(suspected(10_000, 5), [] as [&str; 0]);
    assert_eq!(suspected(10_000, 100), ["L11"]);
}

#[test]
fn servers_that_are_cut_off_cost_a_client_tries() {
    // The client starts at 60 s; all its servers but the last one are cut off until later.
    let back = |cut: u32, millis: u64| {
        let mut scenario = scenario(4, 1);
        scenario.clients[0].register = vec![(service(), instance(0))];
        let mut run = start(&scenario);
        run.connect(0, 3, "a");
        run.at(50_000);
        run.see(4, Seen::Stopped { silent: false });
        run.remove(3, 3, &ClientId::new("a"), RemoveCause::Disconnected);
        for node in 0..cut {
            run.fault(Fault::Link(path(node, 4), LinkFault::Partition), 100, true);
        }
        run.at(60_000);
        run.see(4, Seen::Started);
        run.at(millis);
        run.connect(0, 3, "c");
        run.end(millis / 1_000 + 1)
    };
    assert!(!back(0, 66_000).contains(&"L3"));
    assert!(back(0, 75_000).contains(&"L3"));
    assert!(!back(3, 75_000).contains(&"L3"));
    assert!(back(3, 90_000).contains(&"L3"));
}
