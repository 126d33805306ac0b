//! Is the server still there? (Nacos `RpcClient`, keep-alive and health check.)
//!
//! A connection on which nothing was exchanged for a while is checked. A check that stays
//! unanswered is repeated after a short random pause; when the last try fails the connection is
//! given up. An answer that says "no" gives it up at once.

use crate::config::Timing;
use crate::constants::HEALTH_CHECK_TRIES;
use crate::ids::RequestId;
use crate::rng::Rng;
use crate::time::{Mono, Period};

use super::due;

/// Pauses between two tries are shorter than this (`RpcClient.healthCheck`, random 500 ms).
const RETRY_PAUSE: Period = Period::from_millis(500);

/// The health of one connection.
#[derive(Debug)]
pub(super) struct Health {
    last_active: Mono,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// None under way.
    Quiet,
    /// The `tries`th was sent.
    Sent {
        id: RequestId,
        tries: u32,
        until: Mono,
    },
    /// The `tries`th failed; the next one follows.
    Pausing { tries: u32, until: Mono },
}

/// What has to be done about a connection's health.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// Send a health check.
    Send,
    /// Give the connection up.
    GiveUp,
}

impl Health {
    pub(super) fn new(now: Mono) -> Health {
        Health {
            last_active: now,
            check: Check::Quiet,
        }
    }

    /// Something useful arrived. A check that is under way goes on: a connection that only
    /// delivers in one direction is of no use (incident 29).
    pub(super) fn heard(&mut self, now: Mono) {
        self.last_active = now;
    }

    /// When [`Health::wake`] has something to do.
    pub(super) fn deadline(&self, timing: &Timing) -> Mono {
        match self.check {
            Check::Quiet => due(self.last_active, timing.health_check_idle),
            Check::Sent { until, .. } | Check::Pausing { until, .. } => until,
        }
    }

    /// What to do now that time has passed. After [`Step::Send`] the caller reports
    /// [`Health::sent`].
    pub(super) fn wake(&mut self, now: Mono, timing: &Timing, rng: &mut Rng) -> Step {
        if now < self.deadline(timing) {
            return Step::Rest;
        }
        match self.check {
            Check::Quiet | Check::Pausing { .. } => Step::Send,
            Check::Sent { tries, .. } => self.failed(now, tries, rng),
        }
    }

    /// A health check was sent.
    pub(super) fn sent(&mut self, now: Mono, id: RequestId, timing: &Timing) {
        let tries = match self.check {
            Check::Quiet => 1,
            Check::Sent { tries, .. } | Check::Pausing { tries, .. } => tries + 1,
        };
        self.check = Check::Sent {
            id,
            tries,
            until: due(now, timing.health_check_timeout),
        };
    }

    /// True when the connection is not being checked already.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.check, Check::Quiet)
    }

    /// True when this is the check that is under way.
    pub(super) fn awaits(&self, asked: RequestId) -> bool {
        matches!(self.check, Check::Sent { id, .. } if id == asked)
    }

    /// The check that was under way was answered well.
    pub(super) fn passed(&mut self, now: Mono) {
        self.last_active = now;
        self.check = Check::Quiet;
    }

    /// The check that was under way could not be sent.
    pub(super) fn not_sent(&mut self, now: Mono, rng: &mut Rng) -> Step {
        match self.check {
            Check::Sent { tries, .. } => self.failed(now, tries, rng),
            Check::Quiet | Check::Pausing { .. } => Step::Rest,
        }
    }

    fn failed(&mut self, now: Mono, tries: u32, rng: &mut Rng) -> Step {
        if tries >= HEALTH_CHECK_TRIES {
            return Step::GiveUp;
        }
        let pause = Period(rng.below(RETRY_PAUSE.0));
        self.check = Check::Pausing {
            tries,
            until: due(now, pause),
        };
        Step::Rest
    }
}
