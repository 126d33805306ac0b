//! Nodes and clients over loopback TCP. Everything waits for events, nothing for time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::config::{Config, Timing};
use distro_core::ids::{Incarnation, NodeId, Str};
use distro_core::message::naming::{DEFAULT_NAMESPACE, Instance, ServiceKey};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::sdk::io::{Answer, Call, SdkConfig, SdkEvent, SdkInput, SdkOutput};
use distro_core::time::Period;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::node::NodeShell;
use super::sdk::{SdkHandle, SdkShell};
use super::*;
use crate::carrier::Carrier;
use crate::carrier::tcp::PREAMBLE;
use crate::net::tokio::{TokioClock, TokioNet};
use crate::net::{Listener as _, Net};

/// Hands a client's events to the test.
struct Events(mpsc::UnboundedSender<SdkEvent>);

impl Tap<SdkInput, SdkOutput> for Events {
    fn input(&mut self, _input: &SdkInput) {}
    fn output(&mut self, output: &SdkOutput) {
        if let SdkOutput::Event(event) = output {
            self.0.send(event.clone()).ok();
        }
    }
}

/// The protocol's times, short enough to wait for.
fn timing() -> Timing {
    Timing {
        sync_delay: Period::from_millis(20),
        push_delay: Period::from_millis(30),
        delay_tick: Period::from_millis(10),
        load_retry_delay: Period::from_millis(50),
        redo_interval: Period::from_millis(50),
        ..Timing::default()
    }
}

struct Cluster {
    directory: Directory,
    nodes: Vec<Rc<RefCell<Node>>>,
    counters: Vec<Arc<LinkCounters>>,
    names: Vec<NodeId>,
}

/// Starts nodes on free ports of the loopback address.
async fn cluster(count: u16) -> Cluster {
    let names: Vec<NodeId> = (1..=count)
        .map(|n| NodeId::new(&format!("127.0.0.1:{n}")))
        .collect();
    let mut directory = Directory::default();
    let mut listeners = Vec::new();
    for name in &names {
        let sdk = TokioNet.listen(0).await.unwrap();
        let cluster = TokioNet.listen(0).await.unwrap();
        let ports = Ports {
            sdk: sdk.port(),
            cluster: cluster.port(),
        };
        directory.set(name.clone(), ports);
        listeners.push((sdk, cluster));
    }
    let (mut nodes, mut counters) = (Vec::new(), Vec::new());
    for (name, listeners) in names.iter().zip(listeners) {
        let mut config = Config::new(name.clone(), names.clone(), Profile::DISTRO);
        config.incarnation = Incarnation(1);
        config.timing = timing();
        config.message_bytes_max = 64 * 1024;
        let clock = TokioClock::start();
        let shell = NodeShell::on(TokioNet, clock, config, directory.clone(), listeners).unwrap();
        nodes.push(shell.node());
        counters.push(shell.counters());
        tokio::task::spawn_local(async move { shell.run().await.unwrap() });
    }
    Cluster {
        directory,
        nodes,
        counters,
        names,
    }
}

fn client(cluster: &Cluster, first: usize) -> (SdkHandle, mpsc::UnboundedReceiver<SdkEvent>) {
    client_over(Carrier::Tcp, cluster, first)
}

fn client_over(
    carrier: Carrier,
    cluster: &Cluster,
    first: usize,
) -> (SdkHandle, mpsc::UnboundedReceiver<SdkEvent>) {
    let config = SdkConfig {
        servers: cluster.names.clone(),
        first,
        client_ip: Str::from("127.0.0.1"),
        app: Str::from("test"),
        seed: 1,
        timing: timing(),
        profile: Profile::DISTRO,
    };
    let (send, events) = mpsc::unbounded_channel();
    let directory = cluster.directory.clone();
    let shell = SdkShell::new(TokioNet, TokioClock::start(), config, directory, 64 * 1024);
    let shell = shell.with_tap(Events(send)).over(carrier);
    let handle = shell.handle();
    tokio::task::spawn_local(async move { shell.run().await.unwrap() });
    (handle, events)
}

/// Calls again and again while the cluster is still starting.
async fn call(handle: &SdkHandle, what: Call) -> Answer {
    loop {
        if let Ok(answer) = handle.call(what.clone()).await {
            return answer;
        }
    }
}

