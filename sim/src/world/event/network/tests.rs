use distro_core::message::MessageKind;
use distro_core::time::Period;

use super::super::tests::{CLIENT, NODE, key, received, scenario, seen, times};
use super::*;
use crate::scenario::model::{ClientOp, ConnFault, Fault, LinkFault, NameAnswer, Path};

fn path(from: HostId, to: HostId) -> Path {
    Path {
        from: vec![from],
        to: vec![to],
        both: false,
        kinds: Vec::new(),
        requests: None,
    }
}

fn asks(mut run: Scenario, from: u64, count: u64) -> Scenario {
    for n in 0..count {
        run = run.ask(from + n, &n.to_string());
    }
    run
}

fn numbers(count: u64) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

#[test]
fn messages_keep_their_order_whatever_the_latency() {
    let mut run = asks(scenario(1), 1_000, 200);
    run.link.latency_min = Period::from_millis(1);
    run.link.latency_max = Period::from_millis(50);
    assert_eq!(received(&seen(&run)), numbers(200));
}

#[test]
fn a_healed_partition_delivers_everything_in_order() {
    let both = Path {
        both: true,
        ..path(CLIENT, NODE)
    };
    let run = asks(
        scenario(1).fault(1_005, 20_000, Fault::Link(both, LinkFault::Partition)),
        1_000,
        30,
    );
    let seen = seen(&run);
    assert_eq!(received(&seen), numbers(30));
    let arrived = times(&seen, NODE, &["RequestReceived"]);
    assert!(
        arrived.iter().all(|at| (21_005..=21_220).contains(at)),
        "{arrived:?}"
    );
}

#[test]
fn overlapping_partitions_heal_with_the_last_one() {
    let cut = || Fault::Link(path(CLIENT, NODE), LinkFault::Partition);
    let run = scenario(1)
        .fault(1_000, 5_000, cut())
        .fault(3_000, 6_000, cut())
        .ask(1_500, "a");
    let arrived = times(&seen(&run), NODE, &["RequestReceived"]);
    assert!((9_000..=9_210).contains(&arrived[0]), "{arrived:?}");
}

#[test]
fn a_one_way_partition_lets_the_other_way_through() {
    let run = scenario(1)
        .fault(
            1_000,
            5_000,
            Fault::Link(path(NODE, CLIENT), LinkFault::Partition),
        )
        .ask(1_500, "a");
    let seen = seen(&run);
    assert_eq!(times(&seen, NODE, &["RequestReceived"]), [1_510]);
    let answered = times(&seen, CLIENT, &["ResponseReceived"])[0];
    assert!((6_000..=6_210).contains(&answered), "{answered}");
}

#[test]
fn nobody_gets_through_a_partition_to_dial() {
    let cut = Fault::Link(path(NODE, CLIENT), LinkFault::Partition);
    let redial = ClientOp::Deregister(key(""));
    let seen = seen(&scenario(1).fault(1_000, 30_000, cut).call(2_000, redial));
    assert_eq!(times(&seen, CLIENT, &["no answer"]), [5_000]);
    assert_eq!(times(&seen, NODE, &["Opened"]).len(), 1);
}

#[test]
fn closing_during_a_partition_drops_what_waits_but_not_the_fin() {
    let cut = Fault::Link(path(CLIENT, NODE), LinkFault::Partition);
    let close = ClientOp::Unsubscribe(key(""));
    let run = scenario(1)
        .fault(1_000, 5_000, cut)
        .ask(2_000, "a")
        .call(3_000, close);
    let seen = seen(&run);
    assert_eq!(received(&seen), [""; 0]);
    let closed = times(&seen, NODE, &["Closed"])[0];
    assert!((6_000..=6_210).contains(&closed), "{closed}");
}

#[test]
fn a_half_open_connection_is_found_out_by_the_next_message() {
    let run = scenario(1).fault(
        1_000,
        0,
        Fault::Conns(path(CLIENT, NODE), ConnFault::HalfOpen),
    );
    let quiet = seen(&run.clone());
    assert_eq!(times(&quiet, NODE, &["Closed"]), [1_000]);
    assert_eq!(times(&quiet, CLIENT, &["Closed"]), [0; 0]);
    assert_eq!(
        times(&seen(&run.ask(5_000, "a")), CLIENT, &["Closed"]),
        [5_020]
    );
}

