//! S1-S3, S6, S7, S9, S11, S12, S16, S17 and the file's own expectations.

use std::sync::Arc;

use distro_core::event::{ChangeCause, Event};
use distro_core::ids::{ConnId, Revision};
use distro_core::io::{CloseReason, RemoveCause};
use distro_core::message::distro::DistroDataRequest;
use distro_core::message::{Response, ResponseBody, code};
use distro_core::time::Period;

use super::*;
use crate::scenario::model::ExpectList;

#[test]
fn a_quiet_cluster_breaks_nothing_and_is_judged() {
    let mut run = cluster(3, 1);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.at(2_000);
    run.sync(0, 1, &data, true);
    run.sync(0, 2, &data, true);
    run.at(6_000);
    for node in [1, 2] {
        run.verify(0, node, &id);
    }
    let verdict = run.verdict(60);
    assert_eq!(codes(&verdict), [] as [&str; 0]);
    assert_eq!(judged(&verdict, "L2"), 2);
    assert!(judged(&verdict, "S1") >= 3 && judged(&verdict, "S17") == 2);
}

#[test]
fn a_remote_message_that_changes_a_native_record_breaks_s1() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    run.change_by(
        0,
        0,
        &record(&id, 2, instance(0)),
        false,
        ChangeCause::Snapshot,
    );
    assert_eq!(run.end(2), ["S1"]);
}

#[test]
fn a_replica_that_calls_itself_owner_breaks_s1() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    let event = Event::ClientChanged {
        data: record(&id, 1, instance(0)),
        owner: node_id(1),
        native: true,
        created: true,
        cause: ChangeCause::Sync,
    };
    run.node(1, &event);
    assert_eq!(run.end(2), ["S1"]);
}

#[test]
fn a_change_on_the_word_of_a_third_node_breaks_s1() {
    let mut run = cluster(3, 1);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.distro(2, 1, DistroDataRequest::Change(data.clone()));
    run.change(1, 0, &data, true);
    assert_eq!(run.end(2), ["S1"]);
}

#[test]
fn a_native_record_that_is_deleted_from_outside_breaks_s1() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    run.remove(0, 0, &id, RemoveCause::Deleted);
    assert_eq!(run.end(2), ["S1"]);
}

#[test]
fn a_deleted_record_that_comes_back_breaks_s2() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.sync(0, 1, &data, true);
    run.remove(0, 0, &id, RemoveCause::Disconnected);
    run.remove(1, 0, &id, RemoveCause::Deleted);
    run.sync(0, 1, &data, true);
    assert_eq!(run.end(2), ["S2"]);
}

#[test]
fn an_expired_record_may_come_back() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.sync(0, 1, &data, true);
    run.at(400_000);
    run.remove(1, 0, &id, RemoveCause::Expired);
    run.sync(0, 1, &data, true);
    assert_eq!(run.end(401), [] as [&str; 0]);
}

#[test]
fn a_revision_that_falls_breaks_s3() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    run.sync(0, 1, &record(&id, 2, instance(5)), true);
    run.sync(0, 1, &record(&id, 1, instance(0)), false);
    assert_eq!(run.end(2), ["S3"]);
}

#[test]
fn equal_revisions_with_other_content_break_s3() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    run.sync(0, 1, &record(&id, 1, instance(5)), true);
    assert_eq!(run.end(2), ["S3"]);
}

#[test]
fn a_list_with_an_instance_that_nobody_holds_breaks_s6() {
    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    run.push(
        0,
        7,
        1,
        &list(1, &[&Arc::new(instance(0)), &Arc::new(instance(5))]),
    );
    assert_eq!(run.end(2), ["S6"]);
}

#[test]
fn a_list_may_be_as_old_as_the_push_delay_and_no_older() {
    let moved = |after_millis: u64| {
        let mut run = cluster(1, 2);
        run.connect(0, 0, "c");
        let old = list(1, &[&Arc::new(instance(0))]);
        run.at(2_000);
        run.connect(1, 0, "d");
        run.at(2_000 + after_millis);
        run.push(0, 7, 1, &old);
        run.end(5)
    };
    assert_eq!(moved(500), [] as [&str; 0]);
    assert_eq!(moved(800), ["S6"]);
}

