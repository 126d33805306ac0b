//! The client library: register instances, look services up and watch them, from any program on
//! tokio.
//!
//! A [`Client`] keeps one connection to one node of a list. What it registers and watches stays
//! true for as long as it lives: when the connection is lost it goes to the next node and says
//! everything again. It is what the testbed's clients and the commands of `distro` are too: the
//! core's `Sdk`, on a thread of its own, so a busy or a single-threaded runtime of yours neither
//! slows it down nor stops its heartbeats.
//!
//! ```no_run
//! # async fn example() -> Result<(), distro_node::client::Error> {
//! use distro_node::client::{Client, Instance};
//!
//! let client = Client::builder()
//!     .servers(["10.0.0.1:8848", "10.0.0.2:8848", "10.0.0.3:8848"])
//!     .app("orders")
//!     .connect()
//!     .await?;
//! client.register("orders", Instance::new("10.1.1.7", 80)).await?;
//!
//! let mut payments = client.subscribe("payments").await?;
//! while let Some(update) = payments.next().await {
//!     println!("{} instances, {} of them new", update.instances.len(), update.added.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Services are written `name`, `group@@name` or `namespace@@group@@name`, or given as a
//! [`ServiceKey`].
//!
//! # Layout
//! - `builder`: what a client is told before it starts · `driver`: the thread
//! - `subscription`: a watched service · `error`: what can go wrong

mod builder;
mod driver;
mod error;
mod subscription;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use distro_core::ids::Str;
pub use distro_core::message::naming::{Instance, ServiceInfo, ServiceKey, Weight};
use distro_core::sdk::io::{Answer, Call};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use builder::{Builder, TlsFiles};
pub(crate) use builder::{headers, own_ip};
pub use error::Error;
pub use subscription::{Subscription, Update};

use crate::shell::sdk::SdkHandle;
use driver::Command;

/// A client of a registry. A clone is the same client; it ends with the last one, or with
/// [`Client::close`].
#[derive(Debug, Clone)]
pub struct Client {
    handle: SdkHandle,
    commands: mpsc::UnboundedSender<Command>,
    /// Weak: the thread's end ends the readers.
    events: broadcast::WeakSender<Event>,
    server: watch::Receiver<Option<Str>>,
    namespace: Str,
}

/// Something that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is connected to a node, by main address; what was wanted is said again now.
    Connected {
        /// To which.
        server: Str,
    },
    /// The connection is lost; another node is sought.
    Disconnected {
        /// From which.
        server: Str,
    },
    /// A node acknowledged what this client registered for a service.
    Registered {
        /// Which service.
        service: ServiceKey,
        /// True when it was said again after a reconnect, false for the program's own call.
        redo: bool,
    },
    /// The reader was slow and this many events before the next one are lost.
    Missed(u64),
}

/// What happens to a client from the moment of [`Client::events`] on. Bounded: a slow reader is
/// told how many it [missed](Event::Missed) and slows nothing down.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next one; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// What a client wants registered for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Which service.
    pub service: ServiceKey,
    /// The instances: one, or those of a batch.
    pub instances: Vec<Arc<Instance>>,
    /// True when the node that the client is connected to has acknowledged it.
    pub acknowledged: bool,
}

/// A page of service names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceNames {
    /// Services of the group on all pages.
    pub total: u64,
    /// The names on this page, in order.
    pub names: Vec<Str>,
}

/// What names a service: text or a key.
pub trait Service {
    /// The key. Text without a namespace is in the client's.
    ///
    /// # Errors
    /// [`Error::Input`] for text that names none.
    fn key(&self, namespace: &Str) -> Result<ServiceKey, Error>;
}

impl Service for str {
    fn key(&self, namespace: &Str) -> Result<ServiceKey, Error> {
        let mut key = crate::text::value::service(self)
            .map_err(|wrong| Error::Input(format!("{}; {}", wrong.message, wrong.help)))?;
        if self.matches("@@").count() < 2 {
            key.namespace = namespace.clone();
        }
        Ok(key)
    }
}

impl Service for String {
    fn key(&self, namespace: &Str) -> Result<ServiceKey, Error> {
        self.as_str().key(namespace)
    }
}

impl Service for ServiceKey {
    fn key(&self, _namespace: &Str) -> Result<ServiceKey, Error> {
        Ok(self.clone())
    }
}

impl<T: Service + ?Sized> Service for &T {
    fn key(&self, namespace: &Str) -> Result<ServiceKey, Error> {
        T::key(self, namespace)
    }
}

impl Client {
    /// What a new client is told.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Publishes one instance for a service, in place of whatever this client published for it,
    /// and waits until a node acknowledged it. It stays registered until [`Client::deregister`] or
    /// the client's end; other clients may register for the same service.
    ///
    /// # Errors
    /// After [`Error::Refused`] nothing changed. After [`Error::NotConnected`] and
    /// [`Error::Timeout`] it stays wanted, and is said again until a node acknowledges it.
    pub async fn register(&self, service: impl Service, instance: Instance) -> Result<(), Error> {
        let service = service.key(&self.namespace)?;
        self.done(Call::Register { service, instance }).await
    }

