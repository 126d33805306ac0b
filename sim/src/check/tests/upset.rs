//! What faults do to liveness clocks, and what the bounds are made of.

use distro_core::config::TimingKey;
use distro_core::message::MessageKind;
use distro_core::message::distro::DistroDataRequest;

use super::*;
use crate::check::bounds::Bounds;
use crate::scenario::model::{HostFault, LinkFault};

/// A change at the first node at 30 s with a fault on the way to the second one.
fn with_fault(fault: &Fault, ends_secs: u64, arrives_millis: u64) -> Vec<&'static str> {
    let mut run = cluster(2, 1);
    run.at(29_000);
    run.fault(fault.clone(), ends_secs - 29, true);
    run.at(30_000);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.at(31_000);
    run.distro(0, 1, DistroDataRequest::Change(data.clone()));
    run.at(ends_secs * 1_000);
    run.fault(fault.clone(), ends_secs - 29, false);
    run.at(arrives_millis);
    run.change(1, 0, &data, true);
    run.end(200)
}

#[test]
fn a_clock_starts_when_the_partition_ends() {
    let partition = Fault::Link(path(0, 1), LinkFault::Partition);
    assert_eq!(with_fault(&partition, 60, 79_000), [] as [&str; 0]);
    assert_eq!(with_fault(&partition, 60, 90_000), ["L2"]);
}

#[test]
fn lost_messages_of_services_leave_only_the_time_of_a_repair() {
    let mut lossy = path(0, 1);
    lossy.kinds = vec![MessageKind::Change];
    let loss = Fault::Link(
        lossy,
        LinkFault::Loss {
            per_million: 1_000_000,
        },
    );
    assert_eq!(with_fault(&loss, 60, 66_000), [] as [&str; 0]);
    assert_eq!(with_fault(&loss, 60, 79_000), ["L2"]);
}

#[test]
fn a_fault_elsewhere_excuses_nothing() {
    let mut run = cluster(3, 1);
    run.at(29_000);
    run.fault(Fault::Link(path(1, 2), LinkFault::Partition), 100, true);
    run.at(30_000);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.at(31_000);
    run.sync(0, 2, &data, true);
    run.distro(0, 1, DistroDataRequest::Change(data));
    assert_eq!(run.end(40), ["L2"]);
}

#[test]
fn a_wall_jump_excuses_nothing() {
    let mut run = cluster(2, 1);
    run.at(29_000);
    run.fault(
        Fault::Hosts(vec![HostId(0)], HostFault::WallJump { by_millis: 200_000 }),
        100,
        true,
    );
    run.at(30_000);
    let id = run.connect(0, 0, "c");
    run.distro(0, 1, DistroDataRequest::Change(record(&id, 1, instance(0))));
    assert_eq!(run.end(40), ["L2"]);
}

#[test]
fn a_counted_drop_upsets_until_it_is_spent() {
    let dropped = |count| {
        let mut only = path(0, 1);
        only.both = false;
        only.kinds = vec![MessageKind::Change];
        let mut run = cluster(2, 1);
        run.at(29_000);
        run.fault(Fault::Link(only, LinkFault::Drop { count }), 0, true);
        run.at(30_000);
        let id = run.connect(0, 0, "c");
        run.at(31_000);
        run.distro(0, 1, DistroDataRequest::Change(record(&id, 1, instance(0))));
        run.end(60)
    };
    assert_eq!(
        dropped(1),
        ["L2"],
        "one message was lost and never repaired"
    );
    assert_eq!(
        dropped(2),
        [] as [&str; 0],
        "the second one may be lost still"
    );
}