#[test]
fn a_reset_is_noticed_at_both_ends_at_once() {
    let seen =
        seen(&scenario(1).fault(1_000, 0, Fault::Conns(path(NODE, CLIENT), ConnFault::Reset)));
    assert_eq!(times(&seen, NODE, &["Closed"]), [1_000]);
    assert_eq!(times(&seen, CLIENT, &["Closed"]), [1_000]);
}

#[test]
fn a_dead_stream_stays_dead_and_a_new_connection_works() {
    let dead = Fault::Conns(path(CLIENT, NODE), ConnFault::DeadStream);
    let run = scenario(1)
        .fault(1_000, 0, dead)
        .ask(2_000, "lost")
        .call(3_000, ClientOp::Unsubscribe(key("")))
        .call(4_000, ClientOp::Deregister(key("")))
        .ask(5_000, "new");
    let seen = seen(&run);
    assert_eq!(received(&seen), ["new"]);
    assert_eq!(times(&seen, NODE, &["Closed"]), [0; 0]);
}

#[test]
fn the_next_messages_are_dropped_and_no_more() {
    let drop = Fault::Link(path(CLIENT, NODE), LinkFault::Drop { count: 2 });
    let seen = seen(&asks(scenario(1).fault(500, 0, drop), 1_000, 5));
    assert_eq!(received(&seen), ["2", "3", "4"]);
    assert_eq!(times(&seen, CLIENT, &["Ended"]), [1_001]);
}

#[test]
fn a_fault_on_a_kind_takes_its_responses_and_spares_other_kinds() {
    let kinds = |kind| Path {
        kinds: vec![kind],
        requests: Some(false),
        ..path(NODE, CLIENT)
    };
    let other = Fault::Link(kinds(MessageKind::Verify), LinkFault::Partition);
    let spared = seen(&scenario(1).fault(500, 10_000, other).ask(1_000, "a"));
    assert_eq!(times(&spared, CLIENT, &["ResponseReceived"]), [1_020]);
    let same = Fault::Link(kinds(MessageKind::Register), LinkFault::Partition);
    let taken = seen(
        &scenario(1)
            .fault(500, 10_000, same)
            .ask(1_000, "a")
            .ask(11_000, "b"),
    );
    assert_eq!(times(&taken, NODE, &["RequestReceived"]), [1_010, 11_010]);
    assert_eq!(times(&taken, CLIENT, &["ResponseReceived"]), [11_020]);
}

#[test]
fn loss_takes_about_its_share() {
    let loss = Fault::Link(
        path(CLIENT, NODE),
        LinkFault::Loss {
            per_million: 300_000,
        },
    );
    let got = received(&seen(&asks(
        scenario(1).fault(500, 20_000, loss),
        1_000,
        1_000,
    )))
    .len();
    assert!((620..780).contains(&got), "{got}");
}

#[test]
fn delays_add_up_and_keep_the_order() {
    let delay = |millis| {
        Fault::Link(
            path(CLIENT, NODE),
            LinkFault::Delay {
                by: Period::from_millis(millis),
            },
        )
    };
    let run = scenario(1)
        .fault(500, 1_000, delay(700))
        .fault(500, 2_000, delay(50));
    let seen = seen(&run.ask(1_499, "a").ask(1_600, "b"));
    assert_eq!(received(&seen), ["a", "b"]);
    assert_eq!(times(&seen, NODE, &["RequestReceived"]), [2_259, 2_259]);
}

#[test]
fn reordered_messages_overtake_each_other_and_none_is_lost() {
    let within = Period::from_millis(100);
    let reorder = Fault::Link(path(CLIENT, NODE), LinkFault::Reorder { within });
    let mut got = received(&seen(&asks(
        scenario(1).fault(500, 9_000, reorder),
        1_000,
        50,
    )));
    assert_ne!(got, numbers(50));
    got.sort_by_key(|text| text.parse::<u64>().unwrap());
    assert_eq!(got, numbers(50));
}

#[test]
fn duplicated_messages_arrive_twice() {
    let twice = Fault::Link(
        path(CLIENT, NODE),
        LinkFault::Duplicate {
            per_million: 1_000_000,
        },
    );
    let got = received(&seen(&scenario(1).fault(500, 9_000, twice).ask(1_000, "a")));
    assert_eq!(got, ["a", "a"]);
}

