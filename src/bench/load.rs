//! What is asked on each connection, and when.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use distro_core::ids::Str;
use distro_core::message::naming::{
    Instance, InstanceOperation, InstanceRequest, ServiceInfo, ServiceKey, ServiceQueryRequest,
    SubscribeServiceRequest, Weight,
};
use distro_core::message::{AnswerType, Received, Request, Sender};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::measure::Tally;
use super::wire::{Arrived, Wire};
use super::{Plan, Target, Workload};
use crate::tls::net::TlsNet;

/// Connections that are set up at once.
const SETUPS: usize = 64;
/// Open loop: requests under way on a connection; what is due beyond it waits, and its latency
/// counts.
const DEPTH_MAX: usize = 4_096;
/// How often an idle connection says that it is there, as SDKs do.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What all connections of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    plan: Plan,
    pub(super) tally: RefCell<Tally>,
    start: Cell<Instant>,
    /// Propagation: changes not seen yet, by service, oldest first.
    pending: RefCell<BTreeMap<Str, VecDeque<(u64, Instant)>>>,
}

/// The part of the instances that one connection registers.
#[derive(Debug)]
struct Ring {
    ip: Str,
    services: Vec<ServiceKey>,
    turn: u64,
}

/// A connection that is set up, and its part.
#[derive(Debug)]
pub(super) struct Prepared {
    wire: Wire,
    ring: Ring,
    /// Its place among the connections.
    place: u32,
    /// Propagation: the second of a pair.
    watches: bool,
}

impl Shared {
    pub(super) fn new(plan: &Plan) -> Rc<Shared> {
        Rc::new(Shared {
            plan: plan.clone(),
            tally: RefCell::default(),
            start: Cell::new(Instant::now()),
            pending: RefCell::default(),
        })
    }

    fn record(&self, intended: Instant) {
        let (latency, span) = (intended.elapsed(), self.start.get().elapsed());
        self.tally.borrow_mut().record(latency, span);
    }

    fn fail(&self, kind: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.tally.borrow_mut().fail(kind, count);
    }

    fn end(&self) -> Instant {
        self.start.get() + self.plan.length
    }
}

impl Ring {
    /// A connection can register one instance for a service: it takes as many services as it has
    /// instances, and meets the other connections there. Pairs have services of their own.
    fn new(plan: &Plan, place: u32) -> Ring {
        let share = |of: u32| plan.instances / of + u32::from(place % of < plan.instances % of);
        let own = plan.workload == Workload::Propagate;
        let count = share(plan.connections.max(1));
        let name = |service| match own {
            true => format!("bench-{place}-{service}"),
            false => format!("bench-{service}"),
        };
        let [_, a, b, c] = (place + 1).to_be_bytes();
        Ring {
            ip: Str::from(format!("10.{a}.{b}.{c}")),
            services: (0..count).map(|n| ServiceKey::named(&name(n))).collect(),
            turn: 0,
        }
    }

    fn len(&self) -> u64 {
        u64::try_from(self.services.len()).unwrap_or(u64::MAX)
    }

    fn service(&self) -> Option<&ServiceKey> {
        let at = usize::try_from(self.turn % self.len().max(1)).ok()?;
        self.services.get(at)
    }

    /// A change of the next instance: each round has other content.
    fn instance(&mut self, operation: InstanceOperation) -> Option<Request> {
        let service = self.service()?.clone();
        let round = u32::try_from(self.turn / self.len() % 1_000_000).unwrap_or(0);
        let mut instance = Instance::new(&self.ip, 80);
        instance.ip = self.ip.clone();
        instance.weight = Weight(f64::from(round + 1));
        self.turn += 1;
        Some(Request::Instance(Box::new(InstanceRequest {
            service,
            operation,
            instance,
        })))
    }

    fn query(&mut self) -> Option<Request> {
        let service = self.service()?.clone();
        self.turn += 1;
        Some(Request::ServiceQuery(Box::new(ServiceQueryRequest {
            service,
            clusters: Str::from(""),
            healthy_only: false,
        })))
    }

    fn subscribe(&mut self) -> Option<Request> {
        let service = self.service()?.clone();
        self.turn += 1;
        Some(Request::SubscribeService(Box::new(
            SubscribeServiceRequest {
                service,
                subscribe: true,
                clusters: Str::from(""),
            },
        )))
    }

    fn next(&mut self, workload: Workload) -> Option<Request> {
        match workload {
            Workload::Register | Workload::Propagate => self.instance(InstanceOperation::Register),
            Workload::Query => self.query(),
            Workload::Churn => {
                // Odd rounds withdraw what even ones registered.
                let withdraw = (self.turn / self.len().max(1)).is_multiple_of(2);
                self.instance(match withdraw {
                    true => InstanceOperation::Deregister,
                    false => InstanceOperation::Register,
                })
            }
            Workload::Idle => Some(Request::HealthCheck),
        }
    }
}

fn target(plan: &Plan, place: u32) -> Result<&Target, String> {
    let count = u32::try_from(plan.targets.len()).unwrap_or(u32::MAX);
    let at = place.checked_rem(count).unwrap_or(0);
    let at = usize::try_from(at).unwrap_or(0);
    plan.targets
        .get(at)
        .ok_or_else(|| "no node to load".to_owned())
}

