//! What an operator may set. A [`Config`] is validated once, before a node starts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::constants as c;
use crate::ids::{Incarnation, NodeId, Str};
use crate::profile::{Profile, Release};
use crate::protect::ProtectThresholds;
use crate::time::Period;

/// Everything a node is told before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node's own address, as the member lists spell it.
    pub node: NodeId,
    /// All members. This node itself may be in it or not. With nobody else in it the node is
    /// standalone: it replicates nothing and waits for nobody.
    pub members: Vec<NodeId>,
    /// A number that is likely higher than that of this node's earlier life; the shell takes the
    /// wall clock at start. The node raises it when a peer remembers a higher one.
    pub incarnation: Incarnation,
    /// Seed of this node's randomness (back-off jitter, request numbers).
    pub seed: u64,
    /// The set of behaviours.
    pub profile: Profile,
    /// Protocol constants that may be changed.
    pub timing: Timing,
    /// Connection limits at start; they can be changed while running.
    pub limits: ConnectionLimits,
    /// Which services are protected when few of their instances are healthy.
    pub protect: ProtectThresholds,
    /// Limits on watching names by a pattern.
    pub fuzzy: FuzzyLimits,
    /// Most instances of one batch.
    pub batch_instances_max: u32,
    /// Addresses of proxies: what a client behind one says that its address is, is believed.
    pub trusted_proxies: Vec<Str>,
    /// Largest message that may be sent or received, in bytes.
    pub message_bytes_max: u64,
    /// Version text that peers are told.
    pub version: Str,
}

/// True when `name` is the field's name in kebab case.
fn is_kebab_of(field: &str, name: &str) -> bool {
    let kebab = |letter| if letter == b'_' { b'-' } else { letter };
    field.bytes().map(kebab).eq(name.bytes())
}