#[test]
fn bounds_are_those_of_the_catalogue_with_nacoss_constants() {
    let bounds = Bounds::of(&scenario(3, 1));
    let near = |bound: Period, millis: u64| {
        let expected = Period::from_millis(millis);
        bound >= expected && bound <= expected + Period::from_millis(300)
    };
    assert!(near(bounds.sync(), 1_100), "{}", bounds.sync());
    assert!(near(bounds.push(), 600), "{}", bounds.push());
    assert!(near(bounds.repair(), 6_500), "{}", bounds.repair());
    assert!(near(bounds.converge(), 5_200), "{}", bounds.converge());
    assert!(near(bounds.settle(), 20_000), "{}", bounds.settle());
    assert!(
        near(bounds.ejected(false), 28_100),
        "{}",
        bounds.ejected(false)
    );
    assert!(
        near(bounds.lease_over(), 185_000),
        "{}",
        bounds.lease_over()
    );
    assert!(
        near(bounds.returned(true, 0, false), 7_000),
        "{}",
        bounds.returned(true, 0, false)
    );
    assert!(
        near(bounds.returned(false, 0, false), 21_500),
        "{}",
        bounds.returned(false, 0, false)
    );
}

#[test]
fn bounds_follow_the_files_constants_and_the_link() {
    let mut scenario = scenario(3, 1);
    let before = Bounds::of(&scenario).sync();
    scenario
        .timing
        .push((TimingKey::SyncDelay, Period::from_secs(4)));
    scenario.link.latency_max = Period::from_millis(101);
    let more = Period::from_secs(3) + Period::from_millis(200);
    assert_eq!(Bounds::of(&scenario).sync(), before + more);
}

#[test]
fn base_loss_lengthens_a_bound_by_repairs() {
    let mut scenario = scenario(3, 1);
    let before = Bounds::of(&scenario);
    scenario.link.loss_per_million = 50_000;
    let after = Bounds::of(&scenario);
    assert!(after.sync() > before.sync() + before.repair().times(5));
}

#[test]
fn nothing_is_owed_to_one_that_left_the_list_of_members_or_has_one_without_the_owner() {
    let left_out = |whose: u32, members: &[u32]| {
        let mut run = cluster(3, 1);
        run.at(30_000);
        let id = run.connect(0, 0, "c");
        run.at(30_500);
        run.set_members(whose, members);
        run.at(31_000);
        run.sync(0, 2, &record(&id, 1, instance(0)), true);
        run.end(70)
    };
    assert_eq!(left_out(0, &[0, 2]), [] as [&str; 0]);
    assert_eq!(left_out(1, &[1, 2]), [] as [&str; 0]);
    assert_eq!(left_out(0, &[0, 1, 2]), ["S17", "L2"]);
}

/// A limit of bandwidth from 29 s to 60 s, and a change that waits in its queue until it arrives.
fn queued(arrives_secs: u64) -> Vec<&'static str> {
    let limit = LinkFault::Bandwidth {
        bytes_per_second: 1,
        queue_bytes: 1_000,
    };
    let limit = Fault::Link(path(0, 1), limit);
    let mut run = cluster(2, 1);
    run.at(29_000);
    run.fault(limit.clone(), 31, true);
    run.at(30_000);
    let id = run.connect(0, 0, "c");
    let data = record(&id, 1, instance(0));
    run.at(31_000);
    let request = Request::DistroData(DistroDataRequest::Change(data.clone()));
    let (conn, id, request) = (ConnId(90), RequestId(1), &request);
    run.see(
        0,
        Seen::RequestSent {
            conn,
            peer: HostId(1),
            id,
            request,
        },
    );
    run.at(60_000);
    run.fault(limit, 31, false);
    run.at(arrives_secs * 1_000);
    run.see(
        1,
        Seen::RequestReceived {
            conn,
            peer: HostId(0),
            id,
            request,
        },
    );
    run.at(arrives_secs * 1_000 + 19_000);
    run.change(1, 0, &data, true);
    run.end(arrives_secs + 30)
}

#[test]
fn a_limit_of_bandwidth_is_over_when_its_queue_is_empty() {
    assert_eq!(queued(60), [] as [&str; 0]);
    assert_eq!(queued(75), [] as [&str; 0]);
}

#[test]
fn a_delay_ends_as_much_later_as_it_holds_messages_back() {
    let late = |by: u64| {
        let by = Period::from_secs(by);
        let delay = Fault::Link(path(0, 1), LinkFault::Delay { by });
        with_fault(&delay, 60, 88_000)
    };
    assert_eq!(late(1), ["L2"]);
    assert_eq!(late(10), [] as [&str; 0]);
}
