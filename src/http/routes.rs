//! Everything that is served, in one table: the router and the OpenAPI document are made of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;

use super::answer::{Outcome, Style};
use super::call::Call;
use super::{Http, auth, instances, openapi, services, state};

type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One operation.
pub(super) struct Route {
    pub(super) method: Method,
    /// Below the context path.
    pub(super) path: &'static str,
    pub(super) style: Style,
    pub(super) access: Access,
    pub(super) parameters: &'static [Param],
    /// What a success carries.
    pub(super) shape: Shape,
    pub(super) about: &'static str,
    pub(super) handler: fn(Arc<Http>, Call) -> Answering,
}

/// Who may call, and what happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody, at any time.
    Open,
    /// Whoever shows a token, at any time.
    Operator,
    /// Whoever shows a token, once the node is ready.
    Read,
    /// The same, on the node that is responsible for `ip` and `port`.
    Write,
}

/// One parameter.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) kind: Kind,
    pub(super) example: &'static str,
    pub(super) about: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Port,
    Count,
    Number,
    Flag,
}

impl Kind {
    pub(super) fn takes(self, value: &str) -> bool {
        match self {
            Kind::Text => true,
            Kind::Port => value.parse::<u16>().is_ok(),
            Kind::Count => value.parse::<u32>().is_ok(),
            Kind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Kind::Flag => Kind::flag(value).is_some(),
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Port => "a number from 0 to 65535",
            Kind::Count => "a whole number",
            Kind::Number => "a number",
            Kind::Flag => "true or false",
        }
    }

    /// What Java's `BooleanUtils` reads and SDKs send.
    pub(super) fn flag(value: &str) -> Option<bool> {
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
}

/// What a success carries, below the style's wrapping.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    /// An object with at least these keys.
    Object(&'static [&'static str]),
    /// A list of objects with at least these keys.
    List(&'static [&'static str]),
}

macro_rules! param {
    ($name:ident = $text:literal, $kind:ident, $example:literal, $about:literal) => {
        const $name: Param = Param {
            name: $text,
            required: false,
            kind: Kind::$kind,
            example: $example,
            about: $about,
        };
    };
}

const fn must(param: Param) -> Param {
    Param {
        required: true,
        ..param
    }
}

param!(
    NAMESPACE = "namespaceId",
    Text,
    "public",
    "namespace; public"
);
param!(
    GROUP = "groupName",
    Text,
    "DEFAULT_GROUP",
    "group; DEFAULT_GROUP"
);
param!(
    SERVICE = "serviceName",
    Text,
    "orders",
    "service, plain or as group@@name"
);
param!(IP = "ip", Text, "10.1.1.1", "address of the instance");
param!(PORT = "port", Port, "8080", "port of the instance");
param!(CLUSTER = "clusterName", Text, "DEFAULT", "cluster; DEFAULT");
param!(
    CLUSTER_OLD = "cluster",
    Text,
    "DEFAULT",
    "older name of clusterName"
);
param!(
    CLUSTERS = "clusters",
    Text,
    "DEFAULT",
    "clusters, separated by commas; all"
);
param!(WEIGHT = "weight", Number, "1.0", "0 to 10000; 1");
param!(HEALTHY = "healthy", Flag, "true", "healthy; true");
param!(ENABLED = "enabled", Flag, "true", "listed; true");
param!(ENABLE = "enable", Flag, "true", "older name of enabled");
param!(
    EPHEMERAL = "ephemeral",
    Flag,
    "true",
    "only true is served; true"
);
param!(
    METADATA = "metadata",
    Text,
    "zone=a",
    "a JSON object, or k=v,k2=v2"
);
param!(
    HEALTHY_ONLY = "healthyOnly",
    Flag,
    "false",
    "leave out the unhealthy; false"
);
param!(
    BEAT = "beat",
    Text,
    "{\"ip\":\"10.1.1.1\",\"port\":8080}",
    "the instance as JSON; a light beat leaves it out"
);
param!(
    HEART_BEAT = "heartBeat",
    Flag,
    "false",
    "a beat in place of a registration"
);
param!(
    CLIENT_IP = "clientIP",
    Text,
    "10.1.1.1",
    "taken and not used"
);
param!(
    UDP_PORT = "udpPort",
    Port,
    "0",
    "taken and not used: nothing is pushed over UDP, poll"
);
param!(APP = "app", Text, "demo", "taken and not used");
param!(PAGE_NO = "pageNo", Count, "1", "page, from 1");
param!(
    PAGE_SIZE = "pageSize",
    Count,
    "10",
    "entries of a page, at most 500"
);
param!(
    SELECTOR = "selector",
    Text,
    r#"{"type":"label","expression":"INSTANCE.metadata.zone = 'a'"}"#,
    "only services with an instance that carries this"
);
param!(
    SERVICE_PART = "serviceNameParam",
    Text,
    "ord",
    "part of the name"
);
param!(
    GROUP_PART = "groupNameParam",
    Text,
    "DEFAULT",
    "part of the group"
);
param!(
    SKIP_EMPTY = "ignoreEmptyService",
    Flag,
    "false",
    "leave out services without instances"
);
param!(
    HAS_IP = "hasIpCount",
    Flag,
    "false",
    "leave out services without instances"
);
param!(
    ONLY_STATUS = "onlyStatus",
    Flag,
    "false",
    "nothing but the status; true"
);
param!(
    CLIENT_ID = "clientId",
    Text,
    "10.1.1.1:8080#true",
    "a client's id"
);
param!(KEYWORD = "keyword", Text, "127", "part of the address");
param!(ADDRESS = "address", Text, "127", "part of the address");
param!(USERNAME = "username", Text, "nacos", "user");
param!(PASSWORD = "password", Text, "nacos", "password");

