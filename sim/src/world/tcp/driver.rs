//! One run: processes, clients, what happens to them, and what is kept for the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use distro_core::profile::Profile;
use distro_core::rng::Rng;
use distro_node::net::Clock as _;
use distro_node::record::read::{Header, header};
use distro_node::record::write::zero_of;
use distro_node::shell::ShellError;
use distro_node::shell::sdk::Asked;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::between::{Between, Failure};
use super::client::{self, Client, ClientBirth};
use super::interrupt::Interrupted;
use super::lag::Lag;
use super::lived::{Life, LifeOf, Lived, Told};
use super::operate::MemberFiles;
use super::plan::{Plan, RealTime};
use super::process::{News, NodeProcess, Start};
use crate::scenario::model::{ClientOp, HostId, Scenario};
use crate::world::common::birth::{Birth, call_of, sdk_config};
use crate::world::script::agenda::Agenda;
use crate::world::script::{Script, Skipped};

/// How often the driver looks at what tells nobody. It is also how delays are measured.
const TICK: u64 = 5_000;

/// What runs on a host.
#[derive(Debug, Default)]
pub(super) enum Running {
    /// Nothing.
    #[default]
    Nothing,
    /// A node's process, which may not listen yet.
    Node {
        process: NodeProcess,
        life: usize,
        up: bool,
    },
    /// A client.
    Client(Client),
}

/// A host of the run.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) running: Running,
    pub(super) paused: bool,
    seeds: Rng,
    births: u64,
    calls: u64,
}

