//! One run of one scenario in one world.

use std::borrow::Cow;

use distro_core::profile::Profile;

use crate::check;
pub use crate::outcome::{Outcome, RunOptions};
use crate::scenario::model::{Fault, HostFault, Scenario, What, WorldKind};
use crate::scenario::scaled;
use crate::world;
use crate::world::tcp;

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
            fault: Fault::Hosts(_, HostFault::Restart { profile: build, .. }),
            ..
        } = &mut action.what
        {
            *build = build.map(|_| profile);
        }
    }
    Cow::Owned(scenario)
}
