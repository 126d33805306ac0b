//! The node's periodic timers: a closed list with one deadline each.

use crate::time::Mono;

/// What can be due by itself. Ties are resolved in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Timer {
    /// Load the snapshot, or decide that it is settled.
    Load,
    /// Look for idle connections and for those over a limit (fixed delay).
    Scan,
    /// Verify this node's clients with all members (fixed delay).
    Verify,
    /// Remove synced clients whose lease ended, and old tombstones (fixed delay).
    Clean,
    /// Report to the next member (fixed delay).
    Report,
    /// Report to all members that are not UP (fixed delay).
    ReportUnhealthy,
    /// Drop services that have been empty for long (fixed delay).
    EmptyServices,
    /// Look for clients without a connection that do not beat, or that nobody owns (fixed delay).
    Beats,
}

const TIMERS: [Timer; 8] = [
    Timer::Load,
    Timer::Scan,
    Timer::Verify,
    Timer::Clean,
    Timer::Report,
    Timer::ReportUnhealthy,
    Timer::EmptyServices,
    Timer::Beats,
];

/// The deadline of every timer, in running time; `None` is not armed.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Mono>; TIMERS.len()],
}

impl Timers {
    pub(crate) fn arm(&mut self, timer: Timer, at: Mono) {
        self.deadlines[timer as usize] = Some(at);
    }

    /// Arms the timer if it is not armed, or armed for later.
    pub(crate) fn arm_no_later(&mut self, timer: Timer, at: Mono) {
        let slot = &mut self.deadlines[timer as usize];
        *slot = Some(slot.map_or(at, |armed| armed.min(at)));
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize].is_some()
    }

    pub(crate) fn next(&self) -> Option<Mono> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes one timer that is due: the earliest, ties in declaration order. It is disarmed.
    pub(crate) fn take_due(&mut self, now: Mono) -> Option<Timer> {
        let due = TIMERS
            .into_iter()
            .filter_map(|timer| Some((self.deadlines[timer as usize]?, timer)))
            .min()
            .filter(|(at, _)| *at <= now)?;
        self.deadlines[due.1 as usize] = None;
        Some(due.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_fires_first_and_ties_fire_in_declaration_order() {
        let mut timers = Timers::default();
        timers.arm(Timer::Clean, Mono(5));
        timers.arm(Timer::Scan, Mono(5));
        timers.arm(Timer::Report, Mono(3));
        assert_eq!(timers.next(), Some(Mono(3)));
        assert_eq!(timers.take_due(Mono(2)), None);
        assert_eq!(timers.take_due(Mono(5)), Some(Timer::Report));
        assert_eq!(timers.take_due(Mono(5)), Some(Timer::Scan));
        assert_eq!(timers.take_due(Mono(5)), Some(Timer::Clean));
        assert_eq!(timers.take_due(Mono(5)), None);
    }

    #[test]
    fn arming_no_later_never_postpones() {
        let mut timers = Timers::default();
        timers.arm(Timer::Load, Mono(5));
        timers.arm_no_later(Timer::Load, Mono(9));
        assert_eq!(timers.next(), Some(Mono(5)));
        timers.arm_no_later(Timer::Load, Mono(2));
        assert_eq!(timers.next(), Some(Mono(2)));
    }
}
