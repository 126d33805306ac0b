//! The thread that a client lives on.
//!
//! It owns the machine, the table of watched services and the client's clock, so a program's own
//! runtime needs neither timers nor sockets enabled and may be of any kind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::Str;
use distro_core::message::naming::{ServiceInfo, ServiceKey};
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{Answer, Call, CallError, SdkConfig, SdkEvent, SdkInput, SdkOutput};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::subscription::Seen;
use super::{Client, Error, Event, Registration};
use crate::carrier::Carrier;
use crate::carrier::grpc::payload::Headers;
use crate::net::tokio::TokioClock;
use crate::shell::sdk::{SdkHandle, SdkShell};
use crate::shell::{Directory, Tap};
use crate::tls::net::TlsNet;

/// Events that a slow reader may fall behind.
const EVENTS_MAX: usize = 256;

/// Everything a client is started with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) net: TlsNet,
    pub(super) config: SdkConfig,
    pub(super) directory: Directory,
    pub(super) namespace: Str,
    pub(super) carrier: Carrier,
    pub(super) headers: Headers,
}

/// What the program's end asks of the thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Watch a service.
    Watch {
        service: ServiceKey,
        reply: oneshot::Sender<Watched>,
    },
    /// One who watched does not any more.
    Release { service: ServiceKey, watch: u64 },
    /// What is wanted registered?
    Registrations(oneshot::Sender<Vec<Registration>>),
    /// Is it connected, at the latest after a while?
    Connected(Duration, oneshot::Sender<bool>),
    /// End; the sender goes when the thread does.
    End(oneshot::Sender<()>),
}

/// A service that is watched from now on.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) lists: watch::Receiver<Seen>,
    /// Which watch of the service: a release counts for its own only.
    pub(super) watch: u64,
}

/// The watched services.
#[derive(Debug, Default)]
struct Watches {
    last: u64,
    table: BTreeMap<ServiceKey, Entry>,
}

#[derive(Debug)]
struct Entry {
    watch: u64,
    /// How many hold a subscription of it.
    holders: u64,
    lists: watch::Sender<Seen>,
}

impl Watches {
    /// One holder more. For the first one of a service, the number of the watch that has to be
    /// subscribed now.
    fn enter(&mut self, service: &ServiceKey, reply: oneshot::Sender<Watched>) -> Option<u64> {
        if let Some(entry) = self.table.get_mut(service) {
            let watched = Watched {
                lists: entry.lists.subscribe(),
                watch: entry.watch,
            };
            // Counted only for one who will release it.
            if reply.send(watched).is_ok() {
                entry.holders += 1;
            }
            return None;
        }
        self.last += 1;
        let watch = self.last;
        let (lists, receiver) = watch::channel(Seen::Nothing);
        let watched = Watched {
            lists: receiver,
            watch,
        };
        reply.send(watched).ok()?;
        let entry = Entry {
            watch,
            holders: 1,
            lists,
        };
        self.table.insert(service.clone(), entry);
        Some(watch)
    }

    /// A list arrived.
    fn list(&self, service: &ServiceKey, info: &std::sync::Arc<ServiceInfo>) {
        if let Some(entry) = self.table.get(service) {
            entry.lists.send_replace(Seen::List(info.clone()));
        }
    }

    /// One holder less; true when the last one went.
    fn release(&mut self, service: &ServiceKey, watch: u64) -> bool {
        let Some(entry) = self.table.get_mut(service).filter(|e| e.watch == watch) else {
            return false;
        };
        entry.holders -= 1;
        let is_over = entry.holders == 0;
        if is_over {
            self.table.remove(service);
        }
        is_over
    }

    /// The subscription did not come about.
    fn fail(&mut self, service: &ServiceKey, watch: u64, error: CallError) {
        if self.table.get(service).is_some_and(|e| e.watch == watch)
            && let Some(entry) = self.table.remove(service)
        {
            entry.lists.send_replace(Seen::Failed(error));
        }
    }
}

/// Hands on what the machine tells.
struct Teller {
    watches: Rc<RefCell<Watches>>,
    server: watch::Sender<Option<Str>>,
    events: broadcast::Sender<Event>,
}

impl Tap<SdkInput, SdkOutput> for Teller {
    const ACTIVE: bool = false;
    fn input(&mut self, _input: &SdkInput) {}
    fn output(&mut self, output: &SdkOutput) {
        let SdkOutput::Event(event) = output else {
            return;
        };
        let event = match event {
            SdkEvent::Connected { server, .. } => {
                let server = server.0.clone();
                self.server.send_replace(Some(server.clone()));
                Event::Connected { server }
            }
            SdkEvent::Disconnected { server } => {
                self.server.send_replace(None);
                let server = server.0.clone();
                Event::Disconnected { server }
            }
            SdkEvent::Registered { service, redo } => Event::Registered {
                service: service.clone(),
                redo: *redo,
            },
            SdkEvent::ListChanged { info } => {
                return self.watches.borrow().list(&info.service, info);
            }
            SdkEvent::ListIgnored { .. } => return,
        };
        // Nobody may read events.
        self.events.send(event).ok();
    }
}

