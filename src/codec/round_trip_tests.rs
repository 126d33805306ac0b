//! Whatever the core may send comes back as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::{ClientId, Incarnation, NodeId, RequestId, Revision, Str};
use distro_core::message::cluster::{LoaderMetrics, Member, NodeState, ServerReloadRequest};
use distro_core::message::distro::{
    ClientSyncData, Digest, DigestAnswer, DigestRound, DigestVerify, DistroDataRequest,
    DistroDataResponse, GivenUp, Origin, SnapshotChunk, SnapshotChunkRequest, SnapshotEntry,
    SnapshotScope, Word,
};
use distro_core::message::fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
    ServiceChange, SyncType, WatchType,
};
use distro_core::message::internal::{
    ConnectResetRequest, ConnectionSetupRequest, ServerCheckResponse, SetupAckRequest,
};
use distro_core::message::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, Published, ServiceInfo,
    ServiceKey, ServiceListRequest, ServiceListResponse, ServiceQueryRequest,
    SubscribeServiceRequest, Weight,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Received, Request, Response, ResponseBody};
use distro_core::messages;
use distro_core::time::Period;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::*;

/// A text that is not empty: empty names read as their defaults.
fn name() -> impl Strategy<Value = Str> {
    "[a-zA-Z0-9_. \"\\\\\u{e9}\u{4e2d}-]{1,12}".prop_map(Str::from)
}

fn words() -> impl Strategy<Value = Str> {
    ".{0,12}".prop_map(Str::from)
}

fn key() -> impl Strategy<Value = ServiceKey> {
    (name(), name(), name()).prop_map(|(namespace, group, name)| ServiceKey {
        namespace,
        group,
        name,
    })
}

fn client() -> impl Strategy<Value = ClientId> {
    name().prop_map(ClientId)
}

fn node() -> impl Strategy<Value = NodeId> {
    ("[a-z0-9.]{1,9}", 1000u16..).prop_map(|(ip, port)| NodeId::new(&format!("{ip}:{port}")))
}

fn origin() -> impl Strategy<Value = Origin> {
    (node(), any::<u64>()).prop_map(|(node, life)| Origin {
        node,
        incarnation: Incarnation(life),
    })
}

fn weight() -> impl Strategy<Value = Weight> {
    prop_oneof![
        Just(1.0),
        Just(5.0),
        proptest::num::f64::NORMAL,
        0.0..2.0f64
    ]
    .prop_map(Weight)
}

prop_compose! {
    fn instance()(
        instance_id in option::of(name()),
        ip in name(),
        port in any::<i32>(),
        weight in weight(),
        flags in any::<(bool, bool, bool)>(),
        cluster_name in name(),
        service_name in option::of(name()),
        metadata in btree_map(name(), words(), 0..4),
    ) -> Instance {
        let (healthy, enabled, ephemeral) = flags;
        Instance {
            instance_id, ip, port, weight, healthy, enabled, ephemeral, cluster_name,
            service_name, metadata: metadata.into_iter().collect(),
        }
    }
}

/// An instance as a node stores it: ephemeral, with its grouped service name.
fn stored(service: &ServiceKey, mut instance: Instance) -> Arc<Instance> {
    instance.ephemeral = true;
    instance.service_name = Some(service.grouped_name());
    Arc::new(instance)
}

fn published() -> impl Strategy<Value = (bool, Vec<Instance>)> {
    prop_oneof![
        instance().prop_map(|instance| (false, vec![instance])),
        vec(instance(), 0..3).prop_map(|batch| (true, batch)),
    ]
}

prop_compose! {
    fn record()(
        client in client(),
        origin in option::of(origin()),
        revision in any::<u64>(),
        services in btree_map(key(), published(), 0..4),
        said in option::of(any::<u64>()),
    ) -> Arc<ClientSyncData> {
        let services = services.into_iter().map(|(service, (batch, instances))| {
            let mut all = instances.into_iter().map(|instance| stored(&service, instance));
            let published = if batch {
                Published::Batch(all.collect())
            } else {
                Published::Single(all.next().unwrap())
            };
            (service, published)
        });
        let services: Vec<_> = services.collect();
        let words = said.map_or_else(Vec::new, |said| vec![Word(said); services.len()]);
        Arc::new(ClientSyncData { client, origin, revision: Revision(revision), services, words })
    }
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<(u64, u64)>().prop_map(|(sum, count)| Digest { sum, count })
}

