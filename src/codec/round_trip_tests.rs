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
use distro_core::message::internal::{
    ConnectResetRequest, ConnectionSetupRequest, ServerCheckResponse, SetupAckRequest,
};
use distro_core::message::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, Published, ServiceInfo,
    ServiceKey, ServiceListRequest, ServiceListResponse, ServiceQueryRequest,
    SubscribeServiceRequest, Weight,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Request, Response, ResponseBody};
use distro_core::time::Period;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

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

fn naming() -> impl Strategy<Value = Request> {
    let operation = prop_oneof![
        Just(InstanceOperation::Register),
        Just(InstanceOperation::Deregister)
    ];
    let one = (key(), operation, instance()).prop_map(|(service, operation, instance)| {
        Box::new(InstanceRequest {
            service,
            operation,
            instance,
        })
    });
    prop_oneof![
        (one, any::<bool>()).prop_map(|(one, persistent)| {
            if persistent {
                Request::PersistentInstance(one)
            } else {
                Request::Instance(one)
            }
        }),
        (key(), vec(instance(), 0..3)).prop_map(|(service, instances)| {
            Request::BatchInstance(Box::new(BatchInstanceRequest { service, instances }))
        }),
        (key(), any::<bool>(), words()).prop_map(|(service, subscribe, clusters)| {
            let subscribe = SubscribeServiceRequest {
                service,
                subscribe,
                clusters,
            };
            Request::SubscribeService(Box::new(subscribe))
        }),
        (key(), any::<bool>(), words()).prop_map(|(service, healthy_only, clusters)| {
            Request::ServiceQuery(Box::new(ServiceQueryRequest {
                service,
                clusters,
                healthy_only,
            }))
        }),
        (name(), name(), any::<(i32, i32)>(), words()).prop_map(
            |(namespace, group, (page_no, page_size), selector)| {
                let list = ServiceListRequest {
                    namespace,
                    group,
                    page_no,
                    page_size,
                    selector,
                };
                Request::ServiceList(Box::new(list))
            }
        ),
        info().prop_map(Request::NotifySubscriber),
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
    ) -> Arc<ServiceInfo> {
        let hosts = hosts.into_iter().map(Arc::new).collect();
        Arc::new(ServiceInfo {
            service, clusters, hosts, reach_protection_threshold, last_ref_time, version,
        })
    }
}

fn member() -> impl Strategy<Value = Box<Member>> {
    let state = prop_oneof![
        Just(NodeState::Starting),
        Just(NodeState::Up),
        Just(NodeState::Suspicious),
        Just(NodeState::Down)
    ];
    (node(), state, any::<u64>(), words()).prop_map(|(node, state, life, version)| {
        Box::new(Member {
            node,
            state,
            incarnation: Incarnation(life),
            version,
        })
    })
}

fn unsupported() -> impl Strategy<Value = Unsupported> {
    select(&Unsupported::ALL[..]).prop_map(|(which, ..)| which)
}

fn abilities() -> impl Strategy<Value = BTreeMap<Str, bool>> {
    btree_map(name(), any::<bool>(), 0..4)
}

fn request() -> impl Strategy<Value = Request> {
    let setup = (
        option::of(words()),
        option::of(words()),
        btree_map(name(), words(), 0..4),
        option::of(abilities()),
    );
    prop_oneof![
        Just(Request::ServerCheck),
        Just(Request::HealthCheck),
        Just(Request::ClientDetection),
        Just(Request::ServerLoaderInfo),
        (setup, words()).prop_map(
            |((client_version, tenant, labels, ability_table), client_ip)| {
                let setup = ConnectionSetupRequest {
                    client_version,
                    tenant,
                    labels,
                    ability_table,
                    client_ip,
                };
                Request::ConnectionSetup(Box::new(setup))
            }
        ),
        abilities().prop_map(|ability_table| Request::SetupAck(SetupAckRequest { ability_table })),
        (
            option::of(words()),
            option::of(words()),
            option::of(client())
        )
            .prop_map(
                |(server_ip, server_port, connection_id)| Request::ConnectReset(
                    ConnectResetRequest {
                        server_ip,
                        server_port,
                        connection_id,
                    }
                )
            ),
        (any::<u32>(), option::of(node())).prop_map(|(reload_count, reload_server)| {
            Request::ServerReload(ServerReloadRequest {
                reload_count,
                reload_server,
            })
        }),
        member().prop_map(Request::MemberReport),
        naming(),
        distro().prop_map(Request::DistroData),
        unsupported().prop_map(Request::Unsupported),
    ]
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

fn body() -> impl Strategy<Value = ResponseBody> {
    let operation = prop_oneof![
        Just(InstanceOperation::Register),
        Just(InstanceOperation::Deregister)
    ];
    prop_oneof![
        Just(ResponseBody::Error),
        Just(ResponseBody::HealthCheck),
        Just(ResponseBody::ClientDetection),
        Just(ResponseBody::ConnectReset),
        Just(ResponseBody::ServerReload),
        Just(ResponseBody::BatchInstance),
        Just(ResponseBody::NotifySubscriber),
        operation.prop_map(ResponseBody::Instance),
        (client(), any::<bool>()).prop_map(|(connection_id, support_ability_negotiation)| {
            let check = ServerCheckResponse {
                connection_id,
                support_ability_negotiation,
            };
            ResponseBody::ServerCheck(Box::new(check))
        }),
        any::<(u32, u32)>().prop_map(|(connections, sdk_connections)| {
            ResponseBody::ServerLoaderInfo(LoaderMetrics {
                connections,
                sdk_connections,
            })
        }),
        option::of(info()).prop_map(ResponseBody::SubscribeService),
        option::of(info()).prop_map(ResponseBody::QueryService),
        (any::<i32>(), vec(words(), 0..4)).prop_map(|(count, service_names)| {
            ResponseBody::ServiceList(Box::new(ServiceListResponse {
                count,
                service_names,
            }))
        }),
        distro_answer().prop_map(ResponseBody::DistroData),
        option::of(member()).prop_map(ResponseBody::MemberReport),
        unsupported().prop_map(ResponseBody::Unsupported),
    ]
}

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
        prop_assert_eq!(decode_request(&payload), request);
    }

    #[test]
    fn every_response_comes_back(response in response(), id in option::of(any::<u64>())) {
        let payload = encode_response(&response, id.map(RequestId), &Ends::default());
        prop_assert_eq!(body_request_id(&payload.body), id.map(RequestId));
        prop_assert_eq!(decode_response(&payload), Ok(response));
    }
}
