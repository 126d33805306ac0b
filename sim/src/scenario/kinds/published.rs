//! Services, instances and nodes.

use distro_core::ids::Str;
use distro_core::message::naming::{ServiceKey, Weight};
use distro_node::text::collect::List;
use distro_node::text::found::{Found, Value, number};
use distro_node::text::kind::{Kind, Toml, Whole};
use distro_node::text::slot::{AnySlot, Place, Slot};
use distro_node::text::table::{Key, Section, Table, read_value, written};
use distro_node::text::value::SERVICE_PATTERN;
use serde_json::{Value as Json, json};

use super::super::schema::entry_schema;
use super::super::tables::{Batch, Instance, NodeTable, ServiceTable};
use super::super::value;

/// Most instances of one list: their ports count up and must stay ports.
pub const BATCH_MAX: i64 = 50_000;
/// Most nodes of a scenario.
pub const NODES_MAX: u32 = 250;

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service(pub ServiceKey);

impl Kind for Service {
    fn takes() -> String {
        "service".to_owned()
    }

    fn right() -> String {
        "a service's name in quotes".to_owned()
    }

    fn read(found: &mut Found, _: &str, value: &Value<'_>) -> Option<Service> {
        if let Some(text) = value.get_ref().as_str() {
            return found.take(value.span(), value::service(text)).map(Service);
        }
        if !value.get_ref().is_table() {
            found.wrong_type("service", value, &Service::right());
            return None;
        }
        let table: ServiceTable = read_value(found, value)?;
        Some(Service(ServiceKey {
            namespace: Str::from(table.namespace.as_str()),
            group: Str::from(table.group.as_str()),
            name: Str::from(table.name.value?),
        }))
    }

    fn write(&self) -> Toml {
        if let Some(text) = value::service_text(&self.0) {
            return text.into();
        }
        let table = ServiceTable {
            namespace: Slot::said(self.0.namespace.to_string()),
            group: Slot::said(self.0.group.to_string()),
            name: Slot::said(Some(self.0.name.to_string())),
        };
        table.write()
    }

    fn schema() -> Json {
        let text = json!({ "type": "string", "pattern": SERVICE_PATTERN });
        json!({ "anyOf": [text, ServiceTable::schema()] })
    }
}

/// A load-balancing weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heavy(pub Weight);

impl Kind for Heavy {
    fn takes() -> String {
        "number".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Heavy> {
        let weight = number(value).and_then(|number| number.parse().ok());
        if weight.is_none() {
            found.wrong_type(what, value, "a number, such as 1.0");
        }
        weight.map(|weight| Heavy(Weight(weight)))
    }

    fn write(&self) -> Toml {
        self.0.0.into()
    }

    fn schema() -> Json {
        json!({ "type": "number" })
    }
}

/// One node where nodes are listed.
#[derive(Debug, Clone)]
pub enum Node {
    /// Its name says all.
    Name(String),
    /// More than that.
    Table(NodeTable),
}

impl Kind for Node {
    fn takes() -> String {
        "names, or [[nodes]]".to_owned()
    }

    fn read(found: &mut Found, _: &str, value: &Value<'_>) -> Option<Node> {
        match value.get_ref().as_str() {
            Some(name) => Some(Node::Name(name.to_owned())),
            None => read_value(found, value).map(Node::Table),
        }
    }

    fn write(&self) -> Toml {
        match self {
            Node::Name(name) => name.write(),
            Node::Table(table) => table.write(),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "string" }, NodeTable::schema()] })
    }
}

/// A number of things that are all alike, or each of them.
#[derive(Debug, Clone)]
pub enum Several<T, const LOW: i64, const HIGH: i64> {
    /// So many.
    Count(u32),
    /// These.
    Each(List<T>),
}

/// The nodes.
pub type Nodes = Several<Node, 1, { NODES_MAX as i64 }>;
/// The instances of one list.
pub type Instances = Several<Unnamed, 0, BATCH_MAX>;

