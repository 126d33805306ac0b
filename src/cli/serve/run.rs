//! The life of one node: start, serve, drain, stop.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use distro_core::config::Config;
use distro_core::ids::NodeId;
use distro_core::io::Command;
use distro_core::node::Node;
use distro_core::time::{Now, Period};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use super::http::{load_auth, start_http};
use super::log::Log;
use super::members::{Lookup, Me};
use super::quiet::Quiet;
use crate::cli::{BAD_INPUT, DONE, FAILED, Failure, Signals};
use crate::net::Clock;
use crate::net::tokio::{TokioClock, TokioListener, TokioNet};
use crate::ops::rules::RuleFile;
use crate::ops::{self, LogLevel, Ops};
use crate::record::write::Recorder;
use crate::settings::member::Member;
use crate::settings::{Listener, Settings, boot};
use crate::shell::node::{NodeShell, StopAccepting};
use crate::shell::{Directory, LinkCounters, ShellError};
use crate::tls::net::{TlsListener, TlsNet};
use crate::tls::{Acceptor, Demand, Speaks, Tls};

/// How often a draining node looks whether everybody has left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

const fn duration(period: Period) -> Duration {
    Duration::from_micros(period.micros())
}

/// Runs the node that the settings describe.
pub(super) async fn run(
    settings: &Settings,
    level: LogLevel,
    quiet: &Quiet,
    record: Option<Box<dyn Write>>,
) -> Result<u8, Failure> {
    let mut signals = Signals::catch()?;
    let lookup = Lookup::of(settings)?;
    // A name server may take long to answer.
    let members = tokio::select! {
        biased;
        (_, code) = signals.next() => return Ok(code),
        members = lookup.look(&TokioNet) => members?,
    };
    let me = find_me(settings, &members).await?;
    let tls = load_tls(settings)?;
    let clock = TokioClock::start();
    let rules = RuleFile::open(settings).map_err(|text| Failure::new(BAD_INPUT, text))?;
    let (shell, config) =
        bind(settings, &me, &members, clock, tls.as_ref(), rules.as_ref()).await?;
    let auth = load_auth(settings)?;
    let shell = shell.with_auth(auth.clone());
    let (recorder, record_failed) = start_recording(record, clock, shell.born(), &config)?;
    let ops = Ops::new(settings, &shell, level);
    let ops_port = start_ops(settings, tls.as_ref(), &ops).await?;
    let http = start_http(settings, tls.as_ref(), &shell, &me, auth).await?;
    let serving = Serving {
        node: shell.node(),
        counters: shell.counters(),
        commands: shell.commands(),
        stop: shell.stop_accepting(),
    };
    let log = Log {
        ports: settings.ports(),
        directory: directory(settings, &me, &members),
        unreachable: BTreeSet::new(),
    };
    let shell = shell.with_tap((log, recorder)).run();
    tokio::pin!(shell);
    let tend = async {
        tokio::join!(
            tend_members(settings, &lookup, &me, serving.commands.clone()),
            tend_certificates(settings, tls.as_ref()),
            tend_rules(rules, &serving.commands),
            quiet.watch(),
        )
    };
    tokio::pin!(record_failed);
    let told = tokio::select! {
        biased;
        ended = &mut shell => return Err(broken(ended)),
        failure = &mut record_failed => return Err(failure),
        told = signals.next() => told,
        _ = tend => return Err(Failure::new(FAILED, "the member list is not looked up any more")),
    };
    ops.drain();
    http.drain();
    let timeout = duration(settings.drain_timeout());
    info!(signal = told.0, timeout = ?timeout, "stopping: clients are sent to other nodes");
    let code = tokio::select! {
        biased;
        ended = &mut shell => return Err(broken(ended)),
        (signal, code) = signals.next() => {
            warn!(signal, "second signal: stopped at once");
            code
        }
        () = serving.drain(timeout) => DONE,
    };
    quiet.tell();
    serving.tell_counts();
    ops_port.abort();
    http.stop();
    Ok(code)
}

/// Which member this node is. Under a second name it would sync with itself.
async fn find_me(settings: &Settings, members: &[Member]) -> Result<Me, Failure> {
    let me = Me::find(settings, members, &TokioNet).await?;
    let Some(alias) = me.aliases(members, &TokioNet).await.into_iter().next() else {
        return Ok(me);
    };
    let text = format!(
        "member {alias} is this node itself, which is called {}: remove it from the list, or \
         start the node with its name there as --address",
        me.node
    );
    Err(Failure::new(BAD_INPUT, text))
}

