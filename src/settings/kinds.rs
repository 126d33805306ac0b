//! What only settings take: switches, hosts, secrets and shares.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use distro_core::message::naming::ServiceKey;
use distro_core::protect::Share;
use serde_json::{Value as Json, json};
use tracing_subscriber::filter::LevelFilter;

use super::member::Member;
use crate::text::collect::Map;
use crate::text::found::{Found, Value, number};
use crate::text::kind::{Kind, Shown, TextKind, Toml, Word};
use crate::text::value::{self, Wrong, wrong};
use crate::tls;

/// Whether something is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl Word for Switch {
    const NOUN: &'static str = "switch";

    fn all() -> Vec<(Switch, &'static str)> {
        vec![(Switch::On, "on"), (Switch::Off, "off")]
    }
}

/// The least event that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Only what stops something.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens to the node as a whole.
    Info,
    /// What happens to each connection.
    Debug,
    /// Everything, what libraries do included.
    Trace,
}

impl Word for Level {
    const NOUN: &'static str = "level";

    fn all() -> Vec<(Level, &'static str)> {
        vec![
            (Level::Error, "error"),
            (Level::Warn, "warn"),
            (Level::Info, "info"),
            (Level::Debug, "debug"),
            (Level::Trace, "trace"),
        ]
    }
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> LevelFilter {
        match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

/// For whom the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Word for Form {
    const NOUN: &'static str = "format";

    fn all() -> Vec<(Form, &'static str)> {
        vec![(Form::Text, "text"), (Form::Json, "json")]
    }
}

/// What a listener asks of those who connect; `None`: it speaks no TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand(pub Option<tls::Demand>);

impl Word for Demand {
    const NOUN: &'static str = "kind of TLS";

    fn all() -> Vec<(Demand, &'static str)> {
        vec![
            (Demand(None), "off"),
            (Demand(Some(tls::Demand::Server)), "server"),
            (Demand(Some(tls::Demand::Mutual)), "mutual"),
        ]
    }
}

/// A host that a port can be put behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(pub String);

impl TextKind for Host {
    const TAKES: &'static str = "host";
    const RIGHT: &'static str = "a host in quotes, such as \"10.0.0.1\"";
    const PATTERN: &'static str = r"^([^\s:#@,]+|\[[0-9a-fA-F:.]+\])$";

    fn from_text(text: &str) -> Result<Host, Wrong> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return wrong(
                format!("`{text}` needs brackets, as in a list of members"),
                format!("write \"[{text}]\""),
            );
        }
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if inner.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()) {
            return Ok(Host(text.to_owned()));
        }
        let Ok(member) = Member::read(text) else {
            let help = format!("write {}", Host::RIGHT);
            return wrong(format!("`{text}` is no host"), help);
        };
        let Some(port) = member.port else {
            return Ok(Host(text.to_owned()));
        };
        wrong(
            format!("`{text}` is a host with a port, and the port is set apart"),
            format!(
                "write \"{}\" here, and {port} as the main port: --port {port}, \
                 DISTRO_PORT={port} or port = {port}",
                member.host
            ),
        )
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Several values in one text, with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commas<T>(pub Vec<T>);

impl<T: TextKind> Kind for Commas<T> {
    fn takes() -> String {
        format!("{}, with commas", T::TAKES)
    }

