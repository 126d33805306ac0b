//! What a run of world tcp leaves behind: the lives of its processes and what was told meanwhile.

use std::collections::BTreeMap;

use distro_core::sdk::io::SdkConfig;
use distro_core::time::Now;
use distro_node::record::read::Header;

use super::client::Log;
use crate::scenario::model::ClientOp;
use crate::world::script::Skipped;

/// One step of a machine, as it was recorded.
#[derive(Debug, Clone)]
pub(super) struct Step<I> {
    /// The clocks it was given.
    pub(super) now: Now,
    /// What it took.
    pub(super) input: I,
    /// Hash of what it put out.
    pub(super) outputs: u64,
    /// Numbers of the outputs that were not carried out, from 0, in order.
    pub(super) refused: Vec<usize>,
}

/// One life of a process.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) host: u32,
    pub(super) of: LifeOf,
}

/// What is known of a life.
#[derive(Debug)]
pub(super) enum LifeOf {
    /// It ended before it listened: nobody ever heard of it.
    Unknown,
    /// A node.
    Node {
        header: Box<Header>,
        recording: String,
    },
    /// A client.
    Client {
        config: Box<SdkConfig>,
        born: Now,
        log: Log,
    },
}

impl Life {
    pub(super) const fn new(host: u32) -> Life {
        Life {
            host,
            of: LifeOf::Unknown,
        }
    }
}

/// What the driver did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// An action of the timeline began.
    Began(u32),
    /// It ended.
    Ended(u32),
    /// A process began to run.
    Started { host: u32, life: usize },
    /// It does not run any more.
    Stopped { host: u32, silent: bool },
    /// A process stands still.
    Paused(u32),
    /// It goes on.
    Resumed(u32),
}

/// A run that is over.
#[derive(Debug)]
pub(super) struct Lived {
    /// What is to be said of it, in words.
    pub(super) notes: Vec<String>,
    /// What could not be done.
    pub(super) skipped: Skipped,
    pub(super) lives: Vec<Life>,
    /// By true time.
    pub(super) told: Vec<(u64, Told)>,
    /// What applications called, by host and number of the call.
    pub(super) calls: BTreeMap<(u32, u64), ClientOp>,
    /// What the machine's clock showed at the start of the run.
    pub(super) zero: u64,
    /// The longest delay that the testbed noticed, in microseconds.
    pub(super) lag: u64,
}
