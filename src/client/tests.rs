//! What a program sees of a client. Everything waits for events, nothing for time.

use std::net::SocketAddr;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use distro_core::config::{Config, Timing};
use distro_core::ids::{Incarnation, NodeId};
use distro_core::profile::Profile;
use distro_core::time::Period;
use tokio::task::LocalSet;

use super::*;
use crate::net::Listener as _;
use crate::net::tokio::{TokioClock, TokioListener, TokioNet};
use crate::shell::node::{Inspector, NodeShell};
use crate::shell::{Directory, Ports};

/// A standalone node on a thread of its own, killed when it goes.
pub(crate) struct Standalone {
    pub(crate) ports: Ports,
    inspector: Inspector,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standalone {
    /// On these ports, or on free ones.
    pub(crate) fn start(ports: Option<Ports>) -> Standalone {
        let (send, started) = std_mpsc::channel();
        let (kill, killed) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async {
                let bind = |port| TokioListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
                let sdk = bind(ports.map_or(0, |ports| ports.sdk)).await.unwrap();
                let cluster = bind(ports.map_or(0, |ports| ports.cluster)).await.unwrap();
                let ports = Ports {
                    sdk: sdk.port(),
                    cluster: cluster.port(),
                };
                let me = NodeId::new("127.0.0.1:1");
                let mut config = Config::new(me.clone(), vec![me.clone()], Profile::DISTRO);
                config.incarnation = Incarnation(1);
                config.timing = Timing {
                    push_delay: Period::from_millis(30),
                    delay_tick: Period::from_millis(10),
                    ..Timing::default()
                };
                let mut directory = Directory::default();
                directory.set(me, ports);
                let clock = TokioClock::start();
                let shell =
                    NodeShell::on(TokioNet, clock, config, directory, (sdk, cluster)).unwrap();
                send.send((ports, shell.inspector())).unwrap();
                tokio::select! {
                    ended = shell.run() => ended.unwrap(),
                    _ = killed => {}
                }
            });
        });
        let (ports, inspector) = started.recv().unwrap();
        Standalone {
            ports,
            inspector,
            kill: Some(kill),
            thread: Some(thread),
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:1/{}/{}", self.ports.sdk, self.ports.cluster)
    }

    async fn client(&self) -> Client {
        let client = Client::builder().servers([self.address()]).app("test");
        client.connect().await.unwrap()
    }

    /// How many clients the node pushes a service to.
    async fn subscribers(&self, service: &str) -> usize {
        let key = ServiceKey::named(service);
        let look = move |node: &distro_core::node::Node| {
            node.service(&key)
                .map_or(0, |service| service.subscribers.len())
        };
        self.inspector.look(look).await.unwrap()
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        drop(self.kill.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn ports(instances: &[Arc<Instance>]) -> Vec<i32> {
    instances.iter().map(|instance| instance.port).collect()
}

#[tokio::test]
async fn a_watcher_sees_what_another_client_registers_updates_and_withdraws() {
    let node = Standalone::start(None);
    let (one, other) = (node.client().await, node.client().await);
    let mut watched = other.subscribe("orders").await.unwrap();
    assert_eq!(watched.next().await.unwrap().instances, []);

    let mut instance = Instance::new("10.0.0.1", 80);
    one.register("orders", instance.clone()).await.unwrap();
    let update = watched.next().await.unwrap();
    assert_eq!(ports(&update.added), [80]);

    instance.weight = Weight(2.0);
    one.update("orders", instance).await.unwrap();
    let update = watched.next().await.unwrap();
    assert_eq!(ports(&update.changed), [80]);
    assert_eq!((update.added, update.removed), (vec![], vec![]));
    assert_eq!(watched.now(), update.instances);

    let batch = vec![Instance::new("10.0.0.1", 81), Instance::new("10.0.0.1", 82)];
    one.register_batch("orders", batch).await.unwrap();
    let update = watched.next().await.unwrap();
    assert_eq!(
        (ports(&update.added), ports(&update.removed)),
        (vec![81, 82], vec![80])
    );
    assert_eq!(ports(&one.query("orders").await.unwrap().hosts), [81, 82]);
    assert_eq!(
        one.services("DEFAULT_GROUP", 1, 10).await.unwrap(),
        ServiceNames {
            total: 1,
            names: vec![Str::from("orders")]
        }
    );

    one.close().await.unwrap();
    assert_eq!(ports(&watched.next().await.unwrap().removed), [81, 82]);
    other.close().await.unwrap();
    assert_eq!(watched.next().await, None);
}

#[tokio::test]
async fn everything_wanted_is_said_again_after_a_reconnect() {
    let node = Standalone::start(None);
    let (one, other) = (node.client().await, node.client().await);
    one.register("orders", Instance::new("10.0.0.1", 80))
        .await
        .unwrap();
    let mut watched = other.subscribe("orders").await.unwrap();
    assert_eq!(ports(&watched.next().await.unwrap().added), [80]);
    let mut events = one.events();

    let address = node.ports;
    drop(node);
    let lost = events.next().await.unwrap();
    assert!(matches!(lost, Event::Disconnected { .. }), "{lost:?}");
    assert_eq!(one.server(), None);
    let node = Standalone::start(Some(address));
    let service = ServiceKey::named("orders");
    let redone = Event::Registered {
        service: service.clone(),
        redo: true,
    };
    while events.next().await.unwrap() != redone {}
    let registrations = one.registrations().await.unwrap();
    assert_eq!(registrations.len(), 1);
    assert!(registrations[0].acknowledged);
    // Only a watch that was said again hears of a change there.
    one.register("orders", Instance::new("10.0.0.1", 90))
        .await
        .unwrap();
    loop {
        let update = watched.next().await.unwrap();
        if ports(&update.instances) == [90] {
            break;
        }
    }
    assert_eq!(node.subscribers("orders").await, 1);
}

#[tokio::test]
async fn a_service_is_watched_until_the_last_subscription_goes() {
    let node = Standalone::start(None);
    let client = node.client().await;
    let mut one = client.subscribe("orders").await.unwrap();
    let other = client.subscribe("orders").await.unwrap();
    assert_eq!(one.next().await.unwrap().instances, []);
    drop(other);
    // Answered after the release: one connection is served in order.
    client.query("orders").await.unwrap();
    assert_eq!(node.subscribers("orders").await, 1);
    drop(one);
    while node.subscribers("orders").await != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_told() {
    let wrong = Client::builder()
        .servers(["no address"])
        .start()
        .unwrap_err();
    assert!(wrong.to_string().contains("host:port"), "{wrong}");
    let free = Standalone::start(None);
    let nobody = free.address();
    drop(free);
    let within = std::time::Duration::from_millis(50);
    let client = Client::builder().servers([nobody]).connect_timeout(within);
    let refused = client.connect().await.unwrap_err();
    assert!(matches!(refused, Error::NotConnected(_)), "{refused:?}");

    let node = Standalone::start(None);
    let client = node.client().await;
    let instance = Instance::new("10.0.0.1", 80);
    let unknown = client.update("orders", instance.clone()).await;
    assert_eq!(
        unknown,
        Err(Error::NotRegistered(ServiceKey::named("orders")))
    );
    let unnamed = client.register("a@@", instance.clone()).await;
    assert!(matches!(unnamed, Err(Error::Input(_))), "{unnamed:?}");
    let mut odd = instance.clone();
    odd.port = 65_536;
    let refused = client.register("orders", odd).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(client.registrations().await, Ok(vec![]));
    let clone = client.clone();
    client.close().await.unwrap();
    assert_eq!(clone.register("orders", instance).await, Err(Error::Closed));
}

#[test]
fn a_client_needs_no_runtime_of_a_certain_kind() {
    fn sent_anywhere<T: Send + Sync + Clone + 'static>(_: &T) {}
    let node = Standalone::start(None);
    // Neither timers nor sockets.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = node.client().await;
        sent_anywhere(&client);
        client
            .register("a@@b", Instance::new("10.0.0.1", 80))
            .await
            .unwrap();
    });
}

#[test]
fn text_names_a_service_in_the_namespace_of_the_client() {
    let mine = Str::from("mine");
    assert_eq!(
        "b".key(&mine).unwrap().to_string(),
        "mine@@DEFAULT_GROUP@@b"
    );
    assert_eq!("a@@b".key(&mine).unwrap().to_string(), "mine@@a@@b");
    assert_eq!("n@@a@@b".key(&mine).unwrap().to_string(), "n@@a@@b");
}
