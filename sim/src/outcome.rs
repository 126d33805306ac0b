//! What a run is asked for, and what comes out of it: the words between the worlds and whoever
//! runs them.

use std::path::PathBuf;

use distro_core::profile::Profile;
use distro_core::time::Period;

use crate::check::verdict::Verdict;
use crate::scenario::model::WorldKind;

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
    pub trace: Option<PathBuf>,
    /// Divide every time of the scenario and every protocol constant by this.
    pub time_scale: u32,
    /// How to run in world `tcp`.
    pub tcp: TcpOptions,
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
            tcp: TcpOptions::default(),
        }
    }
}

/// How to run in world `tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// The binary `distro`; the one beside this program when absent.
    pub distro: Option<PathBuf>,
    /// Gives every host a network namespace of its own, with real packet loss, in place of the
    /// relay. Needs root.
    pub netns: bool,
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
