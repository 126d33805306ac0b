//! Everything that is served, in one table: the router and the OpenAPI document are made of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;

use super::answer::{Outcome, Style};
use super::call::Call;
use super::params::{
    BEATS, CATALOG, CLIENT, LIST, LIST_V2, LIST_V3, LOGIN, NAMES, NONE, PLACE, Param, REGISTER,
    REGISTER_OR_BEAT, SEARCH, SEARCH_NODES, SERVICE_ONE, STATUS, SUBSCRIBERS, UPDATE, WHERE,
};
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

/// What a success carries, below the style's wrapping.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    /// An object with at least these keys.
    Object(&'static [&'static str]),
    /// A list of objects with at least these keys.
    List(&'static [&'static str]),
}

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
