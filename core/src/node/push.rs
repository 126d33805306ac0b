//! Lists to subscribers (Nacos `PushDelayTaskExecuteEngine`): one pending task per service, due
//! half a second after the first change of a burst.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use super::calls::Purpose;
use super::services::Filter;
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, Str};
use crate::io::Output;
use crate::message::naming::{ServiceInfo, ServiceKey};
use crate::message::{Request, Response};
use crate::time::{Mono, Period};

/// A pending push of one service.
#[derive(Debug)]
struct PushTask {
    due: Mono,
    to_all: bool,
    /// Used while `to_all` is false.
    targets: BTreeSet<ClientId>,
}

/// All pending pushes.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    tasks: BTreeMap<ServiceKey, PushTask>,
    queue: BTreeSet<(Mono, ServiceKey)>,
}

impl Pushes {
    /// Adds to the service's task. A pending task keeps its due time if that is earlier, so a
    /// service that keeps changing is still pushed.
    fn add(&mut self, service: &ServiceKey, due: Mono, target: Option<ClientId>) {
        match self.tasks.get_mut(service) {
            Some(task) => {
                match target {
                    Some(client) => {
                        task.targets.insert(client);
                    }
                    None => task.to_all = true,
                }
                if due < task.due {
                    self.queue.remove(&(task.due, service.clone()));
                    task.due = due;
                    self.queue.insert((due, service.clone()));
                }
            }
            None => {
                let to_all = target.is_none();
                let targets = target.into_iter().collect();
                self.tasks.insert(
                    service.clone(),
                    PushTask {
                        due,
                        to_all,
                        targets,
                    },
                );
                self.queue.insert((due, service.clone()));
            }
        }
    }

    fn take_due(&mut self, now: Mono) -> Option<(ServiceKey, PushTask)> {
        if self.queue.first()?.0 > now {
            return None;
        }
        let (_, service) = self.queue.pop_first()?;
        let task = self
            .tasks
            .remove(&service)
            .expect("every queued service has its task");
        Some((service, task))
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.queue.first().map(|(due, _)| *due)
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }
}

impl Node {
    pub(super) fn push_to_all(&mut self, service: &ServiceKey) {
        let has_subscribers = self
            .services
            .get(service)
            .is_some_and(|service| !service.subscribers.is_empty());
        if has_subscribers {
            let due = self.push_due(self.config.timing.push_delay);
            self.pushes.add(service, due, None);
        }
    }

    pub(super) fn push_to_one(&mut self, service: &ServiceKey, client: ClientId, delay: Period) {
        let due = self.push_due(delay);
        self.pushes.add(service, due, Some(client));
    }

    pub(super) fn push_due(&self, delay: Period) -> Mono {
        (self.run() + delay).ceil_to(self.config.timing.delay_tick)
    }

    /// Sends what is due. Every push carries the whole list as it is at this moment.
    pub(super) fn send_due_pushes(&mut self, out: &mut Vec<Output>) {
        while let Some((service, task)) = self.pushes.take_due(self.run()) {
            let Some(entry) = self.services.get(&service) else {
                continue;
            };
            if entry.version == 0 && self.config.profile.speaks_distro() {
                // Why: nobody has published it in this life. The subscriber has that in its answer;
                // after a restart of the whole cluster, a push would tell everybody that a service
                // is empty whose publishers are on their way back (incident 40).
                continue;
            }
            let targets: Vec<ClientId> = if task.to_all {
                entry.subscribers.iter().cloned().collect()
            } else {
                task.targets
                    .intersection(&entry.subscribers)
                    .cloned()
                    .collect()
            };
            self.push_list(&service, &targets, out);
        }
    }

    fn push_list(&mut self, service: &ServiceKey, targets: &[ClientId], out: &mut Vec<Output>) {
        // Subscribers mostly ask for the same clusters: they share one list.
        let mut lists: BTreeMap<Str, Arc<ServiceInfo>> = BTreeMap::new();
        let protect = self.config.protect.of(service);
        for client in targets {
            let native = self
                .clients
                .get(client)
                .and_then(|client| client.native.as_ref());
            let native = native.expect("the index holds only native subscribers");
            let conn = native
                .conn
                .expect("only clients with a connection subscribe");
            let subscription = native.subscriptions.get(service);
            let clusters = &subscription
                .expect("a subscriber has its subscription")
                .clusters;
            let info = match lists.get(clusters) {
                Some(info) => info.clone(),
                None => {
                    let clusters = clusters.clone();
                    let filter = Filter {
                        clusters: &clusters,
                        healthy_only: false,
                        protect,
                    };
                    let info = self
                        .services
                        .info(&self.clients, service, filter, self.now.wall);
                    lists.insert(clusters, info.clone());
                    info
                }
            };
            self.counters.pushes_sent += 1;
            self.counters.pushes_empty += u64::from(info.hosts.is_empty());
            let purpose = Purpose::Push(service.clone(), client.clone());
            let timeout = self.config.timing.push_timeout;
            self.call(conn, Request::NotifySubscriber(info), purpose, timeout, out);
        }
    }

    /// The outcome of a push. A failed one is tried again for as long as the client is there.
    pub(super) fn pushed(
        &mut self,
        service: &ServiceKey,
        client: &ClientId,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let cause = match outcome {
            Ok(response) if response.is_ok() => {
                self.counters.pushes_acked += 1;
                let (service, client) = (service.clone(), client.clone());
                out.push(Output::Event(Event::Pushed { service, client }));
                return;
            }
            Ok(_) => FailCause::Refused,
            Err(cause) => *cause,
        };
        self.counters.pushes_failed += 1;
        let is_subscribed = self
            .services
            .get(service)
            .is_some_and(|service| service.subscribers.contains(client));
        if is_subscribed {
            self.push_to_one(service, client.clone(), self.config.timing.push_retry_delay);
        }
        let (service, client) = (service.clone(), client.clone());
        out.push(Output::Event(Event::PushFailed {
            service,
            client,
            cause,
        }));
    }
}
