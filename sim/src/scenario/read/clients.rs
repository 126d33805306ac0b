//! `[[clients]]`: groups, expanded to one specification per client.

use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::time::Period;

use super::super::address;
use super::super::fields::{Fields, Found, Value, key_of};
use super::super::hosts::{Hosts, Only};
use super::super::model::{Churn, ClientSpec, HostId};
use super::super::schema::{CHURN, CLIENT};
use super::Reading;
use super::instance::{self, Template};
use super::nodes::name_is_fine;

/// Most clients of a scenario.
const CLIENTS_MAX: u32 = 100_000;
/// Most instances that all clients publish at their start.
const INSTANCES_MAX: u64 = 2_000_000;

/// What all clients of a group have in common.
#[derive(Debug)]
struct Group {
    group: String,
    /// Absent: spread.
    connect: Option<Vec<HostId>>,
    start: (Period, Period),
    register: Vec<(ServiceKey, Template)>,
    batch: Vec<(ServiceKey, Vec<Template>)>,
    subscribe: Vec<ServiceKey>,
    churn: Option<Churn>,
}

/// Reads all groups and adds their clients to the hosts.
pub(super) fn read(
    found: &mut Found,
    reading: &mut Reading<'_>,
    fields: &Fields<'_>,
) -> Vec<ClientSpec> {
    let mut clients = Vec::new();
    let mut instances = 0;
    let Some(value) = fields.get("clients") else {
        return clients;
    };
    let before = found.list.len();
    for element in found.list("clients", value, "[[clients]] tables") {
        if let Some(table) = found.table("[[clients]]", element, CLIENT.keys) {
            group(
                found,
                reading,
                &table,
                element,
                &mut clients,
                &mut instances,
            );
        }
    }
    // Why only without other problems: a name given twice is one already, and would show here too.
    if let Some(name) = reading
        .hosts
        .ambiguous_group()
        .filter(|_| found.list.len() == before)
    {
        found.add(
            value.span(),
            format!("`{name}` is the name of a group and of a host"),
            "a name must say which hosts are meant: choose another one",
        );
    }
    clients
}

fn group(
    found: &mut Found,
    reading: &mut Reading<'_>,
    table: &Fields<'_>,
    element: &Value<'_>,
    clients: &mut Vec<ClientSpec>,
    instances: &mut u64,
) {
    let name = table.required(found, key_of(CLIENT.keys, "name"));
    let Some(name) = name.and_then(|name| Some((found.text("name", name)?, name.span()))) else {
        return;
    };
    let (name, span) = name;
    let usable = name_is_fine(found, span.clone(), name);
    let count = match table.get("count") {
        Some(_) => table.count(found, "count", 1, CLIENTS_MAX).map(Some),
        None => Some(None),
    };
    let common = common(found, reading, table, name);
    let metadata = table
        .get("metadata")
        .and_then(|value| instance::metadata(found, value));
    let (true, Some(count)) = (usable, count) else {
        return;
    };
    let each: usize = common.batch.iter().map(|(_, list)| list.len()).sum();
    let each = u64::try_from(each + common.register.len()).unwrap_or(u64::MAX);
    *instances = instances.saturating_add(each.saturating_mul(u64::from(count.unwrap_or(1))));
    if reading.hosts.clients() + count.unwrap_or(1) > CLIENTS_MAX || *instances > INSTANCES_MAX {
        found.add(
            element.span(),
            "too many clients or instances",
            format!("a scenario has at most {CLIENTS_MAX} clients with {INSTANCES_MAX} instances"),
        );
        return;
    }
    for index in 0..count.unwrap_or(1) {
        let client = reading.hosts.clients();
        let own = match count {
            Some(_) => format!("{name}-{}", index + 1),
            None => name.to_owned(),
        };
        let mut instance = address::client_instance(client);
        instance.metadata = metadata.clone().unwrap_or_default();
        if !reading
            .hosts
            .add_client(&own, &common.group, instance.clone())
        {
            let message = format!("there is a host `{own}` already");
            found.add(span.clone(), message, "choose another name");
        }
        let place = Place {
            client: own,
            index,
            count: count.unwrap_or(1),
        };
        clients.push(common.client(place, &reading.hosts, &instance));
    }
}

/// One client's place in its group.
struct Place {
    client: String,
    index: u32,
    count: u32,
}

