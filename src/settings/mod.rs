//! What an operator may set, read from flags, the environment and a TOML file, in this order of
//! precedence; what nobody sets has its default. Everything that is wrong is told at once.
//!
//! # Layout
//! - [`keys`]: the keys, each said once · [`kinds`]: what only settings take · [`member`]:
//!   addresses of nodes
//! - [`read`]: where values come from · `misfits`: values that do not fit each other · `show`:
//!   how they are printed · [`boot`]: the number of this node's life

pub mod boot;
pub mod keys;
pub mod kinds;
pub mod member;
mod misfits;
pub mod read;
mod show;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use distro_core::config::{Config, ConnectionLimits, Timing};
use distro_core::ids::{NodeId, Str};
use distro_core::profile::Profile;
use distro_core::protect::ProtectThresholds;
use distro_core::time::Period;

use crate::http::auth::AuthSettings;
use crate::shell::secret::{ClusterSecret, SECRET_CHARS_MIN};
use crate::shell::{CLUSTER_PORT_OFFSET, Limits, OPS_PORT_OFFSET, Ports, SDK_PORT_OFFSET};
use crate::text::collect::Map;
use crate::text::kind::Count;
use crate::tls::{Demand, Files};
use keys::Keys;
use kinds::{Form, Level, Switch};
use member::Member;

pub use show::{flagged, json_schema, sections};

/// The default main port of a node, Nacos's.
pub const MAIN_PORT: u16 = 8848;

/// Every key with its value and where that came from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    keys: Keys,
    /// The texts that they were written in.
    texts: Vec<Text>,
}

/// A text that settings were written in, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    source: Source,
    text: String,
}

/// Where a text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A file of this name.
    File(String),
    /// Variables, one a line.
    Environment,
    /// Flags, one a line.
    Flags,
}

/// Why there is no cluster secret although one is set.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cluster.secret-file {path} cannot be read: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file holds too little.
    #[error("cluster.secret-file {path} holds less than {SECRET_CHARS_MIN} characters")]
    Short {
        /// Which.
        path: String,
    },
}

/// A listener of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// For clients.
    Sdk,
    /// For fellow nodes.
    Cluster,
    /// The main port.
    Http,
    /// The operator's.
    Ops,
}

impl Deref for Settings {
    type Target = Keys;

    fn deref(&self) -> &Keys {
        &self.keys
    }
}

impl Settings {
    /// The main port.
    pub fn main_port(&self) -> u16 {
        **self.port
    }

    /// Where the node listens.
    pub fn ports(&self) -> Ports {
        let follows = |offset| self.main_port().saturating_add(offset);
        Ports {
            sdk: self.sdk_port.map_or(follows(SDK_PORT_OFFSET), |port| *port),
            cluster: self
                .cluster_port
                .map_or(follows(CLUSTER_PORT_OFFSET), |port| *port),
        }
    }

    /// Where the operator's HTTP is served; `None` when it is off.
    pub fn ops(&self) -> Option<SocketAddr> {
        let ops = &self.keys.ops;
        let follows = self.main_port().saturating_add(OPS_PORT_OFFSET);
        let port = ops.port.map_or(follows, |port| *port);
        let here = Some(*self.bind).filter(IpAddr::is_loopback);
        let bind = (*ops.bind)
            .or(here)
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        match **ops.serve {
            Switch::On => Some(SocketAddr::new(bind, port)),
            Switch::Off => None,
        }
    }

    /// Names by which the operator's port may be called, beside addresses.
    pub fn ops_hosts(&self) -> Vec<String> {
        let hosts = self.keys.ops.hosts.as_ref();
        hosts.map_or_else(Vec::new, |hosts| hosts.0.clone())
    }

    /// The file with Nacos's connection limits.
    pub fn limit_rule_file(&self) -> Option<PathBuf> {
        self.limits.rule_file.value.clone()
    }

    /// The address it listens on.
    pub fn bind(&self) -> IpAddr {
        *self.bind
    }

    /// The host that names this node, if somebody set it.
    pub fn address(&self) -> Option<&str> {
        self.address.as_ref().map(|host| host.0.as_str())
    }

    /// The members that are listed in the settings themselves.
    pub fn members(&self) -> Vec<Member> {
        let members = self.members.iter().flat_map(|list| list.values());
        members.cloned().collect()
    }

    /// The path of a `cluster.conf`.
    pub fn cluster_conf(&self) -> Option<PathBuf> {
        self.cluster_conf.value.clone()
    }

    /// The name that resolves to the members.
    pub fn members_dns(&self) -> Option<&str> {
        self.members_dns.as_ref().map(|name| name.0.as_str())
    }

    /// How often members are looked up again.
    pub fn members_refresh(&self) -> Period {
        *self.members_refresh
    }

