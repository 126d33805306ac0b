//! From TOML to the model, one file per table. Every reader notes what is wrong and goes on.

mod clients;
mod expect;
mod fault;
mod instance;
mod nodes;
mod path;
mod timeline;

use std::ops::Range;

use toml::de::DeTable;

use distro_core::config::{Config, ConfigField, ConfigProblem, ConnectionLimits, TimingKey};
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::Str;
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::carrier::Carrier;
use distro_node::text::value::wrong;

pub(super) use clients::spread;

use super::address;
use super::check;
use super::fields::{Fields, Found, Value, key_of};
use super::hosts::Hosts;
use super::model::{LinkSpec, Scenario, Setting, WorldKind};
use super::problem::{help_for, line_of};
use super::schema::{FILE, LIMITS, LINK};
use super::value;

/// The seed of a file that names none.
const SEED_DEFAULT: u64 = 1;
/// Latency of a file that names none.
const LATENCY_DEFAULT: (Period, Period) = (Period::from_millis(1), Period::from_millis(5));

/// Where time is real, a machine has to keep up with it.
pub(crate) const TIME_SCALE_MAX: u32 = 100;

/// What the readers of all tables share.
#[derive(Debug)]
struct Reading<'a> {
    text: &'a str,
    duration: Period,
    hosts: Hosts,
}

impl Reading<'_> {
    fn line(&self, span: &Range<usize>) -> u32 {
        line_of(self.text, span.start)
    }

    /// Notes a moment that lies past the end of the run.
    fn inside(&self, found: &mut Found, what: &str, span: Range<usize>, at: Period) {
        if at > self.duration {
            let (at, end) = (value::period_text(at), value::period_text(self.duration));
            found.add(
                span,
                format!("{what} at {at} is past the end of the run"),
                format!("the run ends at {end}; make `duration` longer or this earlier"),
            );
        }
    }
}

/// Reads a whole file.
pub(super) fn file(found: &mut Found, name: &str, text: &str, root: &DeTable<'_>) -> Scenario {
    // Why: the span of the whole file says nothing; its first byte at least shows its first line.
    let fields = Fields::open(found, "the file", root, 0..0, FILE.keys);
    let about = about(found, &fields);
    let duration = duration(found, &fields);
    let seed = fields
        .get("seed")
        .and_then(|value| found.integer("seed", value, 0, i64::MAX))
        .and_then(|seed| u64::try_from(seed).ok())
        .unwrap_or(SEED_DEFAULT);
    let worlds = worlds(found, &fields);
    let time_scale = fields.count(found, "time-scale", 1, TIME_SCALE_MAX);
    let carrier = carrier(found, &fields);
    let profile = profile(found, &fields, Profile::DISTRO);
    let mut reading = Reading {
        text,
        duration,
        hosts: Hosts::default(),
    };
    let nodes = nodes::read(found, &mut reading, &fields, profile);
    let clients = clients::read(found, &mut reading, &fields);
    let limits = fields
        .get("limits")
        .map(|value| limits(found, &reading, value))
        .unwrap_or_default();
    let message_bytes_max = fields
        .bytes(found, "message-bytes-max")
        .unwrap_or(MESSAGE_BYTES_MAX);
    let timing = timing(found, &fields);
    let (timeline, spans) = timeline::read(found, &reading, &fields);
    let expect = expect::read(found, &reading, &fields);
    let scenario = Scenario {
        name: name.to_owned(),
        about,
        seed,
        duration,
        worlds,
        nodes,
        clients,
        link: link(found, &fields),
        limits,
        carrier,
        message_bytes_max,
        timing,
        timeline,
        expect,
        time_scale: time_scale.unwrap_or(1),
        setting: Setting::default(),
    };
    configurations(found, &fields, &scenario);
    if found.list.is_empty() {
        for problem in check::impossible(&scenario) {
            let span = match problem.place {
                check::Place::Timeline(index) => spans[index].clone(),
                check::Place::Expect(index) => expect::span(&fields, index),
            };
            found.add(span, problem.message, problem.help);
        }
    }
    scenario
}

fn about(found: &mut Found, fields: &Fields<'_>) -> String {
    let text = match fields.required(found, key_of(FILE.keys, "about")) {
        Some(value) => found
            .text("about", value)
            .map(|text| (text.trim(), value.span())),
        None => None,
    };
    match text {
        Some(("", span)) => {
            found.add(
                span,
                "`about` is empty",
                "say in one paragraph what this scenario shows",
            );
            String::new()
        }
        Some((text, _)) => text.to_owned(),
        None => String::new(),
    }
}

fn duration(found: &mut Found, fields: &Fields<'_>) -> Period {
    let key = key_of(FILE.keys, "duration");
    let Some(duration) = fields.period_required(found, key) else {
        return Period::MAX;
    };
    if duration == Period::ZERO
        && let Some(value) = fields.get("duration")
    {
        found.add(
            value.span(),
            "the run lasts no time",
            "write how long it runs, such as \"60s\"",
        );
    }
    duration
}

