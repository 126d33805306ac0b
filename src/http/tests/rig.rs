//! Nodes that run, with the main port's HTTP over loopback.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::config::{Config, Timing};
use distro_core::ids::{Incarnation, NodeId};
use distro_core::message::naming::ServiceKey;
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::protect::Share;
use distro_core::time::Period;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::super::auth::{Auth, AuthSettings};
use super::super::{Http, serve};
use crate::net::tokio::{TokioClock, TokioListener, TokioNet};
use crate::net::{Listener as _, Net};
use crate::shell::node::NodeShell;
use crate::shell::{Directory, Ports};

pub(super) struct Running {
    pub(super) port: u16,
    pub(super) name: NodeId,
    pub(super) node: Rc<RefCell<Node>>,
    pub(super) http: Arc<Http>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// The node is gone, its port with it.
    pub(super) async fn kill(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            assert!(task.await.is_err_and(|end| end.is_cancelled()));
        }
    }

    pub(super) async fn call(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "", "").await
    }

    /// `headers` are whole lines.
    pub(super) async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may have answered and closed before it read all.
        stream.write_all(body.as_bytes()).await.ok();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let kind = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "));
        Answer {
            status: head
                .get(9..12)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            kind: kind.unwrap_or("").to_owned(),
            body: body.to_owned(),
        }
    }

    /// The data of a success, out of its wrapping.
    pub(super) async fn data(&self, path: &str) -> Value {
        let answer = self.call("GET", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()["data"].clone()
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(super) fn no_auth() -> AuthSettings {
    AuthSettings {
        ttl: std::time::Duration::from_secs(100),
        ..AuthSettings::default()
    }
}

/// Nodes on free ports, ready.
pub(super) async fn cluster(count: usize, auth: &AuthSettings) -> Vec<Running> {
    let mut directory = Directory::default();
    let mut places = Vec::new();
    for _ in 0..count {
        let main = TokioListener::bind(([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let name = NodeId::new(&format!("127.0.0.1:{}", main.port()));
        let sdk = TokioNet.listen(0).await.unwrap();
        let fellow = TokioNet.listen(0).await.unwrap();
        let ports = Ports {
            sdk: sdk.port(),
            cluster: fellow.port(),
        };
        directory.set(name.clone(), ports);
        places.push((name, main, sdk, fellow));
    }
    let names: Vec<NodeId> = places.iter().map(|(name, ..)| name.clone()).collect();
    let mut all = Vec::new();
    for (name, main, sdk, fellow) in places {
        let mut config = Config::new(name.clone(), names.clone(), Profile::DISTRO);
        config.incarnation = Incarnation(1);
        let half = Share::from_millionths(500_000).unwrap();
        let guarded = ServiceKey::named("guarded");
        config.protect.services.insert(guarded, half);
        config.timing = Timing {
            sync_delay: Period::from_millis(20),
            delay_tick: Period::from_millis(10),
            load_retry_delay: Period::from_millis(50),
            ..Timing::default()
        };
        let version = config.version.clone();
        let clock = TokioClock::start();
        let shell = NodeShell::on(TokioNet, clock, config, directory.clone(), (sdk, fellow));
        let shell = shell.unwrap();
        let port = main.port();
        let place = ("/nacos".to_owned(), port);
        let auth = Arc::new(Auth::new(auth.clone()).unwrap());
        let shell = shell.with_auth(auth.clone());
        let http = Http::new(&shell, (name.clone(), version), auth, place);
        let node = shell.node();
        let served = serve(main, http.clone(), TokioNet);
        let tasks = vec![
            tokio::task::spawn_local(async move { shell.run().await.unwrap() }),
            tokio::task::spawn_local(served),
        ];
        all.push(Running {
            port,
            name,
            node,
            http,
            tasks,
        });
    }
    for running in &all {
        while !running.http.look(Node::is_ready).await.unwrap() {
            tokio::task::yield_now().await;
        }
    }
    all
}

pub(super) async fn alone() -> Running {
    cluster(1, &no_auth()).await.remove(0)
}

/// A port of 10.1.1.1 that this node is responsible for, as a node sees it.
pub(super) fn port_of(seen_by: &Running, responsible: &NodeId) -> u16 {
    let node = seen_by.node.borrow();
    (1..1_000)
        .find(|port| node.responsible(&format!("10.1.1.1:{port}")) == responsible)
        .expect("every node has its share")
}
