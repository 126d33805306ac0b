//! Churn on three real nodes while one of them is restarted every minute, and a judgement at the
//! end: do the nodes agree, is every acknowledged registration there, is memory flat?
//!
//! ```text
//! cargo run --release --example soak -- target/release/distro 600 1000
//! ```
//!
//! takes the binary, seconds and operations per second. Nodes listen on 127.0.14.1 to 127.0.14.3,
//! on Nacos's ports. Every second restart is a SIGTERM, the others are a SIGKILL.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use distro_node::client::{self, Client, Instance};
use tokio::task::JoinSet;

const NODES: usize = 3;
const CLIENTS: u16 = 20;
const SERVICES: u16 = 50;
/// Between two restarts.
const RESTART: Duration = Duration::from_secs(60);
/// How long the cluster may take to be quiet after the churn.
const SETTLE: Duration = Duration::from_secs(120);

type Failure = Box<dyn Error + Send + Sync>;

fn address(node: usize) -> String {
    format!("127.0.14.{}:8848", node + 1)
}

/// Three `distro serve`; they end with this.
struct Nodes {
    binary: String,
    directory: std::path::PathBuf,
    running: Vec<Child>,
}

impl Nodes {
    fn start(binary: &str) -> Result<Nodes, Failure> {
        let directory = std::env::temp_dir().join(format!("distro-soak-{}", std::process::id()));
        let mut nodes = Nodes {
            binary: binary.to_owned(),
            directory,
            running: Vec::new(),
        };
        for node in 0..NODES {
            let child = nodes.spawn(node)?;
            nodes.running.push(child);
        }
        Ok(nodes)
    }

    fn spawn(&self, node: usize) -> Result<Child, Failure> {
        let data = self.directory.join(node.to_string());
        std::fs::create_dir_all(&data)?;
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data.join("log"))?;
        let host = format!("127.0.14.{}", node + 1);
        let members: Vec<String> = (0..NODES).map(address).collect();
        let child = Command::new(&self.binary)
            .args(["serve", "--bind", &host, "--address", &host])
            .args(["--members", &members.join(",")])
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(child)
    }

    /// Ends a node and starts it anew.
    fn restart(&mut self, node: usize, gently: bool) -> Result<(), Failure> {
        let child = self.running.get_mut(node).ok_or("no such node")?;
        if gently {
            let id = child.id().to_string();
            let told = Command::new("kill").args(["-TERM", &id]).status()?;
            if !told.success() {
                return Err(format!("node {node} ended by itself").into());
            }
        } else {
            child.kill()?;
        }
        child.wait()?;
        let fresh = self.spawn(node)?;
        if let Some(child) = self.running.get_mut(node) {
            *child = fresh;
        }
        Ok(())
    }

    /// Resident memory of each node, in KiB.
    fn memory(&self) -> Vec<u64> {
        let of = |child: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let children = self.running.iter();
        children.map(|child| of(child).unwrap_or(0)).collect()
    }

    /// What `distro diff` says: nothing when all nodes agree.
    fn difference(&self) -> Result<Option<String>, Failure> {
        let nodes = (1..=NODES).map(|node| format!("127.0.14.{node}:9850"));
        let output = Command::new(&self.binary)
            .arg("diff")
            .args(nodes)
            .output()?;
        if output.status.success() {
            return Ok(None);
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Some(text))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It may have ended by itself.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[derive(Default)]
struct Counts {
    acked: AtomicU64,
    late: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
}

/// What one client last said of each service: registered or not, and whether a node acknowledged
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    registered: bool,
    acked: bool,
    under_way: bool,
}

struct Churner {
    number: u16,
    client: Client,
    words: Arc<Mutex<BTreeMap<u16, Word>>>,
    counts: Arc<Counts>,
}

impl Churner {
    fn instance(number: u16) -> Instance {
        Instance::new("10.9.9.9", 1_000 + number)
    }

