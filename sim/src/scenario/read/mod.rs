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

use distro_core::config::{Config, ConfigField, ConnectionLimits};
use distro_core::ids::Str;
use distro_core::time::Period;
use distro_node::text::table;

pub(super) use clients::spread;

use super::address;
use super::check;
use super::fields::Found;
use super::hosts::Hosts;
use super::model::{LinkSpec, Scenario, Setting, WorldKind};
use super::problem::line_of;
use super::tables::{File, Limits};
use super::value;

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
    let mut file = File::default();
    // Why: the span of the whole file says nothing; its first byte at least shows its first line.
    table::read(&mut file, found, File::SECTION.what, 0..0, root);
    let about = about(found, &file);
    let duration = duration(found, &file);
    let worlds = worlds(found, &file);
    let mut reading = Reading {
        text,
        duration,
        hosts: Hosts::default(),
    };
    let nodes = nodes::read(found, &mut reading, &file.nodes, file.profile.0);
    let clients = clients::read(found, &mut reading, &file.clients);
    let limits = limits(&reading, &file.limits);
    let (timeline, spans) = timeline::read(found, &reading, root.get("timeline"));
    let expect = expect::read(found, &reading, &file);
    let scenario = Scenario {
        name: name.to_owned(),
        about,
        seed: **file.seed,
        duration,
        worlds,
        nodes,
        clients,
        link: LinkSpec {
            latency_min: file.link.latency.0,
            latency_max: file.link.latency.1,
            loss_per_million: file.link.loss.0,
        },
        limits,
        carrier: **file.carrier,
        message_bytes_max: file.message_bytes_max.0,
        timing: file.timing.set().collect(),
        timeline,
        expect,
        time_scale: **file.time_scale,
        setting: Setting::default(),
    };
    configurations(found, &file, &scenario);
    if found.list.is_empty() {
        for problem in check::impossible(&scenario) {
            let span = match problem.place {
                check::Place::Timeline(index) => spans[index].clone(),
                check::Place::Expect(index) => file.expect.0[index].span(),
            };
            found.add(span, problem.message, problem.help);
        }
    }
    scenario
}

fn about(found: &mut Found, file: &File) -> String {
    let text = file.about.as_deref().map(str::trim);
    if text == Some("") {
        let help = "say in one paragraph what this scenario shows";
        found.add(file.about.span(), "`about` is empty", help);
    }
    text.unwrap_or_default().to_owned()
}

fn duration(found: &mut Found, file: &File) -> Period {
    if *file.duration == Some(Period::ZERO) {
        let help = "write how long it runs, such as \"60s\"";
        found.add(file.duration.span(), "the run lasts no time", help);
    }
    file.duration.unwrap_or(Period::MAX)
}

fn worlds(found: &mut Found, file: &File) -> Vec<WorldKind> {
    let Some(list) = &*file.worlds else {
        return WorldKind::ALL.map(|(world, _)| world).to_vec();
    };
    let mut worlds = Vec::new();
    for slot in &list.0 {
        match &slot.value {
            Some(world) if worlds.contains(&**world) => {
                let message = format!("world `{}` is named twice", world.name());
                found.add(slot.span(), message, "name it once");
            }
            Some(world) => worlds.push(**world),
            None => {}
        }
    }
    if list.0.is_empty() {
        let help = "name event, turmoil, tcp, or several of them";
        found.add(file.worlds.span(), "`worlds` names no world", help);
    }
    worlds
}

/// Connection limits, of the file or of an operation.
fn limits(reading: &Reading<'_>, table: &Limits) -> ConnectionLimits {
    let ip = |name: &str| {
        let client = reading.hosts.client(name).map(address::client_ip);
        client.unwrap_or_else(|| Str::from(name))
    };
    let per_ip = table.per_ip.iter();
    let per_app = table.per_app.iter();
    ConnectionLimits {
        total: table.total.map(|count| *count),
        per_ip_default: table.per_ip_default.map(|count| *count),
        per_ip: per_ip.map(|(name, count)| (ip(name), **count)).collect(),
        per_app: per_app
            .map(|(name, count)| (Str::from(name.as_str()), **count))
            .collect(),
    }
}

/// Notes what the core has against the configuration that a node would get.
fn configurations(found: &mut Found, file: &File, scenario: &Scenario) {
    let mut said = Vec::new();
    for node in &scenario.nodes {
        let mut config = Config::new(address::node_id(0), Vec::new(), node.profile);
        config.timing = scenario.timing(node.profile);
        config.message_bytes_max = scenario.message_bytes_max;
        for problem in config.problems() {
            if said.contains(&problem) {
                continue;
            }
            let place = |field: &ConfigField| match field {
                ConfigField::MessageBytesMax => file.message_bytes_max.place.clone(),
                ConfigField::Timing(key) => file.timing.slot(*key)?.place.clone(),
                ConfigField::Node => None,
            };
            let place = problem.fields.iter().find_map(place).unwrap_or_default();
            let help = "these are the values a node would start with";
            found.add(place.span, problem.text.clone(), help);
            said.push(problem);
        }
    }
}
