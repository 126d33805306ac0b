//! What clients ask of the naming module: queries, lists, subscriptions (part 4).

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::cluster::Cluster;
use crate::ids::Str;
use crate::message::naming::{ServiceInfo, ServiceKey, ServiceQueryRequest};
use crate::message::{Request, ResponseBody};
use crate::profile::Profile;
use crate::time::Period;

/// The healthy and unhealthy instances in some clusters, as a client gets them.
fn query(cluster: &mut Cluster, client: usize, service: &str, clusters: &str) -> Arc<ServiceInfo> {
    cluster.ask(
        client,
        Request::ServiceQuery(Box::new(ServiceQueryRequest {
            service: ServiceKey::named(service),
            clusters: Str::from(clusters),
            healthy_only: false,
        })),
    );
    let (_, answer) = cluster.answers.last().expect("a query is answered");
    match &answer.body {
        ResponseBody::QueryService(Some(info)) => Arc::clone(info),
        other => panic!("{other:?}"),
    }
}

#[test]
fn stamps_of_a_service_that_comes_and_goes_never_fall_though_the_clock_does() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (reader, publisher) = (cluster.connect(0), cluster.connect(0));
    let absent = query(&mut cluster, reader, "orders", "").last_ref_time;
    cluster.now.wall.0 -= 600_000;
    cluster.register(publisher, "orders", 1);
    let there = query(&mut cluster, reader, "orders", "").last_ref_time;
    assert!(there > absent, "{there} after {absent}");
    cluster.disconnect(publisher);
    cluster.now.wall.0 -= 600_000;
    cluster.run(Period::from_secs(30));
    for _ in 0..8 {
        // An idle connection would be dropped meanwhile.
        cluster.ask(reader, Request::HealthCheck);
        cluster.run(Period::from_secs(15));
    }
    let key = ServiceKey::named("orders");
    assert!(cluster.nodes[0].service(&key).is_none(), "it was dropped");
    let gone = query(&mut cluster, reader, "orders", "").last_ref_time;
    assert!(gone >= there, "{gone} after {there}");
    let publisher = cluster.connect(0);
    cluster.register(publisher, "orders", 1);
    let back = query(&mut cluster, reader, "orders", "").last_ref_time;
    assert!(back > gone, "{back} after {gone}");
}