#[test]
fn an_instance_that_is_listed_twice_breaks_s7() {
    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    let instance = Arc::new(instance(0));
    run.push(0, 7, 1, &list(1, &[&instance, &instance]));
    assert_eq!(run.end(2), ["S7"]);
}

#[test]
fn a_node_that_is_not_ready_may_only_say_so() {
    let restarted = || {
        let mut run = cluster(2, 1);
        run.see(1, Seen::Stopped { silent: false });
        run.see(1, Seen::Started);
        run
    };
    let mut run = restarted();
    run.answer(
        1,
        2,
        &Response::error(code::INVALID_SERVER_STATUS, "starting"),
    );
    assert_eq!(run.end(2), [] as [&str; 0]);

    let mut run = restarted();
    run.answer(
        1,
        2,
        &Response::ok(ResponseBody::QueryService(Some(list(0, &[])))),
    );
    assert_eq!(run.end(2), ["S9"]);

    let mut run = restarted();
    run.push(1, 7, 2, &list(1, &[]));
    assert_eq!(run.end(2), ["S9"]);

    let mut run = restarted();
    run.distro(1, 0, DistroDataRequest::Delete(ClientId::new("c"), None));
    assert_eq!(run.end(2), ["S9"]);
}

#[test]
fn a_version_that_goes_back_on_one_connection_breaks_s11() {
    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    let host = &[&Arc::new(instance(0))];
    run.push(0, 7, 1, &list(4, host));
    run.push(0, 8, 1, &list(3, host));
    run.push(0, 7, 1, &list(5, host));
    assert_eq!(run.end(2), [] as [&str; 0]);

    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    run.push(0, 7, 1, &list(4, host));
    run.push(0, 7, 1, &list(3, host));
    assert_eq!(run.end(2), ["S11"]);
}

#[test]
fn an_id_that_is_given_twice_breaks_s12() {
    let mut run = cluster(2, 2);
    run.connect(0, 0, "c");
    let id = ClientId::new("c");
    run.node(
        0,
        &Event::ClientConnected {
            client: id,
            conn: ConnId(99),
        },
    );
    assert_eq!(run.end(2), ["S12"]);
}

#[test]
fn resending_what_was_acknowledged_again_and_again_breaks_s16() {
    let resent = |times: u64| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        let data = record(&id, 1, instance(0));
        run.sync(0, 1, &data, true);
        let (client, target) = (id.clone(), node_id(1));
        run.node(
            0,
            &Event::Synced {
                client,
                revision: Some(Revision(1)),
                target,
            },
        );
        for time in 0..times {
            run.at(7_000 + time * 6_000);
            run.distro(0, 1, DistroDataRequest::Add(data.clone()));
        }
        run.end(60)
    };
    assert_eq!(resent(2), [] as [&str; 0]);
    assert_eq!(resent(3), ["S16"]);
}

#[test]
fn more_verifies_than_clients_break_s16() {
    let verified = |times: u64| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        for _ in 0..times {
            run.verify(0, 1, &id);
        }
        run.end(2)
    };
    assert_eq!(verified(7), [] as [&str; 0]);
    assert_eq!(verified(8), ["S16"]);
}

#[test]
fn a_sync_that_waits_for_another_target_breaks_s17() {
    let mut run = cluster(3, 1);
    run.see(2, Seen::Stopped { silent: true });
    run.at(30_000);
    let id = run.connect(0, 0, "c");
    run.at(32_000);
    run.sync(0, 1, &record(&id, 1, instance(0)), true);
    assert_eq!(run.end(33), ["L2", "S17"]);
}

#[test]
fn an_expected_list_is_held_against_the_table_at_its_time() {
    let expected = |at_secs: u64, instances| {
        let mut scenario = scenario(1, 1);
        scenario.expect.lists.push(ExpectList {
            at: Period::from_secs(at_secs),
            nodes: vec![HostId(0)],
            service: service(),
            instances,
            line: 9,
        });
        let mut run = start(&scenario);
        run.at(5_000);
        run.connect(0, 0, "c");
        run.end(10)
    };
    assert_eq!(expected(4, 0), [] as [&str; 0]);
    assert_eq!(expected(6, 1), [] as [&str; 0]);
    assert_eq!(expected(4, 1), ["EXPECT"]);
    assert_eq!(expected(10, 0), ["EXPECT"]);
}

