//! The JSON Schema of scenario files, by which editors complete and check them.

use distro_node::text::reference;
use distro_node::text::table::{Key, Section, Usual};
use serde_json::{Map, Value as Json, json};

use super::super::kinds::Unnamed;
use super::super::tables::File;
use super::{CALLS, FAULTS, OPERATIONS, TIMELINE};

/// The JSON Schema of a scenario file.
pub fn json_schema() -> Json {
    reference::json_schema("A scenario of distro-sim", &File::SECTION)
}

/// One entry of the timeline: what all have, and what its kind has.
pub fn entry_schema() -> Json {
    let kinds = [("fault", FAULTS), ("call", CALLS), ("operate", OPERATIONS)];
    let kinds = kinds.into_iter();
    let entries: Vec<Json> = kinds
        .flat_map(|(kind, sections)| sections.iter().map(move |section| entry(kind, section)))
        .collect();
    json!({ "type": "object", "required": ["at"], "anyOf": entries })
}

fn entry(kind: &str, section: &Section) -> Json {
    let common = (TIMELINE.keys)().into_iter();
    let common = common.filter(|key| !["fault", "call", "operate"].contains(&key.name));
    let mut keys: Vec<Key> = common.chain((section.keys)()).collect();
    if (kind, section.title) == ("call", "register") {
        keys.extend(Unnamed::keys());
    }
    let mut properties: Map<String, Json> = keys.iter().map(Key::property).collect();
    properties.insert(kind.to_owned(), json!({ "const": section.title }));
    let required = keys
        .iter()
        .filter(|key| matches!(key.usual, Usual::Required));
    let mut required: Vec<&str> = required.map(|key| key.name).collect();
    required.push(kind);
    json!({
        "description": section.about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
