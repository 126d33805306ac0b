//! The bounds of all liveness properties, computed from the scenario's own constants.
//!
//! Where nodes differ in their constants, the longest counts: a bound promises for the cluster.

use distro_core::config::{Timing, TimingKey};
use distro_core::constants as c;
use distro_core::profile::Profile;
use distro_core::time::Period;

use crate::scenario::model::{Fault, HostFault, Scenario, What};

/// What a world adds to each step: turmoil moves in steps of a millisecond, and a message takes a
/// few of them. Where time is real, what was measured comes on top.
const GRAIN: Period = Period::from_millis(20);

/// With base loss, a message is repeated until this many in a million million are lost still.
const LOST_PER_MILLION_MILLION: u128 = 1_000;

/// Times that a scenario promises.
#[derive(Debug, Clone)]
pub struct Bounds {
    timing: Timing,
    /// A round trip at most.
    pub rtt: Period,
    /// What a step takes at most beyond the protocol's own times.
    grain: Period,
    nodes: u64,
    drift_ppm: u64,
    tries: u64,
}

impl Bounds {
    /// The bounds of a scenario that runs as it stands.
    pub fn of(scenario: &Scenario) -> Bounds {
        let grain = GRAIN + scenario.setting.lag;
        Bounds {
            timing: longest(scenario),
            rtt: scenario.link.latency_max.times(2) + grain,
            grain,
            nodes: scenario.nodes.len() as u64,
            drift_ppm: drift(scenario),
            tries: tries(scenario.link.loss_per_million),
        }
    }

    /// The longest time of each name among the scenario's nodes.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// A period of a host's own clock in true time, at most.
    fn slow(&self, period: Period) -> Period {
        let more = u128::from(period.0) * u128::from(self.drift_ppm) / 1_000_000;
        period + Period(u64::try_from(more).unwrap_or(u64::MAX))
    }

    /// A period of a host's own clock in true time, at least.
    fn fast(&self, period: Period) -> Period {
        let less = u128::from(period.0) * u128::from(self.drift_ppm) / 1_000_000;
        period.saturating_sub(Period(u64::try_from(less).unwrap_or(u64::MAX)))
    }

    /// What takes `period` when nothing is lost: with base loss, several repairs more.
    fn lossy(&self, period: Period) -> Period {
        self.slow(period) + self.repair_once().times(self.tries - 1)
    }

    fn repair_once(&self) -> Period {
        let t = &self.timing;
        let retry = (t.sync_timeout + t.sync_retry_delay).max(t.verify_interval);
        let push = t.push_timeout + t.push_retry_delay;
        let register = t.request_timeout + t.redo_interval;
        self.slow(retry.max(push).max(register) + t.delay_tick.times(5)) + self.rtt.times(2)
    }

    /// A lost message is made good (L2: retry or verify).
    pub fn repair(&self) -> Period {
        self.repair_once().times(self.tries)
    }

    /// A change or removal reaches a peer (L2, L5).
    pub fn sync(&self) -> Period {
        self.lossy(self.timing.sync_delay + self.timing.delay_tick) + self.rtt
    }

    /// A change or removal leaves for a target (S17): with base loss, after the sync before it has
    /// failed and the target is UP again.
    pub fn sync_sent(&self) -> Period {
        self.lossy(self.timing.sync_delay + self.timing.delay_tick)
            + Period::from_millis(100)
            + self.rtt
    }

    /// A push reaches a subscriber (L6).
    pub fn push(&self) -> Period {
        self.lossy(self.timing.push_delay + self.timing.delay_tick) + self.rtt
    }

    /// A push leaves the node at the latest (S14).
    pub fn push_leaves(&self) -> Period {
        self.slow(self.timing.push_delay + self.timing.delay_tick)
    }

    /// How far back an answer may look (S6).
    pub fn read_window(&self) -> Period {
        self.slow(self.timing.push_delay + self.timing.delay_tick) + self.grain
    }

    /// Everything is equal again after the last operation, when the links were good (L1).
    pub fn converge(&self) -> Period {
        self.lossy(self.timing.verify_interval + self.timing.delay_tick.times(2))
            + self.rtt.times(2)
    }

    /// Everything works again after links and nodes came back: reconnect, member UP, verify (L1).
    pub fn settle(&self) -> Period {
        let t = &self.timing;
        let redial = t.reconnect_step.times(c::REDIAL_STEPS_MAX);
        let back = t.connect_timeout.times(2) + redial + t.report_unhealthy_interval;
        self.lossy(back + t.verify_interval + t.delay_tick.times(10)) + self.rtt.times(6)
    }