impl<T: Kind, const LOW: i64, const HIGH: i64> Kind for Several<T, LOW, HIGH> {
    fn takes() -> String {
        format!("count or list of {}", T::takes())
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Self> {
        if value.get_ref().is_integer() {
            let count = Whole::<u32, LOW, HIGH>::read(found, what, value)?;
            return Some(Several::Count(count.0));
        }
        if !value.get_ref().is_array() {
            found.wrong_type(what, value, &format!("a {}", Self::takes()));
            return None;
        }
        List::read(found, what, value).map(Several::Each)
    }

    fn write(&self) -> Toml {
        match self {
            Several::Count(count) => i64::from(*count).into(),
            Several::Each(list) => list.write(),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [Whole::<u32, LOW, HIGH>::schema(), List::<T>::schema()] })
    }
}

/// An instance of a list that names the service for all.
#[derive(Debug, Clone, Default)]
pub struct Unnamed(pub Instance);

impl Table for Unnamed {
    fn section(&self) -> Section {
        Section {
            keys: Unnamed::keys,
            ..Instance::SECTION
        }
    }

    fn slots(&self) -> Vec<&dyn AnySlot> {
        self.0.slots().into_iter().skip(1).collect()
    }

    fn slots_mut(&mut self) -> Vec<&mut dyn AnySlot> {
        self.0.slots_mut().into_iter().skip(1).collect()
    }
}

impl Unnamed {
    /// Those of an instance but the first, its service.
    pub fn keys() -> Vec<Key> {
        (Instance::SECTION.keys)().split_off(1)
    }
}

impl Kind for Unnamed {
    fn takes() -> String {
        "instances".to_owned()
    }

    fn read(found: &mut Found, _: &str, value: &Value<'_>) -> Option<Unnamed> {
        read_value(found, value)
    }

    fn write(&self) -> Toml {
        Toml::InlineTable(written(self))
    }

    fn schema() -> Json {
        Unnamed::default().section().schema()
    }
}

/// One thing that a client registers.
#[derive(Debug, Clone)]
pub struct Registered(pub Instance);

impl Kind for Registered {
    fn takes() -> String {
        "instances".to_owned()
    }

    fn right() -> String {
        "a service, such as \"orders\", or an instance table".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Registered> {
        if value.get_ref().is_table() {
            return read_value(found, value).map(Registered);
        }
        let service = Service::read(found, what, value)?;
        Some(Registered(Instance {
            service: Slot::said(Some(service)),
            ..Instance::default()
        }))
    }

    fn write(&self) -> Toml {
        let mut table = written(&self.0);
        match (table.len(), &*self.0.service) {
            (1, Some(service)) => service.write(),
            _ => Toml::InlineTable(std::mem::take(&mut table)),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [
            { "type": "string", "pattern": SERVICE_PATTERN },
            Instance::schema(),
            ServiceTable::schema(),
        ] })
    }
}

/// What a client batch-registers.
#[derive(Debug, Clone, Default)]
pub struct Batches(pub List<Batch>);

impl Kind for Batches {
    fn takes() -> String {
        "{ service = count } or list".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Batches> {
        let Some(table) = value.get_ref().as_table() else {
            if !value.get_ref().is_array() {
                let right = "a table such as { orders = 3 }, or a list of tables";
                found.wrong_type(what, value, right);
                return None;
            }
            return List::read(found, what, value).map(Batches);
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut list = Vec::new();
        for (name, value) in entries {
            let service = found.take(name.span(), value::service(name.get_ref()));
            let mut batch = Batch {
                service: Slot::said(service.map(Service)),
                ..Batch::default()
            };
            batch.instances.read(found, "instances", value);
            let mut slot = Slot::said(Some(batch));
            slot.place = Some(Place {
                text: found.text,
                span: name.span(),
            });
            list.push(slot);
        }
        Some(Batches(List(list)))
    }

    fn write(&self) -> Toml {
        self.0.write()
    }

    fn schema() -> Json {
        let named = json!({
            "type": "object",
            "propertyNames": { "pattern": SERVICE_PATTERN },
            "additionalProperties": Instances::schema(),
        });
        json!({ "anyOf": [named, List::<Batch>::schema()] })
    }
}

/// The entries of the timeline, which are read with the hosts that they name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entries;

impl Kind for Entries {
    fn takes() -> String {
        "[[timeline]]".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Entries> {
        if !value.get_ref().is_array() {
            found.wrong_type(what, value, "[[timeline]] tables");
            return None;
        }
        Some(Entries)
    }

    fn write(&self) -> Toml {
        Toml::Array(toml_edit::Array::new())
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": entry_schema() })
    }
}