/// Begins the recording that was asked for. The future resolves when it cannot go on: a node that
/// was to be recorded does not go on without.
fn start_recording(
    record: Option<Box<dyn Write>>,
    clock: TokioClock,
    born: Now,
    config: &Config,
) -> Result<(Option<Recorder>, impl Future<Output = Failure>), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(FAILED, format!("the recording cannot be written: {error}"))
    };
    let (recorder, failed) = match record {
        None => (None, None),
        Some(out) => {
            let (recorder, failed) = Recorder::start(out, &clock, born, config).map_err(cannot)?;
            (Some(recorder), Some(failed))
        }
    };
    let failed = async move {
        match failed {
            Some(failed) => match failed.await {
                Ok(error) => cannot(error),
                // The recorder ended with its shell, which tells why.
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    Ok((recorder, failed))
}

/// Serves the operator's HTTP, if it is not off, until the task is aborted.
async fn start_ops(
    settings: &Settings,
    tls: Option<&Tls>,
    ops: &Arc<Ops>,
) -> Result<JoinHandle<()>, Failure> {
    let Some(address) = settings.ops() else {
        return Ok(tokio::task::spawn_local(async {}));
    };
    let listener = listen(address, "the operator", "set ops.port").await?;
    info!(%address, "operator's port");
    let listener = TlsListener::new(listener, acceptor(settings, tls, Listener::Ops));
    Ok(tokio::task::spawn_local(ops::serve(listener, ops.clone())))
}

/// Reads the limit rules again and again.
async fn tend_rules(rules: Option<RuleFile>, commands: &mpsc::Sender<Command>) {
    match rules {
        Some(rules) => rules.watch(commands).await,
        None => std::future::pending().await,
    }
}

fn broken(ended: Result<(), ShellError>) -> Failure {
    let why = match ended {
        Ok(()) => "it ended by itself".to_owned(),
        Err(error) => error.to_string(),
    };
    Failure::new(FAILED, format!("the node stopped: {why}"))
}

fn directory(settings: &Settings, me: &Me, members: &[Member]) -> Directory {
    let mut directory = Directory::default();
    for member in members {
        member.note(settings.main_port(), &mut directory);
    }
    directory.set(me.node.clone(), settings.ports());
    directory
}

fn nodes(members: &[Member], settings: &Settings) -> Vec<NodeId> {
    let port = settings.main_port();
    members.iter().map(|member| member.node(port)).collect()
}

async fn bind(
    settings: &Settings,
    me: &Me,
    members: &[Member],
    clock: TokioClock,
    tls: Option<&Tls>,
    rules: Option<&RuleFile>,
) -> Result<(NodeShell<TlsNet, TokioClock>, Config), Failure> {
    let ports = settings.ports();
    let at = |port| SocketAddr::new(settings.bind(), port);
    let sdk = listen(at(ports.sdk), "clients", "sdk-port").await?;
    let cluster = listen(at(ports.cluster), "fellow nodes", "cluster-port").await?;
    let sdk = TlsListener::new(sdk, acceptor(settings, tls, Listener::Sdk));
    let cluster = TlsListener::new(cluster, acceptor(settings, tls, Listener::Cluster));
    let secure = settings.tls_demand(Listener::Cluster).is_some();
    let net = TlsNet {
        connector: tls.filter(|_| secure).map(Tls::connector),
    };
    let dir = settings.data_dir();
    let incarnation = boot::incarnation(dir.as_deref(), clock.now().wall).map_err(|error| {
        let dir = dir.unwrap_or_default();
        let text = format!("data-dir {} cannot be used: {error}", dir.display());
        Failure::new(FAILED, text)
    })?;
    let mut config = settings.config(me.node.clone(), nodes(members, settings));
    config.incarnation = incarnation;
    if let Some(rules) = rules {
        config.limits = rules.limits().clone();
    }
    // Spread of back-offs only; a later life draws others.
    config.seed = incarnation.0;
    let alone = config.peers().is_empty();
    info!(
        node = %me.node,
        bind = %settings.bind(),
        members = config.peers().len() + 1,
        alone,
        version = env!("CARGO_PKG_VERSION"),
        "start"
    );
    let directory = directory(settings, me, members);
    let shell = NodeShell::on(net, clock, config.clone(), directory, (sdk, cluster))
        .map_err(|error| Failure::new(BAD_INPUT, error.to_string()))?
        .limited(settings.link_limits());
    let secret = settings.cluster_secret();
    let shell = match secret.map_err(|why| Failure::new(BAD_INPUT, why.to_string()))? {
        Some(secret) => shell.proving(secret),
        None => {
            if settings.tls_demand(Listener::Cluster) != Some(Demand::Mutual) {
                warn_of_no_secret(settings.ports().cluster, alone);
            }
            shell
        }
    };
    Ok((shell, config))
}

/// One loud line: what keeps strangers out of the cluster is missing.
fn warn_of_no_secret(port: u16, alone: bool) {
    let what = if alone {
        "nobody gets in as long as this node is alone, but with members whoever reaches it and says \
         that it is one of them is believed"
    } else {
        "whoever reaches it and says that it is one of the members is believed, and can publish and \
         withdraw what it likes"
    };
    warn!(
        port,
        "NO CLUSTER SECRET: nothing is proved on the port between nodes; {what}. Set \
         cluster.secret-file on all nodes, or tls.cluster = \"mutual\""
    );
}

/// The certificates, if the node has any.
fn load_tls(settings: &Settings) -> Result<Option<Tls>, Failure> {
    let files = settings.tls_files();
    if files.cert.is_none() {
        return Ok(None);
    }
    let loaded = Tls::load(files);
    loaded
        .map(Some)
        .map_err(|error| Failure::new(BAD_INPUT, format!("tls: {error}")))
}

/// What a listener wraps its streams with; `None` for a plain one.
pub(super) fn acceptor(settings: &Settings, tls: Option<&Tls>, port: Listener) -> Option<Acceptor> {
    let speaks = match port {
        Listener::Sdk | Listener::Cluster => Speaks::Carriers,
        Listener::Http | Listener::Ops => Speaks::Http1,
    };
    Some(tls?.acceptor(settings.tls_demand(port)?, speaks))
}

/// Reads the certificates again and again.
async fn tend_certificates(settings: &Settings, tls: Option<&Tls>) {
    match tls {
        Some(tls) => tls.watch(duration(settings.tls_reload())).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn listen(
    address: SocketAddr,
    whom: &str,
    key: &str,
) -> Result<TokioListener, Failure> {
    TokioListener::bind(address).await.map_err(|error| {
        let (kind, bind, port) = (error.kind(), address.ip(), address.port());
        let text = if kind == io::ErrorKind::AddrInUse {
            format!(
                "port {port} for {whom} is in use on {bind}: stop who listens there, or choose \
                 another with --{key} or --port"
            )
        } else if kind == io::ErrorKind::PermissionDenied {
            format!("port {port} for {whom} is not allowed to this user: choose one over 1023")
        } else if kind == io::ErrorKind::AddrNotAvailable {
            format!("{bind} is no address of this host: see --bind")
        } else {
            format!("port {port} for {whom}: {error}")
        };
        Failure::new(FAILED, text)
    })
}

/// Looks the members up again and again, and tells the node when the list is another one.
async fn tend_members(
    settings: &Settings,
    lookup: &Lookup,
    me: &Me,
    commands: mpsc::Sender<Command>,
) {
    if !lookup.may_change() {
        return std::future::pending().await;
    }
    let mut known: Option<Vec<NodeId>> = None;
    let mut failing = false;
    let mut again = tokio::time::interval(duration(settings.members_refresh()));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        again.tick().await;
        let mut members = match lookup.look(&TokioNet).await {
            Ok(members) => members,
            Err(failure) => {
                if !failing {
                    let why = failure.message.trim_end();
                    warn!("the members stay as they are: {why}");
                }
                failing = true;
                continue;
            }
        };
        failing = false;
        let aliases = me.aliases(&members, &TokioNet).await;
        members.retain(|member| !aliases.contains(member));
        let mut now = nodes(&members, settings);
        now.sort();
        if known.as_ref() == Some(&now) {
            continue;
        }
        // The first look only repeats what the node started with.
        if known.is_some() {
            for alias in &aliases {
                warn!(member = %alias, "a member is this node itself under another name, left out");
            }
            info!(members = %words(&now), "the member list changed");
            if commands
                .send(Command::SetMembers(now.clone()))
                .await
                .is_err()
            {
                return;
            }
        }
        known = Some(now);
    }
}

fn words(nodes: &[NodeId]) -> String {
    let words: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
    words.join(", ")
}

/// A node that serves, from outside.
struct Serving {
    node: Rc<RefCell<Node>>,
    counters: Arc<LinkCounters>,
    commands: mpsc::Sender<Command>,
    stop: StopAccepting,
}

impl Serving {
    /// Sends clients away and waits until they are gone and the others know, or for `timeout`.
    async fn drain(&self, timeout: Duration) {
        self.stop.stop();
        let away = Command::Rebalance {
            keep: 0,
            redirect: None,
        };
        let end = Instant::now() + timeout;
        if self.commands.send(away).await.is_err() {
            return;
        }
        let mut look = tokio::time::interval(DRAIN_LOOK);
        loop {
            look.tick().await;
            let (clients, pending) = self.left();
            if clients == 0 && pending == 0 {
                return info!("all clients have left");
            }
            if Instant::now() >= end {
                return warn!(clients, pending, "not all clients left in time");
            }
        }
    }

    /// Clients that are still here, and syncs that reachable members have yet to get.
    fn left(&self) -> (u64, u64) {
        let node = self.node.borrow();
        let reachable = node.members().filter(|member| member.connected);
        let pending = reachable.map(|member| member.pending).sum();
        // Clients without a connection cannot be sent away: they beat elsewhere.
        let (_, without) = node.ip_port_clients();
        (node.sizes().native_clients - without, pending)
    }

    fn tell_counts(&self) {
        let node = self.node.borrow();
        let mut counts: Vec<String> = node
            .counters()
            .fields()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name}={count}"))
            .collect();
        let links = self.counters.fields().filter(|(_, count)| *count > 0);
        counts.extend(links.map(|(name, count)| format!("{name}={count}")));
        info!(counts = counts.join(" "), "stopped");
    }
}
