//! The hash of a whole trace, without its text: on every event of every run, so it must cost
//! next to nothing.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;

use distro_core::event::Event;
use distro_core::hash::{StableHasher, hash_of};
use distro_core::ids::{ConnId, RequestId};
use distro_core::message::distro::{ClientSyncData, DistroDataRequest};
use distro_core::message::naming::{Instance, ServiceInfo};
use distro_core::message::{Request, Response, ResponseBody};
use distro_core::sdk::io::SdkEvent;

use crate::observe::{Observation, Seen};
use crate::scenario::model::{ClientOp, HostId};

/// A running hash over every observation. Equal traces have equal hashes, in every process and
/// build of the same version.
#[derive(Debug)]
pub struct TraceHash {
    hasher: StableHasher,
    entry: u64,
    lists: Memo<ServiceInfo>,
    records: Memo<ClientSyncData>,
    instances: Memo<Instance>,
}

/// Hashes of shared values by where they live.
///
/// A list or record is one allocation that many observations show: sent, received, told of, to
/// every subscriber and peer. Its content is hashed once. The slot keeps the value alive, so its
/// address can't come to mean another; and since only the content's hash leaves the memo, the
/// result does not depend on addresses, only the time it takes does.
#[derive(Debug)]
struct Memo<T>(Vec<Option<(Arc<T>, u64)>>);

/// Slots for lists and for records. Why: enough for what is under way at one time, small enough for
/// the processor's cache.
const MEMO_SLOTS: usize = 256;
/// Slots for instances: a new list shares all but one of them with the list before.
const INSTANCE_SLOTS: usize = 1024;

impl<T> Memo<T> {
    fn new(slots: usize) -> Memo<T> {
        Memo((0..slots).map(|_| None).collect())
    }

    #[inline]
    fn hash(&mut self, value: &Arc<T>, of: impl FnOnce(&T) -> u64) -> u64 {
        // Why: allocations are 16 bytes apart at least, so the lowest bits say nothing.
        let at = Arc::as_ptr(value).addr() >> 4;
        let slots = self.0.len();
        let slot = &mut self.0[(at ^ (at >> 8)) % slots];
        match slot {
            Some((known, hash)) if Arc::ptr_eq(known, value) => *hash,
            Some(_) | None => {
                let hash = of(value);
                *slot = Some((Arc::clone(value), hash));
                hash
            }
        }
    }
}

impl Default for TraceHash {
    fn default() -> TraceHash {
        TraceHash::new()
    }
}

impl TraceHash {
    /// The hash of a trace without entries.
    pub fn new() -> TraceHash {
        TraceHash {
            hasher: StableHasher::default(),
            entry: 0,
            lists: Memo::new(MEMO_SLOTS),
            records: Memo::new(MEMO_SLOTS),
            instances: Memo::new(INSTANCE_SLOTS),
        }
    }

    /// How many observations there were.
    pub const fn entries(&self) -> u64 {
        self.entry
    }

    /// The hash so far.
    pub fn finish(&self) -> u64 {
        self.hasher.finish()
    }

    /// Adds one observation and gives its number, which is that of its entry in the trace.
    #[inline]
    pub fn see(&mut self, seen: &Observation<'_>) -> u64 {
        self.entry += 1;
        self.hasher.write_u64(seen.at.0);
        // Why one word: the host and the kind are small, and each word costs a multiplication.
        self.hasher
            .write_u64(u64::from(seen.host.0) << 8 | u64::from(kind(&seen.what)));
        self.what(&seen.what);
        self.entry
    }

    fn what(&mut self, what: &Seen<'_>) {
        match *what {
            Seen::Started => {}
            Seen::Stopped { silent } => self.hasher.write_u8(u8::from(silent)),
            Seen::Opened { conn, peer } | Seen::Closed { conn, peer } => self.end(conn, peer),
            Seen::Close { conn, peer, reason } => {
                self.end(conn, peer);
                reason.hash(&mut self.hasher);
            }
            Seen::RequestSent {
                conn,
                peer,
                id,
                request,
            }
            | Seen::RequestReceived {
                conn,
                peer,
                id,
                request,
            } => {
                self.message(conn, peer, id);
                self.request(request);
            }
            Seen::Unhandled {
                conn,
                peer,
                id,
                received,
            } => {
                self.message(conn, peer, id);
                received.hash(&mut self.hasher);
            }
            Seen::ResponseSent {
                conn,
                peer,
                id,
                response,
            }
            | Seen::ResponseReceived {
                conn,
                peer,
                id,
                response,
            } => {
                self.message(conn, peer, id);
                self.response(response);
            }
            Seen::Node(event) => self.node(event),
            Seen::Client(event) => self.client(event),
            Seen::Called { call, op } => {
                self.hasher.write_u64(call);
                self.op(op);
            }
            Seen::Returned { call, result } => {
                self.hasher.write_u64(call);
                result.hash(&mut self.hasher);
            }
            // Why only the index: the actions themselves are the scenario's, not the run's.
            Seen::Began { index, .. } | Seen::Ended { index, .. } => {
                self.hasher.write_usize(index);
            }
        }
    }

