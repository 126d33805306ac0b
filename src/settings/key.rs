//! Every key that can be set: its name, what it takes, what it means, what it defaults to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use distro_core::config::Timing;
use distro_core::constants::{BATCH_INSTANCES_MAX, MESSAGE_BYTES_MAX};
use distro_core::time::Period;

use super::kind::{Kind, Setting};
use crate::shell::Limits;
use crate::shell::secret::SECRET_CHARS_MIN;

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its table; empty for the first keys of the file.
    pub table: &'static str,
    /// Its name in the table.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
    /// What it means.
    pub about: &'static str,
    /// What holds when nobody sets it.
    pub default: Setting,
}

impl Key {
    /// Its name with its table, `timing.verify-interval`.
    pub fn path(&self) -> String {
        if self.table.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.table, self.name)
        }
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        let path = self.path().replace(['.', '-'], "_");
        format!("DISTRO_{}", path.to_uppercase())
    }
}

/// Words for the level of the log.
pub const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
/// Words for the form of the log.
pub const FORMATS: &[&str] = &["text", "json"];
/// The default main port of a node, Nacos's.
pub const MAIN_PORT: u16 = 8848;
/// Tables of the file, after the keys that are in none.
pub const TABLES: [&str; 9] = [
    "cluster", "naming", "tls", "http", "auth", "ops", "log", "limits", "timing",
];
/// Whether something is done at all.
pub const SWITCH: &[&str] = &["on", "off"];
/// Words for what a listener asks of those who connect.
pub const DEMANDS: &[&str] = &["off", "server", "mutual"];

fn key(table: &'static str, name: &str, kind: Kind, default: Setting, about: &'static str) -> Key {
    Key {
        table,
        name: name.to_owned(),
        kind,
        about,
        default,
    }
}

/// All keys, in the order in which they are printed.
pub fn keys() -> Vec<Key> {
    let mut keys = place_keys();
    keys.extend(member_keys());
    keys.extend(rest_keys());
    keys.extend(naming_keys());
    keys.extend(cluster_keys());
    keys.extend(tls_keys());
    keys.extend(http_keys());
    keys.extend(ops_keys());
    keys.extend(log_keys());
    keys.extend(limit_keys());
    let times = Timing::fields().into_iter();
    keys.extend(times.map(|(name, default, about)| {
        let default = Setting::Time(default);
        key("timing", &name, Kind::Time, default, about.trim())
    }));
    keys
}

fn place_keys() -> Vec<Key> {
    use Setting::{Ip, Port, Unset};
    let (main, any) = (Port(MAIN_PORT), Ip(IpAddr::from([0, 0, 0, 0])));
    let sdk = "port for clients; main port + 1000";
    let cluster = "port for fellow nodes; main port + 1001";
    let host = "this node's host as the member list spells it";
    vec![
        key("", "port", Kind::Port, main, "main port; names this node"),
        key("", "sdk-port", Kind::Port, Unset, sdk),
        key("", "cluster-port", Kind::Port, Unset, cluster),
        key("", "bind", Kind::Ip, any, "address to listen on"),
        key("", "address", Kind::Host, Unset, host),
    ]
}

fn member_keys() -> Vec<Key> {
    use Setting::{Time, Unset};
    let (file, name) = (
        "a Nacos cluster.conf with the members",
        "name[:port] that resolves to the members",
    );
    let (often, again) = (
        Time(Period::from_secs(30)),
        "how often members are looked up again",
    );
    let all = "all members of the cluster";
    vec![
        key("", "members", Kind::Members, Unset, all),
        key("", "cluster-conf", Kind::Text, Unset, file),
        key("", "members-dns", Kind::Text, Unset, name),
        key("", "members-refresh", Kind::Time, often, again),
    ]
}

fn rest_keys() -> Vec<Key> {
    let drain = Setting::Time(Period::from_secs(10));
    let size = Setting::Size(MESSAGE_BYTES_MAX);
    let lives = "directory that remembers this node's lives";
    let wait = "how long a stop waits for clients to leave";
    vec![
        key("", "data-dir", Kind::Text, Setting::Unset, lives),
        key("", "drain-timeout", Kind::Time, drain, wait),
        key("", "message-bytes-max", Kind::Size, size, "largest message"),
    ]
}

fn naming_keys() -> Vec<Key> {
    let (share, shares) = (Kind::Share, Kind::Shares);
    let none = Setting::Shares(BTreeMap::new());
    let all = "share of healthy instances at which all are listed as healthy";
    let some = "the same for single services";
    vec![
        key("naming", "protect-threshold", share, Setting::Unset, all),
        key("naming", "protect-thresholds", shares, none, some),
    ]
}

fn cluster_keys() -> Vec<Key> {
    use Setting::Unset;
    let secret = "what fellow nodes prove to each other";
    let file = "a file that holds it";
    let kind = Kind::Secret(SECRET_CHARS_MIN);
    vec![
        key("cluster", "secret", kind, Unset, secret),
        key("cluster", "secret-file", Kind::Text, Unset, file),
    ]
}

fn tls_keys() -> Vec<Key> {
    use Setting::{Time, Unset};
    let files = [
        ("cert", "this node's certificate and its chain, PEM"),
        ("key", "the key of that certificate, PEM"),
        (
            "client-ca",
            "authorities that vouch for those who connect, PEM",
        ),
        ("server-ca", "authorities that vouch for fellow nodes, PEM"),
    ];
    let listeners = [
        ("sdk", "TLS on the port for clients"),
        ("cluster", "TLS on the port for fellow nodes, and to theirs"),
        ("http", "TLS on the main port"),
        ("ops", "TLS on the operator's port"),
    ];
    let often = Time(Period::from_secs(10));
    let mut keys: Vec<Key> = files
        .into_iter()
        .map(|(name, about)| key("tls", name, Kind::Text, Unset, about))
        .collect();
    let demand = Kind::OneOf(DEMANDS);
    keys.extend(listeners.map(|(name, about)| key("tls", name, demand, Unset, about)));
    let about = "how often certificates are read again";
    keys.push(key("tls", "reload", Kind::Time, often, about));
    keys
}

