//! From the model back to a file that parses to an equal model.

mod timeline;
pub(super) mod toml_text;

use std::collections::BTreeMap;

use distro_core::config::ConnectionLimits;
use distro_core::ids::Str;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::text::collect::{List, Map};
use distro_node::text::kind::{Count, Kind, OneOf, Size, TextKind, Whole, Word};
use distro_node::text::slot::Slot;
use distro_node::text::table::{file_text, written};

use super::address::{INSTANCE_PORT, client_instance};
use super::kinds::{
    Batches, Build, Check, Connect, Heavy, Instances, Names, Node, Nodes, Range, Rate, Registered,
    Service, Unnamed,
};
use super::model::{Action, ClientSpec, ExpectList, HostId, NodeSpec, Scenario};
use super::read::spread;
use super::tables::{self, Batch, Client, Expect, File, Limits, Link, NodeTable};

/// The scenario as a file. It parses to an equal scenario, except for the line numbers, as long
/// as the scenario is one that a file can say: see [`impossible`](super::impossible).
pub fn write(scenario: &Scenario) -> String {
    let writer = Writer { scenario };
    let mut out = file_text(&writer.file());
    for action in &scenario.timeline {
        out.push_str("\n[[timeline]]\n");
        writer.action(action).push_to(&mut out);
    }
    out
}

/// The scenario without the line numbers of its file, to compare scenarios from different files.
#[must_use]
pub fn without_lines(mut scenario: Scenario) -> Scenario {
    for action in &mut scenario.timeline {
        action.line = 0;
    }
    for expected in &mut scenario.expect.lists {
        expected.line = 0;
    }
    scenario
}

/// An action on one line, as its file would say it but without quotes: for traces and messages.
pub fn describe(scenario: &Scenario, action: &Action) -> String {
    let text = Writer { scenario }.action(action).inline();
    let text = text.trim_start_matches("{ ").trim_end_matches(" }");
    text.replace('"', "")
}

struct Writer<'a> {
    scenario: &'a Scenario,
}