    #[inline]
    fn end(&mut self, conn: ConnId, peer: HostId) {
        self.hasher
            .write_u64(conn.0.rotate_left(32) ^ u64::from(peer.0));
    }

    #[inline]
    fn message(&mut self, conn: ConnId, peer: HostId, id: RequestId) {
        self.end(conn, peer);
        self.hasher.write_u64(id.0);
    }

    fn list(&mut self, info: &Arc<ServiceInfo>) -> u64 {
        let instances = &mut self.instances;
        self.lists.hash(info, |info| {
            // Every field by name, so that a new one can't be forgotten here.
            let ServiceInfo {
                service,
                clusters,
                hosts,
                reach_protection_threshold,
                last_ref_time,
                version,
            } = info;
            let mut hasher = StableHasher::default();
            (service, clusters, last_ref_time, version, hosts.len()).hash(&mut hasher);
            reach_protection_threshold.hash(&mut hasher);
            for host in hosts.iter() {
                hasher.write_u64(instances.hash(host, hash_of));
            }
            hasher.finish()
        })
    }

    fn request(&mut self, request: &Request) {
        if let Request::NotifySubscriber(info) = request {
            let hash = self.list(info);
            let number = request.of().facts().number;
            self.hasher.write_isize(isize::from(number));
            self.hasher.write_u64(hash);
        } else if let Request::DistroData(
            distro @ (DistroDataRequest::Change(data) | DistroDataRequest::Add(data)),
        ) = request
        {
            let hash = self.records.hash(data, hash_of);
            self.shared(distro, hash);
        } else {
            request.hash(&mut self.hasher);
        }
    }

    fn response(&mut self, response: &Response) {
        if let ResponseBody::SubscribeService(Some(info)) | ResponseBody::QueryService(Some(info)) =
            &response.body
        {
            let hash = self.list(info);
            self.shared(&response.body, hash);
            (response.result_code, response.error_code).hash(&mut self.hasher);
            response.message.hash(&mut self.hasher);
        } else {
            response.hash(&mut self.hasher);
        }
    }

    fn node(&mut self, event: &Event) {
        if let Event::ClientChanged {
            data,
            owner,
            native,
            created,
            cause,
        } = event
        {
            let hash = self.records.hash(data, hash_of);
            self.shared(event, hash);
            owner.hash(&mut self.hasher);
            (native, created, cause).hash(&mut self.hasher);
        } else {
            event.hash(&mut self.hasher);
        }
    }

    fn client(&mut self, event: &SdkEvent) {
        if let SdkEvent::ListChanged { info } = event {
            let hash = self.list(info);
            self.shared(event, hash);
        } else {
            event.hash(&mut self.hasher);
        }
    }

    /// A value that is its variant and one shared part.
    #[inline]
    fn shared<T>(&mut self, variant: &T, hash: u64) {
        discriminant(variant).hash(&mut self.hasher);
        self.hasher.write_u64(hash);
    }

    fn op(&mut self, op: &ClientOp) {
        discriminant(op).hash(&mut self.hasher);
        match op {
            ClientOp::Register(service, instance) => {
                (service, instance).hash(&mut self.hasher);
            }
            ClientOp::Batch(service, instances) => (service, instances).hash(&mut self.hasher),
            ClientOp::Deregister(service)
            | ClientOp::Subscribe(service)
            | ClientOp::Unsubscribe(service)
            | ClientOp::Query(service) => service.hash(&mut self.hasher),
        }
    }
}

const fn kind(what: &Seen<'_>) -> u8 {
    match what {
        Seen::Started => 0,
        Seen::Stopped { .. } => 1,
        Seen::Opened { .. } => 2,
        Seen::Closed { .. } => 3,
        Seen::Close { .. } => 4,
        Seen::RequestSent { .. } => 5,
        Seen::RequestReceived { .. } | Seen::Unhandled { .. } => 6,
        Seen::ResponseSent { .. } => 7,
        Seen::ResponseReceived { .. } => 8,
        Seen::Node(_) => 9,
        Seen::Client(_) => 10,
        Seen::Called { .. } => 11,
        Seen::Returned { .. } => 12,
        Seen::Began { .. } => 13,
        Seen::Ended { .. } => 14,
    }
}