    /// An end notices that the other end is silent.
    pub fn silence_noticed(&self) -> Period {
        let t = &self.timing;
        let checks = t
            .health_check_timeout
            .times(u64::from(c::HEALTH_CHECK_TRIES));
        self.slow(t.health_check_idle + checks + t.delay_tick.times(5)) + self.rtt
    }

    /// A transport that ended is noticed (L4, FIN or reset).
    pub fn fin(&self) -> Period {
        Period::from_millis(100) + self.rtt
    }

    /// A silent client leaves its owner (L4). `probing`: a probe of another client was under way.
    pub fn ejected(&self, probing: bool) -> Period {
        let t = &self.timing;
        let probes = if probing { 2 } else { 1 };
        let all = t.keep_alive + t.scan_interval + t.detection_timeout.times(probes);
        self.slow(all + t.delay_tick) + self.rtt
    }

    /// A live client is registered again (L3). `noticed`: its end was told of the loss. `dead`:
    /// servers that may be tried in vain. `waited`: it had nobody to go to for a while, so its
    /// back-off is long.
    pub fn returned(&self, noticed: bool, dead: u64, waited: bool) -> Period {
        let t = &self.timing;
        let tries = t.connect_timeout + t.redo_interval + t.delay_tick.times(10);
        let back_off = t.reconnect_step.times(c::RECONNECT_STEPS_MAX);
        let silent = if noticed {
            Period::ZERO
        } else {
            self.silence_noticed()
        };
        let wait = if waited {
            back_off + t.connect_timeout
        } else {
            Period::ZERO
        };
        self.lossy(tries + wait) + silent + self.rtt.times(4) + self.tries_in_vain(dead, 0)
    }

    /// What a client loses at servers that it can't have (L3): a dial or a server check each. Where
    /// messages only come late or not all, a try may fail as late as at the setup; and so may one
    /// that was under way when its server was lost.
    pub fn tries_in_vain(&self, servers: u64, slow: u64) -> Period {
        let t = &self.timing;
        let late = t.connect_timeout + t.setup_ack_timeout;
        let under_way = if servers > 0 {
            t.setup_ack_timeout.saturating_sub(t.connect_timeout)
        } else {
            Period::ZERO
        };
        self.slow(t.connect_timeout.times(servers) + late.times(slow) + under_way)
    }

    /// A node is ready when its peers answer (L7).
    pub fn ready(&self) -> Period {
        let t = &self.timing;
        self.lossy(t.load_wait + t.load_retry_delay + t.connect_timeout) + self.rtt.times(4)
    }

    /// A node is ready whatever its peers do (L7).
    pub fn ready_anyway(&self) -> Period {
        self.ready() + self.slow(self.timing.load_timeout)
    }

    /// The lease of a synced client, at least.
    pub fn lease_min(&self) -> Period {
        self.fast(self.timing.client_expired_time)
    }

    /// A record is dropped whose owner is not heard of (L5, L12).
    pub fn lease_over(&self) -> Period {
        let t = &self.timing;
        self.slow(t.client_expired_time + t.client_clean_interval + t.delay_tick) + self.rtt
    }

    /// Clients of an earlier life are gone (L12).
    pub fn grace_over(&self) -> Period {
        let t = &self.timing;
        self.slow(t.return_grace + t.client_clean_interval + t.delay_tick) + self.rtt
    }

    /// The record of a client that was sent away and did not arrive is given up (L4, S13).
    pub fn departed(&self) -> Period {
        self.slow(self.timing.return_grace + self.timing.delay_tick)
    }

    /// Clients of an earlier life are not gone before (S14).
    pub fn grace_min(&self) -> Period {
        self.fast(self.timing.return_grace)
    }

    /// A node that heard again of an owner after a lease may still act on the silence.
    pub fn lease_slack(&self) -> Period {
        self.slow(self.timing.client_clean_interval + self.timing.verify_interval)
            + self.rtt.times(2)
    }

    /// Everything has been cleaned up after the last client left (S13).
    pub fn baseline(&self) -> Period {
        let t = &self.timing;
        let services = t.empty_service_expired_time + t.empty_service_clean_interval;
        self.lease_over() + self.slow(services) + self.settle()
    }

    /// Tombstones are forgotten (S13).
    pub fn tombstone(&self) -> Period {
        let t = &self.timing;
        self.slow(t.tombstone_time + t.client_clean_interval.times(2))
    }

    /// Queues are empty again (L10).
    pub fn drained(&self) -> Period {
        self.settle() + self.slow(Period::from_secs(10))
    }

    /// A dead member is not UP any more (L11). `noticed`: the channel ended visibly.
    pub fn suspected(&self, noticed: bool) -> Period {
        let t = &self.timing;
        let silent = if noticed {
            Period::ZERO
        } else {
            self.silence_noticed()
        };
        let round = t.report_interval.times(self.nodes.saturating_sub(1).max(1));
        let first = t.report_initial_delay.max(round + t.report_interval);
        self.slow(first + t.report_timeout) + silent + self.rtt
    }