fn given_up() -> impl Strategy<Value = GivenUp> {
    (key(), words(), any::<i32>(), words(), any::<(u64, u64)>()).prop_map(
        |(service, ip, port, cluster, (word, remaining))| GivenUp {
            service,
            ip,
            port,
            cluster,
            word: Word(word),
            remaining: Period(remaining),
        },
    )
}

fn distro() -> impl Strategy<Value = DistroDataRequest> {
    let round = prop_oneof![
        digest().prop_map(DigestRound::Whole),
        vec((any::<u16>(), digest()), 0..5).prop_map(DigestRound::Leaves),
    ];
    let scope = prop_oneof![
        Just(SnapshotScope::Owned),
        vec(node(), 0..3).prop_map(SnapshotScope::Held),
    ];
    prop_oneof![
        record().prop_map(DistroDataRequest::Change),
        record().prop_map(DistroDataRequest::Add),
        (client(), option::of(origin())).prop_map(|(id, from)| DistroDataRequest::Delete(id, from)),
        (client(), any::<u64>()).prop_map(|(id, r)| DistroDataRequest::Verify(id, Revision(r))),
        (origin(), round, any::<u64>(), vec(given_up(), 0..3)).prop_map(
            |(origin, round, clock, given_up)| {
                let clock = Word(clock);
                DistroDataRequest::Digest(Box::new(DigestVerify {
                    origin,
                    round,
                    clock,
                    given_up,
                }))
            }
        ),
        Just(DistroDataRequest::Snapshot),
        (origin(), scope, option::of(client())).prop_map(|(requester, scope, after)| {
            let chunk = SnapshotChunkRequest {
                requester,
                scope,
                after,
            };
            DistroDataRequest::SnapshotChunk(Box::new(chunk))
        }),
        client().prop_map(DistroDataRequest::Query),
    ]
}

fn operation() -> impl Strategy<Value = InstanceOperation> {
    prop_oneof![
        Just(InstanceOperation::Register),
        Just(InstanceOperation::Deregister)
    ]
}

prop_compose! {
    fn info()(
        service in key(),
        clusters in words(),
        hosts in vec(instance(), 0..3),
        reach_protection_threshold in any::<bool>(),
        last_ref_time in any::<i64>(),
        version in any::<u64>(),
    ) -> ServiceInfo {
        let hosts = hosts.into_iter().map(Arc::new).collect();
        ServiceInfo {
            service, clusters, hosts, reach_protection_threshold, last_ref_time, version,
        }
    }
}

fn member() -> impl Strategy<Value = Member> {
    let state = prop_oneof![
        Just(NodeState::Starting),
        Just(NodeState::Up),
        Just(NodeState::Suspicious),
        Just(NodeState::Down)
    ];
    (node(), state, any::<u64>(), words()).prop_map(|(node, state, life, version)| Member {
        node,
        state,
        incarnation: Incarnation(life),
        version,
    })
}

fn unsupported() -> impl Strategy<Value = Unsupported> {
    select(&Unsupported::ALL[..]).prop_map(|(which, ..)| which)
}

fn abilities() -> impl Strategy<Value = BTreeMap<Str, bool>> {
    btree_map(name(), any::<bool>(), 0..4)
}

