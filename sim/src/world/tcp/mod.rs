//! The world `tcp`: real `distro serve` processes on the real kernel, in real time.
//!
//! # Why its verdict can be believed
//! The checks are the same ones, and they judge the same things, because what they look at is the
//! same: observations, and the machines behind them. A node in another process cannot be looked
//! at. But its core is a function of its inputs, so it can be had again: every node
//! [records](distro_node::record) each input with the clock readings it was taken at, before
//! anything the input causes leaves the process. After the run the testbed merges the recordings
//! of all lives by the machine's monotonic clock, feeds each input to a core of its own, and shows
//! the checks what goes in and what comes out, with the machine to look at, exactly as the world
//! `event` does. Clients are the shell's own `Sdk` driver on real sockets inside the testbed; they
//! are recorded and replayed in the same way.
//!
//! That the replay is what happened is not assumed. Each recorded step has a hash of what came
//! out; one that differs fails the run. So a verdict is about the outputs that the processes
//! really had, and not about what a model would have done.
//!
//! Order: a message is handed out after the clock was read for the input that caused it, and the
//! clock is read for its arrival after it arrived. All processes read one clock, and the readings
//! are compared to within microseconds, less than a message needs for its way through the relay.
//! So no arrival is merged before its departure.
//!
//! # Faults
//! Every connection runs through a relay of ours: each node is told its fellows' addresses with
//! ports of the relay, one per pair, and so is each client. The relay puts the same
//! [fabric](super::link) between the ends that the world `turmoil` has, so cuts, loss, delay,
//! resets and dead streams mean the same. Where nobody answers, not even a SYN is answered: the
//! listener's backlog is shut and filled. A kill is SIGKILL, a pause of a node SIGSTOP; a paused
//! client is not polled. What an operator does goes over the node's HTTP or its `cluster.conf`.
//! The clocks of the machine are not ours to change, and no process takes the order to fail: such
//! faults are taken out of the timeline before anything runs, and said to be skipped.
//!
//! With `--netns` there is no relay: every host has a [network namespace](netns), nodes and clients
//! reach each other as they are, and the kernel's packet filter lies between.
//!
//! # Time
//! Bounds are those of the scenario, plus for each step the longest that anything had to wait for
//! its turn: a ticker in the testbed measures it, and the replay measures how late each node was
//! for its own deadlines. A time scale divides the scenario's times and the protocol's constants
//! alike, so it is the same question; the machine's own delays stay as they are, so a scale must
//! leave the constants well above them.
//!
//! # Clean-up
//! Nodes are killed when the run ends in any way, by a guard; interrupts end the run. A testbed
//! that is itself killed leaves a node whose recording has no reader: it stops at its next input.
//!
//! # Layout
//! - [`plan`] addresses and ports · [`process`] a node's process ·
//!   [`client`] a client · [`place`] where either is · [`operate`] the operator's hand
//! - [`between`] what lies between: [`relay`], or [`netns`]
//! - [`driver`] the run, [`stage`] what the script wants done · [`replay`] the verdict · [`lag`]
//!   delays · [`interrupt`] signals

mod between;
mod client;
mod driver;
mod interrupt;
mod lag;
mod lived;
mod netns;
mod operate;
mod place;
mod plan;
mod process;
mod relay;
mod replay;
mod stage;

pub use crate::outcome::TcpOptions as Options;
use crate::outcome::{Outcome, RunOptions};
use crate::scenario::model::Scenario;

/// True when a signal ended a run of this world: whoever started it is to end as well.
pub fn interrupted() -> bool {
    interrupt::told()
}

/// Runs a scenario in real time.
///
/// # Errors
/// It could not be done: no binary, no free addresses, a process that ended by itself, a recording
/// that does not replay, an interrupt.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    let (mut scenario, skipped) = stage::possible(scenario, options.tcp.netns)?;
    let plan = plan::Plan::claim(&mut scenario, &options.tcp)?;
    let interrupted = interrupt::watch()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop: {error}"))?;
    let local = tokio::task::LocalSet::new();
    let driver = driver::Driver::new(&scenario, &plan, options.seed)?;
    let lived = local.block_on(&runtime, driver.run(interrupted))?;
    drop(local);
    replay::judge(scenario, options, lived, skipped)
}
