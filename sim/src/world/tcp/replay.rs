//! The verdict: all recordings merged by time and replayed, before the eyes of the checks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;
use std::vec::IntoIter;

use distro_core::config::{Config, in_one_line};
use distro_core::hash::hash_of;
use distro_core::ids::Str;
use distro_core::io::{Input, Output};
use distro_core::node::Node;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{SdkConfig, SdkInput, SdkOutput};
use distro_core::time::{Mono, Now, Period};
use distro_node::record::read::steps;
use distro_node::shell::Tap;

use super::lag::Lag;
use super::lived::{Life, LifeOf, Lived, Step, Told};
use crate::observe::Tables;
use crate::observe::{Observation, Seen};
use crate::outcome::{Outcome, RunOptions};
use crate::scenario::model::{ClientOp, HostId, Scenario};
use crate::world::common::nodes_of;
use crate::world::common::record::Recorder;
use crate::world::common::state::state_hash;
use crate::world::link::tell::{ClientTap, HostTap, Sees};
use crate::world::script::Skipped;

/// A machine as it was made, and the steps that it is to take again.
#[derive(Debug)]
enum Script {
    Node(Box<Config>, Now, Vec<Step<Input>>),
    Sdk(Box<SdkConfig>, Now, Vec<Step<SdkInput>>),
}

/// One life, ready to be replayed.
#[derive(Debug)]
struct Part {
    host: u32,
    /// True time at which its monotonic clock was zero.
    zero: i64,
    script: Script,
}

/// What is merged: an entry is the driver's, or the next step of a life.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Told(Told),
    Step(usize),
}

/// Replays and judges.
///
/// # Errors
/// A recording cannot be read, or what it says is not what this build does.
pub(super) fn judge(
    mut scenario: Scenario,
    options: &RunOptions,
    lived: Lived,
    mut skipped: Skipped,
) -> Result<Outcome, String> {
    let end = scenario.duration.0;
    skipped.extend(lived.skipped);
    let mut lag = Lag::default();
    lag.note(lived.lag);
    let pauses = pauses(&lived.told, end);
    let mut parts = Vec::with_capacity(lived.lives.len());
    for life in lived.lives {
        let name = scenario.host_name(HostId(life.host));
        let part = part(life, lived.zero).and_then(|part| {
            if let Some(part) = &part {
                rehearse(part, &pauses, end, &mut lag)?;
            }
            Ok(part)
        });
        parts.push(part.map_err(|why| format!("{name}: {why}"))?);
    }
    scenario.setting.lag = Period(lag.longest());
    let entries = merged(&lived.told, &parts, end);
    let retelling = Rc::new(Retelling::new(&scenario, options, lived.calls)?);
    let parts = parts.into_iter();
    let mut players: Vec<Option<Player>> = parts
        .map(|part| part.map(|part| Player::new(part, &retelling)).transpose())
        .collect::<Result<_, String>>()?;
    for (at, entry) in entries {
        retelling.at.set(at);
        match entry {
            Entry::Told(told) => retelling.tell(&scenario, told, &mut players),
            Entry::Step(life) => {
                if let Some(player) = &mut players[life] {
                    player.step(&retelling.machines);
                }
            }
        }
    }
    drop(players);
    let recorder = retelling.recorder.borrow_mut().take();
    let recorder = recorder.ok_or("the recorder is gone")?;
    let recorded = recorder.finish(Mono(end), &retelling.machines)?;
    Ok(Outcome {
        verdict: recorded.verdict,
        skipped,
        simulated: Period(end),
        events: recorded.entries,
        trace_hash: recorded.hash,
        state_hash: state_hash(&scenario, &retelling.machines),
        lag: Some(scenario.setting.lag),
        notes: lived.notes,
    })
}

/// A life as a machine and its steps; none when nobody ever heard of it.
fn part(life: Life, run_zero: u64) -> Result<Option<Part>, String> {
    let host = life.host;
    Ok(match life.of {
        LifeOf::Unknown => None,
        LifeOf::Node { header, recording } => {
            let steps = steps(&recording)?.into_iter().map(|step| Step {
                now: step.now,
                input: step.input,
                outputs: step.outputs,
                refused: step.refused,
            });
            let zero = header.zero.cast_signed() - run_zero.cast_signed();
            let config = Box::new(header.config);
            let script = Script::Node(config, header.born, steps.collect());
            Some(Part { host, zero, script })
        }
        LifeOf::Client { config, born, log } => Some(Part {
            host,
            zero: 0,
            script: Script::Sdk(config, born, log.take()),
        }),
    })
}

/// When each host stood still: from, until.
fn pauses(told: &[(u64, Told)], end: u64) -> BTreeMap<u32, Vec<(u64, u64)>> {
    let mut pauses: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for (at, told) in told {
        match told {
            Told::Paused(host) => pauses.entry(*host).or_default().push((*at, end)),
            Told::Resumed(host) => {
                if let Some((_, until)) = pauses.entry(*host).or_default().last_mut() {
                    *until = *at;
                }
            }
            Told::Began(_) | Told::Ended(_) | Told::Started { .. } | Told::Stopped { .. } => {}
        }
    }
    pauses
}