impl Writer<'_> {
    /// Everything but the timeline.
    fn file(&self) -> File {
        let scenario = self.scenario;
        let mut file = File {
            about: Slot::said(Some(scenario.about.clone())),
            duration: Slot::said(Some(scenario.duration)),
            seed: Slot::said(Whole(scenario.seed)),
            worlds: Slot::said(Some(scenario.worlds.iter().copied().map(OneOf).collect())),
            nodes: Slot::said(Some(self.nodes())),
            message_bytes_max: Slot::said(Size(scenario.message_bytes_max)),
            link: Slot::said(Link {
                latency: Slot::said(Range(scenario.link.latency_min, scenario.link.latency_max)),
                loss: Slot::said(Rate(scenario.link.loss_per_million)),
            }),
            clients: Slot::said(self.clients()),
            expect: Slot::said(
                scenario
                    .expect
                    .lists
                    .iter()
                    .map(|list| self.expect(list))
                    .collect(),
            ),
            ..File::default()
        };
        if scenario.time_scale != 1 {
            file.time_scale = Slot::said(Whole(scenario.time_scale));
        }
        if self.profile() != Profile::DISTRO {
            file.profile = Slot::said(Build(self.profile()));
        }
        if scenario.carrier != **file.carrier {
            file.carrier = Slot::said(OneOf(scenario.carrier));
        }
        if scenario.limits != ConnectionLimits::default() {
            file.limits = Slot::said(limits(&scenario.limits));
        }
        if !scenario.timing.is_empty() {
            file.timing = Slot::said(scenario.timing.iter().copied().collect());
        }
        let fails = scenario.expect.fails.iter();
        // Both were read as what they are: a scenario has no others.
        let fails = fails.filter_map(|(profile, check)| {
            Some((
                Build::from_text(profile).ok()?,
                OneOf(Check::of(check).ok()?),
            ))
        });
        if !scenario.expect.fails.is_empty() {
            file.expect_fails = Slot::said(fails.collect());
        }
        if !scenario.expect.reached.is_empty() {
            file.expect_reached = Slot::said(scenario.expect.reached.iter().cloned().collect());
        }
        file
    }

    fn expect(&self, list: &ExpectList) -> Expect {
        Expect {
            at: Slot::said(Some(list.at)),
            nodes: Slot::said(self.names(&list.nodes)),
            service: Slot::said(Some(Service(list.service.clone()))),
            instances: Slot::said(Some(Whole(list.instances))),
        }
    }

    fn profile(&self) -> Profile {
        self.scenario
            .nodes
            .first()
            .map_or(Profile::DISTRO, |node| node.profile)
    }

    fn all_nodes(&self) -> Vec<HostId> {
        (0..self.scenario.nodes.len()).map(host).collect()
    }

    /// The nodes: how many, when that says all.
    fn nodes(&self) -> Nodes {
        let nodes = &self.scenario.nodes;
        let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let usual = |node: &NodeSpec| {
            let table = self.node(node);
            [table.profile.place, table.members.place, table.start.place] == [None, None, None]
        };
        let names = (1..=count).map(|number| format!("n{number}"));
        if nodes.iter().all(usual) && nodes.iter().map(|node| node.name.clone()).eq(names) {
            return Nodes::Count(count);
        }
        Nodes::Each(
            nodes
                .iter()
                .map(|node| Node::Table(self.node(node)))
                .collect(),
        )
    }

    fn node(&self, node: &NodeSpec) -> NodeTable {
        let mut table = NodeTable {
            name: Slot::said(Some(node.name.clone())),
            ..NodeTable::default()
        };
        if node.profile != self.profile() {
            table.profile = Slot::said(Some(Build(node.profile)));
        }
        if node.members != self.all_nodes() {
            table.members = Slot::said(self.names(&node.members));
        }
        if node.start != Period::ZERO {
            table.start = Slot::said(node.start);
        }
        table
    }

    /// Clients, as groups again where that says the same.
    fn clients(&self) -> List<Client> {
        let clients = &self.scenario.clients;
        let mut groups = Vec::new();
        let mut index = 0;
        while index < clients.len() {
            let client = &clients[index];
            let run = self.run(index);
            let mut table = self.client(index, 0);
            if run == 0 {
                table.name = Slot::said(Some(client.name.clone()));
                if client.group != client.name {
                    table.group = Slot::said(Some(client.group.clone()));
                }
                table.start = Slot::said(Range(client.start, client.start));
            } else {
                let last = clients[index + run - 1].start;
                table.name = Slot::said(Some(client.group.clone()));
                table.count = Slot::said(Some(Whole(u32::try_from(run).unwrap_or(u32::MAX))));
                table.start = Slot::said(Range(client.start, last));
            }
            groups.push(table);
            index += run.max(1);
        }
        groups.into_iter().collect()
    }

    /// How many clients from this one on are `group-1`, `group-2`, .. and do the same.
    fn run(&self, first: usize) -> usize {
        let clients = &self.scenario.clients;
        let body = |index: usize| written(&self.client(index, index - first)).to_string();
        let group = &clients[first].group;
        let said = body(first);
        let mut run = clients[first..]
            .iter()
            .enumerate()
            .take_while(|(offset, client)| {
                client.group == *group
                    && client.name == format!("{group}-{}", offset + 1)
                    && body(first + offset) == said
            })
            .count();
        while run > 0 {
            let range = (clients[first].start, clients[first + run - 1].start);
            let count = u32::try_from(run).unwrap_or(u32::MAX);
            let even = (0..count).zip(&clients[first..]).all(|(index, client)| {
                range.0 <= range.1 && client.start == spread(range, index, count)
            });
            if even {
                break;
            }
            // Why: halving finds an even part soon enough; what is left over is written singly.
            run /= 2;
        }
        run
    }

    /// What a client does, relative to its own address and its place in its group.
    fn client(&self, index: usize, place: usize) -> Client {
        let client: &ClientSpec = &self.scenario.clients[index];
        let own = client_instance(u32::try_from(index).unwrap_or(u32::MAX));
        let mut table = Client::default();
        let mut spread = self.all_nodes();
        let first = place % spread.len().max(1);
        spread.rotate_left(first);
        if client.servers != spread {
            let names = client
                .servers
                .iter()
                .map(|node| self.scenario.host_name(*node));
            let names = Names(names.map(str::to_owned).collect());
            table.connect = Slot::said(Connect::Hosts(names));
        }
        if !client.register.is_empty() {
            let entry = |(key, said): &(ServiceKey, Instance)| {
                let mut entry = instance(said, &own);
                entry.service = Slot::said(Some(Service(key.clone())));
                Registered(entry)
            };
            table.register = Slot::said(client.register.iter().map(entry).collect());
        }
        if !client.batch.is_empty() {
            let entry = |(key, said): &(ServiceKey, Vec<Instance>)| Batch {
                service: Slot::said(Some(Service(key.clone()))),
                instances: Slot::said(Some(instances(said, &own))),
            };
            table.batch = Slot::said(Batches(client.batch.iter().map(entry).collect()));
        }
        if !client.subscribe.is_empty() {
            let services = client.subscribe.iter().cloned().map(Service);
            table.subscribe = Slot::said(services.collect());
        }
        if let Some(churn) = &client.churn {
            table.churn = Slot::said(Some(tables::Churn {
                every: Slot::said(Some(churn.every)),
                from: Slot::said(churn.from),
                until: Slot::said(Some(churn.until)),
            }));
        }
        table
    }

    /// A list of hosts as TOML.
    fn hosts(&self, hosts: &[HostId]) -> String {
        self.names(hosts).write().to_string()
    }

    /// A list of hosts, by the shortest name that means the same.
    fn names(&self, hosts: &[HostId]) -> Names {
        let scenario = self.scenario;
        let (nodes, all) = (scenario.nodes.len(), scenario.hosts());
        let is = |low: usize, high: usize| hosts.iter().copied().eq((low..high).map(host));
        if let [one] = hosts {
            return Names::one(scenario.host_name(*one));
        }
        if hosts.is_empty() {
            return Names(List::default());
        }
        for (name, low, high) in [
            ("nodes", 0, nodes),
            ("clients", nodes, all),
            ("all", 0, all),
        ] {
            if is(low, high) {
                return Names::one(name);
            }
        }
        let group = scenario
            .client(hosts[0])
            .map(|client| &scenario.clients[client].group);
        if let Some(group) = group {
            let members =
                (nodes..all).filter(|index| scenario.clients[*index - nodes].group == *group);
            if hosts.iter().copied().eq(members.map(host)) {
                return Names::one(group);
            }
        }
        let names = hosts
            .iter()
            .map(|host| scenario.host_name(*host).to_owned());
        Names(names.collect())
    }
}

