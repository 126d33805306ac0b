//! The vocabulary of timelines and values: the parser accepts exactly these keys, and the printed
//! reference is made from them. The other tables are in [`tables`](super::tables).

mod json;
mod reference;
pub(super) mod timeline;

use distro_node::text::table::Section;
pub use json::{entry_schema, json_schema};
pub use reference::{markdown, reference};

pub use timeline::{CALLS, FAULTS, OPERATIONS, TIMELINE};

/// The kinds of values that keys take, in words.
pub const VALUES: &[(&str, &str)] = &[
    (
        "time",
        "a number and a unit: \"30s\", \"500ms\", \"1.5s\", \"2m\"; units are us, ms, s, m, h",
    ),
    (
        "time or range",
        "a time, or two with `..` between: \"1ms..5ms\"",
    ),
    ("share", "\"5%\", \"0.01%\"; four decimals at most"),
    ("count", "a whole number"),
    (
        "size",
        "bytes as a number, or \"64KiB\", \"1MiB\"; units are B, KiB, MiB, GiB, kB, MB, GB",
    ),
    (
        "hosts",
        "a host, a client group (\"web\" is all of web-1, web-2, ..), \"nodes\", \"clients\", \
         \"all\", or a list of them; in a path also \"others\": all hosts that its other side \
         does not name",
    ),
    (
        "service",
        "\"orders\", \"GROUP@@orders\", \"namespace@@GROUP@@orders\", or a table with namespace, \
         group and name",
    ),
    (
        "profile",
        "a release, then quirks to add or take away: \"nacos-2.3 - ages-on-wall-clock\"",
    ),
    (
        "list of instances",
        "a list of services and instance tables: [\"orders\", { service = \"pay\", port = 9 }]",
    ),
    ("text", "text in quotes"),
];

/// Every check that judges a run, for `expect-fails`.
pub const CHECKS: &[(&str, &str)] = &[
    (
        "S1",
        "single writer: only the owner's messages change a record",
    ),
    (
        "S2",
        "no resurrection: what was deleted does not come back by an older message",
    ),
    (
        "S3",
        "revision discipline: revisions never fall, equal revisions have equal content",
    ),
    (
        "S4",
        "no false removal: a live client's record is never removed",
    ),
    (
        "S5",
        "index is projection: the service index is derived from the client table",
    ),
    (
        "S6",
        "read is table: an answer equals the table at a moment just past",
    ),
    ("S7", "uniqueness: an instance appears once in a list"),
    (
        "S8",
        "truthful acknowledgement: success means that it was applied",
    ),
    (
        "S9",
        "not ready means silent: no answers, pushes or deletes before the load",
    ),
    (
        "S10",
        "last intent wins: the final state is the application's last call",
    ),
    ("S11", "push order: a subscriber never sees a list go back"),
    ("S12", "identity: connection ids are never reused"),
    ("S13", "bounded state: tables return to what they were"),
    (
        "S14",
        "blast radius: a node's fault removes only its own records elsewhere",
    ),
    ("S15", "wall-clock independence: wall jumps change no table"),
    (
        "S16",
        "work bound: messages per verify interval stay within what is needed",
    ),
    ("S17", "no head-of-line: a dead target delays no other"),
    ("L1", "convergence: all tables equal once links are good"),
    ("L2", "change visible on peer"),
    ("L3", "live client registered again after its node was lost"),
    ("L4", "dead client gone at its owner"),
    ("L5", "dead client gone at replicas"),
    ("L6", "subscriber told"),
    ("L7", "node ready after restart"),
    ("L10", "overload drained"),
    ("L11", "membership noticed"),
    ("L12", "guards end"),
];

/// The names of these sections.
pub(super) fn names(sections: &[Section]) -> impl Iterator<Item = &'static str> + Clone {
    sections.iter().map(|section| section.title)
}
