use std::collections::BTreeMap;

use distro_core::time::Mono;

use super::*;
use crate::check::verdict::Verdict;
use crate::scenario::{self, parse};

fn scenario() -> Scenario {
    let text = "about = \"x\"\nduration = \"60s\"\nnodes = 2\nexpect-reached = [\"detection\"]\n\
                [expect-fails]\n\"nacos-2.3\" = \"L5\"";
    parse("lost-delete", text).expect("a good scenario")
}

fn outcome(violations: Vec<Violation>, marks: &[(&'static str, u64)]) -> Outcome {
    Outcome {
        notes: Vec::new(),
        verdict: Verdict {
            violations,
            checks: vec![CheckResult {
                check: "L5",
                name: "dead client gone at replicas",
                judged: 3,
                worst: None,
                bound: None,
                broken: 1,
            }],
            history_hash: 0,
            marks: BTreeMap::from_iter(marks.iter().copied()),
        },
        skipped: vec![(12, "fault = drift".to_owned())],
        simulated: Period::from_secs(60),
        events: 1_000,
        trace_hash: 1,
        state_hash: 0xabc,
        lag: None,
    }
}

fn l5() -> Violation {
    Violation {
        check: "L5",
        text: "n2 still lists web-1".to_owned(),
        at: Mono(12_500_000),
        entry: 321,
        bound: Some(Period::from_secs(3)),
        measured: Some(Period::from_millis(4_500)),
    }
}

fn told<T>(
    result: &Result<Outcome, String>,
    profile: Option<Profile>,
    tell: impl FnOnce(&Report<'_>) -> T,
) -> T {
    let scenario = scenario();
    let (file, world) = ("scenarios/lost-delete.toml", WorldKind::Event);
    let job = Job {
        file,
        scenario: &scenario,
        world,
        seed: 7,
        profile,
        time_scale: 1,
        netns: false,
    };
    tell(&Report::new(job, result, Period::from_millis(2)))
}

#[test]
fn row_shows_times_and_rates() {
    let result = Ok(outcome(Vec::new(), &[("detection", 1)]));
    let row = told(&result, None, |report| {
        report.row(Layout { name: 11 }, |_, text| text.into())
    });
    assert_eq!(
        row,
        "     7  lost-delete  event    held                  60s     2.00ms       1000     500000      30000  0000000000000abc"
    );
}

#[test]
fn failure_names_property_bound_measure_moment_and_command() {
    let result = Ok(outcome(vec![l5()], &[]));
    let profile = scenario::profile("nacos-2.3").expect("a profile");
    let details = told(&result, Some(profile), |report| report.details());
    assert_eq!(
        details,
        "    skipped in world event: fault = drift (scenarios/lost-delete.toml:12)\n\
         \x20   L5 (dead client gone at replicas) first broken at 12.5s, entry 321: n2 still lists \
         web-1; bound 3s, measured 4.5s\n\
         \x20   L5 is what this profile is expected to break\n\
         \x20   again: cargo run --release -p distro-sim -- run scenarios/lost-delete.toml --seed 7 \
         --world event --profile nacos-2.3\n"
    );
}

#[test]
fn profile_that_should_fail_and_holds_is_missed() {
    let result = Ok(outcome(Vec::new(), &[]));
    let profile = scenario::profile("nacos-2.3").expect("a profile");
    assert_eq!(
        told(&result, Some(profile), |report| report.standing()),
        Standing::Missed
    );
    assert_eq!(
        told(&result, Some(Profile::DISTRO), |report| report.standing()),
        Standing::Held
    );
}

#[test]
fn mark_that_was_not_reached_is_missed() {
    let never = Ok(outcome(Vec::new(), &[("detection", 0)]));
    assert_eq!(
        told(&never, None, |report| report.standing()),
        Standing::Missed
    );
    let once = Ok(outcome(Vec::new(), &[("detection", 1)]));
    assert_eq!(
        told(&once, None, |report| report.standing()),
        Standing::Held
    );
}

#[test]
fn failed_run_says_why_and_how_to_repeat_it() {
    let result = Err("disk full".to_owned());
    let details = told(&result, None, |report| report.details());
    assert!(
        details.starts_with("    the run failed: disk full\n    again: cargo run"),
        "{details}"
    );
    assert_eq!(
        told(&result, None, |report| report.json()["verdict"].clone()),
        "failed"
    );
}

#[test]
fn json_has_the_same_facts() {
    let result = Ok(outcome(vec![l5()], &[]));
    let line = told(&result, None, |report| report.json());
    assert_eq!(line["verdict"], "broken");
    assert_eq!(line["violations"][0]["measured_us"], 4_500_000);
    assert_eq!(line["state_hash"], "0000000000000abc");
    assert_eq!(line["simulated_s_per_s"], 30_000);
}

#[test]
fn words_with_blanks_are_quoted_for_the_shell() {
    assert_eq!(shell("a/b-c.toml"), "a/b-c.toml");
    assert_eq!(shell("my file"), "'my file'");
    assert_eq!(shell("it's"), "'it'\\''s'");
}
