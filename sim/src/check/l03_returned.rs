//! L3: a live client that lost its node is registered at another, or there again, in time.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::sdk::io::SdkEvent;
use distro_core::time::Mono;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::Scenario;

/// A client on its way back.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: Moment,
    /// Its end was told that the connection is lost.
    noticed: bool,
}

/// Judge of L3.
#[derive(Debug)]
pub(crate) struct Returned {
    away: BTreeMap<u32, Away>,
    /// Servers of each client.
    servers: Vec<Vec<u32>>,
}

impl Returned {
    pub(crate) fn new(scenario: &Scenario) -> Returned {
        let servers = scenario
            .clients
            .iter()
            .map(|client| client.servers.iter().map(|server| server.0).collect());
        Returned {
            away: BTreeMap::new(),
            servers: servers.collect(),
        }
    }
}

impl Check for Returned {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Removed, Kind::Client])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (host, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Stopped { .. } if !facts.is_node(host) => {
                self.away.remove(&host);
            }
            Seen::Started if !facts.is_node(host) => {
                self.away.insert(
                    host,
                    Away {
                        since: facts.now,
                        noticed: true,
                    },
                );
            }
            Seen::Stopped { silent } => {
                for client in &facts.orphaned {
                    let Some(whose) = facts.clients[*client as usize].host else {
                        continue;
                    };
                    if facts.processes[whose as usize].alive {
                        let away = Away {
                            since: facts.now,
                            noticed: !silent,
                        };
                        self.away.entry(whose).or_insert(away);
                    }
                }
            }
            Seen::Node(Event::ClientDisconnect { native: true, .. }) => {
                let Some(client) = facts.client.filter(|client| facts.process_lives(*client))
                else {
                    return;
                };
                let Some(whose) = facts.clients[client as usize].host else {
                    return;
                };
                let away = Away {
                    since: facts.now,
                    noticed: false,
                };
                self.away.entry(whose).or_insert(away);
            }
            Seen::Client(SdkEvent::Disconnected { .. }) => {
                let away = Away {
                    since: facts.now,
                    noticed: true,
                };
                self.away.insert(host, away);
            }
            Seen::Client(SdkEvent::Registered { .. }) if facts.intents.settled(host) => {
                let Some(away) = self.away.remove(&host) else {
                    return;
                };
                let due = self.deadline(host, away, cx);
                duty::done(found, Property::L3, (away.since.at, facts.now), due, || {
                    format!("{} was not registered again in time", facts.name(host))
                });
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        let mut over: Vec<u32> = Vec::new();
        for (client, away) in &self.away {
            if facts.intents.settled(*client) {
                // It wants nothing any more, or was back before its loss was seen.
                over.push(*client);
                continue;
            }
            let due = self.deadline(*client, *away, cx);
            let outcome = duty::open(found, Property::L3, (away.since.at, facts.now), due, || {
                format!("{} lives and is not registered again", facts.name(*client))
            });
            if outcome == Outcome::Missed {
                over.push(*client);
            }
        }
        for client in over {
            self.away.remove(&client);
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl Returned {
    /// The clock starts when one of its servers can be had; each of the others may cost a try, and
    /// so may one that was well before and after the client tried it.
    fn deadline(&self, client: u32, away: Away, cx: &Context<'_>) -> Option<Mono> {
        let facts = cx.facts;
        if facts.limited {
            return None;
        }
        let servers = self.servers.get((client - facts.nodes) as usize)?;
        let calms = || servers.iter().map(|server| facts.calm(client, *server));
        let usable = calms().flatten().map(|calm| calm.severe).min()?;
        let mild = calms().flatten().map(|calm| calm.mild).max()?;
        let waited = usable > away.since.at;
        let mut start = away.since.at.max(usable);
        if let Some(owner) = facts.present_owner(client) {
            // It is at a server already, and stays there whatever the others are like.
            start = start.max(facts.calm(client, owner)?.severe);
        }
        let (mut in_vain, mut slow) = (0, 0);
        for (server, calm) in servers.iter().zip(calms()) {
            if calm.is_none_or(|calm| calm.severe > start) {
                in_vain += 1;
                slow += u64::from(facts.faults.slowed_since(client, *server, start));
            }
        }
        let tries = facts.bounds.tries_in_vain(in_vain, slow);
        let due = start + facts.bounds.returned(away.noticed, 0, waited) + tries;
        Some(if mild > Mono(0) {
            due.max(mild + facts.bounds.repair())
        } else {
            due
        })
    }
}