fn worlds(found: &mut Found, fields: &Fields<'_>) -> Vec<WorldKind> {
    let Some(value) = fields.get("worlds") else {
        return WorldKind::ALL.map(|(world, _)| world).to_vec();
    };
    let mut worlds = Vec::new();
    let before = found.list.len();
    for element in found.list("worlds", value, "a list, such as [\"event\", \"turmoil\"]") {
        let Some(text) = found.text("worlds", element) else {
            continue;
        };
        match WorldKind::ALL.iter().find(|(_, name)| *name == text) {
            Some((world, _)) if worlds.contains(world) => {
                found.add(
                    element.span(),
                    format!("world `{text}` is named twice"),
                    "name it once",
                );
            }
            Some((world, _)) => worlds.push(*world),
            None => found.add(
                element.span(),
                format!("no world `{text}`"),
                help_for(text, WorldKind::ALL.iter().map(|(_, name)| *name)),
            ),
        }
    }
    if worlds.is_empty() && found.list.len() == before {
        found.add(
            value.span(),
            "`worlds` names no world",
            "name event, turmoil, tcp, or several of them",
        );
    }
    worlds
}

fn carrier(found: &mut Found, fields: &Fields<'_>) -> Carrier {
    let Some(value) = fields.get("carrier") else {
        return Carrier::default();
    };
    let takes = "\"tcp\" or \"grpc\"";
    found
        .read("carrier", value, takes, |text| {
            let known = Carrier::ALL.iter().find(|(_, name)| *name == text);
            let carrier = known.map(|(carrier, _)| *carrier);
            carrier.map_or_else(
                || wrong(format!("no carrier `{text}`"), format!("write {takes}")),
                Ok,
            )
        })
        .unwrap_or_default()
}

fn profile(found: &mut Found, fields: &Fields<'_>, usual: Profile) -> Profile {
    let Some(value) = fields.get("profile") else {
        return usual;
    };
    found
        .read(
            "profile",
            value,
            "a profile's name in quotes",
            value::profile,
        )
        .unwrap_or(usual)
}

fn link(found: &mut Found, fields: &Fields<'_>) -> LinkSpec {
    let mut link = LinkSpec {
        latency_min: LATENCY_DEFAULT.0,
        latency_max: LATENCY_DEFAULT.1,
        loss_per_million: 0,
    };
    let Some(value) = fields.get("link") else {
        return link;
    };
    let Some(table) = found.table("[link]", value, LINK.keys) else {
        return link;
    };
    if let Some((low, high)) = table.period_range(found, "latency") {
        (link.latency_min, link.latency_max) = (low, high);
    }
    if let Some(value) = table.get("loss") {
        let rate = found.read("loss", value, "a share, such as \"5%\"", value::rate);
        link.loss_per_million = rate.unwrap_or(0);
    }
    link
}

/// Connection limits, of the file or of an operation.
fn limits(found: &mut Found, reading: &Reading<'_>, value: &Value<'_>) -> ConnectionLimits {
    let mut limits = ConnectionLimits::default();
    let Some(table) = found.table("[limits]", value, LIMITS.keys) else {
        return limits;
    };
    limits.total = table.count(found, "total", 0, u32::MAX);
    limits.per_ip_default = table.count(found, "per-ip-default", 0, u32::MAX);
    for key in ["per-ip", "per-app"] {
        let Some(rules) = table
            .get(key)
            .and_then(|value| Fields::free(found, key, value))
        else {
            continue;
        };
        for (name, _, value) in rules.entries() {
            let count = found
                .integer(name, value, 0, i64::from(u32::MAX))
                .unwrap_or(0);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            if key == "per-app" {
                limits.per_app.insert(Str::from(name), count);
            } else {
                let ip = reading.hosts.client(name).map(address::client_ip);
                limits
                    .per_ip
                    .insert(ip.unwrap_or_else(|| Str::from(name)), count);
            }
        }
    }
    limits
}

fn timing(found: &mut Found, fields: &Fields<'_>) -> Vec<(TimingKey, Period)> {
    let mut timing = Vec::new();
    let table = fields
        .get("timing")
        .and_then(|value| Fields::free(found, "[timing]", value));
    let Some(table) = table else { return timing };
    for (name, span, value) in table.entries() {
        let Some(key) = TimingKey::from_name(name) else {
            let names = TimingKey::ALL.iter().map(|key| key.name());
            found.add(span, format!("no timing `{name}`"), help_for(name, names));
            continue;
        };
        if let Some(period) = found.read(
            name,
            value,
            "a time in quotes, such as \"30s\"",
            value::period,
        ) {
            timing.push((key, period));
        }
    }
    timing
}

/// Notes what the core has against the configuration that a node would get.
fn configurations(found: &mut Found, fields: &Fields<'_>, scenario: &Scenario) {
    let mut said = Vec::new();
    for node in &scenario.nodes {
        let mut config = Config::new(address::node_id(0), Vec::new(), node.profile);
        config.timing = scenario.timing(node.profile);
        config.message_bytes_max = scenario.message_bytes_max;
        for problem in config.problems() {
            if said.contains(&problem) {
                continue;
            }
            let span = problem_span(fields, &problem);
            let help = "these are the values a node would start with";
            found.add(span, problem.text.clone(), help);
            said.push(problem);
        }
    }
}

/// The first value in the file of those that a problem of the configuration is about.
fn problem_span(fields: &Fields<'_>, problem: &ConfigProblem) -> Range<usize> {
    let timing = fields
        .get("timing")
        .and_then(|value| value.get_ref().as_table());
    let place = |field: &ConfigField| match field {
        ConfigField::MessageBytesMax => Some(fields.get("message-bytes-max")?.span()),
        ConfigField::Timing(key) => Some(timing?.get(key.name())?.span()),
        ConfigField::Node => None,
    };
    problem.fields.iter().find_map(place).unwrap_or(0..0)
}