/// Sets every connection up, with what the workload needs before it is measured.
pub(super) async fn connect(shared: &Rc<Shared>) -> Result<Vec<Prepared>, String> {
    let plan = &shared.plan;
    let mut wanted: Vec<(u32, bool)> = (0..plan.connections).map(|n| (n, false)).collect();
    if plan.workload == Workload::Propagate {
        wanted.extend((0..plan.connections).map(|place| (place, true)));
    }
    let mut prepared = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(SETUPS) {
        let tasks: Vec<_> = chunk
            .iter()
            .map(|(place, watches)| {
                let (shared, place, watches) = (shared.clone(), *place, *watches);
                tokio::task::spawn_local(async move { prepare(&shared, place, watches).await })
            })
            .collect();
        for task in tasks {
            prepared.push(task.await.map_err(|error| error.to_string())??);
        }
    }
    Ok(prepared)
}

async fn prepare(shared: &Shared, place: u32, watches: bool) -> Result<Prepared, String> {
    let plan = &shared.plan;
    // The one who watches is at another node than the one who changes.
    let target = target(plan, place + u32::from(watches))?;
    let (host, port) = (&target.host, target.port);
    let failed = |error: io::Error| format!("{host}:{port}: {error}");
    let net = TlsNet::default();
    let connected = tokio::time::timeout(plan.timeout, Wire::connect(&net, plan.carrier, target));
    let wire = connected
        .await
        .map_err(|_| format!("{host}:{port} does not answer"))?;
    let mut prepared = Prepared {
        wire: wire.map_err(failed)?,
        ring: Ring::new(plan, place),
        place,
        watches,
    };
    let ring = &mut prepared.ring;
    let before: Vec<Request> = match plan.workload {
        Workload::Register | Workload::Idle => Vec::new(),
        Workload::Propagate if watches => {
            (0..ring.len()).filter_map(|_| ring.subscribe()).collect()
        }
        Workload::Churn | Workload::Query | Workload::Propagate => (0..ring.len())
            .filter_map(|_| ring.instance(InstanceOperation::Register))
            .collect(),
    };
    for some in before.chunks(256) {
        ask_all(&mut prepared.wire, some).await.map_err(failed)?;
    }
    if plan.workload != Workload::Propagate {
        prepared.ring.turn = 0;
    }
    Ok(prepared)
}

/// Asks and waits until all are answered with yes.
async fn ask_all(wire: &mut Wire, requests: &[Request]) -> io::Result<()> {
    for (id, request) in requests.iter().enumerate() {
        wire.send(u64::try_from(id).unwrap_or(0), request)?;
    }
    let mut left = requests.len();
    while left > 0 {
        wire.flush().await?;
        wire.fill().await?;
        while let Some(arrived) = wire.next()? {
            match arrived {
                Arrived::Answer(_, outcome) => {
                    outcome.map_err(io::Error::other)?;
                    left -= 1;
                }
                Arrived::Asked(id, asked) => {
                    serve(wire, id, &asked)?;
                }
            }
        }
    }
    Ok(())
}

/// Answers what a node asks; false when it asks the client to leave.
fn serve(wire: &mut Wire, id: distro_core::ids::RequestId, asked: &Received) -> io::Result<bool> {
    let facts = asked.request().map(|request| request.of().facts());
    let asked = facts.filter(|facts| facts.from == Sender::Server);
    let Some(answer) = asked.and_then(|facts| facts.answer) else {
        return Ok(true);
    };
    let stays = answer != AnswerType::ConnectReset;
    wire.answer(id, answer.empty())?;
    Ok(stays)
}

/// Starts the load.
pub(super) fn begin(
    shared: &Rc<Shared>,
    prepared: Vec<Prepared>,
    start: Instant,
) -> Vec<JoinHandle<()>> {
    shared.start.set(start);
    let spawn = |prepared: Prepared| {
        let pace = Pace::new(&shared.plan, &prepared, start);
        let driver = Driver {
            shared: shared.clone(),
            wire: prepared.wire,
            ring: prepared.ring,
            watches: prepared.watches,
            pace,
            under_way: BTreeMap::new(),
            last: 0,
        };
        tokio::task::spawn_local(driver.run())
    };
    prepared.into_iter().map(spawn).collect()
}

/// When the operations of a connection begin.
#[derive(Debug)]
struct Pace {
    /// Open loop: the intended time of the next, and the time between two.
    next: Option<(Instant, Duration)>,
    depth: usize,
}

impl Pace {
    fn new(plan: &Plan, prepared: &Prepared, start: Instant) -> Pace {
        let every = match (plan.workload, plan.rate) {
            (Workload::Idle, _) => Some(KEEP_ALIVE),
            (_, None) => None,
            (_, Some(rate)) => Some(Duration::from_secs_f64(
                f64::from(plan.connections.max(1)) / rate,
            )),
        };
        let first = |every: Duration| {
            // Connections take turns within one period.
            start + every.mul_f64(f64::from(prepared.place) / f64::from(plan.connections.max(1)))
        };
        Pace {
            next: every.map(|every| (first(every), every)),
            depth: match every {
                Some(_) => DEPTH_MAX,
                None => usize::try_from(plan.depth.max(1)).unwrap_or(DEPTH_MAX),
            },
        }
    }

