//! What an operator may set, read from flags, the environment and a TOML file, in this order of
//! precedence; what nobody sets has its default. Everything that is wrong is told at once.
//!
//! # Layout
//! - [`key`]: the keys · [`kind`]: what they take · [`read`]: where values come from ·
//!   [`member`]: addresses of nodes
//! - `share`: shares of services · [`http`]: the main port and its users · [`boot`]: the number of this node's life · [`tls`]: the table `tls`

pub mod boot;
pub mod http;
pub mod key;
pub mod kind;
pub mod member;
pub mod read;
mod share;
pub mod tls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use distro_core::config::{Config, ConnectionLimits, Timing};
use distro_core::ids::{NodeId, Str};
use distro_core::profile::Profile;
use distro_core::protect::ProtectThresholds;
use distro_core::time::Period;

use crate::shell::secret::{ClusterSecret, SECRET_CHARS_MIN};
use crate::shell::{CLUSTER_PORT_OFFSET, Limits, OPS_PORT_OFFSET, Ports, SDK_PORT_OFFSET};
use crate::text::problem::{Problem, Problems};
use key::{Key, MAIN_PORT, TABLES, assumed};
use kind::Setting;
use member::Member;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// In words: `default`, `flag --port`, `environment DISTRO_PORT`, `node.toml:3`.
    pub words: String,
    /// The text it was written in, by its place in the list of texts, and where there.
    pub place: Option<(usize, std::ops::Range<usize>)>,
}

/// Every key with its value and where that came from.
#[derive(Debug, Clone)]
pub struct Settings {
    keys: Vec<Key>,
    values: BTreeMap<String, (Setting, Origin)>,
}

/// A text that settings were written in, with its name.
pub(crate) type Text = (String, String);

impl Settings {
    /// The defaults.
    pub(crate) fn defaults() -> Settings {
        let keys = key::keys();
        let origin = Origin {
            words: "default".to_owned(),
            place: None,
        };
        let value = |key: &Key| (key.path(), (key.default.clone(), origin.clone()));
        let values = keys.iter().map(value).collect();
        Settings { keys, values }
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn set(&mut self, path: String, setting: Setting, origin: Origin) {
        self.values.insert(path, (setting, origin));
    }

    fn get(&self, path: &str) -> &Setting {
        self.values
            .get(path)
            .map_or(&Setting::Unset, |(setting, _)| setting)
    }

    fn port(&self, path: &str) -> Option<u16> {
        if let Setting::Port(port) = self.get(path) {
            Some(*port)
        } else {
            None
        }
    }

    fn text(&self, path: &str) -> Option<&str> {
        let setting = self.get(path);
        if let Setting::Text(text) = setting {
            return Some(text);
        }
        if let Setting::Word(word) = setting {
            return Some(word);
        }
        None
    }

    fn time(&self, path: &str) -> Period {
        if let Setting::Time(time) = self.get(path) {
            *time
        } else {
            Period::ZERO
        }
    }

    fn count(&self, path: &str) -> Option<u32> {
        if let Setting::Count(count) = self.get(path) {
            Some(*count)
        } else {
            None
        }
    }

    fn counts(&self, path: &str) -> BTreeMap<Str, u32> {
        let Setting::Counts(counts) = self.get(path) else {
            return BTreeMap::new();
        };
        let pairs = counts.iter();
        pairs
            .map(|(name, count)| (Str::from(name.as_str()), *count))
            .collect()
    }

    /// The main port.
    pub fn main_port(&self) -> u16 {
        self.port("port").unwrap_or(MAIN_PORT)
    }

    /// Where the node listens.
    pub fn ports(&self) -> Ports {
        let main = self.main_port();
        let follows = |offset| main.saturating_add(offset);
        Ports {
            sdk: self.port("sdk-port").unwrap_or(follows(SDK_PORT_OFFSET)),
            cluster: self
                .port("cluster-port")
                .unwrap_or(follows(CLUSTER_PORT_OFFSET)),
        }
    }

    /// Where the operator's HTTP is served; `None` when it is off.
    pub fn ops(&self) -> Option<SocketAddr> {
        if self.text("ops.serve") == Some("off") {
            return None;
        }
        let follows = self.main_port().saturating_add(OPS_PORT_OFFSET);
        let port = self.port("ops.port").unwrap_or(follows);
        let bind = if let Setting::Ip(ip) = self.get("ops.bind") {
            *ip
        } else if self.bind().is_loopback() {
            self.bind()
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        };
        Some(SocketAddr::new(bind, port))
    }

    /// The file with Nacos's connection limits.
    pub fn limit_rule_file(&self) -> Option<PathBuf> {
        self.text("limits.rule-file").map(PathBuf::from)
    }

    /// The value of every key that has one, as TOML, and where it came from.
    pub fn effective(&self) -> impl Iterator<Item = (String, String, &str)> {
        self.keys.iter().filter_map(|key| {
            let path = key.path();
            let (setting, origin) = self.values.get(&path)?;
            Some((path, setting.toml()?, origin.words.as_str()))
        })
    }

    /// The address it listens on.
    pub fn bind(&self) -> IpAddr {
        if let Setting::Ip(ip) = self.get("bind") {
            *ip
        } else {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        }
    }

    /// The host that names this node, if somebody set it.
    pub fn address(&self) -> Option<&str> {
        self.text("address")
    }

    /// The members that are listed in the settings themselves.
    pub fn members(&self) -> &[Member] {
        if let Setting::Members(members) = self.get("members") {
            members
        } else {
            &[]
        }
    }

    /// The path of a `cluster.conf`.
    pub fn cluster_conf(&self) -> Option<PathBuf> {
        self.text("cluster-conf").map(PathBuf::from)
    }

    /// The name that resolves to the members.
    pub fn members_dns(&self) -> Option<&str> {
        self.text("members-dns")
    }

    /// How often members are looked up again.
    pub fn members_refresh(&self) -> Period {
        self.time("members-refresh")
    }

    /// The directory for what a node remembers.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.text("data-dir").map(PathBuf::from)
    }