async fn list_of(events: &mut mpsc::UnboundedReceiver<SdkEvent>, count: usize) {
    loop {
        if let Some(SdkEvent::ListChanged { info }) = events.recv().await
            && info.hosts.len() == count
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_registration_at_one_node_reaches_a_subscriber_of_another() {
    registration_reaches_subscriber(Carrier::Tcp, Carrier::Tcp).await;
}

#[tokio::test]
async fn clients_of_both_carriers_share_a_port_and_see_each_other() {
    registration_reaches_subscriber(Carrier::Grpc, Carrier::Tcp).await;
    registration_reaches_subscriber(Carrier::Tcp, Carrier::Grpc).await;
    registration_reaches_subscriber(Carrier::Grpc, Carrier::Grpc).await;
}

async fn registration_reaches_subscriber(publishing: Carrier, watching: Carrier) {
    LocalSet::new()
        .run_until(async {
            let cluster = cluster(3).await;
            let service = ServiceKey::named("demo");
            let (watcher, mut events) = client_over(watching, &cluster, 2);
            let clusters = Str::from("");
            call(
                &watcher,
                Call::Subscribe {
                    service: service.clone(),
                    clusters,
                },
            )
            .await;
            let (publisher, _) = client_over(publishing, &cluster, 0);
            let instance = Instance::new("10.1.1.1", 80);
            let register = Call::Register {
                service: service.clone(),
                instance,
            };
            assert_eq!(call(&publisher, register).await, Answer::Done);
            list_of(&mut events, 1).await;
            assert_eq!(cluster.nodes[2].borrow().list(&service, "", false).len(), 1);
            let withdraw = Call::Deregister {
                service: service.clone(),
            };
            assert_eq!(call(&publisher, withdraw).await, Answer::Done);
            list_of(&mut events, 0).await;
        })
        .await;
}

#[tokio::test]
async fn strangers_are_closed_and_counted() {
    LocalSet::new()
        .run_until(async {
            let cluster = cluster(1).await;
            let ports = cluster.directory.ports(&cluster.names[0]).unwrap();
            for port in [ports.sdk, ports.cluster] {
                let mut stranger = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stranger.write_all(b"GET / HT").await.unwrap();
                let mut answer = Vec::new();
                stranger.read_to_end(&mut answer).await.unwrap();
                assert!(answer.is_empty());
            }
            assert_eq!(cluster.counters[0].http_clients.load(Ordering::Relaxed), 2);
            assert_eq!(cluster.nodes[0].borrow().counters().conns_accepted, 0);
        })
        .await;
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_its_connection_alone() {
    LocalSet::new()
        .run_until(async {
            let cluster = cluster(1).await;
            let ports = cluster.directory.ports(&cluster.names[0]).unwrap();
            let mut rude = TcpStream::connect(("127.0.0.1", ports.sdk)).await.unwrap();
            rude.write_all(&PREAMBLE).await.unwrap();
            rude.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
            let mut answer = Vec::new();
            rude.read_to_end(&mut answer).await.unwrap();
            assert_eq!(
                cluster.counters[0].oversized_frames.load(Ordering::Relaxed),
                1
            );
            let (good, _) = client(&cluster, 0);
            let list = Call::List {
                namespace: Str::from(DEFAULT_NAMESPACE),
                group: Str::from("DEFAULT_GROUP"),
                page_no: 1,
                page_size: 10,
            };
            assert!(matches!(call(&good, list).await, Answer::Services(_)));
        })
        .await;
}

#[test]
fn ports_follow_from_the_main_port_unless_set() {
    let mut directory = Directory::default();
    let node = NodeId::new("10.0.0.1:8848");
    assert_eq!(
        directory.ports(&node),
        Some(Ports {
            sdk: 9848,
            cluster: 9849
        })
    );
    directory.set(node.clone(), Ports { sdk: 1, cluster: 2 });
    assert_eq!(directory.ports(&node), Some(Ports { sdk: 1, cluster: 2 }));
    assert_eq!(directory.ports(&NodeId::new("10.0.0.1:65000")), None);
    assert_eq!(directory.ports(&NodeId::new("nonsense")), None);
}

#[test]
fn a_machine_that_spins_is_noticed() {
    let mut progress = Progress::default();
    let now = distro_core::time::Mono(5);
    assert!((0..IDLE_WAKES_MAX).all(|_| progress.wake(now).is_ok()));
    assert!(matches!(progress.wake(now), Err(ShellError::Spinning)));
    let later = distro_core::time::Mono(6);
    assert!(progress.wake(later).is_ok());
}

#[tokio::test]
async fn other_threads_look_at_the_machine_and_learn_when_it_is_gone() {
    let local = LocalSet::new();
    let inspector = local
        .run_until(async {
            let config = Config::new(NodeId::new("127.0.0.1:1"), Vec::new(), Profile::DISTRO);
            let sockets = (
                TokioNet.listen(0).await.unwrap(),
                TokioNet.listen(0).await.unwrap(),
            );
            let clock = TokioClock::start();
            let directory = Directory::default();
            let shell = NodeShell::on(TokioNet, clock, config, directory, sockets).unwrap();
            let inspector = shell.inspector();
            let running = tokio::task::spawn_local(shell.run());
            let asked = inspector.clone();
            let asked = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.build().unwrap();
                runtime.block_on(asked.look(|node| node.members().count()))
            });
            let answer = tokio::task::spawn_blocking(move || asked.join().unwrap());
            assert_eq!(answer.await.unwrap(), Some(0));
            running.abort();
            running.await.unwrap_err();
            inspector
        })
        .await;
    assert_eq!(inspector.look(|node| node.members().count()).await, None);
}
