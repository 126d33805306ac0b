//! The server machine. This file only joins the parts; each part is one noun of the protocol.
//!
//! # Layout
//! - `connections`, `session`, `ejector`, `departures`: transports, their setup, who has to leave
//! - `requests`, `naming`, `shared_names`, `params`: what clients ask
//! - `clients`, `tombstones`, `digest`, `services`: the tables · `beats`, `owners`: clients without
//!   a connection
//! - `words`, `given_up`: who of several is listed at a place
//! - `sync`, `sync_queue`, `apply`, `verify`, `snapshot`: replication out, in, proved, and loaded
//! - `members`, `identity`, `links`, `reports`: fellow nodes · `push`: lists to subscribers ·
//!   `fuzzy`, `watches`: names by a pattern · `expiry`: what ends by itself
//! - `calls`, `timers`, `clock`: requests in flight, periodic timers, running time

mod apply;
mod beats;
mod calls;
mod clients;
mod clock;
mod connections;
mod departures;
mod digest;
mod ejector;
mod expiry;
mod fuzzy;
mod given_up;
mod identity;
mod links;
mod members;
mod naming;
mod owners;
mod params;
mod push;
mod reports;
mod requests;
mod services;
mod session;
mod shared_names;
mod snapshot;
mod sync;
mod sync_queue;
#[cfg(test)]
mod tests;
mod timers;
mod tombstones;
mod verify;
mod views;
mod watches;
mod words;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use beats::Beats;
use calls::{Calls, Purpose};
use clients::Clients;
use clock::RunClock;
use connections::Connections;
use departures::Departures;
use fuzzy::FuzzyWatches;
use identity::Horizon;
use members::Members;
use push::Pushes;
use services::Services;
use snapshot::Load;
use sync_queue::Syncs;
use timers::{Timer, Timers};
use words::WordClock;

use crate::config::{Config, ConfigProblem};
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, ConnId, NodeId};
use crate::io::{Command, Input, Output, SendError};
use crate::message::distro::Origin;
use crate::message::naming::ServiceKey;
use crate::message::{MessageKind, Response};
use crate::profile::Quirk;
use crate::rng::Rng;
use crate::time::{Mono, Now, Period};
use crate::view::Counters;

/// One registry server.
///
/// Feed it every input through [`Node::handle`] and carry out what it appends, in order. It does
/// nothing by itself: call it with [`Input::Wake`] no later than [`Node::next_deadline`].
#[derive(Debug)]
pub struct Node {
    config: Config,
    now: Now,
    clock: RunClock,
    horizon: Horizon,
    rng: Rng,
    stage: Stage,
    origin: Origin,
    timers: Timers,
    calls: Calls,
    connections: Connections,
    clients: Clients,
    departures: Departures,
    words: WordClock,
    beats: Beats,
    services: Services,
    members: Members,
    syncs: Syncs,
    pushes: Pushes,
    fuzzy: FuzzyWatches,
    load: Load,
    /// Clients that an operator wants to stay at most, until the next scan.
    rebalance: Option<(u32, Option<NodeId>)>,
    /// Syncs that a test makes fail.
    fail_apply: u32,
    bus: VecDeque<NamingEvent>,
    /// The running time at which it has to be woken, as it was after the last input. Why kept: it
    /// is asked for after every input and needed again at the next one.
    deadline: Option<Mono>,
    counters: Counters,
    /// Requests received, by kind in the order of [`MessageKind::ALL`].
    requests: [u64; MessageKind::ALL.len()],
}

/// How far a node's start has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not woken yet.
    New,
    /// Its first load is not settled: it serves no client.
    Loading,
    /// It serves.
    Ready,
}

/// Nacos's naming events. All are handled in the order in which they were published, before the
/// node looks at its next input; so no reaction can overtake another (part 12.18, 12.48).
#[derive(Debug)]
enum NamingEvent {
    /// A native client's record changed.
    ClientChanged(ClientId),
    /// A native client is gone.
    ClientDisconnect(ClientId),
    /// A peer's copy differs.
    ClientVerifyFailed(ClientId, NodeId),
    /// A client publishes a service, newly or differently.
    ClientRegisterService(ServiceKey, ClientId),
    /// A client withdrew a service.
    ClientDeregisterService(ServiceKey, ClientId),
    /// A native client subscribed.
    ClientSubscribeService(ServiceKey, ClientId),
    /// A native client unsubscribed.
    ClientUnsubscribeService(ServiceKey, ClientId),
    /// A service's list changed.
    ServiceChanged(ServiceKey, u64),
    /// A client is a new subscriber.
    ServiceSubscribed(ServiceKey, ClientId),
    /// A member may have become reachable.
    MembersChange(NodeId),
}

