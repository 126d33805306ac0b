//! Combinations that can't be: an action on a host that is not there at that moment.

use distro_core::time::Period;

use super::model::{Action, Effect, Fault, HostId, Scenario, What};
use super::value::period_text;

/// Where in the scenario a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Index into the timeline.
    Timeline(usize),
    /// Index into the expected lists.
    Expect(usize),
}

/// An impossible combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// Where.
    pub place: Place,
    /// What can't be.
    pub message: String,
    /// What would be possible.
    pub help: String,
}

/// What is known of a host's process at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Process {
    start: Period,
    down_since: Option<Period>,
    paused_until: Period,
}

/// Everything in a scenario that can't be done. A timeline without these runs in every world.
pub fn impossible(scenario: &Scenario) -> Vec<Impossible> {
    let starts = scenario
        .nodes
        .iter()
        .map(|node| node.start)
        .chain(scenario.clients.iter().map(|client| client.start));
    let mut walk = Walk {
        scenario,
        processes: starts
            .map(|start| Process {
                start,
                ..Process::default()
            })
            .collect(),
        found: Vec::new(),
    };
    let mut expected: Vec<usize> = (0..scenario.expect.lists.len()).collect();
    expected.sort_by_key(|index| scenario.expect.lists[*index].at);
    let mut expected = expected.into_iter().peekable();
    for (index, action) in scenario.timeline.iter().enumerate() {
        while let Some(list) = expected.next_if(|list| scenario.expect.lists[*list].at < action.at)
        {
            walk.expect(list);
        }
        walk.action(index, action);
    }
    for list in expected {
        walk.expect(list);
    }
    walk.found
}

struct Walk<'a> {
    scenario: &'a Scenario,
    processes: Vec<Process>,
    found: Vec<Impossible>,
}

impl Walk<'_> {
    fn say(&mut self, place: Place, message: String, help: &str) {
        self.found.push(Impossible {
            place,
            message,
            help: help.to_owned(),
        });
    }

    /// Notes a host whose process is not running at this moment. True when it is.
    fn running(&mut self, place: Place, host: HostId, at: Period) -> bool {
        let process = self.processes[host.index()];
        let name = self.scenario.host_name(host);
        if at < process.start {
            let start = period_text(process.start);
            let message = format!("`{name}` starts at {start}, after this");
            self.say(place, message, "do this later, or start the host earlier");
            return false;
        }
        if let Some(since) = process.down_since {
            let message = format!("`{name}` is down since {}", period_text(since));
            self.say(
                place,
                message,
                "restart it first: fault = \"restart\", or `for` on its kill",
            );
            return false;
        }
        true
    }

    fn awake(&mut self, place: Place, host: HostId, at: Period) {
        let until = self.processes[host.index()].paused_until;
        if self.running(place, host, at) && at < until {
            let name = self.scenario.host_name(host);
            let when = match until {
                Period::MAX => "to the end".to_owned(),
                until => format!("until {}", period_text(until)),
            };
            let message = format!("`{name}` is paused {when}");
            self.say(
                place,
                message,
                "a paused process does nothing: do this before or after",
            );
        }
    }

    fn expect(&mut self, index: usize) {
        let list = &self.scenario.expect.lists[index];
        for node in &list.nodes {
            self.running(Place::Expect(index), *node, list.at);
        }
    }

    fn action(&mut self, index: usize, action: &Action) {
        let (place, at) = (Place::Timeline(index), action.at);
        match &action.what {
            What::Call { client, .. } => self.awake(place, *client, at),
            What::Operate { node, .. } => {
                self.running(place, *node, at);
            }
            What::Fault { fault, lasts } => self.fault(place, at, fault, at + *lasts),
        }
    }

    fn fault(&mut self, place: Place, at: Period, fault: &Fault, end: Period) {
        let (hosts, effect) = match fault {
            Fault::Link(..) | Fault::Conns(..) => return,
            Fault::Node(node, _) => {
                self.running(place, *node, at);
                return;
            }
            Fault::Hosts(hosts, fault) => (hosts, fault.effect()),
        };
        for host in hosts {
            match effect {
                Effect::Nothing | Effect::Late => {}
                Effect::Still => {
                    self.awake(place, *host, at);
                    self.processes[host.index()].paused_until = end;
                }
                Effect::Down => {
                    if self.running(place, *host, at) {
                        self.processes[host.index()].down_since = Some(at);
                    }
                }
                Effect::Again => self.restart(place, *host, at),
            }
        }
    }

    fn restart(&mut self, place: Place, host: HostId, at: Period) {
        let start = self.processes[host.index()].start;
        if at < start {
            let name = self.scenario.host_name(host);
            let message = format!("`{name}` starts at {}, after this", period_text(start));
            self.say(place, message, "do this later, or start the host earlier");
        }
        let process = &mut self.processes[host.index()];
        process.down_since = None;
        process.paused_until = Period::ZERO;
    }
}