fn distro_answer() -> impl Strategy<Value = DistroDataResponse> {
    let answer = prop_oneof![
        Just(DigestAnswer::Match),
        vec((any::<u8>(), digest()), 0..5).prop_map(DigestAnswer::Branches),
        (
            vec(any::<u16>(), 0..4),
            vec((client(), any::<u64>().prop_map(Revision)), 0..4)
        )
            .prop_map(|(leaves, held)| DigestAnswer::Entries { leaves, held }),
        any::<u64>().prop_map(|life| DigestAnswer::Superseded(Incarnation(life))),
    ];
    let entry = (record(), any::<u64>()).prop_map(|(data, micros)| SnapshotEntry {
        data,
        remaining: Period(micros),
    });
    let chunk = (
        origin(),
        any::<bool>(),
        any::<u64>(),
        vec(entry, 0..3),
        option::of(client()),
    );
    // An answer names its record by the key, and `SNAPSHOT` is the key of a whole snapshot.
    let named = record().prop_filter("no snapshot", |record| record.client.as_str() != "SNAPSHOT");
    prop_oneof![
        Just(DistroDataResponse::Done),
        answer.prop_map(DistroDataResponse::Digest),
        vec(record(), 0..3).prop_map(DistroDataResponse::Snapshot),
        named.prop_map(DistroDataResponse::Client),
        chunk.prop_map(|(origin, settled, seen, entries, next)| {
            let seen = Incarnation(seen);
            let chunk = SnapshotChunk {
                origin,
                settled,
                seen,
                entries,
                next,
            };
            DistroDataResponse::Chunk(Box::new(chunk))
        }),
    ]
}

/// Every content of a message that its text can carry.
trait Sample: Sized + std::fmt::Debug + 'static {
    fn any() -> BoxedStrategy<Self>;
}

impl<T: Sample> Sample for Box<T> {
    fn any() -> BoxedStrategy<Box<T>> {
        T::any().prop_map(Box::new).boxed()
    }
}