impl Node {
    /// A node that has not started: its first [`Input::Wake`] starts it.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration; nothing was started.
    pub fn new(config: Config, now: Now) -> Result<Node, Vec<ConfigProblem>> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut rng = Rng::new(config.seed, config.node.as_str());
        let counts_pauses = config.profile.has(Quirk::PauseCountsAsSilence);
        let mut timers = Timers::default();
        timers.arm(Timer::Load, Mono(0));
        let peers = config.peers();
        Ok(Node {
            now,
            clock: RunClock::new(now.mono, counts_pauses),
            horizon: Horizon::new(config.incarnation, now),
            stage: Stage::New,
            origin: Origin {
                node: config.node.clone(),
                incarnation: config.incarnation,
            },
            timers,
            calls: Calls::new(rng.next_u64()),
            connections: Connections::new(config.limits.clone(), config.profile.speaks_distro()),
            clients: Clients::new(),
            departures: Departures::default(),
            words: WordClock::new(config.incarnation, now.mono),
            beats: Beats::default(),
            services: Services::default(),
            syncs: Syncs::new(&peers),
            members: Members::new(&peers),
            pushes: Pushes::default(),
            fuzzy: FuzzyWatches::default(),
            load: Load::default(),
            rebalance: None,
            fail_apply: 0,
            bus: VecDeque::new(),
            deadline: Some(Mono(0)),
            counters: Counters::default(),
            requests: [0; MessageKind::ALL.len()],
            rng,
            config,
        })
    }

    /// Advance by one input and append what the shell must do, in order.
    ///
    /// A spurious [`Input::Wake`] is harmless. A wake later than [`Node::next_deadline`] is safe:
    /// a node that was late by more than a second takes it for a stop of its own process.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.now = now;
        self.horizon.see(now);
        if let Some(paused) = self.clock.advance(now.mono, self.deadline) {
            self.counters.pauses += 1;
            out.push(Output::Event(Event::Paused(paused)));
        }
        match input {
            Input::ConnOpened {
                conn,
                listener,
                remote_ip,
                remote_port,
            } => {
                self.conn_opened(conn, listener, remote_ip, remote_port);
            }
            Input::Dialed { member, conn } => self.dialed(&member, conn, out),
            Input::DialFailed { member, refused: _ } => self.dial_failed(&member, out),
            Input::ConnClosed { conn } => self.conn_closed(conn, out),
            Input::Request { conn, id, received } => self.request(conn, id, received, out),
            Input::Response { conn, id, response } => {
                self.conn_active(conn);
                match self.calls.close(conn, id) {
                    Some(purpose) => self.answered(conn, purpose, Ok(response), out),
                    None => self.counters.responses_unmatched += 1,
                }
            }
            Input::SendFailed { conn, id, cause } => self.send_failed(conn, id, cause, out),
            Input::Wake => {}
            Input::Command(command) => self.command(command, out),
        }
        self.settle(out);
        self.fire_due(out);
        self.syncs.update_next();
        self.deadline = self.run_deadline();
    }

    /// The latest instant at which to call with [`Input::Wake`]; `None` when nothing can happen
    /// by itself.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadline.map(|run| self.clock.mono_at(run))
    }

    fn run_deadline(&self) -> Option<Mono> {
        let run = self.run();
        let aged = self.aged();
        // What is aged on another clock than the running one is looked at every tick at least.
        let aging = self.syncs.next_deadline(aged).map(|due| {
            let wait = due.since(aged);
            run + if self.ages_on_wall() {
                wait.min(self.config.timing.delay_tick)
            } else {
                wait
            }
        });
        [
            self.timers.next(),
            self.calls.next_deadline(),
            self.members.next_deadline(),
            self.pushes.next_deadline(),
            self.fuzzy.next_deadline(),
            self.departures.next_deadline(),
            aging,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Running time now: what all timers and timeouts are set in.
    fn run(&self) -> Mono {
        self.clock.run()
    }

    fn ages_on_wall(&self) -> bool {
        self.config.profile.has(Quirk::AgesOnWallClock)
    }

    /// Aging time now: running time, or the wall clock in the profiles that age on it.
    fn aged(&self) -> Mono {
        if self.ages_on_wall() {
            Mono(
                u64::try_from(self.now.wall.0)
                    .unwrap_or(0)
                    .saturating_mul(1_000),
            )
        } else {
            self.run()
        }
    }

    fn is_standalone(&self) -> bool {
        self.members.is_empty()
    }

    /// True when clients are served.
    fn serves(&self) -> bool {
        match self.stage {
            Stage::New => false,
            Stage::Loading => self.config.profile.has(Quirk::ServesWhileLoading),
            Stage::Ready => true,
        }
    }

    fn publish(&mut self, event: NamingEvent) {
        self.bus.push_back(event);
    }

    /// Handles all published events, and those that they publish, in order.
    fn settle(&mut self, out: &mut Vec<Output>) {
        while let Some(event) = self.bus.pop_front() {
            match event {
                NamingEvent::ClientChanged(client) => self.client_changed(&client, out),
                NamingEvent::ClientDisconnect(client) => self.client_gone(&client, out),
                NamingEvent::ClientVerifyFailed(client, target) => {
                    self.verify_failed(&client, &target, out);
                }
                NamingEvent::ClientRegisterService(service, client) => {
                    let was_published = self.was_published(&service);
                    let version = self.services.add_publisher(&service, &client, self.run());
                    self.tell_watchers(&service, was_published);
                    self.publish(NamingEvent::ServiceChanged(service, version));
                }
                NamingEvent::ClientDeregisterService(service, client) => {
                    let was_published = self.was_published(&service);
                    let removed = self
                        .services
                        .remove_publisher(&service, &client, self.run());
                    if let Some(version) = removed {
                        self.tell_watchers(&service, was_published);
                        self.publish(NamingEvent::ServiceChanged(service, version));
                    }
                }
                NamingEvent::ClientSubscribeService(service, client) => {
                    if self.services.add_subscriber(&service, &client) {
                        self.publish(NamingEvent::ServiceSubscribed(service, client));
                    }
                }
                NamingEvent::ClientUnsubscribeService(service, client) => {
                    self.services.remove_subscriber(&service, &client);
                }
                NamingEvent::ServiceChanged(service, version) => {
                    self.push_to_all(&service);
                    out.push(Output::Event(Event::ServiceChanged { service, version }));
                }
                NamingEvent::ServiceSubscribed(service, client) => {
                    self.push_to_one(&service, client, self.config.timing.push_delay);
                }
                NamingEvent::MembersChange(member) => self.member_changed(&member, out),
            }
        }
    }

    fn fire_due(&mut self, out: &mut Vec<Output>) {
        let run = self.run();
        while let Some(timer) = self.timers.take_due(run) {
            match timer {
                Timer::Load => self.load_step(out),
                Timer::Scan => self.scan(out),
                Timer::Verify => self.verify_round(out),
                Timer::Clean => self.clean(out),
                Timer::Report => self.report_next(out),
                Timer::ReportUnhealthy => self.report_unhealthy(out),
                Timer::EmptyServices => self.drop_empty_services(),
                Timer::Beats => self.beat_round(out),
            }
            self.settle(out);
        }
        while let Some((conn, purpose)) = self.calls.take_overdue(run) {
            self.counters.requests_timed_out += 1;
            self.answered(conn, purpose, Err(FailCause::Timeout), out);
            self.settle(out);
        }
        self.end_departures(out);
        self.tend_members(out);
        self.settle(out);
        self.send_due_syncs(out);
        self.settle(out);
        self.send_due_pushes(out);
        self.send_due_watches(out);
    }

    fn send_failed(
        &mut self,
        conn: ConnId,
        id: crate::ids::RequestId,
        cause: SendError,
        out: &mut Vec<Output>,
    ) {
        if cause == SendError::Busy {
            self.conn_blocked(conn);
        }
        let cause = match cause {
            SendError::Busy => FailCause::Busy,
            SendError::Closed => FailCause::Closed,
            SendError::TooLarge => FailCause::TooLarge,
        };
        if let Some(purpose) = self.calls.close(conn, id) {
            self.answered(conn, purpose, Err(cause), out);
        }
    }

    /// Hands the outcome of a request to the part that made it.
    fn answered(
        &mut self,
        conn: ConnId,
        purpose: Purpose,
        outcome: Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        match purpose {
            Purpose::ServerCheck(member) => self.server_checked(&member, conn, outcome, out),
            Purpose::HealthCheck(member) => self.health_checked(&member, conn, &outcome, out),
            Purpose::Detection => self.detected(conn, &outcome, out),
            Purpose::Reset => self.reset_answered(conn, &outcome, out),
            Purpose::Push(service, client) => self.pushed(&service, &client, &outcome, out),
            Purpose::FuzzyNotify(service) => self.watcher_told(conn, service, &outcome),
            Purpose::FuzzySync(pattern, serial) => {
                self.watcher_synced(conn, (&pattern, serial), &outcome);
            }
            Purpose::Sync(target, client, revision) => {
                self.synced(&target, client, Some(revision), &outcome, out);
            }
            Purpose::Delete(target, client) => self.synced(&target, client, None, &outcome, out),
            Purpose::Verify(target, client) => self.verified_one(target, client, &outcome),
            Purpose::Digest(target) => self.digest_answered(&target, conn, outcome, out),
            Purpose::Snapshot(member) => self.snapshot_answered(&member, outcome, out),
            Purpose::Report(member) => self.reported(&member, outcome, out),
        }
    }

    /// Sends a request that is answered, or fails, within `timeout`.
    fn call(
        &mut self,
        conn: ConnId,
        request: crate::message::Request,
        purpose: Purpose,
        timeout: Period,
        out: &mut Vec<Output>,
    ) {
        let id = self.calls.open(conn, purpose, self.run() + timeout);
        out.push(Output::Request { conn, id, request });
    }

    fn command(&mut self, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::SetLimits(limits) => self.connections.limits = limits,
            Command::Rebalance { keep, redirect } => {
                if redirect.as_ref().is_none_or(|to| self.may_redirect(to)) {
                    self.rebalance = Some((keep, redirect));
                }
            }
            Command::SetMembers(members) => self.set_members(members, out),
            Command::FailApply { count } => self.fail_apply = count,
            Command::Ask { id, ask } => {
                let answer = self.answer_ask(*ask, out);
                out.push(Output::Answer { id, answer });
            }
        }
    }
}