    /// The directory for what a node remembers.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.data_dir.value.clone()
    }

    /// How long a stop waits for clients to leave.
    pub fn drain_timeout(&self) -> Period {
        *self.drain_timeout
    }

    /// Level and form of the log.
    pub fn log(&self) -> (Level, Form) {
        (**self.log.level, **self.log.format)
    }

    /// The core's configuration of a node with this name and these members.
    pub fn config(&self, node: NodeId, members: Vec<NodeId>) -> Config {
        let mut config = Config::new(node, members, Profile::DISTRO);
        config.timing = self.timing();
        let limits = &self.limits;
        config.limits = ConnectionLimits {
            total: limits.total.map(|count| *count),
            per_ip_default: limits.per_ip_default.map(|count| *count),
            per_ip: counts(&limits.per_ip),
            per_app: counts(&limits.per_app),
        };
        config.protect = ProtectThresholds {
            default: self.naming.protect_threshold.map(|share| share.0),
            services: (&*self.naming.protect_thresholds).into(),
        };
        config.batch_instances_max = **limits.instances_per_batch;
        let proxies = limits.trusted_proxies.iter().flat_map(|proxies| &proxies.0);
        config.trusted_proxies = proxies.map(|ip| Str::from(ip.to_string())).collect();
        config.message_bytes_max = self.message_bytes_max.0;
        config
    }

    fn timing(&self) -> Timing {
        let mut timing = Timing::default();
        for (key, time) in self.timing.set() {
            timing[key] = time;
        }
        timing
    }

    /// What connections may cost.
    pub fn link_limits(&self) -> Limits {
        Limits {
            requests_per_connection: **self.limits.requests_per_connection,
            request_bytes: self.limits.request_bytes.0,
            queued_bytes: self.limits.queued_bytes.0,
            unfinished_bytes: self.limits.unfinished_bytes.0,
            ..Limits::default()
        }
    }

    /// What fellow nodes prove to each other, if anything is set.
    ///
    /// # Errors
    /// The file cannot be read, or holds no secret.
    pub fn cluster_secret(&self) -> Result<Option<ClusterSecret>, SecretError> {
        if let Some(secret) = &*self.cluster.secret {
            return Ok(Some(ClusterSecret::new(&secret.0)));
        }
        let Some(file) = &*self.cluster.secret_file else {
            return Ok(None);
        };
        let path = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(why) => return Err(SecretError::Unreadable { path, why }),
        };
        // Editors and `echo` end a file with a line's end.
        let secret = text.trim_end_matches(['\n', '\r']);
        if secret.chars().count() < SECRET_CHARS_MIN {
            return Err(SecretError::Short { path });
        }
        Ok(Some(ClusterSecret::new(secret)))
    }

    /// Where Nacos's HTTP is served; `None` when it is off.
    pub fn http(&self) -> Option<SocketAddr> {
        match **self.http.serve {
            Switch::On => Some(SocketAddr::new(self.bind(), self.main_port())),
            Switch::Off => None,
        }
    }

    /// The path that HTTP is served below: it begins with a slash and ends without one, and is
    /// empty for the root.
    pub fn context_path(&self) -> String {
        let path = self.http.context_path.0.trim_matches('/');
        if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        }
    }

    /// Users and tokens.
    pub fn auth(&self) -> AuthSettings {
        let auth = &self.auth;
        let users = auth.users.iter();
        AuthSettings {
            on: **auth.enabled == Switch::On,
            users: users
                .map(|(user, hash)| (user.clone(), hash.0.clone()))
                .collect(),
            secret: auth.secret.as_ref().map(|secret| secret.0.clone()),
            ttl: Duration::from_micros(auth.token_ttl.micros()),
        }
    }

    /// Where the certificates are.
    pub fn tls_files(&self) -> Files {
        let tls = &self.tls;
        Files {
            cert: tls.cert.value.clone(),
            key: tls.key.value.clone(),
            server_ca: tls.server_ca.as_ref().or(tls.client_ca.as_ref()).cloned(),
            client_ca: tls.client_ca.value.clone(),
        }
    }

    /// What a listener asks of those who connect; `None` for no TLS.
    pub fn tls_demand(&self, listener: Listener) -> Option<Demand> {
        let tls = &self.tls;
        let set = match listener {
            Listener::Sdk => *tls.sdk,
            Listener::Cluster => *tls.cluster,
            Listener::Http => *tls.http,
            Listener::Ops => *tls.ops,
        };
        match set {
            Some(demand) => demand.0.0,
            None => tls.cert.as_ref().map(|_| Demand::Server),
        }
    }

    /// How often certificates are read again.
    pub fn tls_reload(&self) -> Period {
        *self.tls.reload
    }
}

fn counts(map: &Map<String, Count>) -> std::collections::BTreeMap<Str, u32> {
    let pairs = map.iter();
    pairs
        .map(|(name, count)| (Str::from(name.as_str()), **count))
        .collect()
}
