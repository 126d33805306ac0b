//! A run is a function of (scenario, seed, build): two processes write the same bytes, and another
//! seed writes others.

use std::path::{Path, PathBuf};
use std::process::Command;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// Runs a scenario in a process of its own and gives its trace.
fn trace(scenario: &str, world: &str, seed: u32, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_distro-sim"))
        .arg("run")
        .arg(scenarios().join(scenario))
        .args(["--world", world, "--seed", &seed.to_string(), "--trace"])
        .arg(&path)
        .output()
        .expect("the testbed starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    std::fs::read(&path).expect("the trace was written")
}

/// Compares without printing megabytes.
fn assert_same(one: &[u8], two: &[u8], what: &str) {
    let first = one.iter().zip(two).position(|(one, two)| one != two);
    assert!(
        first.is_none() && one.len() == two.len(),
        "{what}: {} and {} bytes, first difference at {first:?}",
        one.len(),
        two.len()
    );
}

fn replays(world: &str, scenarios: &[&str]) {
    for scenario in scenarios {
        let one = trace(scenario, world, 7, &format!("{world}-{scenario}-one"));
        let two = trace(scenario, world, 7, &format!("{world}-{scenario}-two"));
        assert!(one.len() > 10_000, "{scenario} in {world} has a trace");
        assert_same(&one, &two, &format!("{scenario} in {world}"));
        let other = trace(scenario, world, 8, &format!("{world}-{scenario}-other"));
        assert_ne!(
            one, other,
            "{scenario} in {world}: another seed is another life"
        );
    }
}

#[test]
fn two_processes_write_the_same_trace_in_the_event_world() {
    let all: Vec<String> = std::fs::read_dir(scenarios())
        .expect("the library is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("scenario names are plain"))
        .filter(|name| name.ends_with(".toml") && !name.starts_with("registration-storm"))
        .collect();
    assert!(all.len() > 30, "{}", all.len());
    replays("event", &all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn two_processes_write_the_same_trace_in_the_turmoil_world() {
    replays(
        "turmoil",
        &[
            "quiet-cluster.toml",
            "rolling-restart.toml",
            "partition-in-three.toml",
            "duplicated-and-reordered-syncs.toml",
            "half-open-connection.toml",
            "clock-drift.toml",
        ],
    );
}