#[test]
fn rare_paths_are_counted() {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, "c");
    run.node(0, &Event::Detecting(ConnId(1)));
    run.remove(0, 0, &id, RemoveCause::Ejected(CloseReason::Idle));
    let verdict = run.verdict(2);
    assert_eq!(verdict.marks.get("detection"), Some(&1));
    assert_eq!(verdict.marks.get("ejection"), Some(&1));
}

#[test]
fn more_reports_than_two_timers_and_an_answer_call_for_break_s16() {
    let reported = |times: u64| {
        let mut run = cluster(2, 0);
        let member = distro_core::message::cluster::Member {
            node: node_id(0),
            state: distro_core::message::cluster::NodeState::Up,
            incarnation: distro_core::ids::Incarnation(1),
            version: "3.1.0".into(),
        };
        let request = Request::MemberReport(Box::new(member));
        for time in 0..times {
            run.at(10_000 + time * 100);
            let (conn, peer, id) = (ConnId(90), HostId(1), RequestId(time));
            run.see(
                0,
                Seen::RequestSent {
                    conn,
                    peer,
                    id,
                    request: &request,
                },
            );
        }
        run.end(20)
    };
    assert_eq!(reported(8), [] as [&str; 0]);
    assert_eq!(reported(40), ["S16"]);
}

#[test]
fn a_delete_that_is_sent_again_and_again_breaks_s16() {
    let sent = |times: u64| {
        let mut run = cluster(2, 1);
        let id = run.connect(0, 0, "c");
        run.sync(0, 1, &record(&id, 1, instance(0)), true);
        run.at(5_000);
        run.remove(0, 0, &id, RemoveCause::Disconnected);
        run.remove(1, 0, &id, RemoveCause::Deleted);
        for time in 0..times {
            run.at(5_000 + time * 100);
            run.distro(0, 1, DistroDataRequest::Delete(id.clone(), None));
        }
        run.end(8)
    };
    assert_eq!(sent(3), [] as [&str; 0]);
    assert_eq!(sent(4), ["S16"]);
}

#[test]
fn an_owner_that_has_other_than_the_applications_last_word_breaks_s10() {
    let has = |port: u16| {
        let mut run = cluster(1, 1);
        let id = run.connect(0, 0, "c");
        let wanted = Instance::new("10.1.0.1", 9_000);
        run.at(20_000);
        run.call(0, &ClientOp::Register(service(), wanted));
        let held = Instance::new("10.1.0.1", port);
        let held = Instance {
            cluster_name: "DEFAULT".into(),
            ..held
        };
        run.change(0, 0, &record(&id, 2, held), false);
        run.end(60)
    };
    assert_eq!(has(9_000), [] as [&str; 0]);
    assert_eq!(has(8_080), ["S10"]);
}

#[test]
fn what_was_withdrawn_and_is_published_still_breaks_s10() {
    let mut run = cluster(1, 1);
    run.connect(0, 0, "c");
    run.at(20_000);
    run.call(0, &ClientOp::Deregister(service()));
    assert_eq!(run.end(60), ["S10"]);
}

#[test]
fn s9_is_told_last() {
    let mut run = cluster(2, 1);
    run.see(1, Seen::Stopped { silent: false });
    run.see(1, Seen::Started);
    run.push(1, 7, 2, &list(1, &[]));
    run.at(2_000);
    run.connect(0, 0, "c");
    run.push(0, 7, 2, &list(1, &[&Arc::new(instance(5))]));
    let codes = run.end(3);
    assert_eq!(codes.last(), Some(&"S9"), "{codes:?}");
    assert!(codes.len() > 1);
}

#[test]
fn what_a_file_may_name_is_what_is_judged() {
    let named = crate::scenario::schema::CHECKS
        .iter()
        .map(|(code, _)| *code);
    let judged = crate::check::ALL.iter().map(|about| about.code);
    let judged = judged.filter(|code| *code != "EXPECT");
    assert_eq!(named.collect::<Vec<_>>(), judged.collect::<Vec<_>>());
}
