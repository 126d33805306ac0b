//! The protocol's constants, each with its unit in its type and its source in Nacos.
//!
//! What an operator may change starts from here and lives in [`Timing`](crate::config::Timing);
//! what nobody may change is used directly.

use crate::ids::Incarnation;
use crate::time::Period;

/// Coalescing window of CHANGE and DELETE (`DistroConstants.DEFAULT_DATA_SYNC_DELAY_MILLISECONDS`).
pub const SYNC_DELAY: Period = Period::from_secs(1);
/// RPC timeout of one sync (`DistroConstants.DEFAULT_DATA_SYNC_TIMEOUT_MILLISECONDS`).
pub const SYNC_TIMEOUT: Period = Period::from_secs(3);
/// Delay before a failed sync is tried again
/// (`DistroConstants.DEFAULT_DATA_SYNC_RETRY_DELAY_MILLISECONDS`).
pub const SYNC_RETRY_DELAY: Period = Period::from_secs(3);
/// Verify round (`DistroConstants.DEFAULT_DATA_VERIFY_INTERVAL_MILLISECONDS`).
pub const VERIFY_INTERVAL: Period = Period::from_secs(5);
/// RPC timeout of one verify (`DistroConstants.DEFAULT_DATA_VERIFY_TIMEOUT_MILLISECONDS`).
pub const VERIFY_TIMEOUT: Period = Period::from_secs(3);
/// RPC timeout of a snapshot (`DistroConstants.DEFAULT_DATA_LOAD_TIMEOUT_MILLISECONDS`, 2.1.1).
pub const LOAD_TIMEOUT: Period = Period::from_secs(30);
/// Nacos's wait before the whole load is tried again
/// (`DistroConstants.DEFAULT_DATA_LOAD_RETRY_DELAY_MILLISECONDS`).
pub const LOAD_RETRY_DELAY: Period = Period::from_secs(30);
/// Between two attempts to load from one peer in the `distro` profile. Why: thirty seconds of an
/// empty table after a cold start is incident 3.
pub const LOAD_RETRY_DELAY_DISTRO: Period = Period::from_secs(1);
/// How long a starting `distro` node waits for peers that cannot be reached before it serves with
/// what it has. Why: never is incident 2, at once is incident 40.
pub const LOAD_WAIT: Period = Period::from_secs(10);
/// Tick of the delay engines (`NacosDelayTaskExecuteEngine`, process interval 100 ms).
pub const DELAY_TICK: Period = Period::from_millis(100);

/// First connection scan after the start (`ConnectionManager.start`, initial delay 1000).
pub const SCAN_INITIAL_DELAY: Period = Period::from_secs(1);
/// From the end of one connection scan to the next (`ConnectionManager.start`, period 3000).
pub const SCAN_INTERVAL: Period = Period::from_secs(3);
/// Idle limit before a connection is probed (`RuntimeConnectionEjector.KEEP_ALIVE_TIME`).
pub const KEEP_ALIVE: Period = Period::from_secs(20);
/// How long a probe may take (`NacosRuntimeConnectionEjector`, 2.3.0).
pub const DETECTION_TIMEOUT: Period = Period::from_secs(5);
/// The same in 2.0.0 to 2.1.2 (`ConnectionManager`).
pub const DETECTION_TIMEOUT_NACOS20: Period = Period::from_secs(1);
/// How long a push queue may stay blocked (`RuntimeConnectionEjector`, 2.3.1).
pub const BLOCKED_LIMIT: Period = Period::from_secs(300);
/// How long a client may take to leave after a reset request (`ConnectionManager.loadSingle`).
pub const RESET_WAIT: Period = Period::from_secs(3);

/// Lease of a synced client (`ClientConstants.DEFAULT_CLIENT_EXPIRED_TIME`).
pub const CLIENT_EXPIRED_TIME: Period = Period::from_secs(180);
/// Period of the expired-client cleaner
/// (`ConnectionBasedClientManager`, `ExpiredClientCleaner` each 5 s).
pub const CLIENT_CLEAN_INTERVAL: Period = Period::from_secs(5);
/// Period of a beat and of the check (`SwitchDomain.clientBeatInterval`; `HealthCheckReactor`,
/// `ClientBeatCheckTaskV2` each 5 s).
pub const BEAT_INTERVAL: Period = Period::from_secs(5);
/// Silence that makes an instance unhealthy (`Constants.DEFAULT_HEART_BEAT_TIMEOUT`).
pub const BEAT_TIMEOUT: Period = Period::from_secs(15);
/// Silence that removes an instance (`Constants.DEFAULT_IP_DELETE_TIMEOUT`).
pub const BEAT_REMOVE_TIMEOUT: Period = Period::from_secs(30);
/// How long the clients of a member's earlier life stay after its new life showed up. Why: bound
/// L3 gives a live client 22 s to return after a silent loss, 3 s more per dead address it tries.
pub const RETURN_GRACE: Period = Period::from_secs(25);
/// How long a deleted client's id is remembered. Why: longer than any message can be under way
/// (a snapshot may take its whole timeout), shorter than anyone would notice the memory.
pub const TOMBSTONE_TIME: Period = Period::from_secs(240);