    /// How long a stop waits for clients to leave.
    pub fn drain_timeout(&self) -> Period {
        self.time("drain-timeout")
    }

    /// Level and form of the log.
    pub fn log(&self) -> (&str, &str) {
        let word = |path, default| self.text(path).unwrap_or(default);
        (word("log.level", "info"), word("log.format", "text"))
    }

    /// The core's configuration of a node with this name and these members.
    pub fn config(&self, node: NodeId, members: Vec<NodeId>) -> Config {
        let mut config = Config::new(node, members, Profile::DISTRO);
        config.timing = self.timing();
        config.limits = ConnectionLimits {
            total: self.count("limits.total"),
            per_ip_default: self.count("limits.per-ip-default"),
            per_ip: self.counts("limits.per-ip"),
            per_app: self.counts("limits.per-app"),
        };
        config.protect = self.protect();
        if let Some(most) = self.count("limits.instances-per-batch") {
            config.batch_instances_max = most;
        }
        config.trusted_proxies = self
            .words("limits.trusted-proxies")
            .map(Str::from)
            .collect();
        if let Setting::Size(bytes) = self.get("message-bytes-max") {
            config.message_bytes_max = *bytes;
        }
        config
    }

    /// The words of a list with commas.
    fn words(&self, path: &str) -> impl Iterator<Item = &str> {
        let words = self.text(path).unwrap_or("").split(',');
        words.map(str::trim).filter(|word| !word.is_empty())
    }

    /// Names by which the operator's port may be called, beside addresses.
    pub fn ops_hosts(&self) -> Vec<String> {
        self.words("ops.hosts").map(str::to_owned).collect()
    }

    fn protect(&self) -> ProtectThresholds {
        let mut protect = ProtectThresholds::default();
        if let Setting::Share(share) = self.get("naming.protect-threshold") {
            protect.default = Some(*share);
        }
        if let Setting::Shares(shares) = self.get("naming.protect-thresholds") {
            protect.services.clone_from(shares);
        }
        protect
    }