    /// A dead member is DOWN (L11).
    pub fn down(&self, noticed: bool) -> Period {
        let t = &self.timing;
        let more = t.report_unhealthy_interval.max(t.report_timeout) + t.report_timeout;
        let reports = more.times(u64::from(c::REPORT_FAILURES_MAX));
        self.suspected(noticed) + self.slow(reports) + self.rtt
    }

    /// A live member that is not UP because reports got lost is UP again (L11): at once where
    /// nothing gets lost.
    pub fn suspected_in_vain(&self) -> Period {
        let t = &self.timing;
        if self.tries == 1 && self.grain == GRAIN {
            return Period::ZERO;
        }
        let again = t.report_unhealthy_interval + t.report_timeout;
        self.slow(again).times(self.tries) + self.rtt
    }

    /// Over how long messages are counted (S16).
    pub fn work_window(&self) -> Period {
        self.verify_interval_min()
    }

    /// How often something that is done each `period` is done within a window, at most.
    fn times(&self, period: Period) -> u64 {
        self.work_window().0 / self.fast(period).0.max(1) + 1
    }

    /// Member reports that one node may send another within a window (S16). By its own two timers,
    /// and as often again because the other, which it does not hold for UP, reports by its own;
    /// more than these only at the pace of the round.
    pub fn reports(&self, members: usize, of_target: usize) -> u64 {
        let t = &self.timing;
        let own = |members: usize| {
            let round = t.report_interval.times(members.max(1) as u64);
            self.times(round) + self.times(t.report_unhealthy_interval)
        };
        own(members) + own(of_target) + self.times(t.report_interval)
    }

    /// Dials of one node to another within a window (S16): the first at once, each next one a step
    /// later than the one before. Twice, because a link that came up starts again.
    pub fn dials(&self) -> u64 {
        let (mut dials, mut wait, mut step) = (1, Period::ZERO, 0);
        let first = self.fast(self.timing.reconnect_step);
        while wait <= self.work_window() && dials < 1_000 {
            dials += 1;
            step = (step + 1).min(c::REDIAL_STEPS_MAX);
            wait = wait + first.times(step);
        }
        2 * dials
    }

    /// Health checks of one node at another within a window (S16).
    pub fn health_checks(&self) -> u64 {
        let t = &self.timing;
        self.times(t.health_check_idle.min(t.health_check_timeout))
            + u64::from(c::HEALTH_CHECK_TRIES)
    }

    /// Probes of a connection within a window (S16).
    pub fn probes(&self) -> u64 {
        self.times(self.timing.scan_interval) + 1
    }

    /// Loads that a node begins at another within a window (S16): what it owns, what it holds.
    pub fn loads(&self) -> u64 {
        2 * self.times(self.timing.load_retry_delay)
    }

    /// The shortest a verify interval can be.
    pub fn verify_interval_min(&self) -> Period {
        self.fast(self.timing.verify_interval)
    }
}

/// For each name the longest time among all profiles that the scenario runs.
fn longest(scenario: &Scenario) -> Timing {
    let mut profiles: Vec<Profile> = scenario.nodes.iter().map(|node| node.profile).collect();
    for action in &scenario.timeline {
        if let What::Fault {
            fault:
                Fault::Hosts(
                    _,
                    HostFault::Restart {
                        profile: Some(profile),
                        ..
                    },
                ),
            ..
        } = &action.what
        {
            profiles.push(*profile);
        }
    }
    let mut longest = scenario.timing(profiles.first().copied().unwrap_or_default());
    for profile in profiles {
        let timing = scenario.timing(profile);
        for key in TimingKey::ALL {
            longest[*key] = longest[*key].max(timing[*key]);
        }
    }
    longest
}

/// The strongest drift of any host at any time.
fn drift(scenario: &Scenario) -> u64 {
    let mut worst = 0;
    for action in &scenario.timeline {
        if let What::Fault {
            fault: Fault::Hosts(_, HostFault::Drift { ppm, .. }),
            ..
        } = &action.what
        {
            worst = worst.max(u64::from(ppm.unsigned_abs()));
        }
    }
    worst
}

/// How often a message is sent until it is lost only once in a billion times.
fn tries(loss_per_million: u32) -> u64 {
    let loss = u128::from(loss_per_million.min(900_000));
    let (mut left, mut tries) = (1_000_000_000_000_u128, 0);
    while left > LOST_PER_MILLION_MILLION {
        left = left * loss / 1_000_000;
        tries += 1;
    }
    tries
}