impl Part {
    /// True time of a reading of its clock.
    fn at(&self, mono: Mono) -> u64 {
        let at = self.zero.saturating_add_unsigned(mono.0);
        at.max(0).unsigned_abs()
    }

    fn times(&self) -> Vec<u64> {
        match &self.script {
            Script::Node(_, _, steps) => steps.iter().map(|s| self.at(s.now.mono)).collect(),
            Script::Sdk(_, _, steps) => steps.iter().map(|s| self.at(s.now.mono)).collect(),
        }
    }
}

fn new_node(config: Config, born: Now) -> Result<Node, String> {
    Node::new(config, born).map_err(|why| in_one_line(&why))
}

/// Takes all steps once: each has to put out what was recorded. Notes how late the machine was for
/// its own deadlines while it was not paused.
fn rehearse(
    part: &Part,
    pauses: &BTreeMap<u32, Vec<(u64, u64)>>,
    end: u64,
    lag: &mut Lag,
) -> Result<(), String> {
    let still = |from: u64, until: u64| {
        let pauses = pauses.get(&part.host);
        pauses.is_some_and(|all| all.iter().any(|(a, b)| *a <= until && from <= *b))
    };
    let mut note = |deadline: Option<Mono>, now: Mono| {
        let Some(deadline) = deadline.filter(|deadline| *deadline <= now) else {
            return;
        };
        // A new machine is due since the beginning of its clock, and its process had yet to run.
        let (from, until) = (part.at(deadline), part.at(now));
        if deadline > Mono(0) && until <= end && !still(from, until) {
            lag.note(until - from);
        }
    };
    match &part.script {
        Script::Node(config, born, steps) => {
            let mut node = new_node((**config).clone(), *born)?;
            rehearse_steps(steps, |step, out: &mut Vec<Output>| {
                note(node.next_deadline(), step.now.mono);
                node.handle(step.now, step.input.clone(), out);
            })
        }
        Script::Sdk(config, born, steps) => {
            let mut sdk = Sdk::new((**config).clone(), *born);
            rehearse_steps(steps, |step, out: &mut Vec<SdkOutput>| {
                note(sdk.next_deadline(), step.now.mono);
                sdk.handle(step.now, step.input.clone(), out);
            })
        }
    }
}

fn rehearse_steps<I, O: Hash>(
    steps: &[Step<I>],
    mut take: impl FnMut(&Step<I>, &mut Vec<O>),
) -> Result<(), String> {
    let mut out = Vec::new();
    for (step, number) in steps.iter().zip(1_u64..) {
        out.clear();
        take(step, &mut out);
        if hash_of(&out[..]) != step.outputs {
            return Err(format!(
                "its recording does not replay from step {number} on: is the binary built from \
                 the same sources as this program?"
            ));
        }
    }
    Ok(())
}

/// Everything in the order of true time. At one moment the driver acts first; what a process did
/// before it was stopped comes before the stop.
fn merged(told: &[(u64, Told)], parts: &[Option<Part>], end: u64) -> Vec<(u64, Entry)> {
    let class = |entry: &Entry| match entry {
        Entry::Told(Told::Stopped { .. }) => 2,
        Entry::Told(_) => 0,
        Entry::Step(_) => 1,
    };
    let told = told.iter().map(|(at, told)| (*at, Entry::Told(*told)));
    let mut entries: Vec<(u64, Entry)> = told.collect();
    for (part, life) in parts.iter().zip(0..) {
        let times = part.iter().flat_map(Part::times);
        entries.extend(times.map(|at| (at, Entry::Step(life))));
    }
    entries.retain(|(at, _)| *at <= end);
    entries.sort_by_key(|(at, entry)| (*at, class(entry)));
    entries
}

/// A machine of the replay.
#[derive(Debug)]
enum Machine {
    Node(Box<Node>),
    Sdk(Box<Sdk>),
}

/// The machine of each host, while its process runs.
#[derive(Debug)]
struct Machines(RefCell<Vec<Option<Machine>>>);

impl Tables for Machines {
    fn with_node(&self, host: HostId, look: &mut dyn FnMut(&Node)) {
        if let Some(Machine::Node(node)) = &self.0.borrow()[host.index()] {
            look(node);
        }
    }

    fn with_sdk(&self, host: HostId, look: &mut dyn FnMut(&Sdk)) {
        if let Some(Machine::Sdk(sdk)) = &self.0.borrow()[host.index()] {
            look(sdk);
        }
    }
}

/// What the checks watch.
struct Retelling {
    recorder: RefCell<Option<Recorder>>,
    machines: Machines,
    /// True time.
    at: Cell<u64>,
    calls: RefCell<BTreeMap<(u32, u64), ClientOp>>,
    addresses: BTreeMap<Str, u32>,
}

