//! Profiles: the set of behaviours a node has. Quirks: the historical defects, one by one.

use core::fmt;

/// One named departure from the protocol done right: a defect that some Nacos release had.
///
/// Quirks exist only in builds with the feature `quirks`, which the testbed turns on and a
/// release node never has; without it [`Profile::has`] is constantly false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Quirk {
    /// Verify compares existence only, so a lost CHANGE is never repaired (N#9210, before 2.1.2;
    /// incident 9).
    VerifyIgnoresRevision,
    /// Revision 0 in a verify matches everything (all releases; incident 9, hazard H6).
    VerifyZeroMatches,
    /// A CHANGE stores content but not the revision, so verify fails for ever and the client
    /// expires (N#10056, 2.1.2 to 2.2.x; incident 5).
    RevisionNotCopied,
    /// A batch register leaves the revision as it is (N#11192, before 2.3.0; incident 6).
    BatchKeepsRevision,
    /// Idle connections are never probed nor dropped (N#10773, 2.2.x; incident 19).
    SilentClientsNeverEjected,
    /// A sync that could not be applied is answered as a success (PR #13073, before 2.5.1;
    /// incident 8).
    FailedApplyAnswersSuccess,
    /// A retried CHANGE replaces the pending DELETE of a client that has gone since (all
    /// releases; hazard H1).
    RetryReplacesDelete,
    /// Whatever arrives is applied: no version, no tombstone, no order (all releases; hazard H2).
    AppliesWithoutOrder,
    /// Peers' data and snapshots overwrite and delete this node's own clients (N#15857, all
    /// releases; incident 1).
    SnapshotOverwritesNative,
    /// Clients are served while the first load is still running (all releases; incidents 1, 40).
    ServesWhileLoading,
    /// Every snapshot entry starts a full new lease, so ghosts are handed on (all releases;
    /// part 12.7).
    SnapshotRenewsLease,
    /// No verify is sent before a snapshot load succeeded (all releases; incident 2).
    VerifyWaitsForLoad,
    /// The snapshot is one message, whatever its size (all releases; incident 2).
    SnapshotInOneMessage,
    /// Leases, idle limits and delays are aged on the wall clock (N#1529, all releases; incident
    /// 41, hazard H9).
    AgesOnWallClock,
    /// A process that was stopped counts the stop as the silence of others (N#8090, all releases;
    /// incident 13).
    PauseCountsAsSilence,
    /// A timed-out member report is not counted as a failure (all releases; hazard H11).
    ReportTimeoutNotCounted,
    /// Two publish infos that differ only in their cluster count as equal (all releases; part
    /// 12.12).
    ClusterIgnoredInEquality,
    /// A client orders lists by the server's wall stamps even across servers (N#14042, all
    /// releases; incident 38).
    PushOrderByWallClock,
}

/// All quirks with their kebab-case names, in declaration order.
pub const QUIRKS: [(Quirk, &str); 18] = [
    (Quirk::VerifyIgnoresRevision, "verify-ignores-revision"),
    (Quirk::VerifyZeroMatches, "verify-zero-matches"),
    (Quirk::RevisionNotCopied, "revision-not-copied"),
    (Quirk::BatchKeepsRevision, "batch-keeps-revision"),
    (
        Quirk::SilentClientsNeverEjected,
        "silent-clients-never-ejected",
    ),
    (
        Quirk::FailedApplyAnswersSuccess,
        "failed-apply-answers-success",
    ),
    (Quirk::RetryReplacesDelete, "retry-replaces-delete"),
    (Quirk::AppliesWithoutOrder, "applies-without-order"),
    (
        Quirk::SnapshotOverwritesNative,
        "snapshot-overwrites-native",
    ),
    (Quirk::ServesWhileLoading, "serves-while-loading"),
    (Quirk::SnapshotRenewsLease, "snapshot-renews-lease"),
    (Quirk::VerifyWaitsForLoad, "verify-waits-for-load"),
    (Quirk::SnapshotInOneMessage, "snapshot-in-one-message"),
    (Quirk::AgesOnWallClock, "ages-on-wall-clock"),
    (Quirk::PauseCountsAsSilence, "pause-counts-as-silence"),
    (Quirk::ReportTimeoutNotCounted, "report-timeout-not-counted"),
    (
        Quirk::ClusterIgnoredInEquality,
        "cluster-ignored-in-equality",
    ),
    (Quirk::PushOrderByWallClock, "push-order-by-wall-clock"),
];

