//! What the internet sends to an open port, over real sockets: a clean close, a count by its
//! cause, and a node that goes on. Beside each stranger who takes what it can stands a client that
//! behaves, and how often that one is served is what counts.
//!
//! # Layout
//! - here: streams that are nobody's · `calls`: the same of clients of gRPC
//! - `members`: who says that it is one · `places`: who says nothing, or never comes to the end

mod calls;
mod members;
mod places;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use distro_core::config::{Config, Timing};
use distro_core::ids::{Incarnation, NodeId, RequestId, Str};
use distro_core::message::naming::{
    BatchInstanceRequest, Instance, ServiceKey, ServiceQueryRequest,
};
use distro_core::message::{Request, internal::ConnectionSetupRequest};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::time::Period;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio_util::codec::Encoder;

use super::node::NodeShell;
use super::secret::{ClusterSecret, SECRET_PREAMBLE};
use super::*;
use crate::carrier::grpc;
use crate::carrier::tcp::{Frame, FrameCodec, FrameKind, PREAMBLE};
use crate::codec::{Ends, encode_request};
use crate::net::tokio::{TokioClock, TokioNet};
use crate::net::{Listener as _, Net};

pub(super) const MESSAGE_BYTES_MAX: u64 = 256 * 1024;

pub(super) struct Target {
    pub(super) ports: Ports,
    pub(super) node: Rc<RefCell<Node>>,
    pub(super) counters: Arc<LinkCounters>,
}

/// A node on the list of each [`target`], which nobody reaches.
const MEMBER: &str = "127.0.0.9:9";

/// The settings of a node that is quick to notice.
fn quick() -> Config {
    let name = NodeId::new("127.0.0.1:1");
    let members = vec![name.clone(), NodeId::new(MEMBER)];
    let mut config = Config::new(name, members, Profile::DISTRO);
    config.incarnation = Incarnation(1);
    config.message_bytes_max = MESSAGE_BYTES_MAX;
    config.timing = Timing {
        scan_initial_delay: Period::from_millis(100),
        scan_interval: Period::from_millis(100),
        keep_alive: Period::from_secs(1),
        detection_timeout: Period::from_millis(500),
        load_wait: Period::ZERO,
        ..Timing::default()
    };
    config
}

/// Such a node.
pub(super) async fn target(limits: Limits, secret: Option<&str>) -> Target {
    let (sdk, cluster) = (
        TokioNet.listen(0).await.unwrap(),
        TokioNet.listen(0).await.unwrap(),
    );
    let ends = (TokioNet, quick());
    Target::start(ends, (sdk, cluster), limits, secret)
}

impl Target {
    fn start<N: Net>(
        (net, config): (N, Config),
        (sdk, cluster): (N::Listener, N::Listener),
        limits: Limits,
        secret: Option<&str>,
    ) -> Target {
        let ports = Ports {
            sdk: sdk.port(),
            cluster: cluster.port(),
        };
        let clock = TokioClock::start();
        let directory = Directory::default();
        let shell = NodeShell::on(net, clock, config, directory, (sdk, cluster)).unwrap();
        let shell = shell.limited(limits);
        let shell = match secret {
            Some(secret) => shell.proving(ClusterSecret::new(secret)),
            None => shell,
        };
        let target = Target {
            ports,
            node: shell.node(),
            counters: shell.counters(),
        };
        tokio::task::spawn_local(async move { shell.run().await.unwrap() });
        target
    }

    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters
            .fields()
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn ports(&self) -> [u16; 2] {
        [self.ports.sdk, self.ports.cluster]
    }

    pub(super) async fn dial(port: u16) -> TcpStream {
        TcpStream::connect(("127.0.0.1", port)).await.unwrap()
    }

    /// Sends this, and gives what comes back until the node closes: a reset is an error.
    pub(super) async fn answer(&self, port: u16, bytes: &[u8]) -> Vec<u8> {
        let mut stream = Target::dial(port).await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }
}

/// A stream from an address that is not that of those who behave.
async fn dial_as_stranger(port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.66:0".parse().unwrap()).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    socket.connect(address).await.unwrap()
}

/// How many of so many clients that behave are served, each with a connection of its own on which
/// it says `hello` and something that is answered.
async fn served(port: u16, times: usize, hello: &[u8]) -> usize {
    let mut served = 0;
    for _ in 0..times {
        let mut stream = Target::dial(port).await;
        let said = stream.write_all(hello).await;
        let answered = stream.read_exact(&mut [0; PREAMBLE.len() + 4]).await;
        served += usize::from(said.is_ok() && answered.is_ok());
    }
    served
}