    fn words(&self) -> std::sync::MutexGuard<'_, BTreeMap<u16, Word>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Toggles one service after the other at the pace; an operation that waits for a lost node
    /// does not hold the others up.
    async fn churn(&self, period: Duration, until: Instant) {
        let mut tick = tokio::time::interval(period);
        let mut under_way = JoinSet::new();
        let mut turn = 0_u16;
        while Instant::now() < until {
            tick.tick().await;
            while under_way.try_join_next().is_some() {}
            // A stride that meets every service and mixes what is near.
            turn = (turn + 7) % SERVICES;
            let service = turn;
            let register = {
                let mut words = self.words();
                let word = words.entry(service).or_default();
                if word.under_way {
                    self.counts.busy.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                *word = Word {
                    registered: !word.registered,
                    acked: false,
                    under_way: true,
                };
                word.registered
            };
            let (client, number) = (self.client.clone(), self.number);
            let (words, counts) = (self.words.clone(), self.counts.clone());
            under_way.spawn(async move {
                let name = format!("soak-{service}");
                let result = if register {
                    client.register(name, Churner::instance(number)).await
                } else {
                    client.deregister(name).await
                };
                let counter = match &result {
                    Ok(()) => &counts.acked,
                    // It stays wanted, and the client says it again.
                    Err(client::Error::NotConnected(_) | client::Error::Timeout) => &counts.late,
                    Err(_) => &counts.refused,
                };
                counter.fetch_add(1, Ordering::Relaxed);
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(word) = words.get_mut(&service) {
                    word.under_way = false;
                    word.acked = result.is_ok();
                }
            });
        }
        while under_way.join_next().await.is_some() {}
    }
}

/// Restarts the nodes in turn and tells how the run goes.
async fn disturb(nodes: &mut Nodes, counts: &Counts, until: Instant) -> Result<u64, Failure> {
    let (start, mut restarts) = (Instant::now(), 0);
    while Instant::now() + RESTART <= until {
        tokio::time::sleep(RESTART).await;
        let (node, gently) = (restarts as usize % NODES, restarts % 2 == 0);
        println!(
            "{:>4} s  {} acknowledged, {} late, {} refused; KiB {:?}; restart of {} by {}",
            start.elapsed().as_secs(),
            counts.acked.load(Ordering::Relaxed),
            counts.late.load(Ordering::Relaxed),
            counts.refused.load(Ordering::Relaxed),
            nodes.memory(),
            address(node),
            if gently { "SIGTERM" } else { "SIGKILL" },
        );
        nodes.restart(node, gently)?;
        restarts += 1;
    }
    tokio::time::sleep_until(until.into()).await;
    Ok(restarts)
}

/// The instances that each node lists, as (service, client).
async fn listed(node: usize) -> Result<BTreeSet<(u16, u16)>, Failure> {
    let client = Client::builder().servers([address(node)]).connect().await?;
    let mut found = BTreeSet::new();
    for service in 0..SERVICES {
        let list = client.query(format!("soak-{service}")).await?;
        for instance in list.hosts.iter() {
            found.insert((service, u16::try_from(instance.port - 1_000)?));
        }
    }
    Ok(found)
}

/// Waits until every client's last word is acknowledged and the nodes agree.
async fn settle(nodes: &Nodes, churners: &[Arc<Churner>]) -> Result<Duration, Failure> {
    let start = Instant::now();
    loop {
        let mut waiting = 0;
        for churner in churners {
            let registrations = churner.client.registrations().await?;
            waiting += registrations.iter().filter(|one| !one.acknowledged).count();
        }
        let difference = nodes.difference()?;
        match difference {
            None if waiting == 0 => return Ok(start.elapsed()),
            difference if start.elapsed() > SETTLE => {
                let text = difference.unwrap_or_default();
                return Err(
                    format!("{waiting} registrations wait; the nodes differ:\n{text}").into(),
                );
            }
            Some(_) | None => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, seconds, rate] = arguments.as_slice() else {
        return Err("usage: soak BINARY SECONDS OPERATIONS-PER-SECOND".into());
    };
    let (seconds, rate): (u64, u32) = (seconds.parse()?, rate.parse()?);
    let period = Duration::from_secs(1) * u32::from(CLIENTS) / rate.max(1);
    let mut nodes = Nodes::start(binary)?;
    let counts = Arc::new(Counts::default());
    let mut churners = Vec::new();
    for number in 0..CLIENTS {
        let builder = Client::builder()
            .servers((0..NODES).map(address))
            .app("soak");
        churners.push(Arc::new(Churner {
            number,
            client: builder.connect().await?,
            words: Arc::default(),
            counts: counts.clone(),
        }));
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for churner in &churners {
        let churner = churner.clone();
        running.spawn(async move { churner.churn(period, until).await });
    }
    let restarts = disturb(&mut nodes, &counts, until).await?;
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    let settled = settle(&nodes, &churners).await?;
    let memory = nodes.memory();

    let (mut lost, mut left) = (0, 0);
    let mut wanted = 0;
    for node in 0..NODES {
        let found = listed(node).await?;
        for churner in &churners {
            for (service, word) in churner.words().iter() {
                let is_there = found.contains(&(*service, churner.number));
                wanted += u64::from(node == 0 && word.registered);
                lost += u64::from(word.registered && !is_there);
                left += u64::from(!word.registered && is_there);
            }
        }
    }
    let (acked, late) = (&counts.acked, &counts.late);
    println!(
        "{seconds} s, {restarts} restarts: {} operations acknowledged ({:.0}/s), {} later than the \
         request timeout, {} refused, {} turns skipped because the one before was under way",
        acked.load(Ordering::Relaxed),
        acked.load(Ordering::Relaxed) as f64 / seconds as f64,
        late.load(Ordering::Relaxed),
        counts.refused.load(Ordering::Relaxed),
        counts.busy.load(Ordering::Relaxed),
    );
    println!(
        "node diff empty {:.1} s after the churn; KiB {memory:?}",
        settled.as_secs_f64()
    );
    println!(
        "{wanted} registered at the end: {lost} missing and {left} left over, on {NODES} nodes"
    );
    if lost + left + counts.refused.load(Ordering::Relaxed) > 0 {
        return Err("not what was acknowledged".into());
    }
    Ok(())
}
