//! Watching the names of services by a pattern (Nacos fuzzy watch, 3.0; part 4.9).

use alloc::vec::Vec;
use core::fmt;

use super::naming::{DEFAULT_NAMESPACE, ServiceKey};
use crate::ids::Str;

/// Code of a refusal: the server has its number of patterns.
pub const PATTERNS_OVER_LIMIT: i32 = 50310;
/// Code of a refusal: more services match than are named. The watch is active nevertheless.
pub const MATCHES_OVER_LIMIT: i32 = 50311;

/// Longest pattern, in bytes. Why: the longest names that a service can have, and room.
const PATTERN_BYTES_MAX: usize = 2048;

/// Which services are watched: `namespace>>group>>name`.
///
/// The namespace is exact. The other two are exact, or have a `*` at one end or both: `*` is any,
/// `x*` starts with x, `*x` ends with it, `*x*` contains it. With a `*` elsewhere nothing matches,
/// as in Nacos.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    namespace: Str,
    group: Str,
    name: Str,
}

impl Pattern {
    /// Reads a pattern. `None` when it has not three parts, a part is empty, or it is too long. An
    /// empty namespace is the default one.
    pub fn parse(text: &str) -> Option<Pattern> {
        if text.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let mut parts = text.split(">>");
        let (namespace, group, name) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || group.is_empty() || name.is_empty() {
            return None;
        }
        Some(Pattern {
            namespace: Str::from(namespace),
            group: Str::from(group),
            name: Str::from(name),
        })
    }

    /// The namespace whose services it names.
    pub fn namespace(&self) -> &str {
        if self.namespace.trim().is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    /// True when the service is watched.
    pub fn matches(&self, service: &ServiceKey) -> bool {
        self.namespace() == &*service.namespace
            && is_like(&self.group, &service.group)
            && is_like(&self.name, &service.name)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>>{}>>{}", self.namespace, self.group, self.name)
    }
}

fn is_like(glob: &str, text: &str) -> bool {
    if glob == "*" {
        return true;
    }
    let open_end = glob.strip_suffix('*');
    let core = open_end.unwrap_or(glob);
    let open_start = core.strip_prefix('*');
    let core = open_start.unwrap_or(core);
    if core.contains('*') {
        return false;
    }
    match (open_start.is_some(), open_end.is_some()) {
        (false, false) => text == core,
        (false, true) => text.starts_with(core),
        (true, false) => text.ends_with(core),
        (true, true) => text.contains(core),
    }
}

/// Whether to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchType {
    /// From now on.
    Watch,
    /// No longer.
    Cancel,
}

/// Nacos `NamingFuzzyWatchRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamingFuzzyWatchRequest {
    /// A [`Pattern`] as the client wrote it.
    pub pattern: Str,
    /// The services that the client has already.
    pub received: Vec<ServiceKey>,
    /// Watch, or watch no longer.
    pub watch_type: WatchType,
    /// True until the client was told that it has the first list.
    pub initializing: bool,
}

/// What became of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceChange {
    /// It has instances now.
    Added,
    /// It has none any more.
    Deleted,
}

impl ServiceChange {
    /// Nacos's `changedType`.
    pub const fn name(self) -> &'static str {
        match self {
            ServiceChange::Added => "ADD_SERVICE",
            ServiceChange::Deleted => "DELETE_SERVICE",
        }
    }

    /// The change of this `changedType`.
    pub fn from_name(name: &str) -> Option<ServiceChange> {
        [ServiceChange::Added, ServiceChange::Deleted]
            .into_iter()
            .find(|change| change.name() == name)
    }
}

/// Which part of a list a [`NamingFuzzyWatchSyncRequest`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncType {
    /// A batch of the first list.
    Init,
    /// A batch of what the client lacked of a later list.
    Diff,
    /// The first list is complete.
    Finish,
}

impl SyncType {
    /// Nacos's `syncType`.
    pub const fn name(self) -> &'static str {
        match self {
            SyncType::Init => "FUZZY_WATCH_INIT_NOTIFY",
            SyncType::Diff => "FUZZY_WATCH_DIFF_SYNC_NOTIFY",
            SyncType::Finish => "FINISH_FUZZY_WATCH_INIT_NOTIFY",
        }
    }

    /// The part with this `syncType`.
    pub fn from_name(name: &str) -> Option<SyncType> {
        [SyncType::Init, SyncType::Diff, SyncType::Finish]
            .into_iter()
            .find(|part| part.name() == name)
    }
}

/// Nacos `NamingFuzzyWatchSyncRequest`: a batch of a pattern's services.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamingFuzzyWatchSyncRequest {
    /// The pattern, byte for byte as the client wrote it.
    pub pattern: Str,
    /// Which part of the list.
    pub sync_type: SyncType,
    /// The services of this batch.
    pub contexts: Vec<(ServiceKey, ServiceChange)>,
    /// Batches of this list.
    pub total_batch: u32,
    /// This one's number, from 1.
    pub current_batch: u32,
}

/// Nacos `NamingFuzzyWatchChangeNotifyRequest`: a watched service came or went.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamingFuzzyWatchChangeNotifyRequest {
    /// Which service.
    pub service: ServiceKey,
    /// What became of it.
    pub change: ServiceChange,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(pattern: &str, group: &str, name: &str) -> bool {
        let service = ServiceKey {
            namespace: Str::from(DEFAULT_NAMESPACE),
            group: Str::from(group),
            name: Str::from(name),
        };
        Pattern::parse(pattern)
            .expect("it has three parts")
            .matches(&service)
    }

    #[test]
    fn stars_stand_at_the_ends_of_a_part_and_nowhere_else() {
        for (pattern, matches) in [
            ("public>>g>>order", false),
            ("public>>g>>order-a", true),
            ("public>>g>>order*", true),
            ("public>>g>>*-a", true),
            ("public>>g>>*der*", true),
            ("public>>g>>*", true),
            ("public>>*>>order-a", true),
            ("public>>g*>>*", true),
            ("public>>h*>>*", false),
            ("public>>g>>or*-a", false),
            ("public>>g>>*der", false),
            ("public>>g>>rder*", false),
            ("dev>>g>>order-a", false),
            (">>g>>order-a", true),
            ("public*>>g>>order-a", false),
        ] {
            assert_eq!(watches(pattern, "g", "order-a"), matches, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_has_three_parts_and_reads_back_as_it_was_written() {
        for bad in ["", "a", "a>>b", "a>>b>>c>>d", "a>>>>c", "a>>b>>"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
        let long = alloc::format!("public>>g>>{}", "x".repeat(PATTERN_BYTES_MAX));
        assert_eq!(Pattern::parse(&long), None);
        for good in ["public>>g>>*", ">>*>>a*"] {
            let pattern = Pattern::parse(good).expect("it is good");
            assert_eq!(alloc::format!("{pattern}"), good);
        }
    }
}