/// What such a client says.
fn good_hello() -> Vec<u8> {
    [&setup()[..], &frame(2, &Request::HealthCheck)].concat()
}

pub(super) async fn run<F: Future<Output = ()>>(test: F) {
    LocalSet::new().run_until(test).await;
}

fn frame(id: u64, request: &Request) -> BytesMut {
    let mut bytes = BytesMut::new();
    let kind = if request.expects_response() {
        FrameKind::Request
    } else {
        FrameKind::OneWay
    };
    let id = RequestId(id);
    let payload = encode_request(request, Some(id), &Ends::default());
    let frame = Frame { kind, id, payload };
    FrameCodec::new(MESSAGE_BYTES_MAX)
        .encode(frame, &mut bytes)
        .unwrap();
    bytes
}

/// Who a client is.
pub(super) fn setup_request() -> Request {
    Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
        client_version: Some(Str::from("Distro-Rust:v1")),
        tenant: None,
        labels: [("source", "sdk"), ("module", "naming")]
            .map(|(key, value)| (Str::from(key), Str::from(value)))
            .into(),
        ability_table: None,
        client_ip: Str::from("127.0.0.1"),
    }))
}

/// The first words of a client.
fn setup() -> Vec<u8> {
    [&PREAMBLE[..], &frame(1, &setup_request())].concat()
}

/// What a TLS client says first.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("registry").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn strangers_are_closed_cleanly_and_counted_by_what_they_spoke() {
    run(async {
        let target = target(Limits::default(), None).await;
        for port in target.ports() {
            for hello in [
                &b"GET /nacos/ HTTP/1.1\r\nHost: registry:8848\r\nAccept: */*\r\n\r\n"[..],
                &client_hello(),
                &[0; 20_000],
                b"DISTRO\x00\x09and something newer",
            ] {
                assert_eq!(target.answer(port, hello).await, b"");
            }
            let mut prober = Target::dial(port).await;
            prober.write_all(b"DIS").await.unwrap();
            prober.shutdown().await.unwrap();
            assert_eq!(prober.read(&mut [0; 1]).await.unwrap(), 0);
        }
        let expected = [
            ("strangers", 4),
            ("http_clients", 2),
            ("tls_clients", 2),
            ("hung_up", 2),
        ];
        assert_eq!(target.counts(), expected);
        assert_eq!(target.node.borrow().counters().conns_accepted, 0);
    })
    .await;
}