    fn right() -> String {
        format!("{}, several with commas", T::RIGHT)
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Commas<T>> {
        let Some(text) = value.get_ref().as_str() else {
            found.wrong_type(what, value, &Self::right());
            return None;
        };
        found.take(value.span(), Self::parse(text))
    }

    fn parse(text: &str) -> Result<Commas<T>, Wrong> {
        let words = text.split(',').map(str::trim);
        let words = words.filter(|word| !word.is_empty());
        let values: Vec<T> = words.map(T::from_text).collect::<Result<_, _>>()?;
        if values.is_empty() {
            let help = format!("write {}", Self::right());
            return wrong("there is nothing in this text", help);
        }
        Ok(Commas(values))
    }

    fn write(&self) -> Toml {
        let words: Vec<String> = self.0.iter().map(T::to_text).collect();
        words.join(", ").into()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

impl TextKind for Member {
    const TAKES: &'static str = "node";
    const RIGHT: &'static str = "a node in quotes, such as \"10.0.0.1:8848\"";
    const PATTERN: &'static str =
        r"^([^\s:#@,/]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[0-9]{1,5}/[0-9]{1,5})?$";

    fn from_text(text: &str) -> Result<Member, Wrong> {
        Member::read(text)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A text of at least so many characters that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<const CHARS_MIN: usize>(pub String);

impl<const CHARS_MIN: usize> std::fmt::Debug for Secret<CHARS_MIN> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

impl<const CHARS_MIN: usize> Kind for Secret<CHARS_MIN> {
    const SECRET: bool = true;

    fn takes() -> String {
        "secret".to_owned()
    }

    fn right() -> String {
        format!("at least {CHARS_MIN} characters in quotes")
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            found.wrong_type(what, value, &Self::right());
            return None;
        };
        found.take(value.span(), Self::parse(text))
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.chars().count() < CHARS_MIN {
            let right = Self::right();
            return wrong(
                "the secret is too short to be one",
                format!("write {right}, such as `openssl rand -hex 32` prints"),
            );
        }
        Ok(Secret(text.to_owned()))
    }

    fn write(&self) -> Toml {
        "(set)".into()
    }

    fn shown(&self) -> Shown {
        Shown::Hidden("(set)".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "string", "minLength": CHARS_MIN })
    }
}

/// The hash of a password, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(pub String);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

impl Kind for Hash {
    const SECRET: bool = true;

    fn takes() -> String {
        "hash".to_owned()
    }

    fn right() -> String {
        "such as nacos=$2b$10$..".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Hash> {
        Secret::<1>::read(found, what, value).map(|secret| Hash(secret.0))
    }

    fn parse(text: &str) -> Result<Hash, Wrong> {
        Secret::<1>::parse(text).map(|secret| Hash(secret.0))
    }

    fn write(&self) -> Toml {
        "(set)".into()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^\$2[abxy]\$" })
    }
}

/// A service, as thresholds name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named(pub ServiceKey);

impl TextKind for Named {
    const TAKES: &'static str = "service";
    const RIGHT: &'static str = "service, group@@service or namespace@@group@@service";
    const PATTERN: &'static str = value::SERVICE_PATTERN;

    fn from_text(text: &str) -> Result<Named, Wrong> {
        match value::service(text) {
            Ok(service) => Ok(Named(service)),
            Err(_) => wrong(
                format!("`{text}` names no service"),
                format!("write {}", Named::RIGHT),
            ),
        }
    }

    fn to_text(&self) -> String {
        self.0.to_string()
    }
}

/// A share from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared(pub Share);

/// Digits after the point that are kept.
const DIGITS: usize = 6;

/// Why by digits: a share is exact, a float would round it first.
fn millionths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > DIGITS {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let rest: u32 = format!("{rest:0<DIGITS$}").parse().ok()?;
    whole
        .checked_mul(Share::ALL.millionths())?
        .checked_add(rest)
}

impl Kind for Shared {
    fn takes() -> String {
        "number from 0.0 to 1.0".to_owned()
    }

    fn right() -> String {
        "a number from 0.0 to 1.0 with up to six digits after the point, such as 0.8".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Shared> {
        let Some(text) = number(value) else {
            let help = format!("write {}", Shared::right());
            found.add(
                value.span(),
                format!("`{what}` is not a number and cannot be this"),
                help,
            );
            return None;
        };
        found.take(value.span(), Shared::parse(&text))
    }

    fn parse(text: &str) -> Result<Shared, Wrong> {
        match millionths(text.trim()).and_then(Share::from_millionths) {
            Some(share) => Ok(Shared(share)),
            None => wrong(
                format!("`{text}` is no share"),
                format!("write {}", Shared::right()),
            ),
        }
    }

    fn write(&self) -> Toml {
        (f64::from(self.0.millionths()) / f64::from(Share::ALL.millionths())).into()
    }

    fn schema() -> Json {
        json!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

impl From<&Map<Named, Shared>> for BTreeMap<ServiceKey, Share> {
    fn from(map: &Map<Named, Shared>) -> BTreeMap<ServiceKey, Share> {
        map.iter()
            .map(|(name, share)| (name.0.clone(), share.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_exactly_and_printed_as_it_was() {
        for same in ["0.0", "1.0", "0.8", "0.333333", "0.000001"] {
            assert_eq!(Shared::parse(same).unwrap().write().to_string(), same);
        }
        assert_eq!(Shared::parse("1").unwrap().write().to_string(), "1.0");
        for bad in ["", "1.1", "-0.5", "80%", "0.1234567", ".5", "1e-1", "2"] {
            assert!(Shared::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_has_one_share_however_it_is_named() {
        let read = Map::<Named, Shared>::parse;
        let shares = read("orders=0.8, prod@@g@@pay=0.5").unwrap();
        let names: Vec<String> = shares.iter().map(|(name, _)| name.to_text()).collect();
        assert_eq!(names, ["public@@DEFAULT_GROUP@@orders", "prod@@g@@pay"]);
        let twice = read("orders=0.8,DEFAULT_GROUP@@orders=0.5").unwrap_err();
        assert!(twice.message.contains("twice"), "{}", twice.message);
        for bad in ["orders", "@@orders=0.5", "a@@b@@c@@d=0.5", "orders=2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
