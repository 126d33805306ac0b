//! Faults of links while they last: which messages they are about and what they do to them.

use std::collections::BTreeMap;

use distro_core::message::MessageKind;
use distro_core::rng::Rng;
use distro_core::time::Period;

use crate::scenario::model::{LinkFault, NameAnswer, Path};

/// How long it takes to learn that a name does not resolve. Why: a resolver on the host knows, or
/// the one beside it; and who dials again at once must not stay at one moment for ever.
pub(crate) const LOOK_UP: Period = Period::from_millis(1);

/// What a rule may be about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    /// Dials, FINs, resets.
    Transport,
    /// A request of this kind.
    Request(MessageKind),
    /// The response to a request of this kind.
    Response(MessageKind),
}

/// A [`Path`], made quick to ask.
#[derive(Debug)]
pub(crate) struct Scope {
    from: Vec<bool>,
    to: Vec<bool>,
    both: bool,
    kinds: u32,
    requests: Option<bool>,
}

const fn bit(kind: MessageKind) -> u32 {
    1 << (kind as u32)
}

impl Scope {
    /// The scope of a path among this many hosts.
    pub(crate) fn new(path: &Path, hosts: usize) -> Scope {
        let mut scope = Scope {
            from: vec![false; hosts],
            to: vec![false; hosts],
            both: path.both,
            kinds: path.kinds.iter().fold(0, |all, kind| all | bit(*kind)),
            requests: path.requests,
        };
        for host in &path.from {
            scope.from[host.index()] = true;
        }
        for host in &path.to {
            scope.to[host.index()] = true;
        }
        scope
    }

    /// True when what this host sends to that one is inside.
    pub(crate) fn covers_pair(&self, from: u32, to: u32) -> bool {
        let inside = |side: &[bool], host: u32| side.get(host as usize).copied().unwrap_or(false);
        (inside(&self.from, from) && inside(&self.to, to))
            || (self.both && inside(&self.from, to) && inside(&self.to, from))
    }

    /// True when the scope is about connections as a whole rather than some messages on them.
    const fn is_whole(&self) -> bool {
        self.kinds == 0 && self.requests.is_none()
    }

    fn covers(&self, from: u32, to: u32, subject: Subject) -> bool {
        let fits = match subject {
            Subject::Transport => self.is_whole(),
            Subject::Request(kind) => {
                self.requests != Some(false) && (self.kinds == 0 || self.kinds & bit(kind) != 0)
            }
            Subject::Response(kind) => {
                self.requests != Some(true) && (self.kinds == 0 || self.kinds & bit(kind) != 0)
            }
        };
        fits && self.covers_pair(from, to)
    }
}

#[derive(Debug)]
enum Change {
    Hold,
    Vanish(u32),
    Drop(u32),
    Delay(Period),
    Duplicate(u32),
    Reorder(Period),
    Corrupt(u32),
    Bandwidth {
        per_second: u64,
        queue: u64,
        busy_until: BTreeMap<(u32, u32), u64>,
    },
    Name(NameAnswer),
}

#[derive(Debug)]
struct Rule {
    action: u32,
    scope: Scope,
    change: Change,
}

/// What becomes of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fate {
    /// It waits until a partition heals.
    pub(crate) hold: bool,
    /// It never arrives.
    pub(crate) vanish: bool,
    /// It arrives unreadable.
    pub(crate) corrupt: bool,
    /// It arrives twice.
    pub(crate) duplicate: bool,
    /// The link's queue is full.
    pub(crate) busy: bool,
    /// It takes this much longer, in microseconds.
    pub(crate) delay: u64,
    /// It may be overtaken by what is sent up to this much later, in microseconds.
    pub(crate) within: u64,
}

/// The link faults that last at the moment, oldest first. Faults of one kind add up.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    active: Vec<Rule>,
    /// Actions whose rule has nothing left to do.
    pub(crate) exhausted: Vec<u32>,
}

