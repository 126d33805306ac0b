//! Processes on hosts: start and end, what waits for them, their wakes and what they want done.

use distro_core::ids::ConnId;
use distro_core::profile::Profile;

use super::World;
use super::host::NEVER;
use super::machine::{Arrival, Effect, Machine};
use super::queue::Event;
use crate::observe::Seen;
use crate::scenario::model::HostId;
use crate::world::common::birth::Birth;

/// Inputs handled at one moment. Why: a restart of the biggest cluster has thousands; a machine
/// that answers itself at once would stay at one moment for ever.
const INSTANT_INPUTS_MAX: u64 = 4_000_000;
/// Wakes of one host at one moment. Why: a machine may need a few to get through its timers; one
/// that asks again and again for the same moment makes no progress.
const INSTANT_WAKES_MAX: u32 = 1_000;
/// Messages that wait at a paused or slow host. Why: many times what a cluster of a thousand
/// clients sends one node in a pause of minutes.
const INBOX_MAX: usize = 1_000_000;

impl<M: Machine> World<'_, M> {
    /// Starts a process; none may run there.
    pub(super) fn start_process(&mut self, host: u32, profile: Profile) {
        let was_off = !std::mem::replace(&mut self.hosts[host].powered, true);
        let entry = &mut self.hosts[host];
        entry.births += 1;
        entry.connect_timeout = self.scenario.timing(profile).connect_timeout;
        let birth = Birth {
            scenario: self.scenario,
            host: HostId(host),
            profile,
            life: entry.births,
            seed: entry.lives.next_u64(),
            now: entry.clock.read(self.now),
        };
        match M::start(&birth) {
            Ok(process) => entry.process = Some(process),
            Err(problem) => return self.fail(problem),
        }
        if was_off {
            self.reset_earlier_life(host);
        }
        self.see(host, Seen::Started);
        if self.hosts[host].paused {
            self.hosts[host].due = self.now;
        } else {
            self.handle(host, Arrival::Wake);
        }
    }

    /// Ends a process, if one runs there. Silent: its host loses power.
    pub(super) fn stop_process(&mut self, host: u32, silent: bool) {
        let entry = &mut self.hosts[host];
        entry.powered &= !silent;
        entry.inbox.clear();
        entry.due = NEVER;
        entry.births += 1;
        if entry.process.take().is_some() {
            self.see(host, Seen::Stopped { silent });
            self.abandon(host, silent);
        }
    }

    /// Hands something to a process, at once or when its host gets to it.
    pub(super) fn deliver(&mut self, host: u32, arrival: Arrival) {
        let entry = &mut self.hosts[host];
        if entry.process.is_none() {
            return;
        }
        if entry.is_prompt() {
            return self.handle(host, arrival);
        }
        entry.inbox.push_back(arrival);
        if entry.inbox.len() > INBOX_MAX {
            let name = self.scenario.host_name(HostId(host));
            return self.fail(format!("more than {INBOX_MAX} messages wait at {name}"));
        }
        self.plan_service(host);
    }

    /// Plans when a slow host is done with the head of its inbox.
    pub(super) fn plan_service(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        if entry.paused || entry.serving {
            return;
        }
        let Some(head) = entry.inbox.front() else {
            return;
        };
        let takes = if head.is_message() {
            entry.service_time()
        } else {
            0
        };
        entry.serving = true;
        self.queue
            .push(self.now.saturating_add(takes), Event::Serve(host));
    }

    /// A slow host is done with the head of its inbox.
    pub(super) fn serve(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        entry.serving = false;
        if entry.paused {
            return;
        }
        if let Some(arrival) = entry.inbox.pop_front() {
            // Its process may have closed the connection meanwhile; then it hears no more of it.
            if arrival.conn().is_none_or(|conn| entry.conn(conn).is_some()) {
                self.handle(host, arrival);
            }
        }
        self.plan_service(host);
    }

    /// A host's wake in the queue is due.
    pub(super) fn wake(&mut self, host: u32) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        if entry.armed != now {
            return;
        }
        entry.armed = NEVER;
        if entry.process.is_none() || entry.paused {
            return;
        }
        if entry.due > now {
            return self.arm(host);
        }
        entry.woken = (
            now,
            if entry.woken.0 == now {
                entry.woken.1 + 1
            } else {
                1
            },
        );
        if entry.woken.1 > INSTANT_WAKES_MAX {
            let name = self.scenario.host_name(HostId(host));
            let times = INSTANT_WAKES_MAX;
            return self.fail(format!(
                "{name} asked {times} times for a wake at this moment"
            ));
        }
        self.handle(host, Arrival::Wake);
    }

    /// Reads when a process wants to be woken.
    pub(super) fn rearm(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        let deadline = entry.process.as_ref().and_then(Machine::next_deadline);
        entry.due = deadline.map_or(NEVER, |at| entry.clock.when(at).max(self.now));
        self.arm(host);
    }

    /// Sees to it that a wake is in the queue no later than it is due. One that is earlier stays:
    /// it finds that it is early and moves on, which is cheaper than a new one each time.
    pub(super) fn arm(&mut self, host: u32) {
        let entry = &mut self.hosts[host];
        if entry.due < entry.armed {
            entry.armed = entry.due;
            self.queue.push(entry.due, Event::Wake(host));
        }
    }

    /// A process has no more to do with a connection.
    pub(super) fn forget(&mut self, host: u32, conn: ConnId) {
        if let Some((index, _)) = self.hosts[host].conn(conn)
            && self.hosts[host].forget(conn)
        {
            self.net.release(index);
        }
    }

    /// A process takes one input; what it wants done is done.
    pub(super) fn handle(&mut self, host: u32, arrival: Arrival) {
        self.instant += 1;
        if self.instant > INSTANT_INPUTS_MAX {
            return self.fail(format!(
                "more than {INSTANT_INPUTS_MAX} inputs at this moment"
            ));
        }
        self.see_arrival(host, &arrival);
        if let Arrival::Closed { conn, .. } = arrival {
            self.forget(host, conn);
        }
        let mut outbox = std::mem::take(&mut self.outbox);
        let entry = &mut self.hosts[host];
        if let Some(process) = &mut entry.process {
            process.take(entry.clock.read(self.now), arrival, &mut outbox);
        }
        for effect in outbox.effects.drain(..) {
            self.act(host, effect);
        }
        self.outbox = outbox;
        self.rearm(host);
    }

    fn act(&mut self, host: u32, effect: Effect) {
        match effect {
            Effect::Dial(member) => self.dial(host, member),
            Effect::Request(conn, id, request) => self.send_request(host, conn, id, request),
            Effect::Response(conn, id, response) => self.send_response(host, conn, id, response),
            Effect::Close(conn, reason) => self.close(host, conn, reason),
            Effect::Node(event) => self.see(host, Seen::Node(&event)),
            Effect::Client(event) => self.see(host, Seen::Client(&event)),
            Effect::Done(call, result) => self.see(
                host,
                Seen::Returned {
                    call,
                    result: &result,
                },
            ),
        }
    }

    fn see_arrival(&mut self, host: u32, arrival: &Arrival) {
        match *arrival {
            Arrival::Opened { conn, peer, .. } | Arrival::Dialed { conn, peer, .. } => {
                self.see(host, Seen::Opened { conn, peer });
            }
            Arrival::Closed { conn, peer } => self.see(host, Seen::Closed { conn, peer }),
            Arrival::Request {
                conn,
                peer,
                id,
                ref received,
            } => self.see(host, Seen::received(conn, peer, id, received)),
            Arrival::Response {
                conn,
                peer,
                id,
                ref response,
            } => {
                self.see(
                    host,
                    Seen::ResponseReceived {
                        conn,
                        peer,
                        id,
                        response,
                    },
                );
            }
            Arrival::Call { call, ref op } => self.see(host, Seen::Called { call, op }),
            Arrival::Wake
            | Arrival::DialFailed { .. }
            | Arrival::SendFailed { .. }
            | Arrival::Command(_) => {}
        }
    }
}
