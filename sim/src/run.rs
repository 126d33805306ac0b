//! One run of one scenario in one world.

use std::borrow::Cow;

use distro_core::profile::Profile;
use distro_core::time::Period;

use crate::check;
use crate::check::verdict::Verdict;
use crate::scenario::model::{Fault, Scenario, What, WorldKind};
use crate::scenario::scaled;
use crate::world;
use crate::world::tcp;

/// How to run.
#[derive(Debug)]
pub struct RunOptions {
    /// In which world.
    pub world: WorldKind,
    /// The seed.
    pub seed: u64,
    /// Run every node with this profile in place of the file's.
    pub profile: Option<Profile>,
    /// Write the trace here, as JSON lines, when present.
    pub trace: Option<std::path::PathBuf>,
    /// Divide every time of the scenario and every protocol constant by this.
    pub time_scale: u32,
    /// How to run in world `tcp`.
    pub tcp: tcp::Options,
}

impl RunOptions {
    /// A run of a scenario as it stands.
    pub fn new(world: WorldKind, seed: u64) -> RunOptions {
        RunOptions {
            world,
            seed,
            profile: None,
            trace: None,
            time_scale: 1,
            tcp: tcp::Options::default(),
        }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the checks say.
    pub verdict: Verdict,
    /// Faults that this world could not do, in words, with their line in the file.
    pub skipped: Vec<(u32, String)>,
    /// Simulated time.
    pub simulated: Period,
    /// Observations, the trace's length.
    pub events: u64,
    /// Hash of the whole trace.
    pub trace_hash: u64,
    /// Hash of all nodes' tables at the end.
    pub state_hash: u64,
    /// The longest that anything waited for its turn to run, where time is real: every step of
    /// every bound has this much more.
    pub lag: Option<Period>,
    /// What else is to be said of the run, in words.
    pub notes: Vec<String>,
}

/// Runs a scenario. A run is a function of (scenario, world, seed, profile, build).
///
/// # Errors
/// The run itself failed: the trace file could not be written, or a bound of the testbed was hit.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    let scenario = effective(scenario, options.profile);
    let scenario = scaled(&scenario, options.time_scale);
    if !options.world.is_simulated() {
        // Wall jumps need a machine whose clock is ours: S15 has nothing to compare here.
        return run_world(&scenario, options);
    }
    let mut outcome = run_world(&scenario, options)?;
    // S15: the same life without its wall jumps has to have the same history.
    if let Some(twin) = check::wall::twin(&scenario) {
        let options = RunOptions {
            trace: None,
            tcp: options.tcp.clone(),
            ..*options
        };
        let twin = run_world(&twin, &options)?;
        check::wall::compare(&mut outcome.verdict, &twin.verdict);
    }
    Ok(outcome)
}

fn run_world(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    match options.world {
        WorldKind::Event => world::event::run(scenario, options),
        WorldKind::Turmoil => world::turmoil::run(scenario, options),
        WorldKind::Tcp => tcp::run(scenario, options),
    }
}

/// The scenario with every node of one profile, when one is given. Worlds and checks see nothing
/// else, so none of them can forget the override.
fn effective(scenario: &Scenario, profile: Option<Profile>) -> Cow<'_, Scenario> {
    let Some(profile) = profile else {
        return Cow::Borrowed(scenario);
    };
    let mut scenario = scenario.clone();
    for node in &mut scenario.nodes {
        node.profile = profile;
    }
    for action in &mut scenario.timeline {
        if let What::Fault {
            fault: Fault::Restart { profile: build, .. },
            ..
        } = &mut action.what
        {
            *build = build.map(|_| profile);
        }
    }
    Cow::Owned(scenario)
}