const REGISTER: &[Param] = &[
    must(SERVICE),
    must(IP),
    must(PORT),
    NAMESPACE,
    GROUP,
    CLUSTER,
    CLUSTER_OLD,
    WEIGHT,
    HEALTHY,
    ENABLED,
    ENABLE,
    EPHEMERAL,
    METADATA,
];
const REGISTER_OR_BEAT: &[Param] = &[
    must(SERVICE),
    must(IP),
    must(PORT),
    NAMESPACE,
    GROUP,
    CLUSTER,
    WEIGHT,
    HEALTHY,
    ENABLED,
    EPHEMERAL,
    METADATA,
    HEART_BEAT,
];
const PLACE: &[Param] = &[
    must(SERVICE),
    must(IP),
    must(PORT),
    NAMESPACE,
    GROUP,
    CLUSTER,
    CLUSTER_OLD,
    EPHEMERAL,
];
const UPDATE: &[Param] = &[
    must(SERVICE),
    must(IP),
    must(PORT),
    NAMESPACE,
    GROUP,
    CLUSTER,
    WEIGHT,
    ENABLED,
    ENABLE,
    EPHEMERAL,
    METADATA,
];
const BEATS: &[Param] = &[
    must(SERVICE),
    BEAT,
    IP,
    PORT,
    NAMESPACE,
    GROUP,
    CLUSTER,
    CLUSTER_OLD,
    EPHEMERAL,
];
const LIST: &[Param] = &[
    must(SERVICE),
    NAMESPACE,
    GROUP,
    CLUSTERS,
    HEALTHY_ONLY,
    CLIENT_IP,
    UDP_PORT,
    APP,
];
const LIST_V2: &[Param] = &[
    must(SERVICE),
    NAMESPACE,
    GROUP,
    CLUSTER,
    HEALTHY_ONLY,
    UDP_PORT,
    APP,
];
const LIST_V3: &[Param] = &[must(SERVICE), NAMESPACE, GROUP, CLUSTER, HEALTHY_ONLY];
const SERVICE_ONE: &[Param] = &[must(SERVICE), NAMESPACE, GROUP];
const SUBSCRIBERS: &[Param] = &[must(SERVICE), NAMESPACE, GROUP, PAGE_NO, PAGE_SIZE];
const NAMES: &[Param] = &[NAMESPACE, GROUP, PAGE_NO, PAGE_SIZE, SELECTOR];
const SEARCH: &[Param] = &[
    NAMESPACE,
    SERVICE_PART,
    GROUP_PART,
    SKIP_EMPTY,
    HAS_IP,
    PAGE_NO,
    PAGE_SIZE,
];
const CATALOG: &[Param] = &[must(SERVICE), NAMESPACE, GROUP, CLUSTER, PAGE_NO, PAGE_SIZE];
const STATUS: &[Param] = &[ONLY_STATUS];
const CLIENT: &[Param] = &[must(CLIENT_ID)];
const WHERE: &[Param] = &[must(IP), must(PORT)];
const SEARCH_NODES: &[Param] = &[KEYWORD, ADDRESS];
const LOGIN: &[Param] = &[must(USERNAME), must(PASSWORD)];
const NONE: &[Param] = &[];

