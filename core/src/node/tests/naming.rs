//! What clients ask of the naming module: queries, lists, subscriptions (part 4).

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::cluster::Cluster;
use crate::ids::Str;
use crate::message::naming::{
    Instance, ServiceInfo, ServiceKey, ServiceListRequest, ServiceListResponse,
    ServiceQueryRequest, Weight,
};
use crate::message::{Request, Response, ResponseBody, code};
use crate::profile::Profile;
use crate::protect::Share;
use crate::time::Period;
use alloc::vec::Vec;

/// The instances in some clusters, as a client gets them.
fn query(cluster: &mut Cluster, client: usize, service: &str, clusters: &str) -> Arc<ServiceInfo> {
    query_for(cluster, client, service, (clusters, false))
}

fn query_for(
    cluster: &mut Cluster,
    client: usize,
    service: &str,
    (clusters, healthy_only): (&str, bool),
) -> Arc<ServiceInfo> {
    cluster.ask(
        client,
        Request::ServiceQuery(Box::new(ServiceQueryRequest {
            service: ServiceKey::named(service),
            clusters: Str::from(clusters),
            healthy_only,
        })),
    );
    let (_, answer) = cluster.answers.last().expect("a query is answered");
    let ResponseBody::QueryService(Some(info)) = &answer.body else {
        panic!("{answer:?}")
    };
    Arc::clone(info)
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

/// The lists that a client was pushed.
fn pushed(cluster: &Cluster, client: usize) -> Vec<Arc<ServiceInfo>> {
    let requests = cluster.requests.iter();
    let pushes = requests.filter_map(|(to, request)| {
        let Request::NotifySubscriber(info) = request else {
            return None;
        };
        (*to == client).then(|| Arc::clone(info))
    });
    pushes.collect()
}

/// (port, healthy) of each host.
fn health(info: &ServiceInfo) -> Vec<(i32, bool)> {
    let hosts = info.hosts.iter();
    hosts.map(|host| (host.port, host.healthy)).collect()
}

/// `orders` with one healthy instance in DEFAULT and one healthy, three unhealthy ones in `far`,
/// protected up to the half.
fn mostly_unhealthy() -> Cluster {
    let mut cluster = Cluster::with(1, Profile::DISTRO, |config| {
        let half = Share::from_millionths(500_000).expect("less than all");
        config
            .protect
            .services
            .insert(ServiceKey::named("orders"), half);
    });
    for (port, cluster_name, healthy) in [
        (1, "DEFAULT", true),
        (2, "far", true),
        (3, "far", false),
        (4, "far", false),
        (5, "far", false),
    ] {
        let client = cluster.connect(0);
        let mut instance = Instance::new("10.1.0.1", port);
        instance.cluster_name = Str::from(cluster_name);
        instance.healthy = healthy;
        cluster.publish(client, ServiceKey::named("orders"), instance.clone());
        cluster.publish(client, ServiceKey::named("other"), instance);
    }
    cluster
}

#[test]
fn a_protected_service_names_every_instance_as_healthy_and_says_so() {
    let mut cluster = mostly_unhealthy();
    let reader = cluster.connect(0);
    let all = query(&mut cluster, reader, "orders", "");
    assert!(all.reach_protection_threshold);
    assert_eq!(health(&all), [1, 2, 3, 4, 5].map(|port| (port, true)));
    let near = query(&mut cluster, reader, "orders", "DEFAULT");
    assert!(
        !near.reach_protection_threshold,
        "what the filter left counts"
    );
    let far = query(&mut cluster, reader, "orders", "far");
    assert_eq!(health(&far), [2, 3, 4, 5].map(|port| (port, true)));
    let sound = query_for(&mut cluster, reader, "orders", ("", true));
    assert!(!sound.reach_protection_threshold);
    assert_eq!(
        health(&sound),
        [(1, true), (2, true)],
        "asked for the healthy: no more"
    );
    let other = query(&mut cluster, reader, "other", "");
    assert!(!other.reach_protection_threshold, "it has no threshold");
    let as_it_is = [(1, true), (2, true), (3, false), (4, false), (5, false)];
    assert_eq!(health(&other), as_it_is);
    let stored = cluster.nodes[0].instances(&ServiceKey::named("orders"));
    let stored: Vec<(i32, bool)> = stored.iter().map(|one| (one.port, one.healthy)).collect();
    assert_eq!(stored, as_it_is, "records keep what their clients said");
}

#[test]
fn a_push_is_protected_as_a_query_and_no_longer_once_enough_are_healthy() {
    let mut cluster = mostly_unhealthy();
    let reader = cluster.connect(0);
    cluster.subscribe(reader, "orders");
    cluster.run(Period::from_secs(1));
    let more = cluster.connect(0);
    cluster.register(more, "orders", 6);
    cluster.run(Period::from_secs(1));
    let another = cluster.connect(0);
    cluster.register(another, "orders", 7);
    cluster.run(Period::from_secs(1));
    let lists = pushed(&cluster, reader);
    let protected: Vec<bool> = lists.iter().map(|l| l.reach_protection_threshold).collect();
    assert_eq!(protected, [true, true, false], "2 of 5, 3 of 6, 4 of 7");
    assert!(health(&lists[1]).iter().all(|(_, healthy)| *healthy));
    let sick: Vec<i32> = lists[2]
        .hosts
        .iter()
        .filter(|h| !h.healthy)
        .map(|h| h.port)
        .collect();
    assert_eq!(sick, [3, 4, 5]);
}

#[test]
fn a_client_that_registers_again_changes_its_instance_and_pushes_once() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (publisher, reader) = (cluster.connect(0), cluster.connect(0));
    cluster.register(publisher, "orders", 1);
    cluster.subscribe(reader, "orders");
    cluster.run(Period::from_secs(1));
    let before = pushed(&cluster, reader);
    cluster.requests.clear();
    let mut changed = Instance::new("10.1.0.0", 1);
    changed.weight = Weight(2.5);
    changed.metadata.insert(Str::from("zone"), Str::from("b"));
    cluster.publish(publisher, ServiceKey::named("orders"), changed);
    cluster.run(Period::from_secs(2));
    let after = pushed(&cluster, reader);
    assert_eq!((before.len(), after.len()), (1, 1));
    let (old, new) = (&before[0].hosts[0], &after[0].hosts[0]);
    assert_eq!(after[0].hosts.len(), 1);
    assert_eq!(new.instance_id, old.instance_id);
    assert_eq!(new.weight, Weight(2.5));
    assert_eq!(new.metadata.get("zone").map(|zone| &**zone), Some("b"));
    assert!(after[0].last_ref_time > before[0].last_ref_time);
    assert_eq!(cluster.nodes[0].sizes().instances, 1);
}

