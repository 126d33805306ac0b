//! `[[clients]]`: groups, expanded to one specification per client.

use std::ops::Range;

use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::time::Period;
use distro_node::text::collect::List;
use distro_node::text::slot::Slot;

use super::super::address;
use super::super::fields::Found;
use super::super::hosts::{Hosts, Only};
use super::super::kinds::{Connect, Service};
use super::super::model::{Churn, ClientSpec, HostId};
use super::super::tables::{self, CLIENTS_MAX, Client};
use super::Reading;
use super::instance;
use super::nodes::name_is_fine;

/// Most instances that all clients publish at their start.
const INSTANCES_MAX: u64 = 2_000_000;

/// What all clients of a group have in common.
#[derive(Debug)]
struct Group {
    group: String,
    /// Absent: spread.
    connect: Option<Vec<HostId>>,
    start: (Period, Period),
    register: Vec<(ServiceKey, tables::Instance)>,
    batch: Vec<(ServiceKey, Vec<tables::Instance>)>,
    subscribe: Vec<ServiceKey>,
    churn: Option<Churn>,
}

/// The clients read so far, and how many instances they have.
#[derive(Default)]
struct Clients {
    specs: Vec<ClientSpec>,
    instances: u64,
}

/// Reads all groups and adds their clients to the hosts.
pub(super) fn read(
    found: &mut Found,
    reading: &mut Reading<'_>,
    said: &Slot<List<Client>>,
) -> Vec<ClientSpec> {
    let mut clients = Clients::default();
    let before = found.list.len();
    for slot in &said.0 {
        if let Some(client) = &slot.value {
            group(found, reading, client, slot.span(), &mut clients);
        }
    }
    // Why only without other problems: a name given twice is one already, and would show here too.
    if let Some(name) = reading
        .hosts
        .ambiguous_group()
        .filter(|_| found.list.len() == before)
    {
        found.add(
            said.span(),
            format!("`{name}` is the name of a group and of a host"),
            "a name must say which hosts are meant: choose another one",
        );
    }
    clients.specs
}

fn group(
    found: &mut Found,
    reading: &mut Reading<'_>,
    table: &Client,
    place: Range<usize>,
    clients: &mut Clients,
) {
    let Some(name) = &*table.name else { return };
    let span = table.name.span();
    let usable = name_is_fine(found, span.clone(), name);
    let common = common(found, reading, table, name);
    // A count that is there and is none says nothing of how many clients there are.
    let counted = table.count.place.is_none() || table.count.is_some();
    if !usable || !counted {
        return;
    }
    let count = table.count.map_or(1, |count| *count);
    let each: usize = common.batch.iter().map(|(_, list)| list.len()).sum();
    let each = u64::try_from(each + common.register.len()).unwrap_or(u64::MAX);
    let instances = each.saturating_mul(u64::from(count));
    clients.instances = clients.instances.saturating_add(instances);
    if reading.hosts.clients() + count > CLIENTS_MAX || clients.instances > INSTANCES_MAX {
        found.add(
            place,
            "too many clients or instances",
            format!("a scenario has at most {CLIENTS_MAX} clients with {INSTANCES_MAX} instances"),
        );
        return;
    }
    for index in 0..count {
        let client = reading.hosts.clients();
        let own = match *table.count {
            Some(_) => format!("{name}-{}", index + 1),
            None => name.clone(),
        };
        let mut instance = address::client_instance(client);
        instance.metadata = instance::metadata(&table.metadata);
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
            count,
        };
        let spec = common.client(place, &reading.hosts, &instance);
        clients.specs.push(spec);
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
        let fill = |said: &tables::Instance| instance::fill(said, own.clone());
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

fn common(found: &mut Found, reading: &Reading<'_>, table: &Client, name: &str) -> Group {
    let group = match &*table.group {
        Some(group) if name_is_fine(found, table.group.span(), group) => group,
        Some(_) | None => name,
    };
    let connect = match &*table.connect {
        Connect::Spread => None,
        Connect::Hosts(names) => {
            let span = table.connect.span();
            Some(
                reading
                    .hosts
                    .some(found, "connect", span, names, Only::Nodes),
            )
        }
    };
    let start = (table.start.0, table.start.1);
    reading.inside(found, "the start", table.start.span(), start.1);
    let register = instance::register(found, &table.register);
    let batch = instance::batch(found, &table.batch);
    for (service, _) in &batch {
        let before = found.list.len();
        instance::once(found, &register, table.batch.span(), service);
        if found.list.len() > before {
            break;
        }
    }
    Group {
        group: group.to_owned(),
        connect,
        start,
        register,
        batch,
        subscribe: subscribe(found, &table.subscribe),
        churn: table
            .churn
            .as_ref()
            .and_then(|churn_table| churn(found, reading, churn_table, table.churn.span())),
    }
}

fn subscribe(found: &mut Found, said: &List<Service>) -> Vec<ServiceKey> {
    let mut services = Vec::new();
    for slot in &said.0 {
        let Some(Service(service)) = &slot.value else {
            continue;
        };
        if services.contains(service) {
            let message = format!("`{}` is named for the second time", service.name);
            found.add(slot.span(), message, "name each service once");
        }
        services.push(service.clone());
    }
    services
}

fn churn(
    found: &mut Found,
    reading: &Reading<'_>,
    table: &tables::Churn,
    span: Range<usize>,
) -> Option<Churn> {
    let every = (*table.every)?;
    if every == Period::ZERO {
        found.add(
            span.clone(),
            "`every` is no time at all",
            "write how long between two changes",
        );
    }
    let (from, until) = (*table.from, table.until.unwrap_or(reading.duration));
    reading.inside(found, "churn", table.from.span(), from);
    reading.inside(found, "churn", table.until.span(), until);
    if from > until {
        found.add(
            span,
            "churn ends before it begins",
            "make `from` earlier or `until` later",
        );
    }
    Some(Churn { every, from, until })
}
