//! What a world does for its script.

use distro_core::io::Command;
use distro_core::profile::Profile;
use distro_core::time::Period;

use super::Due;
use crate::scenario::address;
use crate::scenario::model::{Action, ClientOp, ConnFault, LinkFault, NodeOp, Path};
use crate::world::common::clock::Turn;

/// Whether it was done; if not, why the run cannot go on.
pub(crate) type Done = Result<(), String>;

/// What a node is told to do from outside the cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order<'a> {
    /// An operator acts.
    Operator(&'a NodeOp),
    /// So many of its next syncs fail to apply.
    FailApply(u32),
}

impl Order<'_> {
    /// As the core takes it, where hosts have their simulated addresses.
    pub(crate) fn command(self) -> Command {
        match self {
            Order::Operator(NodeOp::SetLimits(limits)) => Command::SetLimits(limits.clone()),
            Order::Operator(NodeOp::Rebalance { keep, redirect }) => Command::Rebalance {
                keep: *keep,
                redirect: redirect.map(|host| address::node_id(host.0)),
            },
            Order::Operator(NodeOp::SetMembers(members)) => {
                let members = members.iter().map(|host| address::node_id(host.0));
                Command::SetMembers(members.collect())
            }
            Order::FailApply(count) => Command::FailApply { count },
        }
    }
}

/// A world, as its script sees it. Hosts are numbered as in the scenario.
pub(crate) trait Stage {
    /// True time since the start of the run, in microseconds.
    fn now(&self) -> u64;
    /// Comes back to the script with this at that moment, after what was planned for it before.
    fn plan(&mut self, at: u64, due: Due);
    /// The checks learn that an action begins.
    fn began(&mut self, index: usize, action: &Action);
    /// The checks learn that an action ends; it is about to.
    fn ended(&mut self, index: usize, action: &Action);

    /// True while a process runs on a host, or is about to.
    fn runs(&self, host: u32) -> bool;
    /// Starts a process; none runs there.
    fn start(&mut self, host: u32, profile: Profile) -> Done;
    /// Ends a process, if one runs there. Silent: its host loses power.
    fn stop(&mut self, host: u32, silent: bool) -> Done;
    /// A host stands still from now on, or goes on.
    fn pause(&mut self, host: u32, pause: bool) -> Done;
    /// A host takes this long for each message from now on, or is as fast as any.
    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done;
    /// The clocks of a host change.
    fn clock(&mut self, host: u32, turn: Turn) -> Done;
    /// A client's application calls it; it runs.
    fn call(&mut self, host: u32, op: ClientOp) -> Done;
    /// A node is told to do something; it runs.
    fn order(&mut self, host: u32, order: Order<'_>) -> Done;

    /// A fault of links begins.
    fn link(&mut self, action: u32, path: &Path, fault: &LinkFault) -> Done;
    /// It ends.
    fn unlink(&mut self, action: u32, fault: &LinkFault) -> Done;
    /// Something happens to the connections that exist.
    fn cut(&mut self, path: &Path, fault: ConnFault) -> Done;
}