/// Asks for a list of services.
fn list(
    cluster: &mut Cluster,
    client: usize,
    group: &str,
    (page_no, page_size): (i32, i32),
    selector: &str,
) -> Response {
    let request = ServiceListRequest {
        namespace: Str::from("dev"),
        group: Str::from(group),
        page_no,
        page_size,
        selector: Str::from(selector),
    };
    cluster.ask(client, Request::ServiceList(Box::new(request)));
    let (_, answer) = cluster.answers.last().expect("a list is answered");
    answer.clone()
}

/// A page of a group's services.
fn page(
    cluster: &mut Cluster,
    client: usize,
    group: &str,
    page: (i32, i32),
) -> ServiceListResponse {
    let answer = list(cluster, client, group, page, "");
    let ResponseBody::ServiceList(list) = answer.body else {
        panic!("{answer:?}")
    };
    *list
}

#[test]
fn a_list_gives_pages_of_one_group_in_one_namespace_and_counts_them_all() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    for (namespace, group, name) in [
        ("dev", "g", "c"),
        ("dev", "g", "a"),
        ("dev", "g", "e"),
        ("dev", "g", "b"),
        ("dev", "g", "d"),
        ("dev", "g2", "x"),
        ("public", "g", "y"),
    ] {
        let service = ServiceKey {
            namespace: Str::from(namespace),
            group: Str::from(group),
            name: Str::from(name),
        };
        cluster.publish(client, service, Instance::new("10.1.0.1", 1));
    }
    // Subscribed and never published: it is no service yet.
    cluster.subscribe(client, "z");
    for (asked, names) in [
        ((1, 2), &["a", "b"][..]),
        ((3, 2), &["e"]),
        ((4, 2), &[]),
        ((0, 3), &["a", "b", "c"]),
        ((-7, 3), &["a", "b", "c"]),
        ((1, 0), &[]),
        ((i32::MAX, i32::MAX), &[]),
    ] {
        let list = page(&mut cluster, client, "g", asked);
        let got: Vec<&str> = list.service_names.iter().map(|name| &**name).collect();
        assert_eq!((list.count, &got[..]), (5, names), "{asked:?}");
    }
    assert_eq!(page(&mut cluster, client, "g2", (1, 10)).count, 1);
    assert_eq!(page(&mut cluster, client, "g3", (1, 10)).count, 0);
}

#[test]
fn a_selector_chooses_services_before_they_are_counted() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    for (name, zone) in [("a", "near"), ("b", "far"), ("c", "near"), ("d", "near")] {
        let service = ServiceKey {
            namespace: Str::from("dev"),
            group: Str::from("g"),
            name: Str::from(name),
        };
        let mut instance = Instance::new("10.1.0.1", 1);
        instance.metadata.insert(Str::from("zone"), Str::from(zone));
        cluster.publish(client, service, instance);
    }
    let near = "INSTANCE.metadata.zone = 'near'";
    let answer = list(&mut cluster, client, "g", (1, 2), near);
    let ResponseBody::ServiceList(page) = &answer.body else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = page.service_names.iter().map(|name| &**name).collect();
    assert_eq!((page.count, &names[..]), (3, &["a", "c"][..]));
}

#[test]
fn a_list_that_cannot_be_is_refused_with_its_own_type() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    for (size, selector, why) in [
        (-1, "", "'pageSize' is illegal, it is -1"),
        (1, "zone = near", "'selector' is illegal, it should be"),
    ] {
        let answer = list(&mut cluster, client, "g", (1, size), selector);
        assert_eq!(answer.error_code, code::INVALID_PARAM);
        let message = answer.message.as_deref().unwrap_or("");
        assert!(message.contains(why), "{message}");
        assert!(matches!(answer.body, ResponseBody::ServiceList(_)));
    }
}
