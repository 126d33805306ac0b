//! Every key that can be set: its name, what it takes, what it means, what it defaults to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use distro_core::config::Timing;
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::message::naming::ServiceKey;
use distro_core::protect::Share;
use distro_core::time::Period;

use super::member::Member;
use super::share;
use crate::shell::Limits;
use crate::shell::secret::SECRET_CHARS_MIN;
use crate::text::value::{self, Wrong, wrong};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A port from 1 to 65535.
    Port,
    /// An address to listen on.
    Ip,
    /// Any text.
    Text,
    /// A node's host, without a port.
    Host,
    /// A text that is never shown, of at least so many characters.
    Secret(usize),
    /// A list of nodes.
    Members,
    /// A length of time.
    Time,
    /// A number of bytes.
    Size,
    /// A whole number.
    Count,
    /// Whole numbers by name.
    Counts,
    /// Texts by name.
    Texts,
    /// A share from 0 to 1.
    Share,
    /// Shares by service.
    Shares,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// In words.
    pub fn takes(self) -> String {
        match self {
            Kind::Port => "a port from 1 to 65535".to_owned(),
            Kind::Ip => "an IP address in quotes".to_owned(),
            Kind::Text => "a text in quotes".to_owned(),
            Kind::Host => "a host in quotes, such as \"10.0.0.1\"".to_owned(),
            Kind::Secret(chars_min) => format!("at least {chars_min} characters in quotes"),
            Kind::Members => "a list of nodes, such as [\"10.0.0.1:8848\"]".to_owned(),
            Kind::Time => "a time in quotes, such as \"5s\" or \"500ms\"".to_owned(),
            Kind::Size => "a size, such as \"64KiB\" or \"10MiB\"".to_owned(),
            Kind::Count => "a whole number from 0 to 4294967295".to_owned(),
            Kind::Counts => "names with whole numbers, such as { \"10.0.0.1\" = 100 }".to_owned(),
            Kind::Texts => "names with texts, such as { nacos = \"$2b$10$...\" }".to_owned(),
            Kind::Share => "a number from 0.0 to 1.0, such as 0.8".to_owned(),
            Kind::Shares => "services with numbers from 0.0 to 1.0, such as { orders = 0.8, \
                 \"public@@DEFAULT_GROUP@@pay\" = 0.5 }"
                .to_owned(),
            Kind::OneOf(words) => format!("one of \"{}\"", words.join("\", \"")),
        }
    }

    /// Reads it from text, as flags and the environment give it.
    ///
    /// # Errors
    /// The text is no such value.
    pub fn read(self, text: &str) -> Result<Setting, Wrong> {
        match self {
            Kind::Port => match text.parse::<u16>().ok().filter(|port| *port > 0) {
                Some(port) => Ok(Setting::Port(port)),
                None => self.refuse(text),
            },
            Kind::Ip => text
                .parse()
                .map_or_else(|_| self.refuse(text), |ip| Ok(Setting::Ip(ip))),
            Kind::Text if text.trim().is_empty() => self.refuse(text),
            Kind::Text => Ok(Setting::Text(text.to_owned())),
            Kind::Host => host(text).map(Setting::Text),
            Kind::Secret(chars_min) if text.chars().count() < chars_min => wrong(
                "the secret is too short to be one",
                format!(
                    "write {}, such as `openssl rand -hex 32` prints",
                    self.takes()
                ),
            ),
            Kind::Secret(_) => Ok(Setting::Secret(Secret(text.to_owned()))),
            Kind::Members => {
                let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
                let members: Result<_, _> = words.map(Member::read).collect();
                Ok(Setting::Members(members?))
            }
            Kind::Time => value::period(text).map(Setting::Time),
            Kind::Size => {
                let number = text.parse().ok();
                number
                    .map_or_else(|| value::bytes(text), Ok)
                    .map(Setting::Size)
            }
            Kind::Count => text
                .parse()
                .map_or_else(|_| self.refuse(text), |count| Ok(Setting::Count(count))),
            Kind::Counts => {
                let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
                words
                    .map(count_of)
                    .collect::<Result<_, _>>()
                    .map(Setting::Counts)
            }
            Kind::Texts => {
                let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
                words
                    .map(text_of)
                    .collect::<Result<_, _>>()
                    .map(Setting::Texts)
            }
            Kind::Share => share::read(text).map(Setting::Share),
            Kind::Shares => share::read_all(text).map(Setting::Shares),
            Kind::OneOf(words) => match words.iter().find(|word| **word == text) {
                Some(word) => Ok(Setting::Word(word)),
                None => {
                    let help = crate::text::problem::help_for(text, words.iter().copied());
                    wrong(format!("`{text}` is not known"), help)
                }
            },
        }
    }

    fn refuse(self, text: &str) -> Result<Setting, Wrong> {
        let right = self.takes();
        wrong(
            format!("`{text}` is not right here"),
            format!("write {right}"),
        )
    }
}

/// A host that a port can be put behind.
fn host(text: &str) -> Result<String, Wrong> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return wrong(
            format!("`{text}` needs brackets, as in a list of members"),
            format!("write \"[{text}]\""),
        );
    }
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if inner.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()) {
        return Ok(text.to_owned());
    }
    let Ok(member) = Member::read(text) else {
        return Kind::Host.refuse(text).map(|_| String::new());
    };
    let Some(port) = member.port else {
        return Ok(text.to_owned());
    };
    wrong(
        format!("`{text}` is a host with a port, and the port is set apart"),
        format!(
            "write \"{}\" here, and {port} as the main port: --port {port}, DISTRO_PORT={port} or \
             port = {port}",
            member.host
        ),
    )
}

