//! Every key that can be set: its name, what it takes, what it defaults to and what it means. The
//! reader, `--print-config`, the flags, the JSON Schema and the reference are made from it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use distro_core::constants::{BATCH_INSTANCES_MAX, MESSAGE_BYTES_MAX};
use distro_core::time::Period;

use super::MAIN_PORT;
use super::kinds::{Commas, Demand, Form, Hash, Host, Level, Named, Secret, Shared, Switch};
use super::member::Member;
use crate::shell::Limits;
use crate::shell::secret::SECRET_CHARS_MIN;
use crate::text::collect::{List, Map};
use crate::text::kind::{Count, OneOf, Port, Size, Words};
use crate::text::times::Times;

crate::table! {
    /// The keys above the first table.
    pub struct Keys ("(top level)", "the file") {
        /// Main port; names this node.
        port @("port", "PORT"): Port = usual(port(MAIN_PORT)),
        /// Port for clients.
        sdk_port @("sdk-port", "PORT"): Port = absent("port + 1000"),
        /// Port for fellow nodes.
        cluster_port @("cluster-port", "PORT"): Port = absent("port + 1001"),
        /// Address to listen on.
        bind @("bind", "IP"): IpAddr = usual(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        /// This node's host as the member list spells it.
        address @("address", "HOST"): Host =
            absent("the member that is this host, or 127.0.0.1 when alone"),
        /// All members of the cluster.
        members @("members", "LIST"): List<Member> =
            absent("none: a node without members is alone"),
        /// A Nacos cluster.conf with the members; read, never written.
        cluster_conf @("cluster-conf", "FILE"): PathBuf =
            absent("none: a node without members is alone"),
        /// A name that resolves to the members.
        members_dns @("members-dns", "NAME[:PORT]"): Words =
            absent("none: a node without members is alone"),
        /// How often members are looked up again.
        members_refresh: Period = usual(Period::from_secs(30)),
        /// Directory that remembers this node's lives.
        data_dir @("data-dir", "DIR"): PathBuf =
            absent("none: the wall clock alone orders this node's lives"),
        /// How long a stop waits for clients to leave.
        drain_timeout @("drain-timeout", "TIME"): Period = usual(Period::from_secs(10)),
        /// Largest message.
        message_bytes_max: Size = usual(Size(MESSAGE_BYTES_MAX)),
        /// What fellow nodes prove to each other.
        cluster: Cluster = table,
        /// What lists say.
        naming: Naming = table,
        /// TLS of the listeners.
        tls: Tls = table,
        /// The HTTP on the main port.
        http: Http = table,
        /// Its users.
        auth: Auth = table,
        /// The operator's HTTP.
        ops: Ops = table,
        /// The log.
        log: Log = table,
        /// What connections may cost, and how many there may be.
        limits: LimitKeys = table,
        /// Times of the protocol.
        timing: Times = table,
    }
}

crate::table! {
    /// What fellow nodes prove to each other.
    pub struct Cluster ("[cluster]", "[cluster]") {
        /// The secret itself.
        secret: Secret<SECRET_CHARS_MIN> = absent("none: whoever reaches the port can pass for a member"),
        /// A file with the secret that the nodes of the cluster share.
        secret_file @("cluster-secret-file", "FILE"): PathBuf =
            absent("none: whoever reaches the port can pass for a member"),
    }
}

crate::table! {
    /// What lists say.
    pub struct Naming ("[naming]", "[naming]") {
        /// Share of healthy instances at which all are listed as healthy.
        protect_threshold: Shared = absent("no service is protected"),
        /// The same for single services.
        protect_thresholds: Map<Named, Shared> = usual(Map::default()),
    }
}

crate::table! {
    /// TLS of the listeners.
    pub struct Tls ("[tls]", "[tls]") {
        /// This node's certificate and its chain, PEM.
        cert: PathBuf = absent("none"),
        /// The key of that certificate, PEM.
        key: PathBuf = absent("none"),
        /// Authorities that vouch for those who connect, PEM.
        client_ca: PathBuf = absent("none"),
        /// Authorities that vouch for fellow nodes, PEM.
        server_ca: PathBuf = absent("tls.client-ca"),
        /// TLS on the port for clients.
        sdk: OneOf<Demand> = absent("\"server\" with a certificate, else off"),
        /// TLS on the port for fellow nodes, and to theirs.
        cluster: OneOf<Demand> = absent("\"server\" with a certificate, else off"),
        /// TLS on the main port.
        http: OneOf<Demand> = absent("\"server\" with a certificate, else off"),
        /// TLS on the operator's port.
        ops: OneOf<Demand> = absent("\"server\" with a certificate, else off"),
        /// How often certificates are read again.
        reload: Period = usual(Period::from_secs(10)),
    }
}

crate::table! {
    /// The HTTP on the main port.
    pub struct Http ("[http]", "[http]") {
        /// Whether Nacos's HTTP is served on the main port.
        serve: OneOf<Switch> = usual(OneOf(Switch::On)),
        /// Path that it is served below; / for none.
        context_path: Words = usual(Words("/nacos".to_owned())),
    }
}

crate::table! {
    /// Users of the HTTP on the main port.
    pub struct Auth ("[auth]", "[auth]") {
        /// Whether HTTP asks for a token.
        enabled: OneOf<Switch> = usual(OneOf(Switch::Off)),
        /// Users with bcrypt hashes, see hash-password.
        users: Map<String, Hash> = usual(Map::default()),
        /// What tokens are signed with; the same on all nodes.
        secret: Secret<1> = absent("random: tokens hold on this node, and until it ends"),
        /// How long a token holds.
        token_ttl: Period = usual(Period::from_secs(18_000)),
    }
}

crate::table! {
    /// The operator's HTTP.
    pub struct Ops ("[ops]", "[ops]") {
        /// Whether the operator's HTTP is served.
        serve: OneOf<Switch> = usual(OneOf(Switch::On)),
        /// Port of the operator's HTTP.
        port: Port = absent("port + 1002"),
        /// Address it listens on.
        bind: IpAddr = absent("127.0.0.1, or `bind` when that is a loopback address"),
        /// Names it is called by, with commas, beside addresses and localhost.
        hosts: Commas<String> = absent("addresses and localhost alone"),
    }
}

crate::table! {
    /// The log, on standard error.
    pub struct Log ("[log]", "[log]") {
        /// Least event that is logged.
        level @("log-level", "LEVEL"): OneOf<Level> = usual(OneOf(Level::Info)),
        /// For people or machines.
        format @("log-format", "FORMAT"): OneOf<Form> = usual(OneOf(Form::Text)),
    }
}

crate::table! {
    /// How many connections there may be, and what they may cost.
    pub struct LimitKeys ("[limits]", "[limits]") {
        /// Client connections.
        total: Count = absent("no limit"),
        /// Connections of any other address.
        per_ip_default: Count = absent("no limit"),
        /// Connections of an address.
        per_ip: Map<String, Count> = usual(Map::default()),
        /// Connections of an application.
        per_app: Map<String, Count> = usual(Map::default()),
        /// A Nacos limitRule in JSON; replaces the other limits.
        rule_file: PathBuf = absent("none"),
        /// Messages of a connection that wait for the node.
        requests_per_connection: Count = usual(count(Limits::default().requests_per_connection)),
        /// Bytes of all messages that wait for the node.
        request_bytes: Size = usual(Size(Limits::default().request_bytes)),
        /// Bytes that wait for a connection to take them.
        queued_bytes: Size = usual(Size(Limits::default().queued_bytes)),
        /// Bytes of clients' messages that have not arrived in full.
        unfinished_bytes: Size = usual(Size(Limits::default().unfinished_bytes)),
        /// Instances of one batch.
        instances_per_batch: Count = usual(count(BATCH_INSTANCES_MAX)),
        /// Addresses of proxies, with commas: their clients say which address they have.
        trusted_proxies: Commas<IpAddr> =
            absent("none: a client's address is that of its connection"),
    }
}

const fn port(number: u16) -> Port {
    crate::text::kind::Whole(number)
}

const fn count(number: u32) -> Count {
    crate::text::kind::Whole(number)
}