fn http_keys() -> Vec<Key> {
    use Setting::{Text, Time, Unset, Word};
    let (on, off) = (Word("on"), Word("off"));
    let (serve, below) = (
        "whether Nacos's HTTP is served on the main port",
        "path that it is served below; / for none",
    );
    let (ask, users) = (
        "whether HTTP asks for a token",
        "users with bcrypt hashes, see hash-password",
    );
    let (secret, ttl) = (
        "what tokens are signed with; the same on all nodes",
        "how long a token holds",
    );
    let none = Setting::Hashes(BTreeMap::new());
    let context = Text("/nacos".to_owned());
    let hours = Time(Period::from_secs(18_000));
    vec![
        key("http", "serve", Kind::OneOf(SWITCH), on, serve),
        key("http", "context-path", Kind::Text, context, below),
        key("auth", "enabled", Kind::OneOf(SWITCH), off, ask),
        key("auth", "users", Kind::Hashes, none, users),
        key("auth", "secret", Kind::Secret(1), Unset, secret),
        key("auth", "token-ttl", Kind::Time, hours, ttl),
    ]
}

fn ops_keys() -> Vec<Key> {
    use Setting::{Unset, Word};
    let (serve, on) = ("whether the operator's HTTP is served", Word("on"));
    let (port, bind) = ("port of the operator's HTTP", "address it listens on");
    let hosts = "names it is called by, with commas, beside addresses and localhost";
    vec![
        key("ops", "serve", Kind::OneOf(SWITCH), on, serve),
        key("ops", "port", Kind::Port, Unset, port),
        key("ops", "bind", Kind::Ip, Unset, bind),
        key("ops", "hosts", Kind::Text, Unset, hosts),
    ]
}

fn log_keys() -> Vec<Key> {
    let (info, text) = (Setting::Word("info"), Setting::Word("text"));
    let (level, form) = ("least event that is logged", "for people or machines");
    vec![
        key("log", "level", Kind::OneOf(LEVELS), info, level),
        key("log", "format", Kind::OneOf(FORMATS), text, form),
    ]
}

fn limit_keys() -> Vec<Key> {
    use Setting::{Count, Size, Unset};
    let none = || Setting::Counts(BTreeMap::new());
    let limits = Limits::default();
    let messages = Count(limits.requests_per_connection);
    let (bytes, queued) = (Size(limits.request_bytes), Size(limits.queued_bytes));
    let waiting = "messages of a connection that wait for the node";
    let all = "bytes of all messages that wait for the node";
    let slow = "bytes that wait for a connection to take them";
    let (halves, half) = (
        Size(limits.unfinished_bytes),
        "bytes of clients' messages that have not arrived in full",
    );
    let (batch, one) = (Count(BATCH_INSTANCES_MAX), "instances of one batch");
    let proxies = "addresses of proxies, with commas: their clients say which address they have";
    let (ip, app) = ("connections of an address", "connections of an application");
    let each = "connections of any other address";
    let file = "a Nacos limitRule in JSON; replaces the other limits";
    vec![
        key("limits", "total", Kind::Count, Unset, "client connections"),
        key("limits", "per-ip-default", Kind::Count, Unset, each),
        key("limits", "per-ip", Kind::Counts, none(), ip),
        key("limits", "per-app", Kind::Counts, none(), app),
        key("limits", "rule-file", Kind::Text, Unset, file),
        key(
            "limits",
            "requests-per-connection",
            Kind::Count,
            messages,
            waiting,
        ),
        key("limits", "request-bytes", Kind::Size, bytes, all),
        key("limits", "queued-bytes", Kind::Size, queued, slow),
        key("limits", "unfinished-bytes", Kind::Size, halves, half),
        key("limits", "instances-per-batch", Kind::Count, batch, one),
        key("limits", "trusted-proxies", Kind::Text, Unset, proxies),
    ]
}

/// The file's default for a key that follows from others, in words.
pub fn assumed(path: &str) -> &'static str {
    match path {
        "sdk-port" => "port + 1000",
        "cluster-port" => "port + 1001",
        "address" => "the member that is this host, or 127.0.0.1 when alone",
        "members" | "cluster-conf" | "members-dns" => "none: a node without members is alone",
        "cluster.secret" | "cluster.secret-file" => {
            "none: whoever reaches the port can pass for a member"
        }
        "tls.cert" | "tls.key" | "tls.client-ca" => "none",
        "tls.server-ca" => "tls.client-ca",
        "tls.sdk" | "tls.cluster" | "tls.http" | "tls.ops" => {
            "\"server\" with a certificate, else off"
        }
        "auth.secret" => "random: tokens hold on this node, and until it ends",
        "ops.port" => "port + 1002",
        "ops.bind" => "127.0.0.1, or `bind` when that is a loopback address",
        "naming.protect-threshold" => "no service is protected",
        "limits.rule-file" => "none",
        "limits.trusted-proxies" => "none: a client's address is that of its connection",
        "ops.hosts" => "addresses and localhost alone",
        "data-dir" => "none: the wall clock alone orders this node's lives",
        _ => "no limit",
    }
}
