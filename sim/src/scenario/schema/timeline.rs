//! What the timeline knows: faults, calls, operations.

use distro_core::time::Period;
use distro_node::text::collect::List;
use distro_node::text::kind::{Count, OneOf, Whole};
use distro_node::text::table::Usual::{Required, Words};
use distro_node::text::table::{Key, Section, key};

use super::super::fault::SECTIONS;
use super::super::kinds::{Carried, Half, Instances, Names, Service, Sides};
use super::super::tables::Limits;

/// How often an entry happens.
pub(in crate::scenario) type Times = Whole<u32, 1, 10_000>;

/// What every entry of the timeline has.
pub const TIMELINE: Section = Section::new(
    "[[timeline]]",
    "Something that happens: exactly one of fault, call and operate, and its own keys.",
    || {
        vec![
            key::<Period>("at", Required, "When."),
            key::<Period>(
                "every",
                Words("once"),
                "Repeat after this long; needs times.",
            ),
            key::<Times>("times", Words("once"), "How often in all; needs every."),
            key::<String>(
                "fault",
                Words("one of three"),
                "A fault begins; its kinds are below.",
            ),
            key::<String>(
                "call",
                Words("one of three"),
                "A client's application calls; its kinds are below.",
            ),
            key::<String>(
                "operate",
                Words("one of three"),
                "An operator acts; the kinds are below.",
            ),
        ]
    },
);

pub(in crate::scenario) const FOR: Key =
    key::<Period>("for", Words("until the end"), "How long it lasts.");
pub(in crate::scenario) const DOWN_FOR: Key = key::<Period>(
    "for",
    Words("until restarted"),
    "How long it stays down; then its process starts again.",
);
pub(in crate::scenario) const BETWEEN: Key = key::<Sides>(
    "between",
    Words("see below"),
    "Both directions between these.",
);
pub(in crate::scenario) const FROM: Key =
    key::<Names>("from", Words("\"others\""), "Only from these ..");
pub(in crate::scenario) const TO: Key = key::<Names>("to", Words("\"others\""), ".. to these.");
pub(in crate::scenario) const KINDS: Key =
    key::<List<OneOf<Carried>>>("kinds", Words("all"), "Only messages of these kinds.");
pub(in crate::scenario) const ONLY: Key =
    key::<OneOf<Half>>("only", Words("both"), "Only one of the two.");
pub(in crate::scenario) const AFFECTED: Key = key::<Names>("hosts", Required, "Which hosts.");

/// Every fault. Paths left out mean everywhere, except where a fault needs one.
pub const FAULTS: &[Section] = &SECTIONS;

const CALLER: Key = key::<Names>(
    "client",
    Required,
    "Whose application; a group: all of them.",
);
const WHICH: Key = key::<Service>("service", Required, "Which service.");

/// Every call of an application.
pub const CALLS: &[Section] = &[
    Section::new(
        "register",
        "Publish one instance; takes the keys of an instance.",
        || vec![CALLER, WHICH],
    ),
    Section::new("batch", "Publish a list.", || {
        vec![
            CALLER,
            WHICH,
            key::<Instances>("instances", Required, "The list; may be empty."),
        ]
    }),
    Section::new(
        "deregister",
        "Withdraw whatever the client publishes for the service.",
        || vec![CALLER, WHICH],
    ),
    Section::new(
        "subscribe",
        "Keep the service's list up to date from now on.",
        || vec![CALLER, WHICH],
    ),
    Section::new("unsubscribe", "Stop that.", || vec![CALLER, WHICH]),
    Section::new("query", "Ask for the list once.", || vec![CALLER, WHICH]),
];

const OPERATED: Key = key::<Names>("node", Required, "Which node; several: each of them.");

/// Everything an operator does.
pub const OPERATIONS: &[Section] = &[
    Section::new("set-limits", "Replace the connection limits.", || {
        vec![OPERATED, key::<Limits>("limits", Required, "The new ones.")]
    }),
    Section::new(
        "rebalance",
        "Keep some client connections and send the others away.",
        || {
            vec![
                OPERATED,
                key::<Count>("keep", Required, "How many may stay."),
                key::<Names>(
                    "redirect",
                    Words("next in their lists"),
                    "The node where the others go.",
                ),
            ]
        },
    ),
    Section::new("set-members", "Replace the node's member list.", || {
        vec![
            OPERATED,
            key::<Names>("members", Required, "The new list; may be empty."),
        ]
    }),
];