const INSTANCE: &[&str] = &["ip", "port", "weight", "healthy", "metadata", "clusterName"];
const INSTANCES: &[&str] = &[
    "instanceId",
    "ip",
    "port",
    "weight",
    "healthy",
    "enabled",
    "ephemeral",
    "clusterName",
    "serviceName",
    "metadata",
];
const INFO: &[&str] = &[
    "name",
    "groupName",
    "clusters",
    "cacheMillis",
    "hosts",
    "lastRefTime",
    "checksum",
    "reachProtectionThreshold",
    "valid",
];
const PAGE: &[&str] = &["totalCount", "pageNumber", "pagesAvailable", "pageItems"];
const MEMBER: &[&str] = &["ip", "port", "state", "address", "extendInfo"];
const NAMESPACES: &[&str] = &[
    "namespace",
    "namespaceShowName",
    "quota",
    "configCount",
    "type",
];
const CLIENT_KEYS: &[&str] = &["clientId", "ephemeral", "clientType"];
const TOKEN: &[&str] = &["accessToken", "tokenTtl", "globalAdmin", "username"];

macro_rules! routes {
    ($($method:ident $path:literal $style:ident $access:ident $params:ident $shape:expr, $about:literal => $handler:path;)+) => {
        vec![$(Route {
            method: Method::$method,
            path: $path,
            style: Style::$style,
            access: Access::$access,
            parameters: $params,
            shape: $shape,
            about: $about,
            handler: |http, call| Box::pin($handler(http, call)),
        }),+]
    };
}

/// All operations.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = instance_routes();
    routes.extend(service_routes());
    routes.extend(client_routes());
    routes.extend(node_routes());
    routes.extend(health_routes());
    routes
}

fn instance_routes() -> Vec<Route> {
    use Shape::{List, Object, Text};
    routes! {
        POST "/v1/ns/instance" Bare Write REGISTER Text, "Register an instance" => instances::register;
        PUT "/v1/ns/instance" Bare Write UPDATE Text, "Change weight, enabled or metadata of a registered instance" => instances::update;
        PATCH "/v1/ns/instance" Bare Write UPDATE Text, "Change weight, enabled or metadata of a registered instance" => instances::update;
        DELETE "/v1/ns/instance" Bare Write PLACE Text, "Deregister an instance; also right when there is none" => instances::deregister;
        GET "/v1/ns/instance" Bare Read PLACE Object(INSTANCE), "One instance" => instances::detail_v1;
        GET "/v1/ns/instance/list" Bare Read LIST Object(INFO), "The instances of a service" => instances::list_v1;
        PUT "/v1/ns/instance/beat" Bare Write BEATS Object(&["clientBeatInterval", "code", "lightBeatEnabled"]), "An instance is alive; code 20404 asks to register it again" => instances::beat_v1;
        POST "/v2/ns/instance" Result Write REGISTER Text, "Register an instance" => instances::register;
        PUT "/v2/ns/instance" Result Write UPDATE Text, "Change weight, enabled or metadata of a registered instance" => instances::update;
        DELETE "/v2/ns/instance" Result Write PLACE Text, "Deregister an instance" => instances::deregister;
        GET "/v2/ns/instance" Result Read PLACE Object(INSTANCE), "One instance" => instances::detail;
        GET "/v2/ns/instance/list" Result Read LIST_V2 Object(INFO), "The instances of a service" => instances::list_v2;
        POST "/v3/client/ns/instance" Result Write REGISTER_OR_BEAT Text, "Register an instance, or beat" => instances::register_v3;
        DELETE "/v3/client/ns/instance" Result Write PLACE Text, "Deregister an instance" => instances::deregister;
        GET "/v3/client/ns/instance/list" Result Read LIST_V3 List(INSTANCES), "The listed instances of one cluster of a service" => instances::list_v3;
        POST "/v3/admin/ns/instance" Result Write REGISTER Text, "Register an instance" => instances::register;
        PUT "/v3/admin/ns/instance" Result Write UPDATE Text, "Change weight, enabled or metadata of a registered instance" => instances::update;
        DELETE "/v3/admin/ns/instance" Result Write PLACE Text, "Deregister an instance" => instances::deregister;
        GET "/v3/admin/ns/instance" Result Read PLACE Object(INSTANCE), "One instance" => instances::detail;
        GET "/v3/admin/ns/instance/list" Result Read LIST_V3 List(INSTANCES), "All instances of a service, disabled ones too" => instances::list_admin;
    }
}

