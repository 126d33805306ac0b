//! What kinds of values there are: how each is read, and how it is written as TOML.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use distro_core::message::naming::ServiceKey;
use distro_core::protect::Share;
use distro_core::time::Period;

use super::member::Member;
use super::share;
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
    /// Hashes of passwords by user.
    Hashes,
    /// A share from 0 to 1.
    Share,
    /// Shares by service.
    Shares,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// True when its values are not to be shown.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret(_) | Kind::Hashes)
    }

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
            Kind::Hashes => "users with hashes, such as { nacos = \"$2b$10$...\" }".to_owned(),
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
            Kind::Hashes => {
                let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
                words
                    .map(hash_of)
                    .collect::<Result<_, _>>()
                    .map(Setting::Hashes)
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

fn hash_of(word: &str) -> Result<(String, Secret), Wrong> {
    match word.split_once('=') {
        Some((name, text)) if !name.trim().is_empty() && !text.trim().is_empty() => {
            Ok((name.trim().to_owned(), Secret(text.trim().to_owned())))
        }
        Some(_) | None => wrong(
            "this is not a user with a hash".to_owned(),
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
    /// Hashes of passwords by user.
    Hashes(BTreeMap<String, Secret>),
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
            Setting::Hashes(hashes) if hashes.is_empty() => table(Vec::new()),
            Setting::Hashes(_) => return None,
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
