//! Transports and what is known of them (Nacos `ConnectionManager`), and the limits on them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use crate::config::ConnectionLimits;
use crate::constants::OTHERS_MAX;
use crate::ids::{ClientId, ConnId, Str};
use crate::io::Listener;
use crate::message::distro::Origin;
use crate::message::internal::{ConnectionSetupRequest, label};
use crate::time::Mono;

/// One transport that a peer opened.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) listener: Listener,
    /// The id it has from the start, and its naming client's id.
    pub(crate) client: ClientId,
    pub(crate) remote_ip: Str,
    /// When it was last active, in aging time.
    pub(crate) active: Mono,
    /// Present once it is set up.
    pub(crate) setup: Option<Setup>,
    /// A probe is under way.
    pub(crate) detecting: bool,
    /// It was asked to leave; at this running time it is closed if it is still there.
    pub(crate) leaving: Option<Mono>,
    /// First and last refused send since the last accepted one, in aging time.
    pub(crate) blocked: Option<(Mono, Mono)>,
}

/// What a setup said.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) source: Source,
    pub(crate) client_ip: Str,
    pub(crate) app: Str,
    /// True when it carries a naming client.
    pub(crate) naming: bool,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A client.
    Sdk,
    /// A fellow node that speaks plain Nacos.
    Cluster,
    /// A fellow node of our kind, and which life of it.
    Distro(Origin),
    /// Neither label. In the `distro` profile the strictest class: counted with the clients, and
    /// few of them; it gets no naming client. Nacos lets it in without any limit.
    Other,
}

impl Setup {
    /// Reads a setup request. `origin` is what its labels say about a node of our kind; the address
    /// that it claims counts where it is believed.
    pub(crate) fn read(
        request: &ConnectionSetupRequest,
        origin: Option<Origin>,
        (remote_ip, believed): (&Str, bool),
    ) -> Setup {
        let text = |key: &str| request.labels.get(key).cloned();
        let source = match text(label::SOURCE).as_deref() {
            Some(source) if source.eq_ignore_ascii_case(label::SOURCE_SDK) => Source::Sdk,
            Some(source) if source.eq_ignore_ascii_case(label::SOURCE_CLUSTER) => {
                origin.map_or(Source::Cluster, Source::Distro)
            }
            Some(_) | None => Source::Other,
        };
        let client_ip = if request.client_ip.is_empty() || !believed {
            remote_ip.clone()
        } else {
            request.client_ip.clone()
        };
        let naming = text(label::MODULE).as_deref() == Some(label::MODULE_NAMING);
        Setup {
            source,
            client_ip,
            app: text(label::APP_NAME).unwrap_or_else(|| Str::from("-")),
            naming,
        }
    }
}

/// All transports, counted by client address and application.
#[derive(Debug)]
pub(crate) struct Connections {
    table: BTreeMap<ConnId, Connection>,
    per_ip: BTreeMap<Str, u32>,
    per_app: BTreeMap<Str, u32>,
    sdk: u32,
    /// Of [`Source::Other`], where those are counted.
    others: u32,
    counts_others: bool,
    pub(crate) limits: ConnectionLimits,
}

impl Connections {
    /// `counts_others`: whoever is neither client nor member is limited too.
    pub(crate) fn new(limits: ConnectionLimits, counts_others: bool) -> Connections {
        Connections {
            table: BTreeMap::new(),
            per_ip: BTreeMap::new(),
            per_app: BTreeMap::new(),
            sdk: 0,
            others: 0,
            counts_others,
            limits,
        }
    }