impl Retelling {
    fn new(
        scenario: &Scenario,
        options: &RunOptions,
        calls: BTreeMap<(u32, u64), ClientOp>,
    ) -> Result<Retelling, String> {
        let addresses = scenario.setting.addresses;
        let nodes = nodes_of(scenario);
        let hosts = u32::try_from(scenario.hosts()).unwrap_or(u32::MAX);
        let of = |host: u32| match host.checked_sub(nodes) {
            Some(client) => addresses.client_ip(client),
            None => addresses.node_ip(host),
        };
        Ok(Retelling {
            recorder: RefCell::new(Some(Recorder::new(scenario, options)?)),
            machines: Machines(RefCell::new((0..hosts).map(|_| None).collect())),
            at: Cell::new(0),
            calls: RefCell::new(calls),
            addresses: (0..hosts).map(|host| (of(host), host)).collect(),
        })
    }

    /// Shows what the driver did.
    fn tell(&self, scenario: &Scenario, told: Told, players: &mut [Option<Player>]) {
        match told {
            Told::Began(action) => {
                let index = action as usize;
                let action = &scenario.timeline[index];
                self.see(action.first_host().0, Seen::Began { index, action });
            }
            Told::Ended(action) => {
                let index = action as usize;
                let action = &scenario.timeline[index];
                self.see(action.first_host().0, Seen::Ended { index, action });
            }
            Told::Started { host, life } => {
                let machine = players[life].as_mut().and_then(|player| player.enter());
                self.machines.0.borrow_mut()[host as usize] = machine;
                self.see(host, Seen::Started);
            }
            Told::Stopped { host, silent } => {
                self.machines.0.borrow_mut()[host as usize] = None;
                self.see(host, Seen::Stopped { silent });
            }
            // The checks know it by the fault.
            Told::Paused(_) | Told::Resumed(_) => {}
        }
    }
}

impl Sees for Retelling {
    fn see(&self, host: u32, what: Seen<'_>) {
        let seen = Observation {
            at: Mono(self.at.get()),
            host: HostId(host),
            what,
        };
        if let Some(recorder) = &mut *self.recorder.borrow_mut() {
            recorder.see(&seen, &self.machines);
        }
    }

    fn host_of(&self, ip: &str) -> Option<u32> {
        self.addresses.get(ip).copied()
    }

    fn called(&self, host: u32, call: u64) -> Option<ClientOp> {
        self.calls.borrow_mut().remove(&(host, call))
    }
}

/// The steps that are left, and who tells of them.
enum Lines {
    Node(IntoIter<Step<Input>>, HostTap<Retelling>),
    Sdk(IntoIter<Step<SdkInput>>, ClientTap<Retelling>),
}

/// One life that is retold.
struct Player {
    host: u32,
    /// Until it enters.
    machine: Option<Machine>,
    lines: Lines,
}

impl Player {
    fn new(part: Part, retelling: &Rc<Retelling>) -> Result<Player, String> {
        let host = part.host;
        let (machine, lines) = match part.script {
            Script::Node(config, born, steps) => {
                let tap = HostTap::new(retelling.clone(), host);
                let node = Box::new(new_node(*config, born)?);
                (Machine::Node(node), Lines::Node(steps.into_iter(), tap))
            }
            Script::Sdk(config, born, steps) => {
                let tap = ClientTap::new(retelling.clone(), host);
                let sdk = Box::new(Sdk::new(*config, born));
                (Machine::Sdk(sdk), Lines::Sdk(steps.into_iter(), tap))
            }
        };
        Ok(Player {
            host,
            machine: Some(machine),
            lines,
        })
    }

    fn enter(&mut self) -> Option<Machine> {
        self.machine.take()
    }

    /// Takes the next step, as the shell did.
    fn step(&mut self, machines: &Machines) {
        let host = self.host as usize;
        match &mut self.lines {
            Lines::Node(steps, tap) => {
                let Some(step) = steps.next() else { return };
                let mut out = Vec::new();
                if let Some(Machine::Node(node)) = &mut machines.0.borrow_mut()[host] {
                    node.handle(step.now, step.input.clone(), &mut out);
                }
                show(tap, &step, &out);
            }
            Lines::Sdk(steps, tap) => {
                let Some(step) = steps.next() else { return };
                let mut out = Vec::new();
                if let Some(Machine::Sdk(sdk)) = &mut machines.0.borrow_mut()[host] {
                    sdk.handle(step.now, step.input.clone(), &mut out);
                }
                show(tap, &step, &out);
            }
        }
    }
}

/// Tells of a step what the shell told: the input, and the outputs that were carried out.
fn show<I, O>(tap: &mut impl Tap<I, O>, step: &Step<I>, out: &[O]) {
    tap.input(&step.input);
    for (output, number) in out.iter().zip(0..) {
        if !step.refused.contains(&number) {
            tap.output(output);
        }
    }
}
