//! The tables of scenario files but the kinds of timeline entries, each key said once: the reader,
//! the writer, the printed reference, the docs and the JSON Schema are made from it.

use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::message::naming::{DEFAULT_CLUSTER, DEFAULT_GROUP, DEFAULT_NAMESPACE, Weight};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::carrier::Carrier;
use distro_node::table;
use distro_node::text::collect::{List, Map};
use distro_node::text::kind::{Count, OneOf, Size, Whole};
use distro_node::text::table::Section;
use distro_node::text::times::Times;

use super::address::INSTANCE_PORT;
use super::kinds::{
    Batches, Build, Check, Connect, Entries, Heavy, Instances, Names, Nodes, Range, Rate,
    Registered, Service,
};
use super::model::WorldKind;

/// Where time is real, a machine has to keep up with it.
pub(crate) const TIME_SCALE_MAX: i64 = 100;
/// Most clients of a scenario.
pub(super) const CLIENTS_MAX: u32 = 100_000;

table! {
    /// The run as a whole. These keys come before the first [table].
    pub struct File ("(top level)", "the file") {
        /// One paragraph: what this scenario shows.
        about: String = required,
        /// How long it runs, in simulated time.
        duration: Period = required,
        /// The seed when the command line gives none.
        seed: Whole<u64, 0, { i64::MAX }> = usual(Whole(1)),
        /// Where it is meant to run. World tcp takes real time and runs only when asked for.
        worlds: List<OneOf<WorldKind>> = absent("all"),
        /// In world tcp all times and constants are divided by it, unless --time-scale says else.
        time_scale: Whole<u32, 1, TIME_SCALE_MAX> = usual(Whole(1)),
        /// The servers. A count names them n1, n2, ..
        nodes: Nodes = required,
        /// The behaviours of every node that names none.
        profile: Build = usual(Build(Profile::DISTRO)),
        /// What clients speak where there are bytes, in worlds turmoil and tcp: our own frames, or
        /// Nacos's gRPC.
        carrier: OneOf<Carrier> = usual(OneOf(Carrier::Tcp)),
        /// The largest message.
        message_bytes_max: Size = usual(Size(MESSAGE_BYTES_MAX)),
        /// The network between any two hosts.
        link: Link = table,
        /// Protocol constants that differ.
        timing: Times = table,
        /// Connection limits of every node at start.
        limits: Limits = table,
        /// The clients, one table for each group.
        clients: List<Client> = usual(List::default()),
        /// What happens: faults, calls, operations.
        timeline: Entries = usual(Entries),
        /// Lists that nodes must give at a time.
        expect: List<Expect> = usual(List::default()),
        /// The check that must catch it, by profile.
        expect_fails: Map<Build, OneOf<Check>> = usual(Map::default()),
        /// Marks that must be reached.
        expect_reached: List<String> = usual(List::default()),
    }
}

table! {
    /// One server.
    pub struct NodeTable ("[[nodes]]", "[[nodes]]") {
        /// Its name in the file and in traces.
        name: String = required,
        /// Its behaviours.
        profile: Build = absent("the file's"),
        /// Whom it believes to be members at start.
        members: Names = usual(Names::one("nodes")),
        /// When its process starts.
        start: Period = usual(Period::ZERO),
    }
}

table! {
    /// The network between any two hosts, each direction for itself.
    pub struct Link ("[link]", "[link]") {
        /// One-way delay, drawn uniformly per message.
        latency: Range = usual(Range(Period::from_millis(1), Period::from_millis(5))),
        /// Requests and responses that vanish.
        loss: Rate = usual(Rate(0)),
    }
}

table! {
    /// Connection limits of a node; what is left out is unlimited.
    pub struct Limits ("[limits]", "[limits]") {
        /// All client connections.
        total: Count = absent("no limit"),
        /// Per client address without a rule of its own.
        per_ip_default: Count = absent("no limit"),
        /// Per client address, or name of a client.
        per_ip: Map<String, Count> = usual(Map::default()),
        /// Per application name.
        per_app: Map<String, Count> = usual(Map::default()),
    }
}

