//! Time as data: the shell reads both clocks once and hands them in with every input.

use core::fmt;
use core::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A reading of the host's monotonic clock, in microseconds since an arbitrary start.
///
/// Deadlines are measured on it. It never goes back within one life of a process.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

/// A reading of the host's wall clock, in milliseconds since the Unix epoch. It may jump either
/// way at any moment, so only what is shown to people or imitates Nacos takes it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Wall(pub i64);

/// A length of time, in microseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Period(pub u64);

/// The two clock readings, taken once by the shell before each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Now {
    /// Deadlines. Never goes back.
    pub mono: Mono,
    /// Stamps, and the ages that Nacos measures on the wall clock. May jump either way.
    pub wall: Wall,
}

impl Period {
    /// No time at all.
    pub const ZERO: Period = Period(0);
    /// The longest period; added to any instant it saturates.
    pub const MAX: Period = Period(u64::MAX);

    /// A period of whole seconds.
    pub const fn from_secs(secs: u64) -> Period {
        Period(secs * 1_000_000)
    }

    /// A period of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Period {
        Period(millis * 1_000)
    }

    /// Microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The period times a factor, saturating.
    #[must_use]
    pub const fn times(self, factor: u64) -> Period {
        Period(self.0.saturating_mul(factor))
    }

    /// This period less another, never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Period) -> Period {
        Period(self.0.saturating_sub(other.0))
    }
}

impl Mono {
    /// The time from an earlier reading to this one; zero when `earlier` is later.
    pub const fn since(self, earlier: Mono) -> Period {
        Period(self.0.saturating_sub(earlier.0))
    }

    /// The first multiple of `tick` that is not before this instant. A zero tick changes nothing.
    #[must_use]
    pub const fn ceil_to(self, tick: Period) -> Mono {
        if tick.0 == 0 {
            self
        } else {
            Mono(self.0.div_ceil(tick.0).saturating_mul(tick.0))
        }
    }
}

impl Wall {
    /// Milliseconds from an earlier reading to this one; negative when the clock went back.
    pub const fn millis_since(self, earlier: Wall) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Period> for Mono {
    type Output = Mono;
    fn add(self, period: Period) -> Mono {
        Mono(self.0.saturating_add(period.0))
    }
}

impl Add for Period {
    type Output = Period;
    fn add(self, other: Period) -> Period {
        Period(self.0.saturating_add(other.0))
    }
}

impl Sub<Period> for Mono {
    type Output = Mono;
    fn sub(self, period: Period) -> Mono {
        Mono(self.0.saturating_sub(period.0))
    }
}

/// Seconds with up to six decimals, trailing zeros cut: `1.25s`.
fn seconds(f: &mut fmt::Formatter<'_>, micros: u64) -> fmt::Result {
    let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if fraction == 0 {
        return write!(f, "{whole}s");
    }
    let (mut fraction, mut digits) = (fraction, 6);
    while fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    write!(f, "{whole}.{fraction:0digits$}s")
}

impl fmt::Display for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(f, self.0)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(f, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn periods_print_as_seconds_without_trailing_zeros() {
        assert_eq!(Period::from_millis(1_250).to_string(), "1.25s");
        assert_eq!(Period::from_secs(3).to_string(), "3s");
        assert_eq!(Period(1).to_string(), "0.000001s");
    }

    #[test]
    fn rounding_up_to_a_tick_never_goes_back() {
        let tick = Period::from_millis(100);
        assert_eq!(Mono(100_000).ceil_to(tick), Mono(100_000));
        assert_eq!(Mono(100_001).ceil_to(tick), Mono(200_000));
        assert_eq!(Mono(7).ceil_to(Period::ZERO), Mono(7));
    }
}