/// Starts the thread.
pub(super) fn start(start: Start) -> Result<Client, Error> {
    let (ready, made) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("distro-client".to_owned())
        .spawn(move || {
            if let Err(error) = live(start, &ready) {
                // Whoever started it waits for one word.
                ready.send(Err(error)).ok();
            }
        })
        .map_err(|error| Error::System(format!("no thread: {error}")))?;
    made.recv().unwrap_or(Err(Error::Closed))
}

/// The life of a client.
fn live(
    start: Start,
    ready: &std::sync::mpsc::SyncSender<Result<Client, Error>>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::System(format!("no event loop: {error}")))?;
    let Start {
        net,
        config,
        directory,
        namespace,
        carrier,
        headers,
    } = start;
    let clock = TokioClock::start();
    let shell = SdkShell::new(net, clock, config, directory, MESSAGE_BYTES_MAX);
    let shell = shell.over(carrier).with_headers(headers);
    let (commands, queue) = mpsc::unbounded_channel();
    let (server, connected) = watch::channel(None);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let host = Host {
        sdk: shell.sdk(),
        handle: shell.handle(),
        watches: Rc::default(),
        server: connected.clone(),
    };
    let client = Client {
        handle: shell.handle(),
        commands,
        events: events.downgrade(),
        server: connected,
        namespace,
    };
    let shell = shell.with_tap(Teller {
        watches: host.watches.clone(),
        server,
        events,
    });
    ready.send(Ok(client)).map_err(|_| Error::Closed)?;
    let ended = LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            biased;
            ended = shell.run() => Err(ended),
            reply = host.serve(queue) => Ok(reply),
        }
    });
    runtime.shutdown_background();
    match ended {
        Ok(reply) => drop(reply),
        Err(Err(error)) => tracing::error!("the client stopped, a bug of ours: {error}"),
        Err(Ok(())) => tracing::error!("the client stopped by itself, a bug of ours"),
    }
    Ok(())
}

/// What serves the program's end, on the thread.
struct Host {
    sdk: Rc<RefCell<Sdk>>,
    handle: SdkHandle,
    watches: Rc<RefCell<Watches>>,
    server: watch::Receiver<Option<Str>>,
}

impl Host {
    /// Until the program ends the client, or dropped the last handle to it.
    async fn serve(
        &self,
        mut queue: mpsc::UnboundedReceiver<Command>,
    ) -> Option<oneshot::Sender<()>> {
        while let Some(command) = queue.recv().await {
            match command {
                Command::Watch { service, reply } => self.watch(service, reply).await,
                Command::Release { service, watch } => {
                    if self.watches.borrow_mut().release(&service, watch) {
                        self.unsubscribe(service).await;
                    }
                }
                Command::Registrations(reply) => {
                    // Whoever asked may have given up.
                    reply.send(self.registrations()).ok();
                }
                Command::Connected(within, reply) => {
                    let mut server = self.server.clone();
                    tokio::task::spawn_local(async move {
                        let connected = server.wait_for(Option::is_some);
                        let in_time = tokio::time::timeout(within, connected).await;
                        reply.send(matches!(in_time, Ok(Ok(_)))).ok();
                    });
                }
                Command::End(reply) => return Some(reply),
            }
        }
        None
    }

    /// The first who watches a service makes the client subscribe; the others share it.
    async fn watch(&self, service: ServiceKey, reply: oneshot::Sender<Watched>) {
        let Some(watch) = self.watches.borrow_mut().enter(&service, reply) else {
            return;
        };
        let subscribe = Call::Subscribe {
            service: service.clone(),
            clusters: Str::from(""),
        };
        let answer = self.handle.begin(subscribe).await;
        let (watches, handle) = (self.watches.clone(), self.handle.clone());
        tokio::task::spawn_local(async move {
            let result = match answer {
                Some(answer) => answer.await.unwrap_or(Err(CallError::NotConnected)),
                None => Err(CallError::NotConnected),
            };
            match result {
                Ok(Answer::Service(info)) => watches.borrow().list(&service, &info),
                // The answers to what else may be asked of a service.
                Ok(Answer::Done | Answer::Services(_)) | Err(CallError::Superseded) => {}
                Err(error) => {
                    watches.borrow_mut().fail(&service, watch, error);
                    // Nobody watches: it must not stay wanted, unless somebody began anew.
                    if !watches.borrow().table.contains_key(&service) {
                        handle.begin(Call::Unsubscribe { service }).await;
                    }
                }
            }
        });
    }

    /// Nobody waits for the answer: the machine says it again until it is true.
    async fn unsubscribe(&self, service: ServiceKey) {
        self.handle.begin(Call::Unsubscribe { service }).await;
    }

    fn registrations(&self) -> Vec<Registration> {
        let sdk = self.sdk.borrow();
        let wanted = sdk.wanted();
        wanted
            .map(|(service, published, acknowledged)| Registration {
                service: service.clone(),
                instances: published.instances().to_vec(),
                acknowledged,
            })
            .collect()
    }
}

/// A number that no other client has drawn: spreads first servers and health checks.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
