//! The scenario library: every scenario holds under `distro` in both worlds, and every Nacos
//! release fails where it failed, by the check that the file names.

use std::path::Path;

use distro_core::profile::Profile;
use distro_node::carrier::Carrier;
use distro_sim::run::{Outcome, RunOptions, run};
use distro_sim::scenario::load;
use distro_sim::scenario::model::{Scenario, WorldKind};

const WORLDS: [WorldKind; 2] = [WorldKind::Event, WorldKind::Turmoil];

/// What every scenario of the library is, and what was found by random lives and mended.
fn library() -> Vec<Scenario> {
    let mut all = folder("../scenarios");
    all.extend(found());
    all
}

fn found() -> Vec<Scenario> {
    folder("../scenarios/found")
}

fn folder(folder: &str) -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the library is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| load(path).unwrap_or_else(|problems| panic!("{problems}")))
        .collect()
}

fn life(scenario: &Scenario, world: WorldKind, seed: u64, profile: Option<Profile>) -> Outcome {
    let options = RunOptions {
        profile,
        ..RunOptions::new(world, seed)
    };
    run(scenario, &options).unwrap_or_else(|error| panic!("{}: {error}", scenario.name))
}

fn broken(outcome: &Outcome) -> Vec<&'static str> {
    outcome
        .verdict
        .violations
        .iter()
        .map(|violation| violation.check)
        .collect()
}

#[test]
fn the_library_holds_under_distro_with_several_seeds() {
    let library = library();
    assert!(library.len() >= 24, "{}", library.len());
    for scenario in &library {
        for seed in 1..=5 {
            let outcome = life(scenario, WorldKind::Event, seed, None);
            assert_eq!(broken(&outcome), [""; 0], "{} seed {seed}", scenario.name);
            assert_eq!(
                outcome.skipped,
                [],
                "{}: this world can do everything",
                scenario.name
            );
        }
    }
}

#[test]
fn what_was_found_and_mended_holds_in_turmoil_too() {
    for scenario in found() {
        if !scenario.worlds.contains(&WorldKind::Turmoil) {
            continue;
        }
        for seed in [scenario.seed, 7] {
            let outcome = life(&scenario, WorldKind::Turmoil, seed, None);
            assert_eq!(broken(&outcome), [""; 0], "{} seed {seed}", scenario.name);
        }
    }
}

#[test]
fn every_release_fails_where_it_failed_in_both_worlds() {
    let mut killed = 0;
    for scenario in &library() {
        for (name, check) in &scenario.expect.fails {
            let profile = Profile::from_name(name).expect("the parser knows the profiles");
            for world in WORLDS {
                let outcome = life(scenario, world, scenario.seed, Some(profile));
                let broken = broken(&outcome);
                assert!(
                    broken.contains(&check.as_str()),
                    "{} under {name} in {world:?} has to break {check} and broke {broken:?}",
                    scenario.name
                );
                killed += 1;
            }
        }
    }
    assert!(killed >= 30, "only {killed} defects were tried");
}

#[test]
fn every_check_has_an_occasion_somewhere_in_the_library() {
    let mut judged = std::collections::BTreeMap::new();
    for scenario in &library() {
        let outcome = life(scenario, WorldKind::Event, scenario.seed, None);
        for check in outcome.verdict.checks {
            *judged.entry(check.check).or_insert(0) += check.judged;
        }
    }
    let idle: Vec<_> = judged.iter().filter(|(_, count)| **count == 0).collect();
    assert!(idle.is_empty(), "never judged: {idle:?}");
}

/// Which checks broke, and which faults the world left out. Why not which checks had an occasion:
/// HTTP/2's own keep-alive ends connections that a release of Nacos keeps for ever.
#[test]
fn clients_over_grpc_get_the_verdicts_that_clients_over_tcp_get() {
    let mut differ = Vec::new();
    let meant = |scenario: &Scenario| scenario.worlds.contains(&WorldKind::Turmoil);
    for mut scenario in library().into_iter().filter(meant) {
        let profiles = scenario.expect.fails.clone();
        let profiles = profiles.keys().map(|name| Profile::from_name(name));
        for profile in [None].into_iter().chain(profiles) {
            let [tcp, grpc] = [Carrier::Tcp, Carrier::Grpc].map(|carrier| {
                scenario.carrier = carrier;
                let outcome = life(&scenario, WorldKind::Turmoil, scenario.seed, profile);
                (broken(&outcome), outcome.skipped)
            });
            if tcp != grpc {
                differ.push(format!("{} {profile:?}: {tcp:?} {grpc:?}", scenario.name));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
