//! Connections: setup, limits, idle detection, rebalancing (parts 2 and 3).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::cluster::{Cluster, node_id};
use crate::config::ConnectionLimits;
use crate::event::Event;
use crate::ids::{RequestId, Str};
use crate::io::{CloseReason, Command, Input, RemoveCause};
use crate::message::{Received, Request, code};
use crate::profile::Profile;
use crate::time::Period;

#[test]
fn a_silent_client_is_probed_and_dropped_within_twenty_eight_seconds() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (silent, alive) = (cluster.connect(0), cluster.connect(0));
    cluster.silent.push(silent);
    cluster.register(silent, "orders", 1);
    cluster.register(alive, "orders", 2);
    cluster.run(Period::from_millis(19_900));
    assert_eq!(cluster.listed(0, "orders"), 2);
    cluster.run(Period::from_millis(8_200));
    assert_eq!(cluster.listed(0, "orders"), 1);
    let ejected = cluster.events[0].iter().any(|event| {
        matches!(event,
        Event::ClientDisconnect { removed, .. }
            if removed.cause == RemoveCause::Ejected(CloseReason::Idle))
    });
    assert!(ejected, "{:?}", cluster.events[0]);
    assert_eq!(cluster.nodes[0].counters().conns_ejected, 1);
}

#[test]
fn requests_before_the_setup_are_answered_as_unregistered() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    cluster.disconnect(client);
    let conn = crate::ids::ConnId(77);
    let (remote_ip, remote_port) = (Str::from("10.1.0.9"), 5);
    let listener = crate::io::Listener::Sdk;
    cluster.feed(
        0,
        Input::ConnOpened {
            conn,
            listener,
            remote_ip,
            remote_port,
        },
    );
    let before = cluster.nodes[0].counters().requests_refused;
    cluster.feed(
        0,
        Input::Request {
            conn,
            id: RequestId(1),
            received: Request::HealthCheck.into(),
        },
    );
    cluster.feed(
        0,
        Input::Request {
            conn,
            id: RequestId(2),
            received: Request::ServerCheck.into(),
        },
    );
    assert_eq!(cluster.nodes[0].counters().requests_refused, before + 1);
}

#[test]
fn limits_refuse_by_address_and_total_and_eject_the_newest_when_lowered() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let per_ip = BTreeMap::from([(Str::from("10.1.0.1"), 0)]);
    let limits = ConnectionLimits {
        total: Some(3),
        per_ip,
        ..ConnectionLimits::default()
    };
    cluster.feed(0, Input::Command(Command::SetLimits(limits)));
    for _ in 0..5 {
        cluster.connect(0);
    }
    assert_eq!(
        cluster.nodes[0].counters().conns_refused,
        2,
        "one by address, one by total"
    );
    assert_eq!(cluster.nodes[0].sizes().native_clients, 3);
    let limits = ConnectionLimits {
        total: Some(1),
        ..ConnectionLimits::default()
    };
    cluster.feed(0, Input::Command(Command::SetLimits(limits)));
    cluster.run(Period::from_secs(12));
    assert_eq!(cluster.nodes[0].sizes().native_clients, 1);
    let asked: alloc::vec::Vec<usize> = cluster
        .requests
        .iter()
        .filter(|(_, request)| matches!(request, Request::ConnectReset(_)))
        .map(|(client, _)| *client)
        .collect();
    assert_eq!(asked, [3, 2], "the newest first");
}

#[test]
fn a_rebalance_names_the_redirect_address() {
    let mut cluster = Cluster::new(2, Profile::DISTRO);
    for _ in 0..4 {
        cluster.connect(0);
    }
    let command = Command::Rebalance {
        keep: 3,
        redirect: Some(node_id(1)),
    };
    cluster.feed(0, Input::Command(command));
    cluster.run(Period::from_secs(4));
    let resets: alloc::vec::Vec<&Request> = cluster
        .requests
        .iter()
        .map(|(_, request)| request)
        .filter(|request| matches!(request, Request::ConnectReset(_)))
        .collect();
    let [Request::ConnectReset(reset)] = resets[..] else {
        panic!("{resets:?}")
    };
    assert_eq!(reset.server_ip.as_deref(), Some("10.0.0.2"));
    assert_eq!(reset.server_port.as_deref(), Some("8848"));
}

#[test]
fn cluster_requests_are_refused_on_the_client_listener() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    cluster.ask(client, Request::ServerLoaderInfo);
    let answer = &cluster.answers.last().expect("it was answered").1;
    assert_eq!(answer.error_code, code::BAD_GATEWAY);
    cluster.ask(client, Received::Unknown(Str::from("LockOperationRequest")));
    let answer = &cluster.answers.last().expect("it was answered").1;
    assert_eq!(answer.error_code, code::NO_HANDLER);
    let persistent = crate::message::naming::InstanceRequest {
        service: crate::message::naming::ServiceKey::named("s"),
        operation: crate::message::naming::InstanceOperation::Register,
        instance: crate::message::naming::Instance::new("10.1.0.0", 1),
    };
    cluster.ask(client, Request::PersistentInstance(Box::new(persistent)));
    let answer = &cluster.answers.last().expect("it was answered").1;
    assert_eq!(answer.error_code, code::SERVER_NOT_IMPLEMENTED);
}

#[test]
fn limits_per_application_and_the_default_per_address_refuse_too() {
    let refused = |limits: ConnectionLimits| {
        let mut cluster = Cluster::new(1, Profile::DISTRO);
        cluster.feed(0, Input::Command(Command::SetLimits(limits)));
        for _ in 0..5 {
            cluster.connect(0);
        }
        cluster.nodes[0].counters().conns_refused
    };
    // The clients name no application and have an address each.
    let per_app = BTreeMap::from([(Str::from("-"), 2)]);
    assert_eq!(
        refused(ConnectionLimits {
            per_app,
            ..ConnectionLimits::default()
        }),
        3
    );
    let per_ip_default = Some(0);
    assert_eq!(
        refused(ConnectionLimits {
            per_ip_default,
            ..ConnectionLimits::default()
        }),
        5
    );
}

#[test]
fn kinds_of_requests_are_declared_in_the_order_of_their_list() {
    use crate::message::MessageKind;
    for (index, (kind, _)) in MessageKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index);
    }
}