impl Group {
    /// The specification of one client.
    fn client(&self, place: Place, hosts: &Hosts, own: &Instance) -> ClientSpec {
        let servers = self.connect.clone().unwrap_or_else(|| {
            let mut nodes = hosts.all_nodes();
            let first = place.index as usize % nodes.len().max(1);
            nodes.rotate_left(first);
            nodes
        });
        let fill = |said: &Template| said.fill(own.clone());
        let register = self.register.iter();
        let batch = self.batch.iter();
        ClientSpec {
            start: spread(self.start, place.index, place.count),
            name: place.client,
            group: self.group.clone(),
            servers,
            register: register
                .map(|(service, said)| (service.clone(), fill(said)))
                .collect(),
            batch: batch
                .map(|(service, list)| (service.clone(), list.iter().map(fill).collect()))
                .collect(),
            subscribe: self.subscribe.clone(),
            churn: self.churn.clone(),
        }
    }
}

/// The moment of one of `count` within a range that is spread evenly, both ends included.
pub(in crate::scenario) fn spread(range: (Period, Period), index: u32, count: u32) -> Period {
    let steps = u64::from(count.saturating_sub(1).max(1));
    let width = range.1.saturating_sub(range.0).0;
    // Why: u128, because a width of years times a hundred thousand clients does not fit 64 bits.
    let offset = u128::from(width) * u128::from(index) / u128::from(steps);
    range.0 + Period(u64::try_from(offset).unwrap_or(width).min(width))
}

fn common(found: &mut Found, reading: &Reading<'_>, table: &Fields<'_>, name: &str) -> Group {
    let group = match table.get("group") {
        Some(value) => match found.text("group", value) {
            Some(text) if name_is_fine(found, value.span(), text) => text,
            Some(_) | None => name,
        },
        None => name,
    };
    let connect = match table.get("connect") {
        Some(value) if value.get_ref().as_str() == Some("spread") => None,
        Some(value) => Some(reading.hosts.some(found, "connect", value, Only::Nodes)),
        None => None,
    };
    let start = table.period_range(found, "start").unwrap_or_default();
    if let Some(value) = table.get("start") {
        reading.inside(found, "the start", value.span(), start.1);
    }
    let register = table
        .get("register")
        .map(|value| instance::register(found, value))
        .unwrap_or_default();
    let batch = table
        .get("batch")
        .map(|value| instance::batch(found, value))
        .unwrap_or_default();
    if let Some(value) = table.get("batch")
        && let Some((service, _)) = batch
            .iter()
            .find(|(key, _)| register.iter().any(|(other, _)| other == key))
    {
        instance::once(found, value, service);
    }
    Group {
        group: group.to_owned(),
        connect,
        start,
        register,
        batch,
        subscribe: subscribe(found, table),
        churn: churn(found, reading, table),
    }
}

fn subscribe(found: &mut Found, table: &Fields<'_>) -> Vec<ServiceKey> {
    let mut services = Vec::new();
    let Some(value) = table.get("subscribe") else {
        return services;
    };
    for element in found.list(
        "subscribe",
        value,
        "a list of services, such as [\"orders\"]",
    ) {
        let Some(service) = instance::service(found, element) else {
            continue;
        };
        if services.contains(&service) {
            let message = format!("`{}` is named for the second time", service.name);
            found.add(element.span(), message, "name each service once");
        }
        services.push(service);
    }
    services
}

fn churn(found: &mut Found, reading: &Reading<'_>, table: &Fields<'_>) -> Option<Churn> {
    let value = table.get("churn")?;
    let table = found.table("churn", value, CHURN.keys)?;
    let every = table.period_required(found, key_of(CHURN.keys, "every"))?;
    if every == Period::ZERO {
        found.add(
            value.span(),
            "`every` is no time at all",
            "write how long between two changes",
        );
    }
    let from = table.period(found, "from").unwrap_or_default();
    let until = table.period(found, "until").unwrap_or(reading.duration);
    for (key, at) in [("from", from), ("until", until)] {
        if let Some(value) = table.get(key) {
            reading.inside(found, "churn", value.span(), at);
        }
    }
    if from > until {
        found.add(
            value.span(),
            "churn ends before it begins",
            "make `from` earlier or `until` later",
        );
    }
    Some(Churn { every, from, until })
}
