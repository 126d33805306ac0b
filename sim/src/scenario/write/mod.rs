//! From the model back to a file that parses to an equal model.

mod timeline;
pub(super) mod toml_text;

use distro_core::config::ConnectionLimits;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::carrier::Carrier;

use super::address::{INSTANCE_PORT, client_instance};
use super::model::{Action, ClientSpec, HostId, Scenario};
use super::read::spread;
use super::value::{period_range_text, period_text, profile_text, rate_text, service_text};
use toml_text::{Table, key, list, quoted};

/// The scenario as a file. It parses to an equal scenario, except for the line numbers, as long
/// as the scenario is one that a file can say: see [`impossible`](super::impossible).
pub fn write(scenario: &Scenario) -> String {
    let writer = Writer { scenario };
    let mut out = writer.head();
    writer.nodes(&mut out);
    writer.clients(&mut out);
    for action in &scenario.timeline {
        out.push_str("\n[[timeline]]\n");
        writer.action(action).push_to(&mut out);
    }
    for expected in &scenario.expect.lists {
        out.push_str("\n[[expect]]\n");
        let mut table = Table::default();
        table.put("at", quoted(&period_text(expected.at)));
        table.put("nodes", writer.hosts(&expected.nodes));
        table.put("service", service(&expected.service));
        table.put("instances", expected.instances.to_string());
        table.push_to(&mut out);
    }
    if !scenario.expect.fails.is_empty() {
        out.push_str("\n[expect-fails]\n");
        for (profile, checks) in &scenario.expect.fails {
            let named: Vec<String> = checks.iter().map(|check| quoted(check)).collect();
            let named = match named.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            out.push_str(&format!("{} = {named}\n", key(profile)));
        }
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
    fn head(&self) -> String {
        let scenario = self.scenario;
        let mut table = Table::default();
        table.put("about", toml_text::paragraph(&scenario.about));
        table.put("duration", quoted(&period_text(scenario.duration)));
        table.put("seed", scenario.seed.to_string());
        let worlds = scenario.worlds.iter().map(|world| quoted(world.name()));
        table.put("worlds", list(worlds));
        if scenario.time_scale != 1 {
            table.put("time-scale", scenario.time_scale.to_string());
        }
        if self.nodes_are_counted() {
            table.put("nodes", scenario.nodes.len().to_string());
        }
        if self.profile() != Profile::DISTRO {
            table.put("profile", quoted(&profile_text(self.profile())));
        }
        if scenario.carrier != Carrier::default() {
            table.put("carrier", quoted(scenario.carrier.name()));
        }
        table.put("message-bytes-max", scenario.message_bytes_max.to_string());
        if !scenario.expect.reached.is_empty() {
            table.put(
                "expect-reached",
                list(scenario.expect.reached.iter().map(|m| quoted(m))),
            );
        }
        let mut out = String::new();
        table.push_to(&mut out);
        let link = &scenario.link;
        let latency = period_range_text(link.latency_min, link.latency_max);
        out.push_str(&format!("\n[link]\nlatency = {}\n", quoted(&latency)));
        out.push_str(&format!(
            "loss = {}\n",
            quoted(&rate_text(link.loss_per_million))
        ));
        if scenario.limits != ConnectionLimits::default() {
            out.push_str("\n[limits]\n");
            limits(&scenario.limits).push_to(&mut out);
        }
        if !scenario.timing.is_empty() {
            out.push_str("\n[timing]\n");
        }
        for (name, period) in &scenario.timing {
            out.push_str(&format!(
                "{} = {}\n",
                key(name),
                quoted(&period_text(*period))
            ));
        }
        out
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

    fn nodes_are_counted(&self) -> bool {
        let (members, profile) = (self.all_nodes(), self.profile());
        (1..).zip(&self.scenario.nodes).all(|(number, node)| {
            node.name == format!("n{number}")
                && node.profile == profile
                && node.members == members
                && node.start == Period::ZERO
        })
    }

    fn nodes(&self, out: &mut String) {
        if self.nodes_are_counted() {
            return;
        }
        for node in &self.scenario.nodes {
            let mut table = Table::default();
            table.put("name", quoted(&node.name));
            if node.profile != self.profile() {
                table.put("profile", quoted(&profile_text(node.profile)));
            }
            if node.members != self.all_nodes() {
                table.put("members", self.hosts(&node.members));
            }
            if node.start != Period::ZERO {
                table.put("start", quoted(&period_text(node.start)));
            }
            out.push_str("\n[[nodes]]\n");
            table.push_to(out);
        }
    }

    /// Clients, as groups again where that says the same.
    fn clients(&self, out: &mut String) {
        let clients = &self.scenario.clients;
        let mut index = 0;
        while index < clients.len() {
            let client = &clients[index];
            let run = self.run(index);
            let mut table = Table::default();
            if run == 0 {
                table.put("name", quoted(&client.name));
                if client.group != client.name {
                    table.put("group", quoted(&client.group));
                }
                table.put("start", quoted(&period_text(client.start)));
            } else {
                let last = clients[index + run - 1].start;
                table.put("name", quoted(&client.group));
                table.put("count", run.to_string());
                table.put("start", quoted(&period_range_text(client.start, last)));
            }
            self.client(index, 0, &mut table);
            out.push_str("\n[[clients]]\n");
            table.push_to(out);
            index += run.max(1);
        }
    }

    /// How many clients from this one on are `group-1`, `group-2`, .. and do the same.
    fn run(&self, first: usize) -> usize {
        let clients = &self.scenario.clients;
        let body = |index: usize| {
            let mut table = Table::default();
            self.client(index, index - first, &mut table);
            table
        };
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
    fn client(&self, index: usize, place: usize, table: &mut Table) {
        let client: &ClientSpec = &self.scenario.clients[index];
        let own = client_instance(u32::try_from(index).unwrap_or(u32::MAX));
        let mut spread = self.all_nodes();
        let first = place % spread.len().max(1);
        spread.rotate_left(first);
        if client.servers != spread {
            let names = client
                .servers
                .iter()
                .map(|node| quoted(self.scenario.host_name(*node)));
            table.put("connect", list(names));
        }
        if !client.register.is_empty() {
            let entries = client.register.iter().map(|(key, said)| {
                if *said == own {
                    return service(key);
                }
                let mut entry = Table::default();
                entry.put("service", service(key));
                instance(said, &own, &mut entry);
                entry.inline()
            });
            table.put("register", list(entries));
        }
        if !client.batch.is_empty() {
            let entries = client.batch.iter().map(|(key, said)| {
                let mut entry = Table::default();
                entry.put("service", service(key));
                entry.put("instances", instances(said, &own));
                entry.inline()
            });
            table.put("batch", list(entries));
        }
        if !client.subscribe.is_empty() {
            table.put("subscribe", list(client.subscribe.iter().map(service)));
        }
        if let Some(churn) = &client.churn {
            let mut entry = Table::default();
            entry.put("every", quoted(&period_text(churn.every)));
            entry.put("from", quoted(&period_text(churn.from)));
            entry.put("until", quoted(&period_text(churn.until)));
            table.put("churn", entry.inline());
        }
    }

    /// A list of hosts, by the shortest name that means the same.
    fn hosts(&self, hosts: &[HostId]) -> String {
        let scenario = self.scenario;
        let (nodes, all) = (scenario.nodes.len(), scenario.hosts());
        let is = |low: usize, high: usize| hosts.iter().copied().eq((low..high).map(host));
        if let [one] = hosts {
            return quoted(scenario.host_name(*one));
        }
        if hosts.is_empty() {
            return list(std::iter::empty());
        }
        for (name, low, high) in [
            ("nodes", 0, nodes),
            ("clients", nodes, all),
            ("all", 0, all),
        ] {
            if is(low, high) {
                return quoted(name);
            }
        }
        let group = scenario
            .client(hosts[0])
            .map(|client| &scenario.clients[client].group);
        if let Some(group) = group {
            let members =
                (nodes..all).filter(|index| scenario.clients[*index - nodes].group == *group);
            if hosts.iter().copied().eq(members.map(host)) {
                return quoted(group);
            }
        }
        list(hosts.iter().map(|host| quoted(scenario.host_name(*host))))
    }
}

fn host(index: usize) -> HostId {
    HostId(u32::try_from(index).expect("a scenario has fewer hosts than that"))
}

fn service(named: &ServiceKey) -> String {
    if let Some(text) = service_text(named) {
        return quoted(&text);
    }
    let mut table = Table::default();
    table.put("namespace", quoted(&named.namespace));
    table.put("group", quoted(&named.group));
    table.put("name", quoted(&named.name));
    table.inline()
}

fn limits(limits: &ConnectionLimits) -> Table {
    let mut table = Table::default();
    if let Some(total) = limits.total {
        table.put("total", total.to_string());
    }
    if let Some(each) = limits.per_ip_default {
        table.put("per-ip-default", each.to_string());
    }
    for (name, rules) in [("per-ip", &limits.per_ip), ("per-app", &limits.per_app)] {
        if rules.is_empty() {
            continue;
        }
        let mut entry = Table::default();
        for (who, count) in rules {
            entry.put(&key(who), count.to_string());
        }
        table.put(name, entry.inline());
    }
    table
}

fn instances(list_of: &[Instance], own: &Instance) -> String {
    let counted = |offset: i32| {
        let mut usual = own.clone();
        usual.port = i32::from(INSTANCE_PORT).saturating_add(offset);
        usual
    };
    if (0..)
        .zip(list_of)
        .all(|(offset, said)| *said == counted(offset))
    {
        return list_of.len().to_string();
    }
    list((0..).zip(list_of).map(|(offset, said)| {
        let mut table = Table::default();
        instance(said, &counted(offset), &mut table);
        table.inline()
    }))
}

/// Where an instance differs from what the client would publish by itself.
fn instance(said: &Instance, own: &Instance, table: &mut Table) {
    if said.ip != own.ip {
        table.put("ip", quoted(&said.ip));
    }
    if said.port != own.port {
        table.put("port", said.port.to_string());
    }
    if said.weight != own.weight {
        table.put("weight", format!("{:?}", said.weight.0));
    }
    for (name, value, usual) in [
        ("healthy", said.healthy, own.healthy),
        ("enabled", said.enabled, own.enabled),
        ("ephemeral", said.ephemeral, own.ephemeral),
    ] {
        if value != usual {
            table.put(name, value.to_string());
        }
    }
    if said.cluster_name != own.cluster_name {
        table.put("cluster", quoted(&said.cluster_name));
    }
    if !said.metadata.is_empty() {
        let mut pairs = Table::default();
        for (name, value) in said.metadata.iter() {
            pairs.put(&key(name), quoted(value));
        }
        table.put("metadata", pairs.inline());
    }
    if let Some(id) = &said.instance_id {
        table.put("instance-id", quoted(id));
    }
    if let Some(name) = &said.service_name {
        table.put("service-name", quoted(name));
    }
}
