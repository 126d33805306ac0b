//! The parameters of all operations.

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

macro_rules! param {
    ($name:ident = $text:literal, $kind:ident, $example:literal, $about:literal) => {
        pub(super) const $name: Param = Param {
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

pub(super) const REGISTER: &[Param] = &[
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
pub(super) const REGISTER_OR_BEAT: &[Param] = &[
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
pub(super) const PLACE: &[Param] = &[
    must(SERVICE),
    must(IP),
    must(PORT),
    NAMESPACE,
    GROUP,
    CLUSTER,
    CLUSTER_OLD,
    EPHEMERAL,
];
pub(super) const UPDATE: &[Param] = &[
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
pub(super) const BEATS: &[Param] = &[
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
pub(super) const LIST: &[Param] = &[
    must(SERVICE),
    NAMESPACE,
    GROUP,
    CLUSTERS,
    HEALTHY_ONLY,
    CLIENT_IP,
    UDP_PORT,
    APP,
];
pub(super) const LIST_V2: &[Param] = &[
    must(SERVICE),
    NAMESPACE,
    GROUP,
    CLUSTER,
    HEALTHY_ONLY,
    UDP_PORT,
    APP,
];
pub(super) const LIST_V3: &[Param] = &[must(SERVICE), NAMESPACE, GROUP, CLUSTER, HEALTHY_ONLY];
pub(super) const SERVICE_ONE: &[Param] = &[must(SERVICE), NAMESPACE, GROUP];
pub(super) const SUBSCRIBERS: &[Param] = &[must(SERVICE), NAMESPACE, GROUP, PAGE_NO, PAGE_SIZE];
pub(super) const NAMES: &[Param] = &[NAMESPACE, GROUP, PAGE_NO, PAGE_SIZE, SELECTOR];
pub(super) const SEARCH: &[Param] = &[
    NAMESPACE,
    SERVICE_PART,
    GROUP_PART,
    SKIP_EMPTY,
    HAS_IP,
    PAGE_NO,
    PAGE_SIZE,
];
pub(super) const CATALOG: &[Param] =
    &[must(SERVICE), NAMESPACE, GROUP, CLUSTER, PAGE_NO, PAGE_SIZE];
pub(super) const STATUS: &[Param] = &[ONLY_STATUS];
pub(super) const CLIENT: &[Param] = &[must(CLIENT_ID)];
pub(super) const WHERE: &[Param] = &[must(IP), must(PORT)];
pub(super) const SEARCH_NODES: &[Param] = &[KEYWORD, ADDRESS];
pub(super) const LOGIN: &[Param] = &[must(USERNAME), must(PASSWORD)];
pub(super) const NONE: &[Param] = &[];
