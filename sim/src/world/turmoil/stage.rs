//! What the script wants done here, at the granularity of a tick.

use distro_core::profile::Profile;
use distro_core::time::Period;

use super::Driver;
use super::lives::Waiting;
use crate::observe::Seen;
use crate::scenario::model::{Action, ClientOp, ConnFault, Fault, LinkFault, Path, What};
use crate::world::common::clock::Turn;
use crate::world::link::BANDWIDTH_NOTE;
use crate::world::link::fabric::Power;
use crate::world::script::stage::{Done, Order, Stage};
use crate::world::script::{Can, Due};

/// What this world can do of an action.
pub(super) fn can(action: &Action) -> Can {
    match &action.what {
        What::Fault { fault, .. } => match fault {
            Fault::Link(_, LinkFault::Bandwidth { .. }) => Can::Partly(BANDWIDTH_NOTE.to_owned()),
            Fault::Link(..) | Fault::Conns(..) | Fault::Hosts(..) | Fault::Node(..) => Can::Wholly,
        },
        What::Call { .. } | What::Operate { .. } => Can::Wholly,
    }
}

impl Driver<'_> {
    /// Streams that wait look again when a fault begins or ends, whatever it is about.
    fn look_again(&self, action: &Action) {
        match action.what {
            What::Fault { .. } => self.shared.fabric.wake_all(),
            What::Call { .. } | What::Operate { .. } => {}
        }
    }
}

impl Stage for Driver<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.sim.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn plan(&mut self, at: u64, due: Due) {
        self.agenda.push(at, due);
    }

    fn began(&mut self, index: usize, action: &Action) {
        let seen = Seen::Began { index, action };
        self.shared.see_at(self.now(), action.first_host().0, seen);
        self.look_again(action);
    }

    fn ended(&mut self, index: usize, action: &Action) {
        let seen = Seen::Ended { index, action };
        self.shared.see_at(self.now(), action.first_host().0, seen);
        self.look_again(action);
    }

    fn runs(&self, host: u32) -> bool {
        self.shared.fabric.power(host) == Power::Running
    }

    fn start(&mut self, host: u32, profile: Profile) -> Done {
        self.start_process(host, profile);
        Ok(())
    }

    fn stop(&mut self, host: u32, silent: bool) -> Done {
        self.stop_process(host, silent);
        Ok(())
    }

    fn pause(&mut self, host: u32, pause: bool) -> Done {
        self.shared.fabric.pause(host, pause);
        if !pause {
            self.deliver_waiting(host);
        }
        Ok(())
    }

    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done {
        self.shared.fabric.slow(host, per_message);
        Ok(())
    }

    fn clock(&mut self, host: u32, turn: Turn) -> Done {
        self.shared.fabric.turn_clock(host, self.now(), turn);
        Ok(())
    }

    fn call(&mut self, host: u32, op: ClientOp) -> Done {
        self.deliver(host, Waiting::Call(op));
        Ok(())
    }

    fn order(&mut self, host: u32, order: Order<'_>) -> Done {
        self.deliver(host, Waiting::Command(order.command()));
        Ok(())
    }

    fn link(&mut self, action: u32, path: &Path, fault: &LinkFault) -> Done {
        self.shared.fabric.begin(action, path, fault);
        Ok(())
    }

    fn unlink(&mut self, action: u32, _: &LinkFault) -> Done {
        self.shared.fabric.end(action);
        Ok(())
    }

    fn cut(&mut self, path: &Path, fault: ConnFault) -> Done {
        self.shared.fabric.cut(path, fault, self.now());
        Ok(())
    }
}