impl Quirk {
    /// The kebab-case name.
    pub fn name(self) -> &'static str {
        QUIRKS[self as usize].1
    }

    /// The quirk with this kebab-case name.
    pub fn from_name(name: &str) -> Option<Quirk> {
        QUIRKS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(quirk, _)| *quirk)
    }
}

/// A node's set of behaviours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile {
    release: Release,
    quirks: u32,
}

/// Which server a profile imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// The protocol done right.
    Distro,
    /// Nacos 2.0.x and 2.1.0/2.1.1.
    Nacos20,
    /// Nacos 2.1.2 to 2.2.x.
    Nacos22,
    /// Nacos 2.3.x to 2.5.0.
    Nacos23,
    /// Nacos 3.x.
    Nacos3,
}

/// All releases with the names of their profiles.
pub const RELEASES: [(Release, &str); 5] = [
    (Release::Distro, "distro"),
    (Release::Nacos20, "nacos-2.0"),
    (Release::Nacos22, "nacos-2.2"),
    (Release::Nacos23, "nacos-2.3"),
    (Release::Nacos3, "nacos-3"),
];

const fn bit(quirk: Quirk) -> u32 {
    1 << (quirk as u8)
}

/// What every Nacos release up to 3.1 has.
const ALWAYS: u32 = bit(Quirk::VerifyZeroMatches)
    | bit(Quirk::RetryReplacesDelete)
    | bit(Quirk::AppliesWithoutOrder)
    | bit(Quirk::SnapshotOverwritesNative)
    | bit(Quirk::ServesWhileLoading)
    | bit(Quirk::SnapshotRenewsLease)
    | bit(Quirk::VerifyWaitsForLoad)
    | bit(Quirk::SnapshotInOneMessage)
    | bit(Quirk::AgesOnWallClock)
    | bit(Quirk::PauseCountsAsSilence)
    | bit(Quirk::ReportTimeoutNotCounted)
    | bit(Quirk::ClusterIgnoredInEquality)
    | bit(Quirk::PushOrderByWallClock);

impl Profile {
    /// The protocol done right.
    pub const DISTRO: Profile = Profile::of(Release::Distro);

    /// The profile of one release, defects included.
    pub const fn of(release: Release) -> Profile {
        let quirks = match release {
            Release::Distro => 0,
            Release::Nacos20 => {
                ALWAYS
                    | bit(Quirk::VerifyIgnoresRevision)
                    | bit(Quirk::BatchKeepsRevision)
                    | bit(Quirk::FailedApplyAnswersSuccess)
            }
            Release::Nacos22 => {
                ALWAYS
                    | bit(Quirk::RevisionNotCopied)
                    | bit(Quirk::BatchKeepsRevision)
                    | bit(Quirk::SilentClientsNeverEjected)
                    | bit(Quirk::FailedApplyAnswersSuccess)
            }
            Release::Nacos23 => ALWAYS | bit(Quirk::FailedApplyAnswersSuccess),
            Release::Nacos3 => ALWAYS,
        };
        Profile { release, quirks }
    }

    /// The profile with this name, such as `nacos-2.3`.
    pub fn from_name(name: &str) -> Option<Profile> {
        RELEASES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(release, _)| Profile::of(*release))
    }

    /// The profile's name.
    pub fn name(self) -> &'static str {
        RELEASES
            .iter()
            .find(|(release, _)| *release == self.release)
            .map_or("", |(_, name)| name)
    }

    /// This profile with one more quirk.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Profile {
        Profile {
            release: self.release,
            quirks: self.quirks | bit(quirk),
        }
    }

    /// This profile without a quirk.
    #[must_use]
    pub const fn without(self, quirk: Quirk) -> Profile {
        Profile {
            release: self.release,
            quirks: self.quirks & !bit(quirk),
        }
    }

    /// Which server it imitates.
    pub const fn release(self) -> Release {
        self.release
    }

    /// True when the node speaks our extensions to peers that offer them. A Nacos profile never
    /// does, so a node with it looks to every peer like the Java server.
    pub const fn speaks_distro(self) -> bool {
        matches!(self.release, Release::Distro)
    }

    /// True when the profile has this defect. Always false without the feature `quirks`.
    #[inline]
    pub const fn has(self, quirk: Quirk) -> bool {
        cfg!(feature = "quirks") && self.quirks & bit(quirk) != 0
    }

    /// The profile's quirks, in declaration order.
    pub fn quirks(self) -> impl Iterator<Item = Quirk> {
        QUIRKS
            .iter()
            .map(|(quirk, _)| *quirk)
            .filter(move |quirk| self.has(*quirk))
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::DISTRO
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
