//! What the timeline knows: faults, calls, operations.

use super::{COUNT, HOST, HOSTS, Key, SERVICE, SHARE, SIZE, Section, TEXT, TIME, key};

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

const FOR: Key = key("for", TIME, "until the end", "How long it lasts.");
const DOWN_FOR: Key = key(
    "for",
    TIME,
    "until restarted",
    "How long it stays down; then its process starts again.",
);
const BETWEEN: Key = key(
    "between",
    "list of hosts",
    "see below",
    "Both directions between these.",
);
const FROM: Key = key("from", HOSTS, "\"others\"", "Only from these ..");
const TO: Key = key("to", HOSTS, "\"others\"", ".. to these.");
const KINDS: Key = key(
    "kinds",
    "list of message kinds",
    "all",
    "Only messages of these kinds.",
);
const ONLY: Key = key(
    "only",
    "\"requests\", \"responses\"",
    "both",
    "Only one of the two.",
);
const AFFECTED: Key = key("hosts", HOSTS, "required", "Which hosts.");

/// Every fault. Paths left out mean everywhere, except where a fault needs one.
pub const FAULTS: &[Section] = &[
    Section {
        name: "partition",
        about: "Nothing crosses while it lasts; like TCP, what was sent arrives afterwards, in \
                order. With kinds, just those messages vanish for good. Needs a path.",
        keys: &[BETWEEN, FROM, TO, KINDS, ONLY, FOR],
    },
    Section {
        name: "loss",
        about: "Messages vanish.",
        keys: &[
            key("rate", SHARE, "required", "How likely, per message."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "drop",
        about: "The next messages vanish.",
        keys: &[
            key("count", COUNT, "1", "How many."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "delay",
        about: "Each message takes longer; order on a connection is kept.",
        keys: &[
            key("by", TIME, "required", "How much longer."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "duplicate",
        about: "Messages arrive twice.",
        keys: &[
            key("rate", SHARE, "required", "How likely, per message."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "reorder",
        about: "Messages may overtake each other.",
        keys: &[
            key("within", TIME, "required", "By at most this much."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "corrupt",
        about: "Messages arrive unreadable.",
        keys: &[
            key("rate", SHARE, "required", "How likely, per message."),
            BETWEEN,
            FROM,
            TO,
            KINDS,
            ONLY,
            FOR,
        ],
    },
    Section {
        name: "reset",
        about: "All connections are reset: both ends notice at once. Needs a path.",
        keys: &[BETWEEN, FROM, TO],
    },
    Section {
        name: "half-open",
        about: "All connections die at the `to` end only; `from` finds out when it next sends. \
                Needs a path.",
        keys: &[BETWEEN, FROM, TO],
    },
    Section {
        name: "dead-stream",
        about: "On the connections that exist now, this direction dies silently for good; new \
                ones work. Needs a path.",
        keys: &[BETWEEN, FROM, TO],
    },
    Section {
        name: "bandwidth",
        about: "Each direction carries only so much; a queue delays, and when it is full the \
                sender is told that the connection is busy.",
        keys: &[
            key("bytes-per-second", SIZE, "required", "Bytes per second."),
            key("queue-bytes", SIZE, "\"1MiB\"", "Bytes that may wait."),
            BETWEEN,
            FROM,
            TO,
            FOR,
        ],
    },
    Section {
        name: "slow",
        about: "A host needs long for each message it receives.",
        keys: &[
            AFFECTED,
            key("per-message", TIME, "required", "How long."),
            FOR,
        ],
    },
    Section {
        name: "pause",
        about: "Stop the world: the host runs nothing; its clocks, sockets and peers go on.",
        keys: &[AFFECTED, FOR],
    },
    Section {
        name: "kill",
        about: "The process dies; its host says FIN on all connections.",
        keys: &[AFFECTED, DOWN_FOR],
    },
    Section {
        name: "power-off",
        about: "The host dies: nobody is told anything.",
        keys: &[AFFECTED, DOWN_FOR],
    },
    Section {
        name: "restart",
        about: "The process starts again with nothing in memory; a running one is killed first.",
        keys: &[
            AFFECTED,
            key(
                "profile",
                "profile",
                "as before",
                "As a different build; nodes only.",
            ),
        ],
    },
    Section {
        name: "rolling-restart",
        about: "Nodes restart one after the other.",
        keys: &[
            key("hosts", HOSTS, "\"nodes\"", "Which, in this order."),
            key("step", TIME, "required", "From one stop to the next."),
            key("down", TIME, "\"1s\"", "How long each is down."),
        ],
    },
    Section {
        name: "wall-jump",
        about: "The wall clock jumps; when it ends, the clock jumps back.",
        keys: &[
            AFFECTED,
            key("by", "time with a sign", "required", "\"+30s\", \"-3m\"."),
            FOR,
        ],
    },
    Section {
        name: "mono-jump",
        about: "The monotonic clock jumps forward: a virtual machine resumed elsewhere.",
        keys: &[AFFECTED, key("by", TIME, "required", "How far.")],
    },
    Section {
        name: "drift",
        about: "Both clocks run fast (positive) or slow (negative).",
        keys: &[
            AFFECTED,
            key("ppm", "whole number", "required", "Parts per million."),
            FOR,
        ],
    },
    Section {
        name: "fail-apply",
        about: "The node's next syncs fail to apply.",
        keys: &[
            key("node", HOSTS, "required", "Which node."),
            key("count", COUNT, "1", "How many syncs."),
        ],
    },
];

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