fn service_routes() -> Vec<Route> {
    use Shape::Object;
    routes! {
        GET "/v1/ns/service" Bare Read SERVICE_ONE Object(&["name", "groupName", "protectThreshold", "metadata", "clusters"]), "One service" => services::detail_v1;
        GET "/v1/ns/service/list" Bare Read NAMES Object(&["doms", "count"]), "Names of the services of a group" => services::names_v1;
        GET "/v1/ns/service/subscribers" Bare Read SUBSCRIBERS Object(&["subscribers", "count"]), "Clients of this node that subscribe to a service" => services::subscribers_v1;
        GET "/v1/ns/catalog/services" Bare Read SEARCH Object(&["serviceList", "count"]), "Services of a namespace with what they hold" => services::catalog;
        GET "/v1/ns/catalog/instances" Bare Read CATALOG Object(&["list", "count"]), "Instances of a service, disabled ones too" => services::catalog_instances;
        GET "/v2/ns/service" Result Read SERVICE_ONE Object(&["serviceName", "groupName", "protectThreshold", "metadata", "clusterMap"]), "One service" => services::detail;
        GET "/v2/ns/service/list" Result Read NAMES Object(&["services", "count"]), "Names of the services of a group" => services::names_v2;
        GET "/v3/admin/ns/service" Result Read SERVICE_ONE Object(&["serviceName", "groupName", "protectThreshold", "metadata", "clusterMap"]), "One service" => services::detail;
        GET "/v3/admin/ns/service/list" Result Read SEARCH Object(PAGE), "Services of a namespace with what they hold" => services::search;
        GET "/v3/admin/ns/service/subscribers" Result Read SUBSCRIBERS Object(PAGE), "Clients of this node that subscribe to a service" => services::subscribers;
        GET "/v1/console/namespaces" Rest Operator NONE Shape::List(NAMESPACES), "public, and the namespaces of services" => services::namespaces;
        GET "/v2/console/namespace/list" Result Operator NONE Shape::List(NAMESPACES), "public, and the namespaces of services" => services::namespaces;
        GET "/v3/admin/core/namespace/list" Result Operator NONE Shape::List(NAMESPACES), "public, and the namespaces of services" => services::namespaces;
        GET "/v3/console/core/namespace/list" Result Operator NONE Shape::List(NAMESPACES), "public, and the namespaces of services" => services::namespaces;
    }
}

fn client_routes() -> Vec<Route> {
    use Shape::{List, Object};
    const PUBLISHED: &[&str] = &["namespace", "group", "serviceName", "registeredInstance"];
    routes! {
        GET "/v2/ns/client/list" Result Read NONE List(&[]), "Ids of the clients that publish something" => state::client_ids;
        GET "/v2/ns/client" Result Read CLIENT Object(CLIENT_KEYS), "One client" => state::client;
        GET "/v2/ns/client/publish/list" Result Read CLIENT List(PUBLISHED), "What a client publishes" => state::published;
        GET "/v3/admin/ns/client/list" Result Read NONE List(&[]), "Ids of the clients that publish something" => state::client_ids;
        GET "/v3/admin/ns/client" Result Read CLIENT Object(CLIENT_KEYS), "One client" => state::client;
        GET "/v3/admin/ns/client/publish/list" Result Read CLIENT List(PUBLISHED), "What a client publishes" => state::published;
        GET "/v3/admin/ns/client/distro" Result Read WHERE Object(&["responsibleServer"]), "The node that is responsible for a place" => state::responsible;
        GET "/v1/ns/operator/distro/client" Bare Read WHERE Object(&["responsibleServer"]), "The node that is responsible for a place" => state::responsible;
    }
}