fn host(index: usize) -> HostId {
    HostId(u32::try_from(index).expect("a scenario has fewer hosts than that"))
}

fn counts(map: &BTreeMap<Str, u32>) -> Map<String, Count> {
    let pairs = map.iter();
    pairs
        .map(|(who, count)| (who.to_string(), Whole(*count)))
        .collect()
}

fn limits(limits: &ConnectionLimits) -> Limits {
    let count =
        |count: Option<u32>| count.map_or_else(Slot::default, |n| Slot::said(Some(Whole(n))));
    let mut table = Limits {
        total: count(limits.total),
        per_ip_default: count(limits.per_ip_default),
        ..Limits::default()
    };
    if !limits.per_ip.is_empty() {
        table.per_ip = Slot::said(counts(&limits.per_ip));
    }
    if !limits.per_app.is_empty() {
        table.per_app = Slot::said(counts(&limits.per_app));
    }
    table
}

fn instances(list_of: &[Instance], own: &Instance) -> Instances {
    let counted = |offset: i32| {
        let mut usual = own.clone();
        usual.port = i32::from(INSTANCE_PORT).saturating_add(offset);
        usual
    };
    if (0..)
        .zip(list_of)
        .all(|(offset, said)| *said == counted(offset))
    {
        return Instances::Count(u32::try_from(list_of.len()).unwrap_or(u32::MAX));
    }
    let each = (0..).zip(list_of);
    let each = each.map(|(offset, said)| Unnamed(instance(said, &counted(offset))));
    Instances::Each(each.collect())
}

/// Where an instance differs from what the client would publish by itself.
fn instance(said: &Instance, own: &Instance) -> tables::Instance {
    let mut table = tables::Instance::default();
    if said.ip != own.ip {
        table.ip = Slot::said(Some(said.ip.to_string()));
    }
    if said.port != own.port {
        table.port = Slot::said(Whole(said.port));
    }
    if said.weight != own.weight {
        table.weight = Slot::said(Heavy(said.weight));
    }
    for (slot, value, usual) in [
        (&mut table.healthy, said.healthy, own.healthy),
        (&mut table.enabled, said.enabled, own.enabled),
        (&mut table.ephemeral, said.ephemeral, own.ephemeral),
    ] {
        if value != usual {
            *slot = Slot::said(value);
        }
    }
    if said.cluster_name != own.cluster_name {
        table.cluster = Slot::said(said.cluster_name.to_string());
    }
    if !said.metadata.is_empty() {
        let pairs = said.metadata.iter();
        let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
        table.metadata = Slot::said(Some(pairs.collect()));
    }
    let text = |text: &Str| Slot::said(Some(text.to_string()));
    table.instance_id = said.instance_id.as_ref().map_or_else(Slot::default, text);
    table.service_name = said.service_name.as_ref().map_or_else(Slot::default, text);
    table
}