    /// The time from which the next operation counts, if it begins now.
    fn due(&mut self, now: Instant, end: Instant) -> Option<Instant> {
        match &mut self.next {
            None => (now < end).then_some(now),
            Some((at, every)) if *at <= now && *at < end => {
                let intended = *at;
                *at += *every;
                Some(intended)
            }
            Some(_) => None,
        }
    }
}

/// One connection under load.
#[derive(Debug)]
struct Driver {
    shared: Rc<Shared>,
    wire: Wire,
    ring: Ring,
    watches: bool,
    pace: Pace,
    /// The times from which requests under way count.
    under_way: BTreeMap<u64, Instant>,
    last: u64,
}

impl Driver {
    async fn run(mut self) {
        let outcome = self.load().await;
        let left = self.under_way.len();
        match outcome {
            Ok(true) => self.shared.fail("no answer in time", left),
            Ok(false) => {
                self.shared.fail("asked to leave", left.max(1));
            }
            Err(error) => {
                let kind = format!("connection lost: {error}");
                self.shared.fail(&kind, left.max(1));
            }
        }
    }

    /// Until the end and the last answer; false when the node sends the client away.
    async fn load(&mut self) -> io::Result<bool> {
        let end = self.shared.end();
        let give_up = end + self.shared.plan.timeout;
        loop {
            let now = Instant::now();
            self.begin(now, end)?;
            self.wire.flush().await?;
            if now >= give_up || (now >= end && self.is_over()) {
                self.give_up();
                return Ok(true);
            }
            let next = self.pace.next.map(|(at, _)| at).filter(|at| *at < end);
            let next = next.filter(|_| !self.watches && self.under_way.len() < self.pace.depth);
            // After the end it looks now and then whether everything was seen.
            let look = if now < end {
                end
            } else {
                now + Duration::from_millis(20)
            };
            let wake = next.unwrap_or(look).min(give_up);
            tokio::select! {
                biased;
                filled = self.wire.fill() => filled?,
                () = tokio::time::sleep_until(wake) => continue,
            }
            while let Some(arrived) = self.wire.next()? {
                if !self.take(arrived)? {
                    return Ok(false);
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        // Whoever leaves takes its instances along, so nobody does before all changes were seen.
        let pending = self.shared.pending.borrow();
        self.under_way.is_empty() && pending.values().all(VecDeque::is_empty)
    }

    /// What was never seen counts once, at the watcher.
    fn give_up(&self) {
        if self.watches {
            for service in &self.ring.services {
                let mut pending = self.shared.pending.borrow_mut();
                let left = pending.remove(&service.name).map_or(0, |queue| queue.len());
                self.shared.fail("never pushed", left);
            }
        }
    }

    /// Sends what is due.
    fn begin(&mut self, now: Instant, end: Instant) -> io::Result<()> {
        let workload = self.shared.plan.workload;
        while !self.watches && self.under_way.len() < self.pace.depth {
            let Some(from) = self.pace.due(now, end) else {
                return Ok(());
            };
            let Some(request) = self.ring.next(workload) else {
                return Ok(());
            };
            if let (Workload::Propagate, Request::Instance(change)) = (workload, &request) {
                let round = change.instance.weight.0 as u64;
                let mut pending = self.shared.pending.borrow_mut();
                let queue = pending.entry(change.service.name.clone()).or_default();
                queue.push_back((round, from));
            }
            self.last += 1;
            self.under_way.insert(self.last, from);
            self.wire.send(self.last, &request)?;
        }
        Ok(())
    }

    fn take(&mut self, arrived: Arrived) -> io::Result<bool> {
        match arrived {
            Arrived::Answer(id, outcome) => {
                let Some(from) = self.under_way.remove(&id) else {
                    self.shared.fail("an answer to nothing", 1);
                    return Ok(true);
                };
                match outcome {
                    // A change counts when it is seen.
                    Ok(()) if self.shared.plan.workload == Workload::Propagate => {}
                    Ok(()) => self.shared.record(from),
                    Err(kind) => self.shared.fail(&kind, 1),
                }
                Ok(true)
            }
            Arrived::Asked(id, asked) => {
                if let Some(Request::NotifySubscriber(info)) = asked.request() {
                    self.seen(info);
                }
                serve(&mut self.wire, id, &asked)
            }
        }
    }

    /// A list was pushed: every change up to the one in it is seen.
    fn seen(&self, info: &ServiceInfo) {
        let rounds = info.hosts.iter().map(|host| host.weight.0 as u64);
        let Some(latest) = rounds.max() else { return };
        let mut pending = self.shared.pending.borrow_mut();
        let Some(queue) = pending.get_mut(&info.service.name) else {
            return;
        };
        while let Some((_, from)) = queue.pop_front_if(|(round, _)| *round <= latest) {
            self.shared.record(from);
        }
    }
}