table! {
    /// A client, or a group of clients that do the same.
    pub struct Client ("[[clients]]", "[[clients]]") {
        /// Name of the client; with a count, of the group.
        name: String = required,
        /// How many: name-1, name-2, ..
        count: Whole<u32, 1, { CLIENTS_MAX as i64 }> = absent("one client"),
        /// Group (and application) the client belongs to.
        group: String = absent("the name"),
        /// Servers in the order tried. Spread: client i starts at node i, then the others.
        connect: Connect = usual(Connect::Spread),
        /// When it starts; a range is spread evenly over the group.
        start: Range = usual(Range(Period::ZERO, Period::ZERO)),
        /// What it registers as soon as it starts.
        register: List<Registered> = usual(List::default()),
        /// What it batch-registers: [{ service = "orders", instances = 3 }].
        batch: Batches = usual(Batches::default()),
        /// What it subscribes as soon as it starts.
        subscribe: List<Service> = usual(List::default()),
        /// Keeps changing what it publishes.
        churn: Churn = absent("none"),
        /// Metadata of its instances.
        metadata: Map<String, String> = usual(Map::default()),
    }
}

table! {
    /// An instance where its service's name alone does not say enough.
    pub struct Instance ("instance = { }", "an instance") {
        /// Which service; not inside a batch.
        service: Service = required,
        /// Its address.
        ip: String = absent("the client's own"),
        /// Its port; in a batch they count up.
        port: Whole<i32, { i32::MIN as i64 }, { i32::MAX as i64 }> =
            usual(Whole(INSTANCE_PORT as i32)),
        /// Load-balancing weight.
        weight: Heavy = usual(Heavy(Weight::ONE)),
        /// As the client says.
        healthy: bool = usual(true),
        /// A disabled instance is never listed.
        enabled: bool = usual(true),
        /// A persistent one is refused.
        ephemeral: bool = usual(true),
        /// Its cluster.
        cluster: String = usual(DEFAULT_CLUSTER.to_owned()),
        /// Free text pairs.
        metadata: Map<String, String> = absent("the group's"),
        /// Usually left to the server.
        instance_id: String = absent("none"),
        /// Usually left to the server.
        service_name: String = absent("none"),
    }
}

table! {
    /// Of [[clients]]: one list that is registered as a whole.
    pub struct Batch ("batch = [{ }]", "a batch") {
        /// Which service.
        service: Service = required,
        /// The list; may be empty.
        instances: Instances = required,
    }
}

table! {
    /// A service whose names contain `@@` themselves.
    pub struct ServiceTable ("service = { }", "service") {
        /// Namespace id.
        namespace: String = usual(DEFAULT_NAMESPACE.to_owned()),
        /// Group name.
        group: String = usual(DEFAULT_GROUP.to_owned()),
        /// Plain name.
        name: String = required,
    }
}

table! {
    /// Of [[clients]]: keeps changing what it publishes.
    pub struct Churn ("churn = { }", "churn") {
        /// Mean time between two changes.
        every: Period = required,
        /// From when.
        from: Period = usual(Period::ZERO),
        /// Until when.
        until: Period = absent("the run's end"),
    }
}

table! {
    /// A list that nodes must give at a time.
    pub struct Expect ("[[expect]]", "[[expect]]") {
        /// When.
        at: Period = required,
        /// Which nodes.
        nodes: Names = usual(Names::one("nodes")),
        /// Of which service.
        service: Service = required,
        /// How many instances.
        instances: Count = required,
    }
}

/// Every table of a file but the timeline, in the order in which the reference shows them.
pub const SECTIONS: [Section; 11] = [
    File::SECTION,
    NodeTable::SECTION,
    Link::SECTION,
    Limits::SECTION,
    Client::SECTION,
    Instance::SECTION,
    Batch::SECTION,
    ServiceTable::SECTION,
    Churn::SECTION,
    Expect::SECTION,
    Times::SECTION,
];