fn count_of(word: &str) -> Result<(String, u32), Wrong> {
    let pair = word.rsplit_once('=').and_then(|(name, count)| {
        let name = name.trim();
        let count = count.trim().parse().ok()?;
        (!name.is_empty()).then(|| (name.to_owned(), count))
    });
    match pair {
        Some(pair) => Ok(pair),
        None => wrong(
            format!("`{word}` is not a name with a number"),
            "write \"10.0.0.1=100,10.0.0.2=50\"",
        ),
    }
}

fn text_of(word: &str) -> Result<(String, String), Wrong> {
    match word.split_once('=') {
        Some((name, text)) if !name.trim().is_empty() && !text.trim().is_empty() => {
            Ok((name.trim().to_owned(), text.trim().to_owned()))
        }
        Some(_) | None => wrong(
            format!("`{word}` is not a name with a text"),
            "write \"nacos=$2b$10$...\", several separated by commas",
        ),
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

/// A value that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Not set, and nothing is assumed.
    Unset,
    /// A port.
    Port(u16),
    /// An address.
    Ip(IpAddr),
    /// A text.
    Text(String),
    /// A text that is never shown.
    Secret(Secret),
    /// Nodes.
    Members(Vec<Member>),
    /// A time.
    Time(Period),
    /// Bytes.
    Size(u64),
    /// A number.
    Count(u32),
    /// Numbers by name.
    Counts(BTreeMap<String, u32>),
    /// Texts by name.
    Texts(BTreeMap<String, String>),
    /// A share.
    Share(Share),
    /// Shares by service.
    Shares(BTreeMap<ServiceKey, Share>),
    /// One of a few words.
    Word(&'static str),
}

impl Setting {
    /// As TOML; `None` when it is not set, or not to be seen.
    pub fn toml(&self) -> Option<String> {
        Some(match self {
            Setting::Unset | Setting::Secret(_) => return None,
            Setting::Port(number) => number.to_string(),
            Setting::Ip(ip) => quoted(&ip.to_string()),
            Setting::Text(text) => quoted(text),
            Setting::Members(members) => {
                let members: Vec<String> = members.iter().map(|m| quoted(&m.to_string())).collect();
                format!("[{}]", members.join(", "))
            }
            Setting::Time(time) => quoted(&value::period_text(*time)),
            Setting::Size(bytes) => quoted(&value::bytes_text(*bytes)),
            Setting::Count(count) => count.to_string(),
            Setting::Counts(counts) => {
                let pairs = counts.iter();
                let pairs = pairs.map(|(name, count)| format!("{} = {count}", quoted(name)));
                table(pairs.collect())
            }
            Setting::Texts(texts) => {
                let pairs = texts.iter();
                let pairs =
                    pairs.map(|(name, text)| format!("{} = {}", quoted(name), quoted(text)));
                table(pairs.collect())
            }
            Setting::Share(share) => share::text(*share),
            Setting::Shares(shares) => {
                let pairs = shares.iter();
                let pairs = pairs.map(|(service, share)| {
                    format!("{} = {}", quoted(&service.to_string()), share::text(*share))
                });
                table(pairs.collect())
            }
            Setting::Word(word) => quoted(word),
        })
    }
}

/// A TOML inline table.
fn table(pairs: Vec<String>) -> String {
    if pairs.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", pairs.join(", "))
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

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
    let none = Setting::Texts(BTreeMap::new());
    let context = Text("/nacos".to_owned());
    let hours = Time(Period::from_secs(18_000));
    vec![
        key("http", "serve", Kind::OneOf(SWITCH), on, serve),
        key("http", "context-path", Kind::Text, context, below),
        key("auth", "enabled", Kind::OneOf(SWITCH), off, ask),
        key("auth", "users", Kind::Texts, none, users),
        key("auth", "secret", Kind::Secret(1), Unset, secret),
        key("auth", "token-ttl", Kind::Time, hours, ttl),
    ]
}

fn ops_keys() -> Vec<Key> {
    use Setting::{Unset, Word};
    let (serve, on) = ("whether the operator's HTTP is served", Word("on"));
    let (port, bind) = ("port of the operator's HTTP", "address it listens on");
    vec![
        key("ops", "serve", Kind::OneOf(SWITCH), on, serve),
        key("ops", "port", Kind::Port, Unset, port),
        key("ops", "bind", Kind::Ip, Unset, bind),
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
    ]
}

/// The file's default for a key that follows from others, in words.
pub fn assumed(path: &str) -> &'static str {
    match path {
        "sdk-port" => "port + 1000",
        "cluster-port" => "port + 1001",
        "address" => "the member that is this host, or 127.0.0.1 when alone",
        "members" | "cluster-conf" | "members-dns" => "none: a node without members is alone",
        "cluster.secret" | "cluster.secret-file" => "none: any node that reaches the port may join",
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
        "data-dir" => "none: the wall clock alone orders this node's lives",
        _ => "no limit",
    }
}