    /// Publishes a list for a service, in place of whatever this client published for it.
    ///
    /// # Errors
    /// As [`Client::register`]; [`Error::Input`] for an empty list.
    pub async fn register_batch(
        &self,
        service: impl Service,
        instances: Vec<Instance>,
    ) -> Result<(), Error> {
        if instances.is_empty() {
            let text = "a batch needs instances; deregister takes all of them away";
            return Err(Error::Input(text.to_owned()));
        }
        let service = service.key(&self.namespace)?;
        self.done(Call::BatchRegister { service, instances }).await
    }

    /// Replaces the instance that this client published for a service: another weight, health or
    /// metadata.
    ///
    /// # Errors
    /// [`Error::NotRegistered`] when it published none, and as [`Client::register`].
    pub async fn update(&self, service: impl Service, instance: Instance) -> Result<(), Error> {
        let service = service.key(&self.namespace)?;
        let registrations = self.registrations().await?;
        if !registrations.iter().any(|known| known.service == service) {
            return Err(Error::NotRegistered(service));
        }
        self.register(service, instance).await
    }

    /// Withdraws whatever this client published for a service.
    ///
    /// # Errors
    /// As [`Client::register`].
    pub async fn deregister(&self, service: impl Service) -> Result<(), Error> {
        let service = service.key(&self.namespace)?;
        self.done(Call::Deregister { service }).await
    }

    /// The instances of a service as the node knows them now.
    ///
    /// # Errors
    /// No node answers within the request timeout, or it refuses.
    pub async fn query(&self, service: impl Service) -> Result<Arc<ServiceInfo>, Error> {
        self.query_clusters(service, &[], false).await
    }

    /// The instances of a service that belong to one of the clusters, or to any if none is given,
    /// with or without the unhealthy ones.
    ///
    /// # Errors
    /// No node answers within the request timeout, or it refuses.
    pub async fn query_clusters(
        &self,
        service: impl Service,
        clusters: &[&str],
        healthy_only: bool,
    ) -> Result<Arc<ServiceInfo>, Error> {
        let call = Call::Query {
            service: service.key(&self.namespace)?,
            clusters: Str::from(clusters.join(",")),
            healthy_only,
        };
        match self.call(call).await? {
            Answer::Service(info) => Ok(info),
            Answer::Done | Answer::Services(_) => Err(Error::Timeout),
        }
    }

    /// The names of a group's services in the client's namespace. The first page is 1.
    ///
    /// # Errors
    /// No node answers within the request timeout, or it refuses.
    pub async fn services(
        &self,
        group: &str,
        page: u16,
        page_size: u16,
    ) -> Result<ServiceNames, Error> {
        let call = Call::List {
            namespace: self.namespace.clone(),
            group: Str::from(group),
            page_no: i32::from(page),
            page_size: i32::from(page_size),
        };
        match self.call(call).await? {
            Answer::Services(list) => Ok(ServiceNames {
                total: u64::try_from(list.count).unwrap_or(0),
                names: list.service_names,
            }),
            Answer::Done | Answer::Service(_) => Err(Error::Timeout),
        }
    }

    /// Watches a service, which need not exist yet: its list now, and each change from now on,
    /// over every reconnect, until the [`Subscription`] is dropped.
    ///
    /// # Errors
    /// No node answers within the request timeout, or it refuses; then nothing is watched.
    pub async fn subscribe(&self, service: impl Service) -> Result<Subscription, Error> {
        let service = service.key(&self.namespace)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Watch {
            service: service.clone(),
            reply,
        };
        self.commands.send(command).map_err(|_| Error::Closed)?;
        let watched = answer.await.map_err(|_| Error::Closed)?;
        // From here on dropping it releases the service, whatever happens next.
        let mut subscription = Subscription::new(service, watched, self.commands.clone());
        subscription.settled().await?;
        Ok(subscription)
    }

    /// Everything this client wants registered, by service.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn registrations(&self) -> Result<Vec<Registration>, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Registrations(reply);
        self.commands.send(command).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }

    /// What happens to this client from now on.
    pub fn events(&self) -> Events {
        Events(match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The client has ended, and so have its events.
            None => broadcast::channel(1).1,
        })
    }

    /// The node that this client is connected to, by main address; `None` while it seeks one.
    pub fn server(&self) -> Option<Str> {
        self.server.borrow().clone()
    }

    /// Withdraws everything that is registered, tells the node goodbye and ends this client and
    /// its clones. Without it the node notices that the connection ended, which withdraws as well.
    ///
    /// # Errors
    /// What was registered could not be withdrawn in an orderly way; the client has ended all the
    /// same, and with its connection what it registered.
    pub async fn close(self) -> Result<(), Error> {
        let mut first = Ok(());
        for registration in self.registrations().await? {
            let withdrawn = self.deregister(registration.service).await;
            first = first.and(withdrawn);
        }
        let (reply, ended) = oneshot::channel();
        self.commands
            .send(Command::End(reply))
            .map_err(|_| Error::Closed)?;
        // Dropped unanswered when the thread is gone, which is what is waited for.
        ended.await.unwrap_or_default();
        first
    }

    async fn done(&self, call: Call) -> Result<(), Error> {
        self.call(call).await.map(|_| ())
    }

    async fn call(&self, call: Call) -> Result<Answer, Error> {
        let result = self.handle.call(call).await;
        match result {
            Ok(answer) => Ok(answer),
            Err(_) if self.commands.is_closed() => Err(Error::Closed),
            Err(error) => Err(error.into()),
        }
    }
}
