//! The vocabulary of scenario files, once: the parser accepts exactly these keys, and the printed
//! reference is made from them.

mod clients;
mod reference;
pub(super) mod timeline;

pub use clients::{BATCH, CHURN, CLIENT, INSTANCE, SERVICE_TABLE};
pub use reference::reference;
pub use timeline::{CALLS, FAULTS, OPERATIONS, TIMELINE};

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What it is when left out; `required` when it may not be.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
}

pub(super) const fn key(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key {
        name,
        takes,
        default,
        about,
    }
}

/// A table of the file, or one kind of fault, call or operation, with the keys it has.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// As it is written.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

pub(super) const TIME: &str = "time";
const RANGE: &str = "time or range";
pub(super) const SHARE: &str = "share";
pub(super) const COUNT: &str = "count";
pub(super) const SIZE: &str = "size";
pub(super) const HOSTS: &str = "hosts";
const HOST: &str = "host";
const SERVICE: &str = "service";
const TEXT: &str = "text";

/// The kinds of values that keys take, in words.
pub const VALUES: &[(&str, &str)] = &[
    (
        TIME,
        "a number and a unit: \"30s\", \"500ms\", \"1.5s\", \"2m\"; units are us, ms, s, m, h",
    ),
    (RANGE, "a time, or two with `..` between: \"1ms..5ms\""),
    (SHARE, "\"5%\", \"0.01%\"; four decimals at most"),
    (COUNT, "a whole number"),
    (
        SIZE,
        "bytes as a number, or \"64KiB\", \"1MiB\"; units are B, KiB, MiB, GiB, kB, MB, GB",
    ),
    (HOST, "the name of one host: \"n1\", \"web-3\""),
    (
        HOSTS,
        "a host, a client group (\"web\" is all of web-1, web-2, ..), \"nodes\", \"clients\", \
         \"all\", or a list of them; in a path also \"others\": all hosts that its other side \
         does not name",
    ),
    (
        SERVICE,
        "\"orders\", \"GROUP@@orders\", \"namespace@@GROUP@@orders\", or a table with namespace, \
         group and name",
    ),
    (
        "profile",
        "a release, then quirks to add or take away: \"nacos-2.3 - ages-on-wall-clock\"",
    ),
    (
        "instances",
        "a list of services and instance tables: [\"orders\", { service = \"pay\", port = 9 }]",
    ),
    (TEXT, "text in quotes"),
];

/// The top level of a file.
pub const FILE: Section = Section {
    name: "(top level)",
    about: "The run as a whole. These keys come before the first [table].",
    keys: &[
        key(
            "about",
            TEXT,
            "required",
            "One paragraph: what this scenario shows.",
        ),
        key(
            "duration",
            TIME,
            "required",
            "How long it runs, in simulated time.",
        ),
        key(
            "seed",
            COUNT,
            "1",
            "The seed when the command line gives none.",
        ),
        key(
            "worlds",
            "list of \"event\", \"turmoil\", \"tcp\"",
            "all",
            "Where it is meant to run. World tcp takes real time and runs only when asked for.",
        ),
        key(
            "time-scale",
            COUNT,
            "1",
            "In world tcp all times and constants are divided by it, unless --time-scale says else.",
        ),
        key(
            "nodes",
            "count, list of names, or [[nodes]]",
            "required",
            "The servers. A count names them n1, n2, ..",
        ),
        key(
            "profile",
            "profile",
            "\"distro\"",
            "The behaviours of every node that names none.",
        ),
        key(
            "carrier",
            "\"tcp\" or \"grpc\"",
            "\"tcp\"",
            "What clients speak where there are bytes, in worlds turmoil and tcp: our own frames, or Nacos's gRPC.",
        ),
        key(
            "message-bytes-max",
            SIZE,
            "\"10MiB\"",
            "The largest message.",
        ),
        key(
            "link",
            "[link]",
            "see there",
            "The network between any two hosts.",
        ),
        key(
            "timing",
            "[timing]",
            "the profile's",
            "Protocol constants that differ; see there.",
        ),
        key(
            "limits",
            "[limits]",
            "none",
            "Connection limits of every node at start.",
        ),
        key(
            "clients",
            "[[clients]]",
            "none",
            "The clients, one table for each group.",
        ),
        key(
            "timeline",
            "[[timeline]]",
            "none",
            "What happens: faults, calls, operations.",
        ),
        key(
            "expect",
            "[[expect]]",
            "none",
            "Lists that nodes must give at a time.",
        ),
        key(
            "expect-fails",
            "[expect-fails]",
            "none",
            "Profile = the check that must catch it, or a list of checks that all must.",
        ),
        key(
            "expect-reached",
            "list of texts",
            "none",
            "Marks that must be reached.",
        ),
    ],
};

/// One node.
pub const NODE: Section = Section {
    name: "[[nodes]]",
    about: "One server.",
    keys: &[
        key(
            "name",
            TEXT,
            "required",
            "Its name in the file and in traces.",
        ),
        key("profile", "profile", "the file's", "Its behaviours."),
        key(
            "members",
            HOSTS,
            "\"nodes\"",
            "Whom it believes to be members at start.",
        ),
        key("start", TIME, "\"0s\"", "When its process starts."),
    ],
};

/// The network.
pub const LINK: Section = Section {
    name: "[link]",
    about: "The network between any two hosts, each direction for itself.",
    keys: &[
        key(
            "latency",
            RANGE,
            "\"1ms..5ms\"",
            "One-way delay, drawn uniformly per message.",
        ),
        key(
            "loss",
            SHARE,
            "\"0%\"",
            "Requests and responses that vanish.",
        ),
    ],
};

/// Connection limits.
pub const LIMITS: Section = Section {
    name: "[limits]",
    about: "Connection limits of a node; what is left out is unlimited.",
    keys: &[
        key("total", COUNT, "no limit", "All client connections."),
        key(
            "per-ip-default",
            COUNT,
            "no limit",
            "Per client address without a rule of its own.",
        ),
        key(
            "per-ip",
            "{ address = count }",
            "none",
            "Per client address, or name of a client.",
        ),
        key(
            "per-app",
            "{ app = count }",
            "none",
            "Per application name.",
        ),
    ],
};

/// An expected list.
pub const EXPECT: Section = Section {
    name: "[[expect]]",
    about: "A list that nodes must give at a time.",
    keys: &[
        key("at", TIME, "required", "When."),
        key("nodes", HOSTS, "\"nodes\"", "Which nodes."),
        key("service", SERVICE, "required", "Of which service."),
        key("instances", COUNT, "required", "How many instances."),
    ],
};

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

/// Every table of a file, in the order in which the reference shows them.
pub const TABLES: &[Section] = &[
    FILE,
    NODE,
    LINK,
    LIMITS,
    CLIENT,
    INSTANCE,
    BATCH,
    SERVICE_TABLE,
    CHURN,
    TIMELINE,
    EXPECT,
];

/// The names of these sections.
pub(super) fn names(sections: &'static [Section]) -> impl Iterator<Item = &'static str> + Clone {
    sections.iter().map(|section| section.name)
}
