//! A watched service.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::Str;
use distro_core::message::naming::{Instance, ServiceInfo, ServiceKey};
use distro_core::sdk::io::CallError;
use futures_util::Stream;
use tokio::sync::{mpsc, watch};

use super::Error;
use super::driver::{Command, Watched};

/// What is known of a watched service.
#[derive(Debug)]
pub(super) enum Seen {
    /// No answer yet.
    Nothing,
    /// Its list.
    List(Arc<ServiceInfo>),
    /// It could not be subscribed to.
    Failed(CallError),
}

/// A list that arrived, and what it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The instances now, in the order of (ip, port, cluster).
    pub instances: Vec<Arc<Instance>>,
    /// Those of them that were not there before.
    pub added: Vec<Arc<Instance>>,
    /// Those that were there before and are not any more, as they last were.
    pub removed: Vec<Arc<Instance>>,
    /// Those that were there before with another weight, health or metadata, as they are now.
    pub changed: Vec<Arc<Instance>>,
}

/// The lists of a watched service, newest only: a reader that falls behind gets the list as it is
/// now and everything that changed since the last one it read, so it never misses an instance and
/// never fills a queue.
///
/// It keeps its client alive; dropping it stops the watch.
#[derive(Debug)]
pub struct Subscription {
    service: ServiceKey,
    lists: watch::Receiver<Seen>,
    watch: u64,
    commands: mpsc::UnboundedSender<Command>,
    clusters: Vec<Str>,
    last: Option<Vec<Arc<Instance>>>,
}

impl Subscription {
    pub(super) fn new(
        service: ServiceKey,
        watched: Watched,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Subscription {
        Subscription {
            service,
            lists: watched.lists,
            watch: watched.watch,
            commands,
            clusters: Vec::new(),
            last: None,
        }
    }

    /// Waits until the node answered.
    pub(super) async fn settled(&mut self) -> Result<(), Error> {
        let answered = self.lists.wait_for(|seen| !matches!(seen, Seen::Nothing));
        match &*answered.await.map_err(|_| Error::Closed)? {
            Seen::Failed(error) => return Err(error.clone().into()),
            Seen::Nothing | Seen::List(_) => {}
        }
        // The list that is known now is the first that is read.
        self.lists.mark_changed();
        Ok(())
    }

    /// Only instances of these clusters from now on; of all when it is given none.
    #[must_use]
    pub fn in_clusters(mut self, clusters: &[&str]) -> Subscription {
        self.clusters = clusters.iter().map(|name| Str::from(*name)).collect();
        self.lists.mark_changed();
        self
    }

    /// Which service is watched.
    pub fn service(&self) -> &ServiceKey {
        &self.service
    }

    /// The list as it is now, without waiting.
    pub fn now(&self) -> Vec<Arc<Instance>> {
        match &*self.lists.borrow() {
            Seen::List(info) => self.wanted(info),
            Seen::Nothing | Seen::Failed(_) => Vec::new(),
        }
    }

    /// The next change; the first one is the list as it was found, all of it added. `None` when the
    /// client has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            self.lists.changed().await.ok()?;
            let info = match &*self.lists.borrow_and_update() {
                Seen::List(info) => info.clone(),
                Seen::Nothing | Seen::Failed(_) => continue,
            };
            let instances = self.wanted(&info);
            if self.last.as_ref() == Some(&instances) {
                continue;
            }
            let before = self.last.replace(instances.clone());
            return Some(Update::between(before.unwrap_or_default(), instances));
        }
    }

    /// The same as a stream, for those who combine streams.
    pub fn into_stream(self) -> impl Stream<Item = Update> + Send {
        futures_util::stream::unfold(self, |mut subscription| async move {
            let update = subscription.next().await?;
            Some((update, subscription))
        })
    }

    fn wanted(&self, info: &ServiceInfo) -> Vec<Arc<Instance>> {
        let hosts = info.hosts.iter().filter(|instance| {
            self.clusters.is_empty() || self.clusters.contains(&instance.cluster_name)
        });
        hosts.cloned().collect()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let command = Command::Release {
            service: self.service.clone(),
            watch: self.watch,
        };
        // Nothing to release when the client has ended.
        self.commands.send(command).ok();
    }
}

/// What makes an instance the same one.
fn identity(instance: &Instance) -> (&str, i32, &str) {
    (&instance.ip, instance.port, &instance.cluster_name)
}

impl Update {
    fn between(before: Vec<Arc<Instance>>, instances: Vec<Arc<Instance>>) -> Update {
        let mut old: BTreeMap<_, _> = before.iter().map(|one| (identity(one), one)).collect();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for instance in &instances {
            match old.remove(&identity(instance)) {
                None => added.push(instance.clone()),
                Some(was) if was != instance => changed.push(instance.clone()),
                Some(_) => {}
            }
        }
        let removed = old.into_values().cloned().collect();
        Update {
            instances,
            added,
            removed,
            changed,
        }
    }
}
