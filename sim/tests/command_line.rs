//! The command line as a person meets it: what is said, and the exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn distro_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_distro-sim"))
        .args(arguments)
        .output()
        .expect("the binary was just built")
}

/// A directory of this test's own, empty.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("our own directory");
    }
    std::fs::create_dir_all(&path).expect("our own directory");
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str = "about = \"x\"\nduration = \"1s\"\nnodes = 1\n";

#[test]
fn problems_of_all_files_are_shown_and_nothing_runs() {
    let path = directory("problems");
    std::fs::write(path.join("a.toml"), GOOD).expect("written");
    std::fs::write(path.join("b.toml"), "nodes = 1\nsped = 2\n").expect("written");
    std::fs::write(path.join("c.toml"), "about = 1\n").expect("written");
    let output = distro_sim(&["run", &path.display().to_string()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("unknown key `sped`"), "{said}");
    assert!(said.contains("`about` is a number"), "{said}");
    assert!(said.ends_with("nothing was run\n"), "{said}");
    assert!(
        !said.contains('\x1b'),
        "no colours where there is no terminal"
    );
    assert!(output.stdout.is_empty(), "nothing ran");
}

#[test]
fn wrong_arguments_are_bad_input() {
    let path = directory("arguments");
    let file = path.join("a.toml").display().to_string();
    std::fs::write(path.join("a.toml"), GOOD).expect("written");
    for (arguments, right) in [
        (vec!["run", "/no/such/file.toml"], "can't be read"),
        (
            vec!["run", &file, "--profile", "nacos-9"],
            "known here: distro",
        ),
        (vec!["run", &file, "--seeds", "5..1"], "write 1..5"),
        (
            vec!["run", &file, "--seeds", "1..2", "--trace", "t"],
            "--trace is for one run",
        ),
        (
            vec!["diff", "/no/such/trace", "/no/such/trace"],
            "/no/such/trace",
        ),
    ] {
        let output = distro_sim(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(right),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn directory_without_scenarios_is_bad_input() {
    let path = directory("empty");
    let output = distro_sim(&["run", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn diff_says_whether_traces_are_equal() {
    let path = directory("diff");
    let (a, b) = (
        path.join("a").display().to_string(),
        path.join("b").display().to_string(),
    );
    std::fs::write(&a, "{\"format\":\"x\"}\n{\"n\":1,\"host\":\"n1\"}\n").expect("written");
    std::fs::write(&b, "{\"format\":\"x\"}\n{\"n\":1,\"host\":\"n2\"}\n").expect("written");
    assert_eq!(distro_sim(&["diff", &a, &a]).status.code(), Some(0));
    let output = distro_sim(&["diff", &a, &b]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("the traces part at entry 1"));
}

#[test]
fn schema_prints_the_reference() {
    let output = distro_sim(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    for part in [
        "[timing]",
        "rolling-restart",
        "distro-query",
        "S17",
        "verify-interval",
    ] {
        assert!(said.contains(part), "{part}");
    }
}

#[test]
fn a_trace_overwrites_nothing_but_a_trace() {
    let path = directory("overwrites");
    let (scenario, trace) = (path.join("a.toml"), path.join("a.jsonl"));
    std::fs::write(&scenario, GOOD).expect("written");
    let scenario = scenario.display().to_string();
    let run = |to: &str| distro_sim(&["run", &scenario, "--world", "event", "--trace", to]);
    let output = run(&scenario);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("something else than a trace"));
    assert_eq!(
        std::fs::read_to_string(&scenario).expect("it is there"),
        GOOD
    );
    for _ in 0..2 {
        let output = run(&trace.display().to_string());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}
