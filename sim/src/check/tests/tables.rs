//! S5 and L1 on plain tables, S15 on verdicts.

use std::collections::BTreeSet;
use std::sync::Arc;

use distro_core::io::RemoveCause;

use super::*;
use crate::check::l01_convergence::{Picture, Row, lists_differ, records_differ};
use crate::check::s05_index::{IndexEntry, differs as index_differs};
use crate::check::wall;
use crate::scenario::model::HostFault;

fn ids(all: &[&str]) -> BTreeSet<ClientId> {
    all.iter().map(|id| ClientId::new(id)).collect()
}

fn index_of(publishers: &[&str], subscribers: &[&str]) -> Option<String> {
    let data = record(&ClientId::new("c"), 1, instance(0));
    let (publishers, subscribers, key) = (ids(publishers), ids(subscribers), service());
    let entry = IndexEntry {
        key: &key,
        publishers: &publishers,
        subscribers: &subscribers,
    };
    index_differs(&[(&*data, true)], &[entry])
}

#[test]
fn an_index_that_is_not_the_tables_projection_breaks_s5() {
    assert_eq!(index_of(&["c"], &["c"]), None);
    assert!(index_of(&[], &[]).is_some(), "a missing publisher");
    assert!(
        index_of(&["c", "d"], &[]).is_some(),
        "a publisher without a record"
    );
    assert!(
        index_of(&["c"], &["d"]).is_some(),
        "a subscriber without a connection"
    );
    let data = record(&ClientId::new("c"), 1, instance(0));
    assert!(
        index_differs(&[(&*data, true)], &[]).is_some(),
        "a missing service"
    );
}

fn picture(revision: u64, index: u32, vouched: bool) -> Picture {
    let id = ClientId::new("c");
    let data = record(&id, revision, instance(index));
    let mut picture = Picture::default();
    let row = Row {
        data,
        owner: node_id(0),
        vouched,
    };
    picture.rows.insert(id, row);
    picture
        .lists
        .insert(service(), [Arc::new(instance(index))].into());
    picture
}

/// What of the first node's own records, or of its lists, is another on the second.
fn tables_differ(a: &Picture, b: &Picture) -> Option<String> {
    let (a, b) = (("n1", a), ("n2", b));
    records_differ(&node_id(0), a, b).or_else(|| lists_differ(a, b))
}

#[test]
fn tables_of_equal_size_and_other_content_break_l1() {
    let differ = |a: &Picture, b: &Picture| tables_differ(a, b).is_some();
    let base = picture(1, 0, true);
    assert!(!differ(&base, &picture(1, 0, true)));
    assert!(differ(&base, &picture(2, 0, true)), "revision");
    assert!(differ(&base, &picture(1, 5, true)), "content");
    assert!(differ(&base, &Picture::default()), "existence");
    let mut owner = base.clone();
    owner
        .rows
        .values_mut()
        .for_each(|row| row.owner = node_id(1));
    assert!(differ(&base, &owner), "owner");
    let mut lists = base.clone();
    lists.lists.clear();
    assert!(differ(&base, &lists), "list");
}

#[test]
fn lists_of_the_same_records_with_another_weight_break_l1() {
    let base = picture(1, 0, true);
    let mut heavier = base.clone();
    let mut other = instance(0);
    other.weight = distro_core::message::naming::Weight(3.0);
    heavier.lists.insert(service(), [Arc::new(other)].into());
    assert!(tables_differ(&base, &heavier).is_some());
    // It is so whoever vouches for them.
    let orphan = picture(1, 0, false);
    for row in heavier.rows.values_mut() {
        row.vouched = false;
    }
    assert!(tables_differ(&orphan, &heavier).is_some());
}

#[test]
fn of_whom_its_owner_does_not_tell_a_node_may_have_what_it_likes() {
    let mut other = picture(1, 0, true);
    for row in other.rows.values_mut() {
        row.owner = node_id(2);
    }
    assert_eq!(tables_differ(&Picture::default(), &other), None);
}

#[test]
fn what_nobody_vouches_for_may_end_at_different_times() {
    let orphan = picture(1, 0, false);
    assert_eq!(tables_differ(&orphan, &Picture::default()), None);
}

/// A history of one client under an id that holds a wall stamp.
fn history(id: &str, revision: u64) -> Verdict {
    let mut run = cluster(2, 1);
    let id = run.connect(0, 0, id);
    run.sync(0, 1, &record(&id, revision, instance(3)), true);
    run.remove(0, 0, &id, RemoveCause::Disconnected);
    run.remove(1, 0, &id, RemoveCause::Deleted);
    run.verdict(2)
}

#[test]
fn a_history_does_not_depend_on_ids_with_wall_stamps() {
    let mut run = history("1700000000000_10.1.0.1", 2);
    wall::compare(&mut run, &history("1700000200000_10.1.0.1", 2));
    assert!(!codes(&run).contains(&"S15"));
    assert_eq!(judged(&run, "S15"), 1);
}

#[test]
fn another_history_under_another_wall_clock_breaks_s15() {
    let mut run = history("c", 2);
    wall::compare(&mut run, &history("c", 3));
    assert!(codes(&run).contains(&"S15"));
}

#[test]
fn a_twins_wall_clocks_jump_by_nothing_and_all_else_is_the_same() {
    let mut scenario = scenario(2, 1);
    assert_eq!(wall::twin(&scenario), None);
    let jump = Fault::Hosts(vec![HostId(0)], HostFault::WallJump { by_millis: 1 });
    for fault in [jump, Fault::Hosts(vec![HostId(0)], HostFault::Kill)] {
        let what = What::Fault {
            fault,
            lasts: Period::ZERO,
        };
        scenario.timeline.push(Action {
            at: Period::ZERO,
            what,
            line: 1,
        });
    }
    let twin = wall::twin(&scenario).unwrap();
    assert_eq!(twin.timeline[1..], scenario.timeline[1..]);
    let What::Fault {
        fault: Fault::Hosts(hosts, HostFault::WallJump { by_millis }),
        ..
    } = &twin.timeline[0].what
    else {
        panic!("the jump is still there");
    };
    assert_eq!((hosts.as_slice(), *by_millis), (&[HostId(0)][..], 0));
    assert_eq!(wall::twin(&twin), None);
}
