//! What the script wants done here: processes, clocks, links and connections.

use distro_core::profile::Profile;
use distro_core::time::Period;

use super::World;
use super::conn::EndState;
use super::machine::{Arrival, Machine};
use super::queue::Event;
use crate::observe::Seen;
use crate::scenario::model::{Action, ClientOp, ConnFault, LinkFault, Path};
use crate::world::common::clock::Turn;
use crate::world::common::rules::Scope;
use crate::world::script::Due;
use crate::world::script::stage::{Done, Order, Stage};

impl<M: Machine> Stage for World<'_, M> {
    fn now(&self) -> u64 {
        self.now
    }

    fn plan(&mut self, at: u64, due: Due) {
        self.queue.push(at, Event::Script(due));
    }

    fn began(&mut self, index: usize, action: &Action) {
        self.see(action.first_host().0, Seen::Began { index, action });
    }

    fn ended(&mut self, index: usize, action: &Action) {
        self.see(action.first_host().0, Seen::Ended { index, action });
    }

    fn runs(&self, host: u32) -> bool {
        self.hosts[host].process.is_some()
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
        self.hosts[host].paused = pause;
        if !pause {
            self.resume(host);
        }
        Ok(())
    }

    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done {
        self.hosts[host].slow = per_message;
        Ok(())
    }

    fn clock(&mut self, host: u32, turn: Turn) -> Done {
        let now = self.now;
        self.hosts[host].clock.turn(now, turn);
        match turn {
            Turn::Wall(_) => {}
            Turn::Mono(_) | Turn::Rate(_) => self.rearm(host),
        }
        Ok(())
    }

    fn call(&mut self, host: u32, op: ClientOp) -> Done {
        self.hosts[host].calls += 1;
        let call = self.hosts[host].calls;
        self.deliver(host, Arrival::Call { call, op });
        Ok(())
    }

    fn order(&mut self, host: u32, order: Order<'_>) -> Done {
        self.deliver(host, Arrival::Command(order.command()));
        Ok(())
    }

    fn link(&mut self, action: u32, path: &Path, fault: &LinkFault) -> Done {
        self.net.rules.begin(action, path, fault, self.hosts.len());
        Ok(())
    }

    fn unlink(&mut self, action: u32, fault: &LinkFault) -> Done {
        self.net.rules.end(action);
        if *fault == LinkFault::Partition {
            self.flush_held();
        }
        Ok(())
    }

    fn cut(&mut self, path: &Path, fault: ConnFault) -> Done {
        match fault {
            ConnFault::Reset => self.reset(path),
            ConnFault::HalfOpen => self.half_open(path),
            ConnFault::DeadStream => self.dead_stream(path),
        }
        Ok(())
    }
}

impl<M: Machine> World<'_, M> {
    /// A paused host goes on: first the timers that are due, then what arrived, in its order.
    fn resume(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        if entry.process.is_none() {
            return;
        }
        if entry.due <= self.now {
            self.handle(host, Arrival::Wake);
        } else {
            self.arm(host);
        }
        self.plan_service(host);
    }

    /// All connections between two sides are reset: both ends notice at once.
    fn reset(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            let Some(entry) = self.net.conns.get(conn) else {
                continue;
            };
            let (a, b) = entry.pair(0);
            if scope.covers_pair(a, b) || scope.covers_pair(b, a) {
                self.ended(conn, 0);
                self.ended(conn, 1);
            }
        }
    }

    /// Connections die at their receiving end only.
    fn half_open(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            for from in [0, 1] {
                let Some(entry) = self.net.conns.get(conn) else {
                    continue;
                };
                let (sender, receiver) = entry.pair(from);
                let open = entry.ends[1 - from].state == EndState::Open;
                if open && scope.covers_pair(sender, receiver) {
                    self.ended(conn, 1 - from);
                }
            }
        }
    }

    /// On the connections that exist, one direction dies silently for good.
    fn dead_stream(&mut self, path: &Path) {
        let scope = Scope::new(path, self.hosts.len());
        for conn in self.net.conns.indices() {
            for from in [0, 1] {
                let Some(entry) = self.net.conns.get_mut(conn) else {
                    continue;
                };
                let (sender, receiver) = entry.pair(from);
                if scope.covers_pair(sender, receiver) {
                    entry.ways[from].dead = true;
                    self.net.drop_waiting(conn, from);
                }
            }
        }
    }
}
