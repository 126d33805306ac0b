//! Every connection is of one class, and every class has its limit.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::cluster::{Cluster, node_id};
use crate::config::ConnectionLimits;
use crate::ids::{ConnId, NodeId, RequestId, Str};
use crate::io::{Command, Input, Listener, Output};
use crate::message::cluster::ServerReloadRequest;
use crate::message::internal::{ConnectionSetupRequest, label};
use crate::message::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, ServiceKey,
};
use crate::message::{Request, Response, code};
use crate::profile::Profile;
use crate::time::Period;

/// Connects from this address with these labels, and claims that address.
fn connect(
    cluster: &mut Cluster,
    (number, from, claims): (u64, &str, &str),
    labels: &[(&str, &str)],
) -> ConnId {
    let conn = ConnId(2_000_000 + number);
    let (remote_ip, remote_port) = (Str::from(from), 40_000);
    let listener = Listener::Sdk;
    cluster.feed(
        0,
        Input::ConnOpened {
            conn,
            listener,
            remote_ip,
            remote_port,
        },
    );
    let mut setup = ConnectionSetupRequest {
        client_ip: Str::from(claims),
        ..ConnectionSetupRequest::default()
    };
    for (key, value) in labels {
        setup.labels.insert(Str::from(*key), Str::from(*value));
    }
    let (id, request) = (RequestId(1), Request::ConnectionSetup(Box::new(setup)));
    let received = request.into();
    cluster.feed(0, Input::Request { conn, id, received });
    conn
}

/// What the first node answers.
fn answer(cluster: &mut Cluster, conn: ConnId, request: Request) -> Response {
    let (id, mut out) = (RequestId(2), Vec::new());
    let received = request.into();
    let input = Input::Request { conn, id, received };
    cluster.nodes[0].handle(cluster.now, input, &mut out);
    let response = out.into_iter().find_map(|output| match output {
        Output::Response { response, .. } => Some(response),
        Output::Dial { .. }
        | Output::Request { .. }
        | Output::Close { .. }
        | Output::Answer { .. }
        | Output::Event(_) => None,
    });
    response.expect("it is answered")
}

fn registration() -> Request {
    Request::Instance(Box::new(InstanceRequest {
        service: ServiceKey::named("orders"),
        operation: InstanceOperation::Register,
        instance: Instance::new("10.66.0.1", 666),
    }))
}

const NAMING: (&str, &str) = (label::MODULE, label::MODULE_NAMING);
const SDK: (&str, &str) = (label::SOURCE, label::SOURCE_SDK);

#[test]
fn whoever_is_no_client_and_no_member_is_counted_and_may_register_nothing() {
    for labels in [&[NAMING][..], &[NAMING, (label::SOURCE, "other")]] {
        let mut cluster = Cluster::new(1, Profile::DISTRO);
        let limits = ConnectionLimits {
            total: Some(5),
            per_ip_default: Some(3),
            ..ConnectionLimits::default()
        };
        cluster.feed(0, Input::Command(Command::SetLimits(limits)));
        let mut last = None;
        for number in 0..12 {
            let from = if number < 8 { "10.66.0.1" } else { "10.66.0.2" };
            let conn = connect(&mut cluster, (number, from, from), labels);
            last = last.or(Some(conn));
        }
        let counters = cluster.nodes[0].counters();
        assert_eq!((counters.conns_registered, counters.conns_refused), (5, 7));
        let refused = answer(&mut cluster, last.expect("the first"), registration());
        assert!(!refused.is_ok());
        assert_eq!(cluster.listed(0, "orders"), 0);
    }
}

#[test]
fn without_any_limit_they_still_have_one_of_their_own_and_clients_get_in() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    for number in 0..100 {
        let from = format!("10.66.0.{number}");
        connect(&mut cluster, (number, &from, &from), &[NAMING]);
    }
    let most = u64::from(crate::constants::OTHERS_MAX);
    assert_eq!(cluster.nodes[0].counters().conns_refused, 100 - most);
    for _ in 0..50 {
        let client = cluster.connect(0);
        cluster.register(client, "orders", 80);
    }
    assert_eq!(cluster.listed(0, "orders"), 50);
}

#[test]
fn an_address_that_is_claimed_counts_only_from_a_proxy_that_is_trusted() {
    let refused = |proxies: &[&str]| {
        let mut cluster = Cluster::with(1, Profile::DISTRO, |config| {
            config.limits.per_ip_default = Some(3);
            config.trusted_proxies = proxies.iter().map(|ip| Str::from(*ip)).collect();
        });
        for number in 0..10 {
            let claims = format!("10.77.0.{number}");
            connect(&mut cluster, (number, "10.66.0.1", &claims), &[SDK, NAMING]);
        }
        cluster.nodes[0].counters().conns_refused
    };
    assert_eq!(refused(&[]), 7);
    assert_eq!(refused(&["10.66.0.9"]), 7);
    assert_eq!(refused(&["10.66.0.1"]), 0);
}

#[test]
fn a_batch_over_the_limit_is_refused_by_the_name_of_its_setting() {
    let mut cluster = Cluster::with(1, Profile::DISTRO, |config| {
        config.batch_instances_max = 3;
    });
    let client = cluster.connect(0);
    for (count, fits) in [(3, true), (4, false)] {
        let instances = (1..=count).map(|port| Instance::new("10.1.0.0", port));
        let batch = BatchInstanceRequest {
            service: ServiceKey::named("orders"),
            instances: instances.collect(),
        };
        cluster.ask(client, Request::BatchInstance(Box::new(batch)));
        let (_, answer) = cluster.answers.last().expect("it is answered");
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
        let text = answer.message.as_deref().unwrap_or("");
        assert_eq!(text.contains("limits.instances-per-batch"), !fits);
    }
    assert_eq!(cluster.listed(0, "orders"), 3, "as it was before");
}

#[test]
fn clients_are_sent_to_members_only() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    for _ in 0..20 {
        cluster.connect(0);
    }
    let away = NodeId::new("10.66.0.1:8848");
    let command = |redirect| Command::Rebalance {
        keep: 1,
        redirect: Some(redirect),
    };
    cluster.feed(0, Input::Command(command(away.clone())));
    cluster.run(Period::from_secs(10));
    let resets = |cluster: &Cluster| {
        let requests = cluster.requests.iter();
        let is_reset =
            |(_, request): &&(usize, Request)| matches!(request, Request::ConnectReset(_));
        requests.filter(is_reset).count()
    };
    assert_eq!(resets(&cluster), 0);
    let reload = |to| ServerReloadRequest {
        reload_count: 1,
        reload_server: Some(to),
    };
    let refused = cluster.nodes[0].server_reload(reload(away));
    assert_eq!(refused.error_code, code::INVALID_PARAM);
    assert!(cluster.nodes[0].server_reload(reload(node_id(1))).is_ok());
    cluster.feed(0, Input::Command(command(node_id(1))));
    cluster.run(Period::from_secs(10));
    assert_eq!(resets(&cluster), 19);
}