#[tokio::test]
async fn who_says_nothing_or_not_enough_is_closed_in_time() {
    run(async {
        let target = target(Limits::default(), Some("correct horse battery")).await;
        let halves: [(u16, &[u8]); 4] = [
            (target.ports.sdk, b""),
            (target.ports.sdk, b"DIST"),
            (target.ports.cluster, b""),
            (
                target.ports.cluster,
                &[&SECRET_PREAMBLE[..], &[7; 32]].concat(),
            ),
        ];
        let mut streams = Vec::new();
        for (port, half) in halves {
            let mut stream = Target::dial(port).await;
            stream.write_all(half).await.unwrap();
            streams.push(stream);
        }
        for mut stream in streams {
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
        assert_eq!(target.counts(), [("silent", 4)]);
    })
    .await;
}

#[tokio::test]
async fn frames_that_are_none_end_their_connection_cleanly_and_are_counted() {
    run(async {
        let target = target(Limits::default(), None).await;
        let after_preamble = |rest: &[u8]| [&PREAMBLE[..], rest].concat();
        let garbage = [7; 100_000];
        for port in target.ports() {
            // A length of 117 MiB, and much to read away.
            let oversized = after_preamble(&garbage);
            assert_eq!(target.answer(port, &oversized).await, b"");
            // Eight bytes, of an unknown kind.
            let broken = after_preamble(&[0, 0, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9]);
            assert_eq!(target.answer(port, &broken).await, b"");
            let empty = after_preamble(&[0; 4]);
            assert_eq!(target.answer(port, &empty).await, b"");
            // A type name longer than its frame.
            let short = after_preamble(&[0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 0, 0, 1, 255]);
            assert_eq!(target.answer(port, &short).await, b"");
            let mut leaver = Target::dial(port).await;
            leaver
                .write_all(&after_preamble(&[0, 0, 1, 0, 1]))
                .await
                .unwrap();
            leaver.shutdown().await.unwrap();
            assert_eq!(leaver.read(&mut [0; 1]).await.unwrap(), 0);
        }
        let expected = [
            ("oversized_frames", 2),
            ("broken_frames", 6),
            ("truncated_frames", 2),
        ];
        assert_eq!(target.counts(), expected);
    })
    .await;
}

#[tokio::test]
async fn garbage_after_the_preface_of_http2_is_told_and_counted() {
    run(async {
        let target = target(Limits::default(), None).await;
        let preface = grpc::GREETING;
        // No frame is that long.
        let garbage = [preface, &[0xff; 100_000]].concat();
        let answer = target.answer(target.ports.sdk, &garbage).await;
        assert!(answer.len() > 9, "settings, and why it ends");
        let other = [&grpc::PREFACE_START[..], &[b'x'; 64]].concat();
        target.answer(target.ports.sdk, &other).await;
        let mut leaver = Target::dial(target.ports.sdk).await;
        leaver
            .write_all(&[preface, &[0, 0, 9, 0]].concat())
            .await
            .unwrap();
        leaver.shutdown().await.unwrap();
        leaver.read_to_end(&mut Vec::new()).await.unwrap();
        // Fellow nodes do not speak it.
        assert_eq!(target.answer(target.ports.cluster, preface).await, b"");
        let expected = [
            ("strangers", 1),
            ("http_clients", 1),
            ("broken_frames", 1),
            ("truncated_frames", 1),
        ];
        assert_eq!(target.counts(), expected);
        assert_eq!(target.node.borrow().sizes().native_clients, 0);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stops_within_a_frame_goes() {
    run(async {
        let target = target(Limits::default(), None).await;
        let whole = frame(2, &Request::HealthCheck);
        let half = &whole[..whole.len() / 2];
        // One that never said who it is, and one that is set up.
        for hello in [PREAMBLE.to_vec(), setup()] {
            let mut stream = Target::dial(target.ports.sdk).await;
            stream
                .write_all(&[&hello[..], half].concat())
                .await
                .unwrap();
            // The set up one is asked first whether it is there, and cannot say so any more.
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
        assert_eq!(target.node.borrow().counters().conns_ejected, 2);
        assert_eq!(target.node.borrow().sizes().native_clients, 0);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_not_read_either_and_goes() {
    run(async {
        let limits = Limits {
            queued_bytes: 8 * 1024,
            ..Limits::default()
        };
        let target = target(limits, None).await;
        let service = ServiceKey::named("demo");
        // Instances that make every list of the service long.
        let batch = Request::BatchInstance(Box::new(BatchInstanceRequest {
            service: service.clone(),
            instances: (1..=250)
                .map(|port| Instance::new("10.1.1.1", port))
                .collect(),
        }));
        let query = Request::ServiceQuery(Box::new(ServiceQueryRequest {
            service,
            clusters: Str::from(""),
            healthy_only: false,
        }));
        let mut deaf = Target::dial(target.ports.sdk).await;
        let hello = [&setup()[..], &frame(2, &batch)].concat();
        deaf.write_all(&hello).await.unwrap();
        // Questions without end. Each has a long answer, so the sockets are full soon, then
        // the queue; then the node reads no more, and then it hangs up.
        let mut asked: u64 = 0;
        let question = frame(7, &query);
        while deaf.write_all(&question).await.is_ok() {
            asked += 1;
        }
        let node = target.node.borrow();
        assert!(asked > 16, "{asked}");
        let cut = target.counters.cut.load(Ordering::Relaxed);
        assert_eq!(node.counters().conns_ejected + cut, 1);
        assert_eq!(node.sizes().native_clients, 0);
    })
    .await;
}

#[tokio::test]
async fn a_stranger_to_the_secret_gets_nowhere_and_both_sides_say_why() {
    run(async {
        let target = target(Limits::default(), Some("correct horse battery")).await;
        let port = target.ports.cluster;
        // A node without a secret learns why from the first bytes.
        let hello = [&PREAMBLE[..], &frame(1, &Request::HealthCheck)].concat();
        assert_eq!(target.answer(port, &hello).await, SECRET_PREAMBLE);
        // One with another secret: its proof is wrong.
        let wrong = [&SECRET_PREAMBLE[..], &[1; 32], &[2; 32], &hello].concat();
        let answer = target.answer(port, &wrong).await;
        assert_eq!(answer.len(), 8 + 32 + 1);
        assert_eq!(answer.last(), Some(&0));
        assert_eq!(target.counts(), [("secret_refused", 2)]);
        assert_eq!(target.node.borrow().counters().conns_accepted, 0);
        // Clients need none.
        let mut client = Target::dial(target.ports.sdk).await;
        client
            .write_all(&[&setup()[..], &frame(2, &Request::HealthCheck)].concat())
            .await
            .unwrap();
        client
            .read_exact(&mut [0; PREAMBLE.len() + 4])
            .await
            .unwrap();
    })
    .await;
}