macro_rules! timing {
    ($( $(#[doc = $doc:literal])+ $field:ident = $default:expr, )+) => {
        /// The protocol's times, as an operator or a scenario may change them. Each defaults to the
        /// constant of the same name in [`constants`](crate::constants).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct Timing {
            $( $(#[doc = $doc])+ pub $field: Period, )+
        }

        impl Default for Timing {
            fn default() -> Timing {
                Timing { $( $field: $default, )+ }
            }
        }

        impl Timing {
            /// The names of all fields, in declaration order, in kebab case as configuration
            /// and scenario files spell them, with their defaults and meaning.
            pub fn fields() -> Vec<(String, Period, &'static str)> {
                vec![ $( (stringify!($field).replace('_', "-"), $default, concat!($($doc),+)), )+ ]
            }

            /// The field with this kebab-case name.
            pub fn field_mut(&mut self, name: &str) -> Option<&mut Period> {
                $( if is_kebab_of(stringify!($field), name) { return Some(&mut self.$field); } )+
                None
            }
        }
    };
}

timing! {
    /// Coalescing window of CHANGE and DELETE.
    sync_delay = c::SYNC_DELAY,
    /// RPC timeout of one sync.
    sync_timeout = c::SYNC_TIMEOUT,
    /// Delay before a failed sync is tried again.
    sync_retry_delay = c::SYNC_RETRY_DELAY,
    /// Verify round.
    verify_interval = c::VERIFY_INTERVAL,
    /// RPC timeout of one verify.
    verify_timeout = c::VERIFY_TIMEOUT,
    /// RPC timeout of a snapshot.
    load_timeout = c::LOAD_TIMEOUT,
    /// Wait before a failed load is tried again.
    load_retry_delay = c::LOAD_RETRY_DELAY_DISTRO,
    /// How long a starting node waits for peers that cannot be reached.
    load_wait = c::LOAD_WAIT,
    /// First connection scan after the start.
    scan_initial_delay = c::SCAN_INITIAL_DELAY,
    /// From the end of one connection scan to the next.
    scan_interval = c::SCAN_INTERVAL,
    /// Idle limit before a connection is probed.
    keep_alive = c::KEEP_ALIVE,
    /// How long a probe may take.
    detection_timeout = c::DETECTION_TIMEOUT,
    /// How long a push queue may stay blocked.
    blocked_limit = c::BLOCKED_LIMIT,
    /// How long a client may take to leave after a reset request.
    reset_wait = c::RESET_WAIT,
    /// Lease of a synced client.
    client_expired_time = c::CLIENT_EXPIRED_TIME,
    /// Period of the expired-client cleaner.
    client_clean_interval = c::CLIENT_CLEAN_INTERVAL,
    /// How often a client without a connection beats, and how often beats are looked at.
    beat_interval = c::BEAT_INTERVAL,
    /// Silence after which an instance without beats is unhealthy.
    beat_timeout = c::BEAT_TIMEOUT,
    /// Silence after which an instance without beats is removed.
    beat_remove_timeout = c::BEAT_REMOVE_TIMEOUT,
    /// How long clients of a member's earlier life stay after its new life showed up.
    return_grace = c::RETURN_GRACE,
    /// How long a deleted client's id is remembered.
    tombstone_time = c::TOMBSTONE_TIME,
    /// Push debounce.
    push_delay = c::PUSH_DELAY,
    /// RPC timeout of a push.
    push_timeout = c::PUSH_TIMEOUT,
    /// Delay before a failed push is tried again.
    push_retry_delay = c::PUSH_RETRY_DELAY,
    /// First member report after ready.
    report_initial_delay = c::REPORT_INITIAL_DELAY,
    /// From one member report to the next, round robin.
    report_interval = c::REPORT_INTERVAL,
    /// Reports to members that are not UP.
    report_unhealthy_interval = c::REPORT_UNHEALTHY_INTERVAL,
    /// RPC timeout of a member report.
    report_timeout = c::REPORT_TIMEOUT,
    /// Idle time after which the dialling end checks a connection.
    health_check_idle = c::HEALTH_CHECK_IDLE,
    /// RPC timeout of a health check.
    health_check_timeout = c::HEALTH_CHECK_TIMEOUT,
    /// RPC timeout of dial, server check and setup.
    connect_timeout = c::CONNECT_TIMEOUT,
    /// RPC timeout of an ordinary client request.
    request_timeout = c::REQUEST_TIMEOUT,
    /// How long a client waits for the setup's acknowledgement.
    setup_ack_timeout = c::SETUP_ACK_TIMEOUT,
    /// Step of the back-off between dials.
    reconnect_step = c::RECONNECT_STEP,
    /// Tick of a client's redo task.
    redo_interval = c::REDO_INTERVAL,
    /// Period of the empty-service cleaner.
    empty_service_clean_interval = c::EMPTY_SERVICE_CLEAN_INTERVAL,
    /// Age at which an empty service is dropped.
    empty_service_expired_time = c::EMPTY_SERVICE_EXPIRED_TIME,
    /// Tick of the delay engines.
    delay_tick = c::DELAY_TICK,
}

impl Timing {
    /// The times of a profile: a Nacos profile has those of its release.
    pub fn of(profile: Profile) -> Timing {
        let mut timing = Timing::default();
        match profile.release() {
            Release::Distro => {}
            Release::Nacos20 => {
                timing.load_retry_delay = c::LOAD_RETRY_DELAY;
                timing.detection_timeout = c::DETECTION_TIMEOUT_NACOS20;
            }
            Release::Nacos22 | Release::Nacos23 | Release::Nacos3 => {
                timing.load_retry_delay = c::LOAD_RETRY_DELAY;
            }
        }
        timing
    }
}

/// Limits on client connections (Nacos `ConnectionLimitRule`, 2.0). Fellow nodes are never
/// limited. `None` means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ConnectionLimits {
    /// All client connections (`countLimit`).
    pub total: Option<u32>,
    /// Per client address without a rule of its own (`countLimitPerClientIpDefault`).
    pub per_ip_default: Option<u32>,
    /// Per client address (`countLimitPerClientIp`).
    pub per_ip: BTreeMap<Str, u32>,
    /// Per application name (`countLimitPerClientApp`).
    pub per_app: BTreeMap<Str, u32>,
}

/// Limits on watching names by a pattern (Nacos fuzzy watch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FuzzyLimits {
    /// Different patterns that may be watched at one time.
    pub patterns_max: u32,
    /// Services that one pattern names at most.
    pub matches_max: u32,
}

impl Default for FuzzyLimits {
    fn default() -> FuzzyLimits {
        FuzzyLimits {
            patterns_max: c::FUZZY_PATTERNS_MAX,
            matches_max: c::FUZZY_MATCHES_MAX,
        }
    }
}

impl Config {
    /// A configuration with the profile's defaults.
    pub fn new(node: NodeId, members: Vec<NodeId>, profile: Profile) -> Config {
        Config {
            node,
            members,
            incarnation: Incarnation(1),
            seed: 0,
            profile,
            timing: Timing::of(profile),
            limits: ConnectionLimits::default(),
            protect: ProtectThresholds::default(),
            fuzzy: FuzzyLimits::default(),
            batch_instances_max: c::BATCH_INSTANCES_MAX,
            trusted_proxies: Vec::new(),
            message_bytes_max: c::MESSAGE_BYTES_MAX,
            version: Str::from("3.1.0"),
        }
    }

    /// The members other than this node, in address order and without repetition.
    pub fn peers(&self) -> Vec<NodeId> {
        let mut peers: Vec<NodeId> = self
            .members
            .iter()
            .filter(|member| **member != self.node)
            .cloned()
            .collect();
        peers.sort();
        peers.dedup();
        peers
    }

    /// Everything that is wrong with the configuration, in words that say what would be right;
    /// empty when it can be used.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let timing = &self.timing;
        for (name, period) in [
            ("verify-interval", timing.verify_interval),
            ("scan-interval", timing.scan_interval),
            ("client-clean-interval", timing.client_clean_interval),
            ("beat-interval", timing.beat_interval),
            ("report-interval", timing.report_interval),
            (
                "report-unhealthy-interval",
                timing.report_unhealthy_interval,
            ),
            ("redo-interval", timing.redo_interval),
            ("reconnect-step", timing.reconnect_step),
            (
                "empty-service-clean-interval",
                timing.empty_service_clean_interval,
            ),
            ("health-check-idle", timing.health_check_idle),
            ("delay-tick", timing.delay_tick),
        ] {
            if period == Period::ZERO {
                problems.push(format!("{name} is 0; a period must be longer than that"));
            }
        }
        if timing.verify_interval.times(2) > timing.client_expired_time {
            problems.push(format!(
                "client-expired-time ({}) must hold at least two verify-intervals ({}), or one \
                 lost verify removes live clients",
                timing.client_expired_time, timing.verify_interval
            ));
        }
        if self.message_bytes_max < 4096 {
            problems.push(format!(
                "message-bytes-max is {}; no protocol message fits below 4096",
                self.message_bytes_max
            ));
        }
        if self.node.as_str().is_empty() || self.node.as_str().contains('#') {
            problems.push(format!(
                "node address {:?} must be ip:port without '#'",
                self.node.0
            ));
        }
        problems
    }
}
