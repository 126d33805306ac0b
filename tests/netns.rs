//! World `tcp` with a network namespace for each host: packets really are lost, and the answers
//! are those of the bare core. Where namespaces cannot be made it says so and why.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::Write as _;
use std::path::Path;

use distro_sim::compare::{Comparison, guarded};
use distro_sim::run::{Outcome, RunOptions};
use distro_sim::scenario::load;
use distro_sim::scenario::model::{Scenario, WorldKind};
use distro_sim::world::tcp::Options;

/// Every time of a scenario is divided by this.
const SCALE: u32 = 4;

/// What is asked, and whether packets are dropped for it: by cuts, by loss.
const QUESTIONS: [(&str, [bool; 2]); 6] = [
    ("half-open-connection", [true, false]),
    ("killed-client", [false, false]),
    ("node-restart", [false, false]),
    ("partition-in-three", [true, false]),
    ("rough-links-to-grpc-clients", [false, true]),
    ("silent-client", [true, false]),
];

fn options(world: WorldKind, seed: u64) -> RunOptions {
    RunOptions {
        time_scale: SCALE,
        tcp: Options {
            distro: Some(env!("CARGO_BIN_EXE_distro").into()),
            netns: true,
        },
        ..RunOptions::new(world, seed)
    }
}

fn scenario(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    load(&path.join(format!("{name}.toml"))).unwrap()
}

/// Packets that were dropped, as the run tells: by cuts, by loss.
fn dropped(outcome: &Outcome) -> [u64; 2] {
    let note = outcome.notes.first().unwrap();
    let numbers: Vec<u64> = note
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    [numbers[0], numbers[1]]
}

#[test]
fn six_scenarios_have_the_verdict_of_the_bare_core_where_the_kernel_drops_packets() {
    let scenarios = QUESTIONS.map(|(name, _)| scenario(name));
    let real: Vec<Result<Outcome, String>> = std::thread::scope(|scope| {
        let runs = scenarios.each_ref().map(|scenario| {
            let options = options(WorldKind::Tcp, scenario.seed);
            scope.spawn(move || guarded(scenario, &options))
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ((scenario, (name, drops)), real) in scenarios.iter().zip(QUESTIONS).zip(real) {
        if let Err(why) = &real
            && why.starts_with("--netns needs")
        {
            // Straight to the stream: a test that passes has its output kept back.
            writeln!(std::io::stderr(), "SKIPPED: {name} in namespaces: {why}").unwrap();
            continue;
        }
        let event = guarded(scenario, &options(WorldKind::Event, scenario.seed));
        let comparison = Comparison::of(vec![WorldKind::Event, WorldKind::Tcp], vec![event, real]);
        let said = format!("{name}:\n{}{}", comparison.table(), comparison.details());
        assert!(!comparison.failed() && !comparison.differs(), "{said}");
        for outcome in comparison.outcomes.iter().flatten() {
            assert!(outcome.verdict.violations.is_empty(), "{said}");
        }
        let outcome = comparison.outcomes[1].as_ref().unwrap();
        assert_eq!(dropped(outcome).map(|count| count > 0), drops, "{said}");
    }
}
