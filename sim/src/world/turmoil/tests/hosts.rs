//! Hosts that pause, are slow, have wrong clocks or names.

use super::*;

#[test]
fn a_paused_node_does_nothing_and_then_goes_on() {
    let ran = ran(&scenario(
        20,
        vec![(
            6,
            Fault::Hosts(vec![N2], HostFault::Pause),
            Period::from_secs(3),
        )],
    ));
    let told = ran.count(N2, 6, 9, "") - ran.count(N2, 6, 9, "Began");
    assert_eq!(told, 0);
    assert!(ran.count(N2, 9, 20, "") > 0);
    ran.all_list(2);
}

#[test]
fn a_wall_clock_jump_lasts_as_long_as_its_fault() {
    let ahead = |lasts| {
        let jump = Fault::Hosts(
            vec![N1],
            HostFault::WallJump {
                by_millis: 3_600_000,
            },
        );
        let ran = ran(&scenario(12, vec![(6, jump, lasts)]));
        ran.all_list(2);
        let wall = |host| ran.shared.fabric.read_clock(host, 12_000_000).wall;
        wall(0).millis_since(wall(1))
    };
    assert_eq!(ahead(Period::from_secs(3)), 0);
    assert_eq!(ahead(Period::MAX), 3_600_000);
}

#[test]
fn slow_and_delayed_messages_arrive_in_the_end() {
    let faults = vec![
        (
            0,
            Fault::Link(
                path(&[N1], &[N2, N3], true),
                LinkFault::Delay {
                    by: Period::from_millis(300),
                },
            ),
            Period::MAX,
        ),
        (
            0,
            Fault::Hosts(
                vec![N3],
                HostFault::Slow {
                    per_message: Period::from_millis(5),
                },
            ),
            Period::MAX,
        ),
        (
            0,
            Fault::Link(
                path(&[N2], &[N3], true),
                LinkFault::Reorder {
                    within: Period::from_millis(20),
                },
            ),
            Period::MAX,
        ),
    ];
    ran(&scenario(20, faults)).all_list(2);
}

#[test]
fn a_rolling_restart_ends_whole() {
    let roll = Fault::Hosts(
        vec![N1, N2, N3],
        HostFault::RollingRestart {
            every: Period::from_secs(15),
            down: Period::from_secs(2),
        },
    );
    let ran = ran(&scenario(75, vec![(6, roll, Period::ZERO)]));
    for node in [N1, N2, N3] {
        assert_eq!(ran.count(node, 0, 75, "Started"), 2);
    }
    ran.all_list(2);
}

#[test]
fn a_limited_link_is_reported_and_slows() {
    let narrow = Fault::Link(
        path(&[N1], &[N2], true),
        LinkFault::Bandwidth {
            bytes_per_second: 2_000,
            queue_bytes: 4_000,
        },
    );
    let scenario = scenario(20, vec![(3, narrow, Period::from_secs(8))]);
    assert_eq!(run(&scenario, &options(1)).unwrap().skipped.len(), 1);
    ran(&scenario).all_list(2);
}

#[test]
fn who_must_dial_cannot_while_names_do_not_resolve_and_connections_live_on() {
    for answer in [NameAnswer::Nothing, NameAnswer::OldAddress] {
        let names = LinkFault::DnsFailure { answer };
        let names = Fault::Link(path(&[A, B], &[N1, N2, N3], false), names);
        let reset = Fault::Conns(path(&[A], &[N1], false), ConnFault::Reset);
        let faults = vec![(5, names, Period::from_secs(8)), (6, reset, Period::ZERO)];
        let ran = ran(&scenario(30, faults));
        assert_eq!(ran.count(A, 6, 7, "Closed"), 1, "{answer:?}");
        assert_eq!(ran.count(A, 6, 13, "Opened"), 0, "{answer:?}");
        assert!(ran.count(A, 13, 30, "Opened") > 0, "{answer:?}");
        assert_eq!(ran.count(B, 5, 30, "Closed"), 0, "{answer:?}");
        assert!(ran.received(N2, 6, 13, B) > 0, "{answer:?}");
        ran.all_list(2);
    }
}
