//! Who says that it is a member.

use distro_core::ids::{ClientId, Revision};
use distro_core::message::distro::{ClientSyncData, DistroDataRequest, Origin, Word};
use distro_core::message::internal::label;
use distro_core::message::naming::Published;

use super::*;
use crate::net::tokio::TokioListener;
use crate::tls::net::{TlsListener, TlsNet};
use crate::tls::tests::Authority;
use crate::tls::{Demand, Speaks};

/// A setup that says that it is this life of this node.
fn claim(node: &str, life: u64) -> Request {
    let life = life.to_string();
    let labels = [
        (label::SOURCE, label::SOURCE_CLUSTER),
        (label::NODE, node),
        (label::INCARNATION, &life),
    ];
    Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
        labels: labels
            .map(|(key, value)| (Str::from(key), Str::from(value)))
            .into(),
        ..ConnectionSetupRequest::default()
    }))
}

/// An instance of `demo` that such a node vouches for.
fn record(node: &str, life: u64) -> Request {
    let instance = Arc::new(Instance::new("10.66.0.1", 666));
    let data = ClientSyncData {
        client: ClientId::new("9_10.66.0.1_1"),
        origin: Some(Origin {
            node: NodeId::new(node),
            incarnation: Incarnation(life),
        }),
        revision: Revision(1),
        services: vec![(ServiceKey::named("demo"), Published::Single(instance))],
        words: vec![Word(1)],
    };
    Request::DistroData(DistroDataRequest::Change(Arc::new(data)))
}

/// All that a liar says.
fn lies(node: &str, life: u64) -> Vec<u8> {
    let frames = [frame(1, &claim(node, life)), frame(2, &record(node, life))];
    [&PREAMBLE[..], &frames[0], &frames[1]].concat()
}

#[tokio::test]
async fn on_the_port_of_clients_nobody_is_a_member_and_clients_are_served() {
    run(async {
        let target = target(Limits::default(), None).await;
        for _ in 0..20 {
            let hello = lies(MEMBER, u64::MAX);
            target.answer(target.ports.sdk, &hello).await;
        }
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
        let node = target.node.borrow();
        assert_eq!(node.counters().conns_refused, 20);
        assert_eq!(node.sizes().instances, 0);
    })
    .await;
}

#[tokio::test]
async fn on_the_port_of_members_a_stranger_is_refused_without_any_secret() {
    run(async {
        let target = target(Limits::default(), None).await;
        let port = target.ports.cluster;
        for (node, life) in [("127.0.0.66:1", 5), (MEMBER, u64::MAX)] {
            target.answer(port, &lies(node, life)).await;
        }
        assert_eq!(target.node.borrow().sizes().instances, 0);
        assert_eq!(target.node.borrow().counters().conns_refused, 2);
        let frames = [frame(1, &claim(MEMBER, 5)), frame(2, &Request::HealthCheck)];
        let hello = [&PREAMBLE[..], &frames[0], &frames[1]].concat();
        assert_eq!(served(port, 20, &hello).await, 20);
    })
    .await;
}

#[tokio::test]
async fn under_mutual_tls_a_certificate_speaks_for_its_own_host_alone() {
    run(async {
        let authority = Authority::new();
        let tls = authority.node(&["127.0.0.1"]);
        let listener = async || {
            let any = "127.0.0.1:0".parse().unwrap();
            TokioListener::bind(any).await.unwrap()
        };
        let acceptor = tls.acceptor(Demand::Mutual, Speaks::Carriers);
        let sdk = TlsListener::new(listener().await, None);
        let cluster = TlsListener::new(listener().await, Some(acceptor));
        let ends = (TlsNet::default(), quick());
        let target = Target::start(ends, (sdk, cluster), Limits::default(), None);
        let mut registered = Vec::new();
        for host in ["127.0.0.66", "127.0.0.9"] {
            let connector = authority.node(&[host]).connector();
            let stream = Target::dial(target.ports.cluster).await;
            let mut stream = connector.connect("127.0.0.1", stream).await.unwrap();
            let frames = [frame(1, &claim(MEMBER, 5)), frame(2, &Request::HealthCheck)];
            let hello = [&PREAMBLE[..], &frames[0], &frames[1]].concat();
            stream.write_all(&hello).await.unwrap();
            let answered = stream.read_exact(&mut [0; PREAMBLE.len() + 4]).await;
            registered.push(answered.is_ok());
        }
        assert_eq!(registered, [false, true]);
        assert_eq!(target.counts(), [("certificate_refused", 1)]);
        assert_eq!(target.node.borrow().counters().conns_registered, 1);
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
    })
    .await;
}
