//! The process of a node: `distro serve`, with its recording on standard output.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use distro_core::config::{ConnectionLimits, TimingKey};
use distro_core::ids::Str;
use distro_core::profile::Profile;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use super::plan::Plan;
use crate::scenario::model::{HostId, Scenario};

/// Lines of a node's log that are kept, for when it ends by itself.
const LOG_LINES: usize = 20;

/// What a process tells the driver.
#[derive(Debug)]
pub(super) enum News {
    /// A life listens; the header of its recording.
    Up(usize, String),
    /// A life's recording ended, and so did the process.
    Ended(usize),
}

/// A running node. Dropping it kills it.
#[derive(Debug)]
pub(super) struct NodeProcess {
    child: Child,
    /// Gives the recording without its header.
    recording: Option<JoinHandle<String>>,
    /// Gives the last lines of its log, once it has ended.
    log: Option<JoinHandle<Vec<String>>>,
}

/// How a node is started.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) plan: &'a Plan,
    pub(super) node: HostId,
    /// Number of the life.
    pub(super) life: usize,
    /// Its members are in this file, because they change.
    pub(super) members: Option<&'a Path>,
}

impl Start<'_> {
    /// The whole command line.
    fn command(&self) -> Command {
        let Start {
            scenario,
            plan,
            node,
            ..
        } = self;
        let ip = plan.ip(*node).to_string();
        let mut command = Command::new(&plan.distro);
        // Variables of whoever runs the testbed must not set anything.
        command
            .env_clear()
            .args(["serve", "--record", "-", "--log-level", "warn"]);
        command.args(["--bind", &ip, "--address", &ip]);
        match self.members {
            Some(file) => {
                command.arg("--cluster-conf").arg(file);
                command.args(["--set", "members-refresh=1s"]);
            }
            None => {
                command.args(["--members", &members(scenario, plan, *node).join(",")]);
            }
        }
        for (key, value) in settings(scenario) {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    /// Starts the process.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread reads what a real process writes, in real time"
    )]
    pub(super) fn spawn(&self, news: mpsc::UnboundedSender<News>) -> Result<NodeProcess, String> {
        let mut command = self.command();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own: Ctrl-C is for the testbed, and a stopped node whose testbed is gone
        // is woken and hung up by the system.
        command.process_group(0);
        let place = self.plan.place(self.node);
        let mut child = place
            .within(|| command.spawn())
            .map_err(|error| format!("{}: {error}", self.plan.distro.display()))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (Some(out), Some(err)) = (out, err) else {
            return Err("a node without its pipes".to_owned());
        };
        let life = self.life;
        let recording = std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let (mut header, mut rest) = (String::new(), String::new());
            // Whatever could not be read is missing at the end, as after a kill.
            if out.read_line(&mut header).is_ok_and(|bytes| bytes > 0)
                && news.send(News::Up(life, header)).is_ok()
            {
                out.read_to_string(&mut rest).unwrap_or_default();
            }
            news.send(News::Ended(life)).unwrap_or_default();
            rest
        });
        let log = std::thread::spawn(move || {
            let mut kept = VecDeque::new();
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                kept.push_back(line);
                if kept.len() > LOG_LINES {
                    kept.pop_front();
                }
            }
            Vec::from(kept)
        });
        Ok(NodeProcess {
            child,
            recording: Some(recording),
            log: Some(log),
        })
    }
}

impl NodeProcess {
    /// SIGKILL. It does not run any more when this returns; gives its recording.
    pub(super) fn kill(mut self) -> Result<String, String> {
        self.end();
        match self.recording.take().map(JoinHandle::join) {
            Some(Ok(recording)) => Ok(recording),
            Some(Err(_)) | None => Err("the reader of a recording failed".to_owned()),
        }
    }

    /// SIGSTOP, or SIGCONT.
    pub(super) fn pause(&self, pause: bool) -> Result<(), String> {
        let signal = if pause { Signal::STOP } else { Signal::CONT };
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("a process without a number")?;
        kill_process(pid, signal).map_err(|error| format!("a node cannot be stopped: {error}"))
    }

    /// How it ended, when it ended by itself, and the last it said.
    pub(super) fn last_words(&mut self) -> String {
        let code = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let log = match self.log.take().map(JoinHandle::join) {
            Some(Ok(log)) => log.join(" | "),
            Some(Err(_)) | None => "it could not be read".to_owned(),
        };
        format!("{code}; its log: {log}")
    }

    fn end(&mut self) {
        // It may have ended by itself; waiting for it is right in either case.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// A node's members as it is told them, itself first.
pub(super) fn members(scenario: &Scenario, plan: &Plan, node: HostId) -> Vec<String> {
    listed(plan, node, &scenario.nodes[node.index()].members)
}

/// These members, as this node is told them.
pub(super) fn listed(plan: &Plan, node: HostId, members: &[HostId]) -> Vec<String> {
    let others = members.iter().filter(|member| **member != node);
    std::iter::once(&node)
        .chain(others)
        .map(|member| plan.member(node, *member))
        .collect()
}

/// Keys that the scenario sets, with their values.
fn settings(scenario: &Scenario) -> Vec<(String, String)> {
    let timing = scenario.timing(Profile::DISTRO);
    let time = |key: &TimingKey| {
        (
            format!("timing.{}", key.name()),
            format!("{}us", timing[*key].0),
        )
    };
    let mut settings: Vec<(String, String)> = TimingKey::ALL.iter().map(time).collect();
    let bytes = scenario.message_bytes_max.to_string();
    settings.push(("message-bytes-max".to_owned(), bytes));
    settings.extend(limits(&scenario.limits));
    settings
}

fn limits(limits: &ConnectionLimits) -> Vec<(String, String)> {
    let ConnectionLimits {
        total,
        per_ip_default,
        per_ip,
        per_app,
    } = limits;
    let mut settings = Vec::new();
    for (key, count) in [("total", total), ("per-ip-default", per_ip_default)] {
        if let Some(count) = count {
            settings.push((format!("limits.{key}"), count.to_string()));
        }
    }
    for (key, counts) in [("per-ip", per_ip), ("per-app", per_app)] {
        if !counts.is_empty() {
            let pair = |(name, count): (&Str, &u32)| format!("{name}={count}");
            let pairs: Vec<String> = counts.iter().map(pair).collect();
            settings.push((format!("limits.{key}"), pairs.join(",")));
        }
    }
    settings
}