    /// What connections may cost.
    pub fn link_limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(count) = self.count("limits.requests-per-connection") {
            limits.requests_per_connection = count;
        }
        for (path, bytes) in [
            ("limits.request-bytes", &mut limits.request_bytes),
            ("limits.queued-bytes", &mut limits.queued_bytes),
            ("limits.unfinished-bytes", &mut limits.unfinished_bytes),
        ] {
            if let Setting::Size(set) = self.get(path) {
                *bytes = *set;
            }
        }
        limits
    }

    /// What fellow nodes prove to each other, if anything is set.
    ///
    /// # Errors
    /// The file cannot be read, or holds no secret: in words.
    pub fn cluster_secret(&self) -> Result<Option<ClusterSecret>, String> {
        if let Some(secret) = self.secret("cluster.secret") {
            return Ok(Some(ClusterSecret::new(secret)));
        }
        let Some(path) = self.text("cluster.secret-file") else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cluster.secret-file {path} cannot be read: {error}"))?;
        // Editors and `echo` end a file with a line's end.
        let secret = text.trim_end_matches(['\n', '\r']);
        if secret.chars().count() < SECRET_CHARS_MIN {
            return Err(format!(
                "cluster.secret-file {path} holds less than {SECRET_CHARS_MIN} characters"
            ));
        }
        Ok(Some(ClusterSecret::new(secret)))
    }

    fn secret(&self, path: &str) -> Option<&str> {
        if let Setting::Secret(secret) = self.get(path) {
            Some(&secret.0)
        } else {
            None
        }
    }

    fn timing(&self) -> Timing {
        let mut timing = Timing::default();
        for (name, ..) in Timing::fields() {
            let time = self.time(&format!("timing.{name}"));
            if let Some(field) = timing.field_mut(&name) {
                *field = time;
            }
        }
        timing
    }

    /// What single values cannot show: those that do not fit each other.
    pub(crate) fn misfits(&self, texts: &[Text]) -> Vec<Problems> {
        let mut found: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
        let mut add = |paths: &[&str], message: String, help: String| {
            let places = paths.iter().filter_map(|path| self.values.get(*path));
            let place = places.filter_map(|(_, origin)| origin.place.clone()).next();
            let (text, span) = place.unwrap_or((0, 0..0));
            found.entry(text).or_default().push(Problem {
                span,
                message,
                help,
            });
        };
        let main = self.main_port();
        if main > u16::MAX - CLUSTER_PORT_OFFSET {
            let help = format!("choose one up to {}", u16::MAX - CLUSTER_PORT_OFFSET);
            add(
                &["port"],
                format!("main port {main} leaves no room above it"),
                help,
            );
        }
        let ports = self.ports();
        // Ports derived from a main port that is out of range say nothing new.
        if main <= u16::MAX - CLUSTER_PORT_OFFSET && ports.sdk == ports.cluster {
            let message = format!("clients and fellow nodes share port {}", ports.sdk);
            let help = "give each its own port".to_owned();
            add(&["sdk-port", "cluster-port"], message, help);
        }
        if let Some(ops) = self.ops()
            && main <= u16::MAX - CLUSTER_PORT_OFFSET
            && [ports.sdk, ports.cluster].contains(&ops.port())
        {
            let message = format!("the operator's port {} is taken by another", ops.port());
            let help = "give ops.port its own number, or write ops.serve = \"off\"".to_owned();
            add(&["ops.port", "port"], message, help);
        }
        let sources = ["members", "cluster-conf", "members-dns"];
        let set: Vec<&str> = sources
            .into_iter()
            .filter(|path| *self.get(path) != Setting::Unset)
            .collect();
        if set.len() > 1 {
            let message = format!("members come from {} at once", set.join(" and "));
            add(&set, message, "keep one of them".to_owned());
        }
        if self.members_refresh() < Period::from_secs(1) {
            let message = "members-refresh is less than a second".to_owned();
            add(&["members-refresh"], message, "write \"30s\"".to_owned());
        }
        if *self.get("cluster.secret") != Setting::Unset
            && self.text("cluster.secret-file").is_some()
        {
            let both = ["cluster.secret-file", "cluster.secret"];
            let message = "the secret comes from cluster.secret and cluster.secret-file at once";
            add(&both, message.to_owned(), "keep one of them".to_owned());
        }
        for word in self.words("limits.trusted-proxies") {
            if word.parse::<IpAddr>().is_err() {
                let message = format!("limits.trusted-proxies: `{word}` is no IP address");
                let help = "write \"10.0.0.5, 10.0.0.6\"".to_owned();
                add(&["limits.trusted-proxies"], message, help);
            }
        }
        for (path, message, help) in self.tls_misfits().into_iter().chain(self.http_misfits()) {
            add(&[path], message, help);
        }
        for problem in self.config(NodeId::new("me:1"), Vec::new()).problems() {
            // The core names its fields; the first one named is where the caret goes.
            let named = self.keys.iter().map(Key::path).find(|path| {
                let name = path.rsplit('.').next().unwrap_or(path);
                problem.starts_with(name)
            });
            add(&[named.as_deref().unwrap_or("")], problem, String::new());
        }
        let problems = |(text, list): (usize, Vec<Problem>)| {
            let (name, text) = texts.get(text).map_or(("settings", ""), |(n, t)| (n, t));
            Problems::new(name, text, list)
        };
        found.into_iter().map(problems).collect()
    }

    /// All keys as TOML, each line with where its value came from.
    pub fn print(&self) -> String {
        let mut out =
            String::from("# The effective settings of this node, and where each came from.\n");
        for table in std::iter::once("").chain(TABLES) {
            if !table.is_empty() {
                out.push_str(&format!("\n[{table}]\n"));
            }
            for key in self.keys.iter().filter(|key| key.table == table) {
                let path = key.path();
                let origin = self.values.get(&path).map_or("", |(_, o)| o.words.as_str());
                let line = match self.get(&path).toml() {
                    Some(value) => (format!("{} = {value}", key.name), origin),
                    None if matches!(self.get(&path), Setting::Secret(_)) => {
                        (format!("# {} = (set)", key.name), origin)
                    }
                    None if let Setting::Hashes(hashes) = self.get(&path) => {
                        let users: Vec<&str> = hashes.keys().map(String::as_str).collect();
                        (
                            format!("# {} = (set for {})", key.name, users.join(", ")),
                            origin,
                        )
                    }
                    None => (format!("# {} =", key.name), assumed(&path)),
                };
                // Writing to a string cannot fail.
                writeln!(out, "{:<44} # {}", line.0, line.1).unwrap_or_default();
            }
        }
        out
    }
}