#[test]
fn corrupt_messages_arrive_unreadable() {
    let both = Path {
        both: true,
        ..path(CLIENT, NODE)
    };
    let corrupt = Fault::Link(
        both,
        LinkFault::Corrupt {
            per_million: 1_000_000,
        },
    );
    let seen = seen(&scenario(1).fault(500, 9_000, corrupt).ask(1_000, "a"));
    assert_eq!(times(&seen, NODE, &["Unhandled", "Malformed"]), [1_010]);
    assert_eq!(
        times(&seen, CLIENT, &["ResponseReceived", "error_code: 502"]),
        [1_020]
    );
}

#[test]
fn a_narrow_link_delays_and_then_is_busy() {
    let narrow = Fault::Link(
        path(CLIENT, NODE),
        LinkFault::Bandwidth {
            bytes_per_second: 4_570,
            queue_bytes: 1_000,
        },
    );
    let run = scenario(1)
        .fault(500, 9_000, narrow)
        .ask(1_000, "a")
        .ask(1_000, "b")
        .ask(1_000, "c");
    let seen = seen(&run);
    assert_eq!(times(&seen, NODE, &["RequestReceived"]), [1_110, 1_210]);
    assert_eq!(times(&seen, CLIENT, &["Busy"]), [1_000]);
}

#[test]
fn a_request_over_the_limit_is_not_sent() {
    let mut run = scenario(1).ask(1_000, &"x".repeat(5_000)).ask(1_001, "a");
    run.message_bytes_max = 4_096;
    let seen = seen(&run);
    assert_eq!(times(&seen, CLIENT, &["TooLarge"]), [1_000]);
    assert_eq!(received(&seen), ["a"]);
}

#[test]
fn the_base_link_loses_its_share() {
    let mut run = asks(scenario(1), 1_000, 1_000);
    run.link.loss_per_million = 100_000;
    let got = received(&seen(&run)).len();
    assert!((860..940).contains(&got), "{got}");
}

#[test]
fn connections_are_forgotten_when_nobody_names_them() {
    let mut run = scenario(1);
    for n in 0..10 {
        run = run
            .call(1_000 + n * 1_000, ClientOp::Unsubscribe(key("")))
            .call(1_500 + n * 1_000, ClientOp::Deregister(key("")));
    }
    let options = crate::outcome::RunOptions::new(crate::scenario::model::WorldKind::Event, 1);
    let mut world: World<'_, super::super::tests::Probe> = World::new(&run, &options).unwrap();
    world.run().unwrap();
    assert_eq!(world.net.conns.len(), 1);
    assert_eq!(world.net.segments.len(), 0);
}

/// Names fail from 1 s to 9 s. The connection is asked on, reset, dialled again in vain, and again
/// when names resolve.
fn nameless(answer: NameAnswer) -> Vec<(u64, u32, String)> {
    let redial = || ClientOp::Deregister(key(""));
    let names = Fault::Link(path(CLIENT, NODE), LinkFault::DnsFailure { answer });
    let reset = Fault::Conns(path(CLIENT, NODE), ConnFault::Reset);
    let run = scenario(1)
        .fault(1_000, 8_000, names)
        .ask(2_000, "a")
        .fault(3_000, 0, reset)
        .call(4_000, redial())
        .call(10_000, redial())
        .ask(11_000, "b");
    seen(&run)
}

#[test]
fn who_must_dial_cannot_while_a_name_does_not_resolve_and_connections_live_on() {
    for (answer, failed) in [
        (NameAnswer::Nothing, 4_001),
        (NameAnswer::OldAddress, 7_000),
    ] {
        let seen = nameless(answer);
        assert_eq!(times(&seen, CLIENT, &["no answer"]), [failed], "{answer:?}");
        assert_eq!(
            times(&seen, CLIENT, &["Opened"]),
            [20, 10_020],
            "{answer:?}"
        );
        assert_eq!(received(&seen), ["a", "b"], "{answer:?}");
    }
}

#[test]
fn a_name_fails_for_who_asks_and_for_nobody_else() {
    let answer = NameAnswer::Nothing;
    let other_way = Fault::Link(path(NODE, CLIENT), LinkFault::DnsFailure { answer });
    let reset = Fault::Conns(path(CLIENT, NODE), ConnFault::Reset);
    let run = scenario(1)
        .fault(1_000, 8_000, other_way)
        .fault(3_000, 0, reset)
        .call(4_000, ClientOp::Deregister(key("")));
    assert_eq!(times(&seen(&run), CLIENT, &["Opened"]), [20, 4_020]);
}