/// The run.
pub(super) struct Driver<'a> {
    pub(super) scenario: &'a Scenario,
    seed: u64,
    pub(super) plan: &'a Plan,
    pub(super) time: RealTime,
    /// What the machine's clock showed at the start of the run.
    zero: u64,
    pub(super) between: Between<'a>,
    pub(super) hosts: Vec<Host>,
    pub(super) agenda: Agenda,
    /// Actions that have just ended.
    pub(super) over: Vec<u32>,
    /// Actions that end when these hosts are up.
    pub(super) ending: BTreeMap<u32, BTreeSet<u32>>,
    lives: Vec<Life>,
    pub(super) told: Vec<(u64, Told)>,
    calls: BTreeMap<(u32, u64), ClientOp>,
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
    clients: JoinSet<Result<(), ShellError>>,
    pub(super) failure: Failure,
    pub(super) files: MemberFiles,
    pub(super) lag: Lag,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        plan: &'a Plan,
        seed: u64,
    ) -> Result<Driver<'a>, String> {
        let time = RealTime::start();
        let files = MemberFiles::new(scenario)
            .map_err(|error| format!("no directory for member files: {error}"))?;
        let all = (0..).map(HostId).take(scenario.hosts());
        let hosts = all.map(|host| Host {
            running: Running::Nothing,
            paused: false,
            seeds: Rng::new(seed, &format!("lives {}", scenario.host_name(host))),
            births: 0,
            calls: 0,
        });
        Ok(Driver {
            scenario,
            seed,
            plan,
            time,
            zero: zero_of(&time.clock),
            between: Between::new(scenario, plan, seed, time)?,
            hosts: hosts.collect(),
            agenda: Agenda::default(),
            over: Vec::new(),
            ending: BTreeMap::new(),
            lives: Vec::new(),
            told: Vec::new(),
            calls: BTreeMap::new(),
            news: mpsc::unbounded_channel(),
            clients: JoinSet::new(),
            failure: Rc::default(),
            files,
            lag: Lag::default(),
        })
    }

    /// Runs in real time, and gives what is to be judged.
    ///
    /// # Errors
    /// Something that the world needs failed, or somebody interrupted.
    pub(super) async fn run(mut self, mut interrupted: Interrupted) -> Result<Lived, String> {
        self.between.open(self.scenario, self.plan, &self.failure);
        let mut script = Script::new(self.scenario, self.seed, &mut self);
        let end = self.scenario.duration.0;
        loop {
            for action in self.between.exhausted() {
                script.end(&mut self, action)?;
                self.tell_ends();
            }
            let now = self.time.now();
            while let Some(due) = self.agenda.pop(now) {
                script.due(&mut self, due)?;
                self.tell_ends();
            }
            if let Some(failure) = self.failure.borrow_mut().take() {
                return Err(failure);
            }
            let now = self.time.now();
            if now >= end {
                break;
            }
            let next = self.agenda.next().unwrap_or(u64::MAX);
            let until = next.min(now + TICK).min(end);
            tokio::select! {
                biased;
                () = interrupted.wait() => return Err("interrupted".to_owned()),
                Some(news) = self.news.1.recv() => self.hear(news)?,
                Some(ended) = self.clients.join_next() => client_ended(ended)?,
                () = tokio::time::sleep(Duration::from_micros(until.saturating_sub(now))) => {
                    self.lag.note(self.time.now().saturating_sub(until));
                }
            }
        }
        self.finish(script.into_skipped())
    }

    fn hear(&mut self, news: News) -> Result<(), String> {
        match news {
            News::Up(life, line) => self.up(life, &line),
            News::Ended(life) => {
                let host = self.lives[life].host;
                match &mut self.hosts[host as usize].running {
                    Running::Node {
                        process, life: now, ..
                    } if *now == life => {
                        let name = self.scenario.host_name(HostId(host));
                        Err(format!("{name} ended by itself: {}", process.last_words()))
                    }
                    // It was killed by the timeline.
                    Running::Node { .. } | Running::Client(_) | Running::Nothing => Ok(()),
                }
            }
        }
    }

    /// A node's process listens.
    fn up(&mut self, life: usize, line: &str) -> Result<(), String> {
        let host = self.lives[life].host;
        let name = self.scenario.host_name(HostId(host));
        let header: Header = header(line).map_err(|why| format!("{name}: {why}"))?;
        let Running::Node { life: now, up, .. } = &mut self.hosts[host as usize].running else {
            return Ok(());
        };
        if *now != life {
            return Ok(());
        }
        *up = true;
        if self.hosts[host as usize].paused
            && let Running::Node { process, .. } = &self.hosts[host as usize].running
        {
            process.pause(true)?;
        }
        self.between.up(host, self.time.now())?;
        let born = header.zero.saturating_add(header.born.mono.0);
        let born = born.saturating_sub(self.zero);
        self.told.push((born, Told::Started { host, life }));
        self.lives[life].of = LifeOf::Node {
            header: Box::new(header),
            recording: String::new(),
        };
        self.is_up(host, born)
    }

    /// Actions that waited for this host, and for no other any more, end.
    fn is_up(&mut self, host: u32, at: u64) -> Result<(), String> {
        for waiting in self.ending.values_mut() {
            waiting.remove(&host);
        }
        let over: Vec<u32> = self
            .ending
            .iter()
            .filter(|(_, waiting)| waiting.is_empty())
            .map(|(action, _)| *action)
            .collect();
        for action in over {
            self.ending.remove(&action);
            self.tell_end(action, at);
        }
        Ok(())
    }

    /// Starts what belongs on a host; nothing may run there.
    pub(super) fn start_process(&mut self, host: u32) -> Result<(), String> {
        self.hosts[host as usize].births += 1;
        match self.scenario.client(HostId(host)) {
            None => self.start_node(host),
            Some(client) => self.start_client(host, client),
        }
    }

    fn start_node(&mut self, host: u32) -> Result<(), String> {
        let node = HostId(host);
        let members = &self.scenario.nodes[node.index()].members;
        let path = self.files.path(node);
        if self.hosts[host as usize].births == 1 {
            self.files
                .write(self.plan, node, members)
                .map_err(|error| format!("a member file: {error}"))?;
        }
        let life = self.lives.len();
        let start = Start {
            scenario: self.scenario,
            plan: self.plan,
            node,
            life,
            members: path.as_deref(),
        };
        let process = start.spawn(self.news.0.clone())?;
        self.lives.push(Life::new(host));
        self.hosts[host as usize].running = Running::Node {
            process,
            life,
            up: false,
        };
        Ok(())
    }

    fn start_client(&mut self, host: u32, index: usize) -> Result<(), String> {
        self.between.up(host, self.time.now())?;
        let plan = &mut self.hosts[host as usize];
        let birth = Birth {
            scenario: self.scenario,
            host: HostId(host),
            profile: Profile::DISTRO,
            life: plan.births,
            seed: plan.seeds.next_u64(),
            now: self.time.clock.now(),
        };
        let config = sdk_config(&birth, index);
        let place = (self.scenario, self.plan, self.time.clock);
        let (client, birth) = client::start(place, HostId(host), config, &mut self.clients);
        let ClientBirth { config, born, log } = birth;
        let life = self.lives.len();
        self.lives.push(Life::new(host));
        self.lives[life].of = LifeOf::Client {
            config: Box::new(config),
            born,
            log,
        };
        self.told.push((born.mono.0, Told::Started { host, life }));
        self.hosts[host as usize].running = Running::Client(client);
        self.is_up(host, born.mono.0)
    }

    /// Ends what runs on a host, if anything does.
    pub(super) fn stop_process(&mut self, host: u32, silent: bool) -> Result<(), String> {
        self.between.down(host, silent)?;
        let was_up = match std::mem::take(&mut self.hosts[host as usize].running) {
            Running::Nothing => return Ok(()),
            Running::Node { process, life, up } => {
                let text = process.kill()?;
                if let LifeOf::Node { recording, .. } = &mut self.lives[life].of {
                    *recording = text;
                }
                up
            }
            Running::Client(client) => {
                drop(client);
                true
            }
        };
        let now = self.time.now();
        if was_up {
            self.told.push((now, Told::Stopped { host, silent }));
        }
        self.is_up(host, now)
    }

    /// A client's application calls it.
    pub(super) fn call_client(&mut self, host: u32, op: ClientOp) -> Result<(), String> {
        let plan = &mut self.hosts[host as usize];
        let Running::Client(client) = &plan.running else {
            return Ok(());
        };
        plan.calls += 1;
        let call = plan.calls;
        let asked = Asked {
            call,
            what: call_of(op.clone()),
            reply: None,
        };
        let sent = client.calls.try_send(asked);
        self.calls.insert((host, call), op);
        sent.map_err(|_| {
            let name = self.scenario.host_name(HostId(host));
            format!("{name} takes no more calls")
        })
    }

    /// The run is over: everything ends, and what was written down is kept.
    fn finish(mut self, skipped: Skipped) -> Result<Lived, String> {
        for host in &mut self.hosts {
            match std::mem::take(&mut host.running) {
                Running::Node { process, life, .. } => {
                    let text = process.kill()?;
                    if let LifeOf::Node { recording, .. } = &mut self.lives[life].of {
                        *recording = text;
                    }
                }
                Running::Client(_) | Running::Nothing => {}
            }
        }
        let notes = self.between.notes()?;
        Ok(Lived {
            notes,
            skipped,
            lives: self.lives,
            told: self.told,
            calls: self.calls,
            zero: self.zero,
            lag: self.lag.longest(),
        })
    }
}

fn client_ended(
    ended: Result<Result<(), ShellError>, tokio::task::JoinError>,
) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("a client: {error}")),
        // Killed by the timeline.
        Err(error) if error.is_cancelled() => Ok(()),
        Err(error) => Err(format!("a client: {error}")),
    }
}
