//! What the timeline knows: faults, calls, operations.

use super::super::fault::SECTIONS;
use super::{COUNT, HOST, HOSTS, Key, SERVICE, Section, TEXT, TIME, key};

/// What every entry of the timeline has.
pub const TIMELINE: Section = Section {
    name: "[[timeline]]",
    about: "Something that happens: exactly one of fault, call and operate, and its own keys.",
    keys: &[
        key("at", TIME, "required", "When."),
        key(
            "every",
            TIME,
            "once",
            "Repeat after this long; needs times.",
        ),
        key("times", COUNT, "once", "How often in all; needs every."),
        key(
            "fault",
            TEXT,
            "one of three",
            "A fault begins; its kinds are below.",
        ),
        key(
            "call",
            TEXT,
            "one of three",
            "A client's application calls; its kinds are below.",
        ),
        key(
            "operate",
            TEXT,
            "one of three",
            "An operator acts; the kinds are below.",
        ),
    ],
};

pub(in crate::scenario) const FOR: Key = key("for", TIME, "until the end", "How long it lasts.");
pub(in crate::scenario) const DOWN_FOR: Key = key(
    "for",
    TIME,
    "until restarted",
    "How long it stays down; then its process starts again.",
);
pub(in crate::scenario) const BETWEEN: Key = key(
    "between",
    "list of hosts",
    "see below",
    "Both directions between these.",
);
pub(in crate::scenario) const FROM: Key = key("from", HOSTS, "\"others\"", "Only from these ..");
pub(in crate::scenario) const TO: Key = key("to", HOSTS, "\"others\"", ".. to these.");
pub(in crate::scenario) const KINDS: Key = key(
    "kinds",
    "list of message kinds",
    "all",
    "Only messages of these kinds.",
);
pub(in crate::scenario) const ONLY: Key = key(
    "only",
    "\"requests\", \"responses\"",
    "both",
    "Only one of the two.",
);
pub(in crate::scenario) const AFFECTED: Key = key("hosts", HOSTS, "required", "Which hosts.");

/// Every fault. Paths left out mean everywhere, except where a fault needs one.
pub const FAULTS: &[Section] = &SECTIONS;

const CALLER: Key = key(
    "client",
    HOSTS,
    "required",
    "Whose application; a group: all of them.",
);
const WHICH: Key = key("service", SERVICE, "required", "Which service.");

/// Every call of an application.
pub const CALLS: &[Section] = &[
    Section {
        name: "register",
        about: "Publish one instance; takes the keys of an instance.",
        keys: &[CALLER, WHICH],
    },
    Section {
        name: "batch",
        about: "Publish a list.",
        keys: &[
            CALLER,
            WHICH,
            key(
                "instances",
                "count or list of instances",
                "required",
                "The list; may be empty.",
            ),
        ],
    },
    Section {
        name: "deregister",
        about: "Withdraw whatever the client publishes for the service.",
        keys: &[CALLER, WHICH],
    },
    Section {
        name: "subscribe",
        about: "Keep the service's list up to date from now on.",
        keys: &[CALLER, WHICH],
    },
    Section {
        name: "unsubscribe",
        about: "Stop that.",
        keys: &[CALLER, WHICH],
    },
    Section {
        name: "query",
        about: "Ask for the list once.",
        keys: &[CALLER, WHICH],
    },
];

const OPERATED: Key = key(
    "node",
    HOSTS,
    "required",
    "Which node; several: each of them.",
);

/// Everything an operator does.
pub const OPERATIONS: &[Section] = &[
    Section {
        name: "set-limits",
        about: "Replace the connection limits.",
        keys: &[
            OPERATED,
            key("limits", "table as [limits]", "required", "The new ones."),
        ],
    },
    Section {
        name: "rebalance",
        about: "Keep some client connections and send the others away.",
        keys: &[
            OPERATED,
            key("keep", COUNT, "required", "How many may stay."),
            key(
                "redirect",
                HOST,
                "next in their lists",
                "The node where the others go.",
            ),
        ],
    },
    Section {
        name: "set-members",
        about: "Replace the node's member list.",
        keys: &[
            OPERATED,
            key("members", HOSTS, "required", "The new list; may be empty."),
        ],
    },
];
