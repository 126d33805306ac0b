//! What the worlds share: clocks of hosts, what processes are born with, what applications do,
//! the faults of links, and where all that happens is told.

pub(crate) mod application;
pub(crate) mod birth;
pub(crate) mod clock;
pub(crate) mod record;
pub(crate) mod rules;
pub(crate) mod state;

use distro_core::time::Period;

use crate::scenario::model::Scenario;

/// The longest time from the end of a partition to the next retransmission. Why: a TCP sender
/// probes again one retransmission timeout after the network is back, 200 ms at least.
pub(crate) const RETRANSMISSION_MAX: Period = Period::from_millis(200);

/// How many of a scenario's hosts are nodes; the clients follow them.
pub(crate) fn nodes_of(scenario: &Scenario) -> u32 {
    u32::try_from(scenario.nodes.len()).unwrap_or(u32::MAX)
}