impl<T: Sample> Sample for Arc<T> {
    fn any() -> BoxedStrategy<Arc<T>> {
        T::any().prop_map(Arc::new).boxed()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn any() -> BoxedStrategy<Option<T>> {
        option::of(T::any()).boxed()
    }
}

/// A strategy as the sample of its type.
macro_rules! sample {
    ($($content:ty: $strategy:expr;)*) => {
        $(
            impl Sample for $content {
                fn any() -> BoxedStrategy<$content> {
                    $strategy.boxed()
                }
            }
        )*
    };
}

sample! {
    ConnectionSetupRequest: (
        option::of(words()),
        option::of(words()),
        btree_map(name(), words(), 0..4),
        option::of(abilities()),
        words(),
    ).prop_map(|(client_version, tenant, labels, ability_table, client_ip)| {
        ConnectionSetupRequest { client_version, tenant, labels, ability_table, client_ip }
    });
    SetupAckRequest: abilities().prop_map(|ability_table| SetupAckRequest { ability_table });
    ConnectResetRequest: (option::of(words()), option::of(words()), option::of(client())).prop_map(
        |(server_ip, server_port, connection_id)| {
            ConnectResetRequest { server_ip, server_port, connection_id }
        }
    );
    ServerReloadRequest: (any::<u32>(), option::of(node())).prop_map(
        |(reload_count, reload_server)| ServerReloadRequest { reload_count, reload_server }
    );
    InstanceRequest: (key(), operation(), instance()).prop_map(
        |(service, operation, instance)| InstanceRequest { service, operation, instance }
    );
    BatchInstanceRequest: (key(), vec(instance(), 0..3)).prop_map(
        |(service, instances)| BatchInstanceRequest { service, instances }
    );
    SubscribeServiceRequest: (key(), any::<bool>(), words()).prop_map(
        |(service, subscribe, clusters)| SubscribeServiceRequest { service, subscribe, clusters }
    );
    ServiceQueryRequest: (key(), any::<bool>(), words()).prop_map(
        |(service, healthy_only, clusters)| ServiceQueryRequest { service, clusters, healthy_only }
    );
    ServiceListRequest: (name(), name(), any::<(i32, i32)>(), words()).prop_map(
        |(namespace, group, (page_no, page_size), selector)| {
            ServiceListRequest { namespace, group, page_no, page_size, selector }
        }
    );
    ServiceInfo: info();
    NamingFuzzyWatchRequest: (
        ".{0,20}",
        vec(plain_key(), 0..4),
        select(&[WatchType::Watch, WatchType::Cancel][..]),
        any::<bool>(),
    ).prop_map(|(pattern, received, watch_type, initializing)| {
        let pattern = Str::from(pattern);
        NamingFuzzyWatchRequest { pattern, received, watch_type, initializing }
    });
    NamingFuzzyWatchSyncRequest: (
        ".{0,20}",
        select(&[SyncType::Init, SyncType::Diff, SyncType::Finish][..]),
        vec((plain_key(), change()), 0..4),
        any::<(u32, u32)>(),
    ).prop_map(|(pattern, sync_type, contexts, (total_batch, current_batch))| {
        let pattern = Str::from(pattern);
        NamingFuzzyWatchSyncRequest { pattern, sync_type, contexts, total_batch, current_batch }
    });
    NamingFuzzyWatchChangeNotifyRequest: (plain_key(), change()).prop_map(
        |(service, change)| NamingFuzzyWatchChangeNotifyRequest { service, change }
    );
    DistroDataRequest: distro();
    Member: member();
    ServerCheckResponse: (client(), any::<bool>()).prop_map(
        |(connection_id, support_ability_negotiation)| {
            ServerCheckResponse { connection_id, support_ability_negotiation }
        }
    );
    LoaderMetrics: any::<(u32, u32)>().prop_map(
        |(connections, sdk_connections)| LoaderMetrics { connections, sdk_connections }
    );
    InstanceOperation: operation();
    ServiceListResponse: (any::<i32>(), vec(words(), 0..4)).prop_map(
        |(count, service_names)| ServiceListResponse { count, service_names }
    );
    DistroDataResponse: distro_answer();
}

/// A service whose parts have no `@@`, by which Nacos joins them.
fn plain_key() -> impl Strategy<Value = ServiceKey> {
    vec("[a-z0-9.-]{1,8}", 3).prop_map(|parts| ServiceKey {
        namespace: Str::from(&*parts[0]),
        group: Str::from(&*parts[1]),
        name: Str::from(&*parts[2]),
    })
}

fn change() -> impl Strategy<Value = ServiceChange> {
    select(&[ServiceChange::Added, ServiceChange::Deleted][..])
}

/// Any message of a row, with content or without.
macro_rules! any_of {
    ($message:expr) => {
        Just($message).boxed()
    };
    ($message:expr, $content:ty) => {
        <$content as Sample>::any().prop_map($message).boxed()
    };
}

macro_rules! samples {
    (
        to_server { $($(#[$sd:meta])* $s:ident $(($sc:ty))? { $($sf:tt)* })* }
        to_dialer { $($(#[$dd:meta])* $d:ident $(($dc:ty))? { $($df:tt)* })* }
        to_client { $($(#[$cd:meta])* $c:ident $(($cc:ty))? { $($cf:tt)* })* }
        answers { $($(#[$ad:meta])* $a:ident $(($ac:ty))? { $($af:tt)* })* }
    ) => {
        /// Any request of the table.
        fn request() -> impl Strategy<Value = Request> {
            Union::new([
                $( any_of!(Request::$s $(, $sc)?), )*
                $( any_of!(Request::$d $(, $dc)?), )*
                $( any_of!(Request::$c $(, $cc)?), )*
            ])
        }

        /// Any answer of the table.
        fn body() -> impl Strategy<Value = ResponseBody> {
            Union::new([
                $( any_of!(ResponseBody::$a $(, $ac)?), )*
                unsupported().prop_map(ResponseBody::Unsupported).boxed(),
            ])
        }
    };
}

messages!(samples);

prop_compose! {
    fn response()(
        codes in any::<(i32, i32)>(), message in option::of(words()), body in body(),
    ) -> Response {
        Response { result_code: codes.0, error_code: codes.1, message, body }
    }
}

proptest! {
    #[test]
    fn every_request_comes_back(request in request(), id in option::of(any::<u64>())) {
        let payload = encode_request(&request, id.map(RequestId), &Ends::default());
        prop_assert_eq!(request_kind(&payload.type_name, &payload.body), request.kind());
        prop_assert_eq!(decode_request(&payload), Received::Request(request));
    }

    #[test]
    fn every_response_comes_back(response in response(), id in option::of(any::<u64>())) {
        let payload = encode_response(&response, id.map(RequestId), &Ends::default());
        prop_assert_eq!(body_request_id(&payload.body), id.map(RequestId));
        prop_assert_eq!(decode_response(&payload), Ok(response));
    }
}
