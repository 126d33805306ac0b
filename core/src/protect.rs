//! Protection of services whose instances are mostly unhealthy (Nacos `protectThreshold`).
//!
//! When too few of a service's instances are healthy, the healthy few would drown in the traffic of
//! all. So once their share is no more than the threshold, lists name every instance as healthy
//! and say `reachProtectionThreshold` (part 4.7).

use alloc::collections::BTreeMap;

use crate::message::naming::ServiceKey;

/// A share from none to all, in millionths. Why no float: every machine compares it alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// All of it.
    pub const ALL: Share = Share(1_000_000);

    /// The share of so many millionths; `None` when that is more than all.
    pub const fn from_millionths(millionths: u32) -> Option<Share> {
        if millionths <= Share::ALL.0 {
            Some(Share(millionths))
        } else {
            None
        }
    }

    /// In millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// True when `part` of `whole` is this share or less. Nothing of nothing never is, as in Nacos,
    /// where it is not a number.
    pub const fn holds(self, part: usize, whole: usize) -> bool {
        whole > 0 && part as u128 * Share::ALL.0 as u128 <= self.0 as u128 * whole as u128
    }
}

/// The thresholds that an operator set.
///
/// A service without one is never protected. Why not zero instead: in Nacos a threshold exists only
/// once somebody has created the service by hand, and zero protects a service of which no instance
/// is healthy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ProtectThresholds {
    /// Of services without one of their own.
    pub default: Option<Share>,
    /// Of single services.
    pub services: BTreeMap<ServiceKey, Share>,
}

impl ProtectThresholds {
    /// The threshold of a service.
    pub fn of(&self, service: &ServiceKey) -> Option<Share> {
        self.services.get(service).copied().or(self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_holds_up_to_its_own_value_and_never_of_nothing() {
        let share = Share::from_millionths(700_000).expect("less than all");
        assert!(share.holds(7, 10));
        assert!(!share.holds(8, 10));
        assert!(!share.holds(0, 0));
        let none = Share::from_millionths(0).expect("less than all");
        assert!(none.holds(0, 3), "as in Nacos, where 0 <= 0");
        assert!(!none.holds(1, 3));
        assert!(Share::ALL.holds(3, 3));
        assert_eq!(Share::from_millionths(1_000_001), None);
    }
}