/// How far ahead of a node's own clock the number of a member's life may lie. Why: far above every
/// wrong clock but a broken one, so that no jump parts members; far below where numbers end.
pub const LIFE_AHEAD_MAX: Period = Period::from_secs(10 * 365 * 86_400);
/// A life from before this was made is no news: the first moment of 2026, in milliseconds. Why: a
/// host without a clock of its own starts in 1970 and has to believe its members all the same.
pub const LIFE_FLOOR: Incarnation = Incarnation(1_767_225_600_000);

/// Push debounce (`PushConfig`, `pushTaskDelay`).
pub const PUSH_DELAY: Period = Period::from_millis(500);
/// RPC timeout of a push (`PushConfig`, `pushTaskTimeout`).
pub const PUSH_TIMEOUT: Period = Period::from_secs(5);
/// Delay before a failed push is tried again (`PushConfig`, `pushTaskRetryDelay`).
pub const PUSH_RETRY_DELAY: Period = Period::from_secs(1);
/// What a client is told to cache (`SwitchDomain.defaultPushCacheMillis`), in milliseconds.
pub const CACHE_MILLIS: i64 = 10_000;

/// From a fuzzy watch to the first batch of its list (`FuzzyWatchSyncNotifyTask`, delay 1000; 3.0).
pub const FUZZY_SYNC_DELAY: Period = Period::from_secs(1);
/// From the last batch of a first list to the word that it is complete (delay 500; 3.0).
pub const FUZZY_FINISH_DELAY: Period = Period::from_millis(500);
/// Services in one batch (`NamingFuzzyWatchSyncNotifier`, batch size 10; 3.0).
pub const FUZZY_BATCH_SIZE: usize = 10;
/// From the loss of a service of a pattern that is over its limit to the search for others (the
/// trim task of `NamingFuzzyWatchContextService`, each 30 s; 3.0).
pub const FUZZY_MAKE_UP_DELAY: Period = Period::from_secs(30);
/// The share of all patterns that one client may watch, as a divisor. Why: else the first one that
/// watches them all leaves none to anybody.
pub const FUZZY_SHARE: u32 = 4;
/// Connections of clients that do not say that they are one: they can do next to nothing.
pub const OTHERS_MAX: u32 = 16;
/// Transports that one member may have opened to this node. Why more than one: those that the
/// network lost without a word are here until their time is up.
pub const MEMBER_CONNS_MAX: usize = 16;
/// Instances of one batch. Why: the list of a service is one message, and a tenth of the largest
/// message leaves room for others in it.
pub const BATCH_INSTANCES_MAX: u32 = 10_000;
/// Patterns that may be watched at one time (`nacos.naming.fuzzy.watch.max.pattern.count`).
pub const FUZZY_PATTERNS_MAX: u32 = 20;
/// Services that one pattern names (`nacos.naming.fuzzy.watch.max.pattern.match.service.count`).
pub const FUZZY_MATCHES_MAX: u32 = 500;

/// First member report after ready (`ServerMemberManager.onApplicationEvent`, delay 5000).
pub const REPORT_INITIAL_DELAY: Period = Period::from_secs(5);
/// From one member report to the next, round robin (`MemberInfoReportTask.after`, 2000).
pub const REPORT_INTERVAL: Period = Period::from_secs(2);
/// Reports to members that are not UP (`UnhealthyMemberInfoReportTask`, 5000; 2.3.0).
pub const REPORT_UNHEALTHY_INTERVAL: Period = Period::from_secs(5);
/// RPC timeout of a member report (`RpcClient.DEFAULT_TIMEOUT_MILLS`).
pub const REPORT_TIMEOUT: Period = Period::from_secs(3);
/// More failed reports than this and a member is DOWN (`nacos.core.member.fail-access-cnt`).
pub const REPORT_FAILURES_MAX: u32 = 3;

