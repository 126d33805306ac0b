//! What an operator may set. A [`Config`] is validated once, before a node starts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;
use core::ops::{Index, IndexMut};

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

/// Why a macro: the struct, its defaults and the names by which people set its fields are one list.
macro_rules! timing {
    ($( $(#[doc = $doc:literal])+ $key:ident $field:ident = $default:expr, )+) => {
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

        /// The name of one of the protocol's times: `timing[TimingKey::KeepAlive]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TimingKey {
            $( $(#[doc = $doc])+ $key, )+
        }

        impl TimingKey {
            /// All of them, in declaration order.
            pub const ALL: &[TimingKey] = &[ $( TimingKey::$key, )+ ];

            /// In kebab case, as configuration and scenario files spell it.
            pub const fn name(self) -> &'static str {
                match self { $( TimingKey::$key => $crate::kebab!($field), )+ }
            }

            /// What it means.
            pub fn about(self) -> &'static str {
                match self { $( TimingKey::$key => concat!($($doc),+).trim(), )+ }
            }
        }

        impl Index<TimingKey> for Timing {
            type Output = Period;

            fn index(&self, key: TimingKey) -> &Period {
                match key { $( TimingKey::$key => &self.$field, )+ }
            }
        }

        impl IndexMut<TimingKey> for Timing {
            fn index_mut(&mut self, key: TimingKey) -> &mut Period {
                match key { $( TimingKey::$key => &mut self.$field, )+ }
            }
        }
    };
}

timing! {
    /// Coalescing window of CHANGE and DELETE.
    SyncDelay sync_delay = c::SYNC_DELAY,
    /// RPC timeout of one sync.
    SyncTimeout sync_timeout = c::SYNC_TIMEOUT,
    /// Delay before a failed sync is tried again.
    SyncRetryDelay sync_retry_delay = c::SYNC_RETRY_DELAY,
    /// Verify round.
    VerifyInterval verify_interval = c::VERIFY_INTERVAL,
    /// RPC timeout of one verify.
    VerifyTimeout verify_timeout = c::VERIFY_TIMEOUT,
    /// RPC timeout of a snapshot.
    LoadTimeout load_timeout = c::LOAD_TIMEOUT,
    /// Wait before a failed load is tried again.
    LoadRetryDelay load_retry_delay = c::LOAD_RETRY_DELAY_DISTRO,
    /// How long a starting node waits for peers that cannot be reached.
    LoadWait load_wait = c::LOAD_WAIT,
    /// First connection scan after the start.
    ScanInitialDelay scan_initial_delay = c::SCAN_INITIAL_DELAY,
    /// From the end of one connection scan to the next.
    ScanInterval scan_interval = c::SCAN_INTERVAL,
    /// Idle limit before a connection is probed.
    KeepAlive keep_alive = c::KEEP_ALIVE,
    /// How long a probe may take.
    DetectionTimeout detection_timeout = c::DETECTION_TIMEOUT,
    /// How long a push queue may stay blocked.
    BlockedLimit blocked_limit = c::BLOCKED_LIMIT,
    /// How long a client may take to leave after a reset request.
    ResetWait reset_wait = c::RESET_WAIT,
    /// Lease of a synced client.
    ClientExpiredTime client_expired_time = c::CLIENT_EXPIRED_TIME,
    /// Period of the expired-client cleaner.
    ClientCleanInterval client_clean_interval = c::CLIENT_CLEAN_INTERVAL,
    /// How often a client without a connection beats, and how often beats are looked at.
    BeatInterval beat_interval = c::BEAT_INTERVAL,
    /// Silence after which an instance without beats is unhealthy.
    BeatTimeout beat_timeout = c::BEAT_TIMEOUT,
    /// Silence after which an instance without beats is removed.
    BeatRemoveTimeout beat_remove_timeout = c::BEAT_REMOVE_TIMEOUT,
    /// How long clients of a member's earlier life stay after its new life showed up.
    ReturnGrace return_grace = c::RETURN_GRACE,
    /// How long a deleted client's id is remembered.
    TombstoneTime tombstone_time = c::TOMBSTONE_TIME,
    /// Push debounce.
    PushDelay push_delay = c::PUSH_DELAY,
    /// RPC timeout of a push.
    PushTimeout push_timeout = c::PUSH_TIMEOUT,
    /// Delay before a failed push is tried again.
    PushRetryDelay push_retry_delay = c::PUSH_RETRY_DELAY,
    /// First member report after ready.
    ReportInitialDelay report_initial_delay = c::REPORT_INITIAL_DELAY,
    /// From one member report to the next, round robin.
    ReportInterval report_interval = c::REPORT_INTERVAL,
    /// Reports to members that are not UP.
    ReportUnhealthyInterval report_unhealthy_interval = c::REPORT_UNHEALTHY_INTERVAL,
    /// RPC timeout of a member report.
    ReportTimeout report_timeout = c::REPORT_TIMEOUT,
    /// Idle time after which the dialling end checks a connection.
    HealthCheckIdle health_check_idle = c::HEALTH_CHECK_IDLE,
    /// RPC timeout of a health check.
    HealthCheckTimeout health_check_timeout = c::HEALTH_CHECK_TIMEOUT,
    /// RPC timeout of dial, server check and setup.
    ConnectTimeout connect_timeout = c::CONNECT_TIMEOUT,
    /// RPC timeout of an ordinary client request.
    RequestTimeout request_timeout = c::REQUEST_TIMEOUT,
    /// How long a client waits for the setup's acknowledgement.
    SetupAckTimeout setup_ack_timeout = c::SETUP_ACK_TIMEOUT,
    /// Step of the back-off between dials.
    ReconnectStep reconnect_step = c::RECONNECT_STEP,
    /// Tick of a client's redo task.
    RedoInterval redo_interval = c::REDO_INTERVAL,
    /// Period of the empty-service cleaner.
    EmptyServiceCleanInterval empty_service_clean_interval = c::EMPTY_SERVICE_CLEAN_INTERVAL,
    /// Age at which an empty service is dropped.
    EmptyServiceExpiredTime empty_service_expired_time = c::EMPTY_SERVICE_EXPIRED_TIME,
    /// Tick of the delay engines.
    DelayTick delay_tick = c::DELAY_TICK,
}

impl TimingKey {
    /// The time with this name.
    pub fn from_name(name: &str) -> Option<TimingKey> {
        TimingKey::ALL
            .iter()
            .copied()
            .find(|key| key.name() == name)
    }
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

    /// Everything that is wrong with the configuration; empty when it can be used.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut add = |fields, text| problems.push(ConfigProblem { fields, text });
        let timing = &self.timing;
        for key in PERIODS {
            if timing[*key] == Period::ZERO {
                let text = format!("{} is 0; a period must be longer than that", key.name());
                add(vec![ConfigField::Timing(*key)], text);
            }
        }
        if timing.verify_interval.times(2) > timing.client_expired_time {
            let text = format!(
                "client-expired-time ({}) must hold at least two verify-intervals ({}), or one \
                 lost verify removes live clients",
                timing.client_expired_time, timing.verify_interval
            );
            let both = [TimingKey::ClientExpiredTime, TimingKey::VerifyInterval];
            add(both.map(ConfigField::Timing).to_vec(), text);
        }
        if self.message_bytes_max < 4096 {
            let text = format!(
                "message-bytes-max is {}; no protocol message fits below 4096",
                self.message_bytes_max
            );
            add(vec![ConfigField::MessageBytesMax], text);
        }
        if self.node.as_str().is_empty() || self.node.as_str().contains('#') {
            let text = format!("node address {:?} must be ip:port without '#'", self.node.0);
            add(vec![ConfigField::Node], text);
        }
        problems
    }
}

/// The times after which something happens again and again: none may be 0.
const PERIODS: &[TimingKey] = &[
    TimingKey::VerifyInterval,
    TimingKey::ScanInterval,
    TimingKey::ClientCleanInterval,
    TimingKey::BeatInterval,
    TimingKey::ReportInterval,
    TimingKey::ReportUnhealthyInterval,
    TimingKey::RedoInterval,
    TimingKey::ReconnectStep,
    TimingKey::EmptyServiceCleanInterval,
    TimingKey::HealthCheckIdle,
    TimingKey::DelayTick,
];

/// A field of a [`Config`] that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigField {
    /// [`Config::node`].
    Node,
    /// One of [`Config::timing`].
    Timing(TimingKey),
    /// [`Config::message_bytes_max`].
    MessageBytesMax,
}

/// Something that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The fields that it is about, the likeliest culprit first; at least one.
    pub fields: Vec<ConfigField>,
    /// What is wrong, in words that say what would be right.
    pub text: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for ConfigProblem {}

/// All problems in one line.
pub fn in_one_line(problems: &[ConfigProblem]) -> String {
    let texts: Vec<&str> = problems
        .iter()
        .map(|problem| problem.text.as_str())
        .collect();
    texts.join("; ")
}