fn node_routes() -> Vec<Route> {
    use Shape::{List, Object, Text};
    const COUNTS: &[&str] = &["status", "serviceCount", "instanceCount", "clientCount"];
    routes! {
        GET "/v1/ns/operator/metrics" Bare Operator STATUS Object(COUNTS), "Counts of this node" => state::metrics;
        GET "/v1/ns/ops/metrics" Bare Operator STATUS Object(COUNTS), "Counts of this node" => state::metrics;
        GET "/v2/ns/operator/metrics" Result Operator STATUS Object(COUNTS), "Counts of this node" => state::metrics;
        GET "/v3/admin/ns/ops/metrics" Result Operator STATUS Object(COUNTS), "Counts of this node" => state::metrics;
        GET "/v1/core/cluster/nodes" Rest Operator SEARCH_NODES List(MEMBER), "The members as this node sees them" => state::nodes;
        GET "/v1/core/cluster/self" Rest Operator NONE Object(MEMBER), "This node" => state::this_node;
        GET "/v1/core/cluster/health" Rest Operator NONE Text, "The state of this node" => state::node_health;
        GET "/v2/core/cluster/node/list" Result Operator SEARCH_NODES List(MEMBER), "The members as this node sees them" => state::nodes;
        GET "/v2/core/cluster/node/self" Result Operator NONE Object(MEMBER), "This node" => state::this_node;
        GET "/v2/core/cluster/node/self/health" Result Operator NONE Text, "The state of this node" => state::node_health;
        GET "/v3/admin/core/cluster/node/list" Result Operator SEARCH_NODES List(MEMBER), "The members as this node sees them" => state::nodes;
        GET "/v3/admin/core/cluster/node/self" Result Operator NONE Object(MEMBER), "This node" => state::this_node;
    }
}

fn health_routes() -> Vec<Route> {
    use Shape::{Object, Text};
    const STATE: &[&str] = &[
        "version",
        "standalone_mode",
        "function_mode",
        "auth_enabled",
        "server_port",
    ];
    routes! {
        GET "/v1/console/health/liveness" Bare Open NONE Text, "The process runs" => state::live_v1;
        GET "/v1/console/health/readiness" Bare Open NONE Text, "The node serves" => state::ready_v1;
        GET "/v2/console/health/liveness" Result Open NONE Text, "The process runs" => state::live;
        GET "/v2/console/health/readiness" Result Open NONE Text, "The node serves" => state::ready;
        GET "/v3/admin/core/state/liveness" Result Open NONE Text, "The process runs" => state::live;
        GET "/v3/admin/core/state/readiness" Result Open NONE Text, "The node serves" => state::ready;
        GET "/v3/console/health/liveness" Result Open NONE Text, "The process runs" => state::live;
        GET "/v3/console/health/readiness" Result Open NONE Text, "The node serves" => state::ready;
        GET "/actuator/health" Bare Open NONE Object(&["status"]), "The node serves" => state::actuator;
        GET "/v1/console/server/state" Bare Open NONE Object(STATE), "What this server is" => state::server;
        GET "/v3/console/server/state" Bare Open NONE Object(STATE), "What this server is" => state::server;
        GET "/v3/admin/core/state" Result Open NONE Object(STATE), "What this server is" => state::server;
        POST "/v1/auth/users/login" Bare Open LOGIN Object(TOKEN), "A token for a user" => auth::login;
        POST "/v1/auth/login" Bare Open LOGIN Object(TOKEN), "A token for a user" => auth::login;
        POST "/v3/auth/user/login" Bare Open LOGIN Object(TOKEN), "A token for a user" => auth::login;
        GET "/v3/api-docs" Bare Open NONE Object(&["openapi", "paths"]), "This document" => openapi::served;
        GET "/openapi.json" Bare Open NONE Object(&["openapi", "paths"]), "This document" => openapi::served;
    }
}
