//! What only scenario files take: hosts, services, instances, profiles, shares.

mod published;

pub use published::{
    BATCH_MAX, Batches, Entries, Heavy, Instances, NODES_MAX, Node, Nodes, Registered, Service,
    Several, Unnamed,
};

use distro_core::message::MessageKind;
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::text::collect::List;
use distro_node::text::found::{Found, Value};
use distro_node::text::kind::{Kind, TextKind, Toml, Whole, Word};
use distro_node::text::slot::{AnySlot, Slot};
use distro_node::text::value::Wrong;
use serde_json::{Value as Json, json};

use super::model::WorldKind;
use super::schema::CHECKS;
use super::value;

impl Word for WorldKind {
    const NOUN: &'static str = "world";

    fn all() -> Vec<(WorldKind, &'static str)> {
        WorldKind::ALL.to_vec()
    }
}

/// The code of a check, such as `S4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check(pub &'static str);

impl Word for Check {
    const NOUN: &'static str = "check";

    fn all() -> Vec<(Check, &'static str)> {
        CHECKS
            .iter()
            .map(|(code, _)| (Check(code), *code))
            .collect()
    }
}

/// A time, or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range(pub Period, pub Period);

impl TextKind for Range {
    const TAKES: &'static str = "time or range";
    const RIGHT: &'static str = "a time or a range, such as \"1ms..5ms\"";
    const PATTERN: &'static str =
        r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h)( *\.\. *[0-9]+(\.[0-9]+)?(us|ms|s|m|h))?$";

    fn from_text(text: &str) -> Result<Range, Wrong> {
        value::period_range(text).map(|(low, high)| Range(low, high))
    }

    fn to_text(&self) -> String {
        value::period_range_text(self.0, self.1)
    }
}

/// A share, per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub u32);

impl TextKind for Rate {
    const TAKES: &'static str = "share";
    const RIGHT: &'static str = "a share, such as \"5%\"";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]{1,4})?%$";

    fn from_text(text: &str) -> Result<Rate, Wrong> {
        value::rate(text).map(Rate)
    }

    fn to_text(&self) -> String {
        value::rate_text(self.0)
    }
}

/// A jump of the wall clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump(pub i64);

impl TextKind for Jump {
    const TAKES: &'static str = "time with a sign";
    const RIGHT: &'static str = "a time with a sign, such as \"-30s\"";
    const PATTERN: &'static str = r"^[+-]?[0-9]+(\.[0-9]+)?(us|ms|s|m|h)$";

    fn from_text(text: &str) -> Result<Jump, Wrong> {
        value::signed_millis(text).map(Jump)
    }

    fn to_text(&self) -> String {
        value::signed_millis_text(self.0)
    }
}

/// Parts per million by which a clock is fast: twice its rate, or hardly any, is as far as it goes.
pub type Ppm = Whole<i32, -999_999, 999_999>;

/// A kind of messages that a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried(pub MessageKind);

impl Word for Carried {
    const NOUN: &'static str = "message kind";

    fn all() -> Vec<(Carried, &'static str)> {
        let all = MessageKind::ALL.iter();
        all.map(|(kind, name)| (Carried(*kind), *name)).collect()
    }
}

/// Half of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Those that ask.
    Requests,
    /// Those that answer.
    Responses,
}

impl Word for Half {
    const NOUN: &'static str = "half";

    fn all() -> Vec<(Half, &'static str)> {
        vec![(Half::Requests, "requests"), (Half::Responses, "responses")]
    }
}

/// A profile with quirks added and taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Build(pub Profile);

impl TextKind for Build {
    const TAKES: &'static str = "profile";
    const RIGHT: &'static str = "a profile's name in quotes";
    const PATTERN: &'static str = r"^(distro|nacos-(2\.0|2\.2|2\.3|3))(\s+[+-]\s+[a-z-]+)*\s*$";

    fn from_text(text: &str) -> Result<Build, Wrong> {
        value::profile(text).map(Build)
    }

    fn to_text(&self) -> String {
        value::profile_text(self.0)
    }
}

/// Names of hosts, or of groups of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub List<String>);

impl Names {
    /// One name.
    pub fn one(name: &str) -> Names {
        Names([name.to_owned()].into_iter().collect())
    }

    /// True when it is this name alone.
    pub fn is(&self, name: &str) -> bool {
        self.0.values().eq([name])
    }
}

impl Kind for Names {
    fn takes() -> String {
        "hosts".to_owned()
    }

    fn right() -> String {
        "the name of a host or a list of names".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Names> {
        if value.get_ref().is_str() {
            let mut name = Slot::usual(None);
            name.read(found, what, value);
            return Some(Names(List(vec![name])));
        }
        if !value.get_ref().is_array() {
            found.wrong_type(what, value, &Names::right());
            return None;
        }
        List::read(found, what, value).map(Names)
    }

    fn write(&self) -> Toml {
        match &self.0.0[..] {
            [one] => one
                .iter()
                .next()
                .map_or_else(|| self.0.write(), String::write),
            _ => self.0.write(),
        }
    }

    fn schema() -> Json {
        let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$" });
        json!({ "anyOf": [name, { "type": "array", "items": name }] })
    }
}

/// What an application may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// Publish one instance.
    Register,
    /// Publish a list.
    Batch,
    /// Withdraw.
    Deregister,
    /// Keep a list up to date.
    Subscribe,
    /// Stop that.
    Unsubscribe,
    /// Ask once.
    Query,
}

impl Word for CallKind {
    const NOUN: &'static str = "call";

    fn all() -> Vec<(CallKind, &'static str)> {
        vec![
            (CallKind::Register, "register"),
            (CallKind::Batch, "batch"),
            (CallKind::Deregister, "deregister"),
            (CallKind::Subscribe, "subscribe"),
            (CallKind::Unsubscribe, "unsubscribe"),
            (CallKind::Query, "query"),
        ]
    }
}

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Replace the limits.
    SetLimits,
    /// Send clients away.
    Rebalance,
    /// Replace the member list.
    SetMembers,
}

impl Word for OperationKind {
    const NOUN: &'static str = "operation";

    fn all() -> Vec<(OperationKind, &'static str)> {
        vec![
            (OperationKind::SetLimits, "set-limits"),
            (OperationKind::Rebalance, "rebalance"),
            (OperationKind::SetMembers, "set-members"),
        ]
    }
}

/// Two sides or more, each one name or a list of them.
#[derive(Debug, Clone)]
pub struct Sides(pub List<Names>);

impl Kind for Sides {
    fn takes() -> String {
        "list of hosts".to_owned()
    }

    fn right() -> String {
        "a list of two or more sides, such as [\"n1\", [\"n2\", \"n3\"]]".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Sides> {
        if !value.get_ref().is_array() {
            found.wrong_type(what, value, &Sides::right());
            return None;
        }
        List::read(found, what, value).map(Sides)
    }

    fn write(&self) -> Toml {
        self.0.write()
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": Names::schema(), "minItems": 2 })
    }
}

/// Which servers a client tries, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    /// Client i begins with node i.
    Spread,
    /// These.
    Hosts(Names),
}

impl Kind for Connect {
    fn takes() -> String {
        "hosts or \"spread\"".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Connect> {
        match value.get_ref().as_str() {
            Some("spread") => Some(Connect::Spread),
            Some(_) | None => Names::read(found, what, value).map(Connect::Hosts),
        }
    }

    fn write(&self) -> Toml {
        match self {
            Connect::Spread => "spread".into(),
            // A list even of one: it says that there is an order.
            Connect::Hosts(names) => names.0.write(),
        }
    }

    fn schema() -> Json {
        Names::schema()
    }
}
