//! The same questions on the bare core, on simulated sockets and on real processes: the same
//! checks, and the same answers.
//!
//! Runs in world `tcp` take real time and nearly no work, so all of them run at once. The time
//! scale is what a loaded machine with two cores keeps up with.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use distro_sim::compare::{Comparison, Word, guarded};
use distro_sim::run::{Outcome, RunOptions};
use distro_sim::scenario::model::{Scenario, WorldKind};
use distro_sim::scenario::{load, parse};
use distro_sim::world::tcp::Options;

/// Every time of a scenario is divided by this.
const SCALE: u32 = 4;

/// Calm, changes, dead clients, limits, dead, paused and restarted nodes, cut networks, lost,
/// late and doubled messages: what the released node and this machine can do without leaving
/// anything out.
const QUESTIONS: [&str; 19] = [
    "batch-registration",
    "connection-limits",
    "duplicated-and-reordered-syncs",
    "half-open-connection",
    "hanging-client",
    "hazard-h1-retry-replaces-delete",
    "hazard-h2-late-change-resurrects",
    "killed-client",
    "lost-change",
    "lost-delete",
    "node-restart",
    "partition-in-three",
    "pause-node-30s",
    "quiet-cluster",
    "rebalancing",
    "register-change-deregister",
    "rough-links-to-grpc-clients",
    "silent-client",
    "whole-cluster-restart",
];

const WORLDS: [WorldKind; 3] = [WorldKind::Event, WorldKind::Turmoil, WorldKind::Tcp];

fn scenario(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    load(&path.join(format!("{name}.toml"))).unwrap()
}

fn options(world: WorldKind, seed: u64, distro: &Path) -> RunOptions {
    RunOptions {
        time_scale: SCALE,
        tcp: Options {
            distro: Some(distro.to_owned()),
            netns: false,
        },
        ..RunOptions::new(world, seed)
    }
}

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_distro"))
}

/// One scenario in all worlds, on this binary.
fn compared(scenario: &Scenario, distro: &Path) -> Comparison {
    let run = |world| guarded(scenario, &options(world, scenario.seed, distro));
    Comparison::of(WORLDS.to_vec(), WORLDS.map(run).into())
}

/// What a check says in each world.
fn words(comparison: &Comparison, check: &str) -> Vec<Word> {
    match comparison.rows.iter().find(|row| row.check == check) {
        Some(row) => row.cells.iter().map(|cell| cell.word).collect(),
        // A check that no world judged has no row.
        None => vec![Word::Unasked; comparison.worlds.len()],
    }
}

#[test]
fn eighteen_scenarios_have_the_same_verdict_in_three_worlds() {
    let scenarios = QUESTIONS.map(scenario);
    let distro = binary();
    let real: Vec<Result<Outcome, String>> = std::thread::scope(|scope| {
        let runs = scenarios.each_ref().map(|scenario| {
            let options = options(WorldKind::Tcp, scenario.seed, &distro);
            scope.spawn(move || guarded(scenario, &options))
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (scenario, real) in scenarios.iter().zip(real) {
        let [event, turmoil] = [WorldKind::Event, WorldKind::Turmoil]
            .map(|world| guarded(scenario, &options(world, scenario.seed, &distro)));
        let comparison = Comparison::of(WORLDS.to_vec(), vec![event, turmoil, real]);
        let said = format!(
            "{}:\n{}{}",
            scenario.name,
            comparison.table(),
            comparison.details()
        );
        assert!(!comparison.failed() && !comparison.differs(), "{said}");
        for outcome in comparison.outcomes.iter().flatten() {
            assert!(outcome.verdict.violations.is_empty(), "{said}");
            assert!(outcome.skipped.is_empty(), "{said}");
        }
        // An answer that nobody asked for proves nothing: what every run gives occasion for was
        // judged in each world.
        let expect = (!scenario.expect.lists.is_empty()).then_some("EXPECT");
        for check in ["S1", "S4", "S5", "S8", "L7"].into_iter().chain(expect) {
            let words = words(&comparison, check);
            assert_eq!(words, [Word::Held; 3], "{check} in {said}");
        }
    }
}

const SLOW: &str = r#"
about = "A client registers, and when the cluster is calm it registers something else."
duration = "60s"
nodes = 3

[[clients]]
name = "web"
count = 2
start = "2s"
connect = ["n1"]
register = ["orders"]

[[timeline]]
at = "30s"
call = "register"
client = "web-1"
service = "stock"
"#;

/// A binary that is not what it says: every node waits sixteen times as long before it syncs.
fn late_binary(directory: &Path) -> PathBuf {
    let path = directory.join("distro");
    let script = format!(
        "#!/bin/sh\nexec {} \"$@\" --set timing.sync-delay=4s\n",
        binary().display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_real_node_that_breaks_its_promise_is_found_by_the_check_of_that_promise() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = parse("late", SLOW).unwrap();
    let comparison = compared(&scenario, &late_binary(directory.path()));
    assert!(!comparison.failed(), "{}", comparison.details());
    assert!(comparison.differs(), "{}", comparison.table());
    assert_eq!(
        words(&comparison, "L2"),
        [Word::Held, Word::Held, Word::Broken],
        "{}",
        comparison.table()
    );
}

const UNDOABLE: &str = r#"
about = "Node n2 fails to apply a sync, so for three seconds it does not list what is new."
duration = "40s"
nodes = 3

[[clients]]
name = "web"
start = "2s"
connect = ["n1"]
register = ["orders"]

[[timeline]]
at = "9s"
fault = "fail-apply"
node = "n2"
count = 1

[[timeline]]
at = "10s"
call = "register"
client = "web"
service = "stock"

[[expect]]
at = "12500ms"
nodes = ["n2"]
service = "stock"
instances = 0
"#;

#[test]
fn a_fault_that_real_processes_do_not_have_is_said_to_be_left_out() {
    let scenario = parse("undoable", UNDOABLE).unwrap();
    let comparison = compared(&scenario, &binary());
    assert!(!comparison.failed(), "{}", comparison.details());
    assert_eq!(
        words(&comparison, "EXPECT"),
        [Word::Held, Word::Held, Word::Broken]
    );
    let left_out: Vec<usize> = { comparison.outcomes.iter().flatten() }
        .map(|outcome| outcome.skipped.len())
        .collect();
    assert_eq!(left_out, [0, 0, 1]);
    assert!(comparison.details().contains("skipped in tcp: fail-apply"));
}
