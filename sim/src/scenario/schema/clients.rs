//! What `[[clients]]` knows: groups, instances, batches.

use super::{COUNT, RANGE, SERVICE, Section, TEXT, TIME, key};

/// One client or group of clients.
pub const CLIENT: Section = Section {
    name: "[[clients]]",
    about: "A client, or a group of clients that do the same.",
    keys: &[
        key(
            "name",
            TEXT,
            "required",
            "Name of the client; with a count, of the group.",
        ),
        key("count", COUNT, "one client", "How many: name-1, name-2, .."),
        key(
            "group",
            TEXT,
            "the name",
            "Group (and application) the client belongs to.",
        ),
        key(
            "connect",
            "hosts or \"spread\"",
            "\"spread\"",
            "Servers in the order tried. Spread: client i starts at node i, then the others.",
        ),
        key(
            "start",
            RANGE,
            "\"0s\"",
            "When it starts; a range is spread evenly over the group.",
        ),
        key(
            "register",
            "instances",
            "none",
            "What it registers as soon as it starts.",
        ),
        key(
            "batch",
            "{ service = count } or list",
            "none",
            "What it batch-registers: [{ service = \"orders\", instances = 3 }].",
        ),
        key(
            "subscribe",
            "list of services",
            "none",
            "What it subscribes as soon as it starts.",
        ),
        key(
            "churn",
            "table",
            "none",
            "Keeps changing what it publishes.",
        ),
        key(
            "metadata",
            "{ key = text }",
            "none",
            "Metadata of its instances.",
        ),
    ],
};

/// Continuous changes of a client.
pub const CHURN: Section = Section {
    name: "churn = { }",
    about: "Of [[clients]]: keeps changing what it publishes.",
    keys: &[
        key("every", TIME, "required", "Mean time between two changes."),
        key("from", TIME, "\"0s\"", "From when."),
        key("until", TIME, "the run's end", "Until when."),
    ],
};

/// Keys of an instance; also of a call that registers.
pub const INSTANCE: Section = Section {
    name: "instance = { }",
    about: "An instance where its service's name alone does not say enough.",
    keys: &[
        key(
            "service",
            SERVICE,
            "required",
            "Which service; not inside a batch.",
        ),
        key("ip", TEXT, "the client's own", "Its address."),
        key("port", COUNT, "8080", "Its port; in a batch they count up."),
        key("weight", "number", "1.0", "Load-balancing weight."),
        key("healthy", "true or false", "true", "As the client says."),
        key(
            "enabled",
            "true or false",
            "true",
            "A disabled instance is never listed.",
        ),
        key(
            "ephemeral",
            "true or false",
            "true",
            "A persistent one is refused.",
        ),
        key("cluster", TEXT, "\"DEFAULT\"", "Its cluster."),
        key(
            "metadata",
            "{ key = text }",
            "the group's",
            "Free text pairs.",
        ),
        key("instance-id", TEXT, "none", "Usually left to the server."),
        key("service-name", TEXT, "none", "Usually left to the server."),
    ],
};

/// The parts of a service that text cannot express.
pub const SERVICE_TABLE: Section = Section {
    name: "service = { }",
    about: "A service whose names contain `@@` themselves.",
    keys: &[
        key("namespace", TEXT, "\"public\"", "Namespace id."),
        key("group", TEXT, "\"DEFAULT_GROUP\"", "Group name."),
        key("name", TEXT, "required", "Plain name."),
    ],
};

/// One list of a batch.
pub const BATCH: Section = Section {
    name: "batch = [{ }]",
    about: "Of [[clients]]: one list that is registered as a whole.",
    keys: &[
        key("service", SERVICE, "required", "Which service."),
        key(
            "instances",
            "count or list of instances",
            "required",
            "The list; may be empty.",
        ),
    ],
};
