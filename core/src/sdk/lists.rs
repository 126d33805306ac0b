//! The client's view of subscribed services, and the rule by which a list replaces another
//! (Nacos `ServiceInfoHolder`).
//!
//! Within one connection a list counts when its version is not older than the last one's. Lists
//! of different connections are not compared at all: whatever the new server says, is. So no two
//! servers' clocks ever meet (incident 38). An empty list is a list like any other.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::ids::ConnId;
use crate::message::naming::{ServiceInfo, ServiceKey};
use crate::profile::{Profile, Quirk};

/// The lists, by service.
#[derive(Debug, Default)]
pub(super) struct Lists {
    table: BTreeMap<ServiceKey, Listed>,
}

#[derive(Debug)]
struct Listed {
    info: Arc<ServiceInfo>,
    /// Where it came from.
    conn: ConnId,
}

/// What became of a list that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is the client's view now, and says something else than the one before.
    Changed,
    /// It is the client's view now; the application need not hear of it.
    Stored,
    /// It is older than the client's view.
    Ignored,
}

impl Lists {
    pub(super) fn get(&self, service: &ServiceKey) -> Option<&Arc<ServiceInfo>> {
        self.table.get(service).map(|listed| &listed.info)
    }

    pub(super) fn remove(&mut self, service: &ServiceKey) {
        self.table.remove(service);
    }

    /// A list arrived on a connection.
    pub(super) fn offer(
        &mut self,
        service: &ServiceKey,
        conn: ConnId,
        info: &Arc<ServiceInfo>,
        profile: Profile,
    ) -> Offered {
        let Some(listed) = self.table.get_mut(service) else {
            let listed = Listed {
                info: info.clone(),
                conn,
            };
            self.table.insert(service.clone(), listed);
            return Offered::Changed;
        };
        let offered = if profile.has(Quirk::PushOrderByWallClock) {
            by_wall_clock(&listed.info, info)
        } else if listed.conn == conn && is_older(info, &listed.info) {
            return Offered::Ignored;
        } else {
            by_content(&listed.info, info)
        };
        *listed = Listed {
            info: info.clone(),
            conn,
        };
        offered
    }
}

/// Servers that count versions are ordered by version, others by their stamps.
fn is_older(info: &ServiceInfo, than: &ServiceInfo) -> bool {
    if info.version != 0 && than.version != 0 {
        info.version < than.version
    } else {
        info.last_ref_time < than.last_ref_time
    }
}

fn by_content(before: &ServiceInfo, info: &ServiceInfo) -> Offered {
    if before.hosts == info.hosts && before.clusters == info.clusters {
        Offered::Stored
    } else {
        Offered::Changed
    }
}

/// Java's rule: an older stamp, whoever gave it, replaces the list and tells nobody.
fn by_wall_clock(before: &ServiceInfo, info: &ServiceInfo) -> Offered {
    if info.last_ref_time < before.last_ref_time {
        Offered::Stored
    } else {
        by_content(before, info)
    }
}