    /// Enters a transport. False when its number is taken: the shell broke its contract, and the
    /// transport that is there stays.
    pub(crate) fn open(&mut self, conn: ConnId, connection: Connection) -> bool {
        if self.table.contains_key(&conn) {
            return false;
        }
        self.table.insert(conn, connection);
        true
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.table.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.table.get_mut(&conn)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        self.table
            .iter()
            .map(|(conn, connection)| (*conn, connection))
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// True for those that the limits are about.
    fn counts(&self, setup: &Setup) -> bool {
        match setup.source {
            Source::Sdk => true,
            Source::Other => self.counts_others,
            Source::Cluster | Source::Distro(_) => false,
        }
    }

    pub(crate) fn sdk_count(&self) -> u32 {
        self.sdk
    }

    /// Why a client with this setup may not come in; `None` when it may. Order as in Nacos
    /// `ConnectionManager.checkLimit` (2.0): total, then its address's rule, then its
    /// application's, then the default per address.
    pub(crate) fn refusal(&self, setup: &Setup) -> Option<Str> {
        if !self.counts(setup) {
            return None;
        }
        if setup.source == Source::Other && self.others >= OTHERS_MAX {
            let text = format!(
                "the node has its {OTHERS_MAX} connections that say neither that they are clients \
                 (label source=sdk) nor members"
            );
            return Some(Str::from(text));
        }
        let limits = &self.limits;
        let of_ip = self.per_ip.get(&setup.client_ip).copied().unwrap_or(0);
        let of_app = self.per_app.get(&setup.app).copied().unwrap_or(0);
        if let Some(total) = limits
            .total
            .filter(|total| self.sdk + self.others >= *total)
        {
            return Some(Str::from(format!("the node has its {total} clients")));
        }
        if let Some(limit) = limits.per_ip.get(&setup.client_ip) {
            return (of_ip >= *limit)
                .then(|| Str::from(format!("{} has its {limit} clients", setup.client_ip)));
        }
        if let Some(limit) = limits.per_app.get(&setup.app) {
            return (of_app >= *limit)
                .then(|| Str::from(format!("application {} has its {limit} clients", setup.app)));
        }
        limits
            .per_ip_default
            .filter(|limit| of_ip >= *limit)
            .map(|limit| Str::from(format!("{} has its {limit} clients", setup.client_ip)))
    }

    /// Registers a setup. The connection must be open and not set up yet.
    pub(crate) fn register(&mut self, conn: ConnId, setup: Setup) {
        if self.counts(&setup) {
            match setup.source {
                Source::Sdk => self.sdk += 1,
                Source::Other | Source::Cluster | Source::Distro(_) => self.others += 1,
            }
            *self.per_ip.entry(setup.client_ip.clone()).or_default() += 1;
            *self.per_app.entry(setup.app.clone()).or_default() += 1;
        }
        let connection = self
            .table
            .get_mut(&conn)
            .expect("only an open connection is set up");
        assert!(connection.setup.is_none(), "a connection is set up once");
        connection.setup = Some(setup);
    }

    /// Forgets a transport.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let connection = self.table.remove(&conn)?;
        if let Some(setup) = connection.setup.as_ref().filter(|setup| self.counts(setup)) {
            match setup.source {
                Source::Sdk => self.sdk -= 1,
                Source::Other | Source::Cluster | Source::Distro(_) => self.others -= 1,
            }
            uncount(&mut self.per_ip, &setup.client_ip);
            uncount(&mut self.per_app, &setup.app);
        }
        Some(connection)
    }

    /// The client connections that are over a limit, in the order in which they have to leave:
    /// first those over the limit of their address, then those over that of their application,
    /// then as many as are over the total or over `keep`, each time the newest first. Connections
    /// that are leaving already count as gone.
    pub(crate) fn excess(&self, keep: Option<u32>) -> Vec<ConnId> {
        let mut by_ip = self.per_ip.clone();
        let mut by_app = self.per_app.clone();
        let mut left = self.sdk;
        let mut stay = Vec::new();
        let mut leave = Vec::new();
        let clients = self.table.iter().rev().filter_map(|(conn, connection)| {
            let setup = connection
                .setup
                .as_ref()
                .filter(|setup| setup.source == Source::Sdk)?;
            Some((*conn, connection, setup))
        });
        for (conn, connection, setup) in clients {
            let of_ip = by_ip.entry(setup.client_ip.clone()).or_default();
            let of_app = by_app.entry(setup.app.clone()).or_default();
            let ip_rule = self.limits.per_ip.get(&setup.client_ip);
            let app_rule = self.limits.per_app.get(&setup.app);
            let over_ip = ip_rule.is_some_and(|limit| *of_ip > *limit);
            let over_app = ip_rule.is_none() && app_rule.is_some_and(|limit| *of_app > *limit);
            let over_default = ip_rule.is_none()
                && app_rule.is_none()
                && self
                    .limits
                    .per_ip_default
                    .is_some_and(|limit| *of_ip > limit);
            if connection.leaving.is_some() || over_ip || over_app || over_default {
                *of_ip -= 1;
                *of_app -= 1;
                left -= 1;
                if connection.leaving.is_none() {
                    leave.push(conn);
                }
            } else {
                stay.push(conn);
            }
        }
        let target = match (self.limits.total, keep) {
            (Some(total), Some(keep)) => Some(total.min(keep)),
            (total, keep) => total.or(keep),
        };
        let over = target.map_or(0, |target| left.saturating_sub(target));
        leave.extend(stay.into_iter().take(over as usize));
        leave
    }
}

fn uncount(counts: &mut BTreeMap<Str, u32>, key: &Str) {
    let count = counts
        .get_mut(key)
        .expect("whatever is registered was counted");
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}
