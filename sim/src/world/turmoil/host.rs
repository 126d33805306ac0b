//! The software of turmoil's hosts: a node's shell, or all the clients' shells.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::future::pending;
use std::rc::Rc;

use distro_core::config::Config;
use distro_core::sdk::io::SdkConfig;
use distro_node::carrier::Carrier;
use distro_node::shell::Directory;
use distro_node::shell::node::NodeShell;
use distro_node::shell::sdk::SdkShell;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::clock::HostClock;
use super::net::{FaultNet, TurmoilNet};
use super::shared::{Process, Shared};
use crate::observe::Seen;
use crate::world::link::tell::{ClientTap, HostTap, Sees};

/// What turmoil wants of a host's software.
pub(crate) type Ended = Result<(), Box<dyn Error>>;

/// A node's next life; turmoil makes the process anew from it.
pub(crate) type Cradle = Rc<RefCell<Option<Config>>>;

/// Runs a node if one is to be born, and else stays silent.
pub(crate) async fn node(shared: Rc<Shared>, host: u32, cradle: Cradle) -> Ended {
    let config = cradle.borrow_mut().take();
    let Some(config) = config else {
        return pending().await;
    };
    let net = FaultNet::new(TurmoilNet, shared.fabric.clone(), host);
    let clock = HostClock::new(shared.fabric.clone(), host);
    let shell = NodeShell::bind(net, clock, config, Directory::default()).await?;
    let shell = shell.with_tap(HostTap::new(shared.clone(), host));
    let kill = Rc::new(Notify::new());
    let process = Process::Node {
        node: shell.node(),
        commands: shell.commands(),
        kill: kill.clone(),
    };
    shared.processes.set(host, Some(process));
    shared.see(host, Seen::Started);
    tokio::select! {
        biased;
        () = kill.notified() => {}
        ended = shell.run() => return Ok(ended?),
    }
    // The shell is gone, and its connections go in its own order. Why not by turmoil's crash alone:
    // tokio drops a runtime's tasks by numbers that are counted over the whole process, so their
    // FINs would leave in a different order in every run.
    pending().await
}

/// A client that is to be born.
#[derive(Debug)]
pub(crate) struct ClientBirth {
    pub(crate) host: u32,
    pub(crate) config: SdkConfig,
    pub(crate) message_bytes_max: u64,
    pub(crate) carrier: Carrier,
}

/// Clients that are to be born on the clients' host, and how it is told.
#[derive(Debug, Default)]
pub(crate) struct Nursery {
    pub(crate) waiting: RefCell<VecDeque<ClientBirth>>,
    pub(crate) told: Notify,
}

/// Runs every client as a task of its own, and fails when one does.
pub(crate) async fn clients(shared: Rc<Shared>, nursery: Rc<Nursery>) -> Ended {
    let mut tasks: JoinSet<Result<(), String>> = JoinSet::new();
    loop {
        let birth = nursery.waiting.borrow_mut().pop_front();
        if let Some(birth) = birth {
            start_client(&shared, birth, &mut tasks);
            continue;
        }
        tokio::select! {
            biased;
            () = nursery.told.notified() => {}
            Some(ended) = tasks.join_next() => match ended {
                Ok(result) => result?,
                // Killed by the timeline.
                Err(error) if error.is_cancelled() => {}
                Err(error) => return Err(Box::new(error)),
            },
        }
    }
}

fn start_client(shared: &Rc<Shared>, birth: ClientBirth, tasks: &mut JoinSet<Result<(), String>>) {
    let ClientBirth {
        host,
        config,
        message_bytes_max,
        carrier,
    } = birth;
    let net = FaultNet::new(TurmoilNet, shared.fabric.clone(), host);
    let clock = HostClock::new(shared.fabric.clone(), host);
    let shell = SdkShell::new(net, clock, config, Directory::default(), message_bytes_max)
        .over(carrier)
        .with_tap(ClientTap::new(shared.clone(), host));
    let (sdk, calls) = (shell.sdk(), shell.handle().queue());
    let kill =
        tasks.spawn_local(async move { shell.run().await.map_err(|error| error.to_string()) });
    shared.processes.set(
        host,
        Some(Process::Client {
            sdk,
            calls,
            kill: Some(kill),
        }),
    );
    shared.see(host, Seen::Started);
}