impl Rules {
    /// True when links are as the scenario has them.
    pub(crate) const fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// A link fault begins.
    pub(crate) fn begin(&mut self, action: u32, path: &Path, fault: &LinkFault, hosts: usize) {
        let change = match *fault {
            LinkFault::Partition if path.is_whole() => Change::Hold,
            LinkFault::Partition => Change::Vanish(1_000_000),
            LinkFault::Loss { per_million } => Change::Vanish(per_million),
            LinkFault::Drop { count } => Change::Drop(count),
            LinkFault::Delay { by } => Change::Delay(by),
            LinkFault::Duplicate { per_million } => Change::Duplicate(per_million),
            LinkFault::Reorder { within } => Change::Reorder(within),
            LinkFault::Corrupt { per_million } => Change::Corrupt(per_million),
            LinkFault::Bandwidth {
                bytes_per_second,
                queue_bytes,
            } => Change::Bandwidth {
                per_second: bytes_per_second.max(1),
                queue: queue_bytes,
                busy_until: BTreeMap::new(),
            },
            LinkFault::DnsFailure { answer } => Change::Name(answer),
        };
        self.active.push(Rule {
            action,
            scope: Scope::new(path, hosts),
            change,
        });
    }

    /// A link fault ends.
    pub(crate) fn end(&mut self, action: u32) {
        self.active.retain(|rule| rule.action != action);
    }

    /// Actions whose rule has nothing left to do, each once.
    pub(crate) fn take_exhausted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.exhausted)
    }

    /// True while a partition lies between sender and receiver.
    pub(crate) fn blocked(&self, from: u32, to: u32) -> bool {
        self.active
            .iter()
            .any(|rule| matches!(rule.change, Change::Hold) && rule.scope.covers_pair(from, to))
    }

    /// What a host gets when it looks another's name up now; none when it gets its address.
    pub(crate) fn look_up(&self, from: u32, to: u32) -> Option<NameAnswer> {
        self.active.iter().find_map(|rule| match rule.change {
            Change::Name(answer) if rule.scope.covers_pair(from, to) => Some(answer),
            Change::Name(_)
            | Change::Hold
            | Change::Vanish(_)
            | Change::Drop(_)
            | Change::Delay(_)
            | Change::Duplicate(_)
            | Change::Reorder(_)
            | Change::Corrupt(_)
            | Change::Bandwidth { .. } => None,
        })
    }

    /// What becomes of a message that is sent now. `size` is asked only when it matters.
    pub(crate) fn fate(
        &mut self,
        rng: &mut Rng,
        now: u64,
        (from, to): (u32, u32),
        subject: Subject,
        size: &dyn Fn() -> u64,
    ) -> Fate {
        let mut fate = Fate::default();
        let message = !matches!(subject, Subject::Transport);
        for rule in &mut self.active {
            if fate.vanish || fate.busy || !rule.scope.covers(from, to, subject) {
                continue;
            }
            match &mut rule.change {
                Change::Hold => fate.hold = true,
                Change::Vanish(per_million) => fate.vanish = rng.chance(*per_million),
                Change::Delay(by) => fate.delay = fate.delay.saturating_add(by.0),
                Change::Drop(left) if message && *left > 0 => {
                    *left -= 1;
                    fate.vanish = true;
                    if *left == 0 {
                        self.exhausted.push(rule.action);
                    }
                }
                Change::Duplicate(per_million) if message => {
                    fate.duplicate |= rng.chance(*per_million);
                }
                Change::Reorder(within) if message => {
                    fate.within = fate.within.saturating_add(within.0);
                }
                Change::Corrupt(per_million) if message => fate.corrupt |= rng.chance(*per_million),
                Change::Bandwidth {
                    per_second,
                    queue,
                    busy_until,
                } if message => {
                    let until = busy_until.entry((from, to)).or_insert(0);
                    carry(
                        &mut fate,
                        until,
                        now,
                        (*per_second, *queue),
                        subject,
                        size(),
                    );
                }
                Change::Drop(_)
                | Change::Duplicate(_)
                | Change::Reorder(_)
                | Change::Corrupt(_)
                | Change::Bandwidth { .. }
                | Change::Name(_) => {}
            }
        }
        fate
    }
}

/// A link of limited bandwidth takes a message, or says that it is busy. A response always fits:
/// its sender has nobody to tell.
fn carry(
    fate: &mut Fate,
    until: &mut u64,
    now: u64,
    (per_second, queue): (u64, u64),
    subject: Subject,
    size: u64,
) {
    let waiting = until.saturating_sub(now);
    let queued = u128::from(waiting) * u128::from(per_second) / 1_000_000;
    let full = waiting > 0 && queued + u128::from(size) > u128::from(queue);
    if full && matches!(subject, Subject::Request(_)) {
        fate.busy = true;
        return;
    }
    let time = u64::try_from(u128::from(size) * 1_000_000 / u128::from(per_second));
    *until = now
        .saturating_add(waiting)
        .saturating_add(time.unwrap_or(u64::MAX));
    fate.delay = fate.delay.saturating_add(*until - now);
}
