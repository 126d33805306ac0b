//! L4: a client that died leaves its owner's table: at once when its host said so, after the idle
//! limit and a probe when it did not. A client that hangs counts as dead.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::time::{Mono, Period};

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::{Action, Fault, HostFault, What};

/// How a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Told,
    Silent,
    Hangs,
}

#[derive(Debug, Clone, Copy)]
struct Dead {
    since: Moment,
    end: End,
    /// Its owner probed another connection meanwhile.
    probing: bool,
}

/// Judge of L4.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    dead: BTreeMap<u32, Dead>,
}

impl Check for Owner {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::Process,
            Kind::Timeline,
            Kind::Removed,
            Kind::OtherEvent,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (host, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Stopped { silent } if !facts.is_node(host) => {
                let end = if silent { End::Silent } else { End::Told };
                self.died(host, end, cx);
            }
            Seen::Stopped { .. } => {
                self.dead
                    .retain(|client, _| facts.clients[*client as usize].owner != host);
            }
            Seen::Began { action, .. } => {
                for host in paused(action) {
                    self.died(*host, End::Hangs, cx);
                }
            }
            Seen::Ended { action, .. } => {
                for host in paused(action) {
                    self.dead.retain(|client, dead| {
                        dead.end != End::Hangs
                            || facts.clients[*client as usize].host != Some(*host)
                    });
                }
            }
            Seen::Node(Event::Detecting(conn)) => {
                for (client, dead) in &mut self.dead {
                    let record = &facts.clients[*client as usize];
                    dead.probing |= record.owner == host && record.conn != Some(*conn);
                }
            }
            Seen::Node(Event::ClientDisconnect { native: true, .. }) => {
                let Some(client) = facts.client else { return };
                let Some(dead) = self.dead.remove(&client) else {
                    return;
                };
                let due = deadline(client, dead, cx);
                duty::done(found, Property::L4, (dead.since.at, facts.now), due, || {
                    late(client, dead, cx)
                });
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let now = cx.facts.now;
        self.dead.retain(|client, dead| {
            let due = deadline(*client, *dead, cx);
            let outcome = duty::open(found, Property::L4, (dead.since.at, now), due, || {
                late(*client, *dead, cx)
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

fn paused(action: &Action) -> impl Iterator<Item = &u32> {
    let hosts = match &action.what {
        What::Fault {
            fault: Fault::Hosts(hosts, HostFault::Pause),
            ..
        } => hosts.as_slice(),
        What::Fault { .. } | What::Call { .. } | What::Operate { .. } => &[],
    };
    hosts.iter().map(|host| &host.0)
}

impl Owner {
    fn died(&mut self, host: u32, end: End, cx: &Context<'_>) {
        let facts = cx.facts;
        for client in &facts.hosted[host as usize] {
            self.dead.insert(
                *client,
                Dead {
                    since: facts.now,
                    end,
                    probing: false,
                },
            );
        }
    }
}

fn deadline(client: u32, dead: Dead, cx: &Context<'_>) -> Option<Mono> {
    let facts = cx.facts;
    let record = &facts.clients[client as usize];
    if !facts.processes[record.owner as usize].alive {
        return None;
    }
    let host = facts.faults.host_calm(record.owner)?;
    let path = facts.faults.path_calm(record.owner, record.host?)?;
    let wrong = host.severe.max(path.severe);
    let ejected = facts.bounds.ejected(dead.probing);
    // Where something went wrong lately, the word of the death may have been lost.
    let lately = wrong + ejected > dead.since.at && path.severe > Mono(0);
    let bound = if dead.end == End::Told && !lately {
        facts.bounds.fin()
    } else {
        ejected
    };
    // One that was asked to leave may be on its way to another node: its record waits for it there.
    let leaving = match record.asked {
        Some(_) => facts.bounds.departed(),
        None => Period::ZERO,
    };
    Some(dead.since.at.max(wrong) + bound + leaving)
}

fn late(client: u32, dead: Dead, cx: &Context<'_>) -> String {
    let facts = cx.facts;
    let how = match dead.end {
        End::Told => "was killed",
        End::Silent => "died silently",
        End::Hangs => "hangs",
    };
    format!(
        "{} {how} at {} and stayed too long in the table of {}",
        facts.client_name(client),
        dead.since.at,
        facts.name(facts.clients[client as usize].owner)
    )
}