/// Idle time after which the dialling end checks a connection (`RpcClient`, keep alive 5000).
pub const HEALTH_CHECK_IDLE: Period = Period::from_secs(5);
/// RPC timeout of a health check (`GrpcClientConfig`, health timeout 3000).
pub const HEALTH_CHECK_TIMEOUT: Period = Period::from_secs(3);
/// Health checks that may fail in a row before the connection is given up
/// (`GrpcClientConfig`, health retry 3, plus the first).
pub const HEALTH_CHECK_TRIES: u32 = 3;
/// RPC timeout of server check and setup (`GrpcClientConfig`, server check timeout 3000).
pub const CONNECT_TIMEOUT: Period = Period::from_secs(3);
/// RPC timeout of an ordinary client request (`RpcClient.DEFAULT_TIMEOUT_MILLS`).
pub const REQUEST_TIMEOUT: Period = Period::from_secs(3);
/// How long a client waits for the `SetupAck`
/// (`GrpcClientConfig`, capability negotiation timeout 5000).
pub const SETUP_ACK_TIMEOUT: Period = Period::from_secs(5);
/// Step of the reconnect back-off (`RpcClient.reconnect`, 100 ms per turn).
pub const RECONNECT_STEP: Period = Period::from_millis(100);
/// Most steps of the reconnect back-off (`RpcClient.reconnect`, 50 turns).
pub const RECONNECT_STEPS_MAX: u64 = 50;
/// Most steps between two dials of a fellow node. Why: bound L1 counts on a channel within 5 s
/// plus a connect; with 3 s it is there well before.
pub const REDIAL_STEPS_MAX: u64 = 30;
/// Tick of a client's redo task (`NamingGrpcRedoService`, 3000).
pub const REDO_INTERVAL: Period = Period::from_secs(3);

/// Period of the empty-service cleaner (`nacos.naming.clean.empty-service.interval`).
pub const EMPTY_SERVICE_CLEAN_INTERVAL: Period = Period::from_secs(60);
/// Age at which an empty service is dropped (`nacos.naming.clean.empty-service.expired-time`).
pub const EMPTY_SERVICE_EXPIRED_TIME: Period = Period::from_secs(60);

/// Largest message (`nacos.remote.server.grpc.cluster.max-inbound-message-size`), in bytes.
pub const MESSAGE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Largest sum of key and value lengths of an instance's metadata
/// (`nacos.naming.service.metadata.length`), in UTF-16 units.
pub const METADATA_LENGTH_MAX: usize = 1024;
/// Syncs under way to one target. Why: a resend of everything must not become a burst (S16).
pub const SYNC_IN_FLIGHT_MAX: usize = 512;
/// Clients with a pending sync to one target. Beyond it what waits for a target that cannot be
/// reached is dropped, and what is new for one that can; verify repairs, which needs no memory.
pub const SYNC_PENDING_MAX: usize = 65_536;
/// Tombstones kept; the oldest goes first. Verify repairs what slips through.
pub const TOMBSTONES_MAX: usize = 262_144;
/// Places remembered that were given up while a member was away; the oldest goes first. What is
/// forgotten is listed for what is left of its lease.
pub const GIVEN_UP_MAX: usize = 16_384;
/// Of those, as many are told with one verify.
pub const GIVEN_UP_BATCH: usize = 512;
/// Leaf entries listed in one verify answer; the rest waits for the next round.
pub const DIGEST_ENTRIES_MAX: usize = 8_192;
/// The time a process may be late for its own deadline before it counts as paused. Why: two of
/// its shortest periods; scheduling noise stays below, a stop of a second is worth noticing.
pub const PAUSE_SLACK: Period = Period::from_secs(1);

const _: () = assert!(
    VERIFY_INTERVAL.0 * 3 < CLIENT_EXPIRED_TIME.0,
    "several verify rounds fit into one lease, or one lost verify would expire everybody"
);
const _: () = assert!(
    HEALTH_CHECK_IDLE.0 + HEALTH_CHECK_TIMEOUT.0 * (HEALTH_CHECK_TRIES as u64) < KEEP_ALIVE.0,
    "a client notices a dead connection before its server probes it"
);
const _: () = assert!(
    VERIFY_TIMEOUT.0 < VERIFY_INTERVAL.0,
    "a verify round is over before the next begins"
);
const _: () = assert!(
    TOMBSTONE_TIME.0 > CLIENT_EXPIRED_TIME.0 + LOAD_TIMEOUT.0,
    "a tombstone outlives every message that could bring its client back"
);
const _: () = assert!(
    BEAT_INTERVAL.0 * 2 < BEAT_TIMEOUT.0 && BEAT_TIMEOUT.0 < BEAT_REMOVE_TIMEOUT.0,
    "one lost beat makes nobody unhealthy, and who is removed was unhealthy before"
);
const _: () = assert!(
    DELAY_TICK.0 * 2 < PUSH_DELAY.0,
    "the delay engine is fine enough for the shortest delay"
);
