//! Clients without a connection (Nacos `EphemeralIpPortClientManager`): they live by beats.
//!
//! The node that a hash of the place names among the healthy members is *responsible* for such a
//! client. Unlike a connection's, its id is used again and its owner may change, so its records are
//! ordered by a logical clock instead of by their owner alone: whoever changes or takes over a
//! record counts up from the highest revision of any such record that it has seen. The higher
//! revision wins everywhere, the earlier owner included, which then holds a copy like any other.
//!
//! Nacos has no such order: two nodes that both think they are responsible overwrite each other's
//! copies (part 12.40). Its revision of these clients is a hash of their content.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::naming::normalised;
use super::timers::Timer;
use super::{NamingEvent, Node, params};
use crate::event::{ChangeCause, Event};
use crate::ids::{ClientId, Revision, Str};
use crate::io::{Output, RemoveCause};
use crate::message::ask::{Answer, Ask, Change, Place};
use crate::message::distro::ClientSyncData;
use crate::message::naming::{Instance, Published, ServiceKey};
use crate::time::{Mono, Period};

/// When one owned client was last heard of, in running time: a pause of this process is nobody's
/// silence.
#[derive(Debug, Default)]
struct Beat {
    /// By any request.
    touched: Mono,
    /// By a beat, for each service.
    services: BTreeMap<ServiceKey, Mono>,
}

/// The beats of the clients that this node owns.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    table: BTreeMap<ClientId, Beat>,
    /// The highest revision of any such client, seen or made.
    clock: u64,
}

impl Beats {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn forget(&mut self, client: &ClientId) {
        self.table.remove(client);
    }

    /// Takes note of a record that arrived. A Nacos peer's revisions are hashes: they order
    /// nothing.
    pub(crate) fn see(&mut self, data: &ClientSyncData) {
        if data.client.is_ip_port() && data.origin.is_some() {
            self.clock = self.clock.max(data.revision.0);
        }
    }

    pub(super) fn next(&mut self) -> Revision {
        self.clock = self.clock.saturating_add(1);
        Revision(self.clock)
    }

    fn beat(&mut self, client: &ClientId, service: Option<&ServiceKey>, now: Mono) {
        let beat = self.table.entry(client.clone()).or_default();
        beat.touched = now;
        if let Some(service) = service {
            beat.services.insert(service.clone(), now);
        }
    }
}

/// A `preserved.*` time of an instance; Nacos honours it when it is all digits.
fn preserved(instance: &Instance, key: &str, default: Period) -> Period {
    let millis = instance.metadata.get(key).filter(|text| {
        let mut bytes = text.bytes();
        !text.is_empty() && bytes.all(|byte| byte.is_ascii_digit())
    });
    millis
        .and_then(|text| text.parse().ok())
        .map_or(default, Period::from_millis)
}

/// What a round does about one instance.
enum Verdict {
    Unhealthy(Arc<Instance>),
    Silent,
}

impl Node {
    /// Answers a client without a connection.
    pub(super) fn answer_ask(&mut self, ask: Ask, out: &mut Vec<Output>) -> Answer {
        if !self.serves() {
            return Answer::Starting;
        }
        match ask {
            Ask::Register(service, instance) => self.register_ip_port(service, *instance, out),
            Ask::Deregister(service, place) => self.deregister_ip_port(service, &place, out),
            Ask::Beat {
                service,
                place,
                instance,
            } => self.take_beat(normalised(service), &place, instance, out),
            Ask::Update(service, place, change) => {
                self.update_ip_port(service, &place, *change, out)
            }
        }
    }

    fn take_beat(
        &mut self,
        service: ServiceKey,
        place: &Place,
        instance: Option<Box<Instance>>,
        out: &mut Vec<Output>,
    ) -> Answer {
        let client = ClientId::of_ip_port(&place.ip, place.port);
        if !self.beat(&client, &service, out) {
            let Some(instance) = instance else {
                return Answer::NotFound;
            };
            let answer = self.register_ip_port(service.clone(), *instance, out);
            if answer != Answer::Done {
                return answer;
            }
        }
        Answer::Beat(self.beat_interval(&client, &service))
    }

    fn register_ip_port(
        &mut self,
        service: ServiceKey,
        instance: Instance,
        out: &mut Vec<Output>,
    ) -> Answer {
        let names = self.names(service);
        let service = &names.service;
        let checked = params::service(service)
            .and_then(|()| params::instance(&instance))
            .and_then(|()| params::legal(&instance))
            .and_then(|()| self.stored(&names, instance));
        let instance = match checked {
            Ok(instance) => instance,
            Err(text) => return Answer::Refused(Str::from(text)),
        };
        self.counters.registers += 1;
        let client = ClientId::of_ip_port(&instance.ip, instance.port);
        self.own(&client, out);
        let run = self.run();
        self.beats.beat(&client, Some(service), run);
        if self.published(&client, service) != Some(&instance) {
            self.publish_ip_port(&client, service, Some(instance), out);
        }
        Answer::Done
    }

    fn deregister_ip_port(
        &mut self,
        service: ServiceKey,
        place: &Place,
        out: &mut Vec<Output>,
    ) -> Answer {
        let service = normalised(service);
        if let Err(text) = params::service(&service) {
            return Answer::Refused(Str::from(text));
        }
        self.counters.deregisters += 1;
        let client = ClientId::of_ip_port(&place.ip, place.port);
        if self.publishes(&client, &service) {
            self.own(&client, out);
            self.publish_ip_port(&client, &service, None, out);
        }
        Answer::Done
    }

    fn update_ip_port(
        &mut self,
        service: ServiceKey,
        place: &Place,
        change: Change,
        out: &mut Vec<Output>,
    ) -> Answer {
        let names = self.names(service);
        let service = &names.service;
        let client = ClientId::of_ip_port(&place.ip, place.port);
        let Some(before) = self.published(&client, service) else {
            return Answer::NotFound;
        };
        let mut instance = Instance::clone(before);
        instance.weight = change.weight.unwrap_or(instance.weight);
        instance.enabled = change.enabled.unwrap_or(instance.enabled);
        instance.metadata = change.metadata.unwrap_or(instance.metadata);
        // The stored name is a grouped one, which is no legal parameter.
        instance.service_name = None;
        let checked = params::instance(&instance).and_then(|()| params::legal(&instance));
        if let Err(text) = checked {
            return Answer::Refused(Str::from(text));
        }
        instance.service_name = Some(names.grouped.clone());
        if **before != instance {
            self.own(&client, out);
            self.publish_ip_port(&client, service, Some(Arc::new(instance)), out);
        }
        Answer::Done
    }

    /// Takes a beat. False when this place does not publish the service.
    fn beat(&mut self, client: &ClientId, service: &ServiceKey, out: &mut Vec<Output>) -> bool {
        if !self.publishes(client, service) {
            return false;
        }
        self.own(client, out);
        let run = self.run();
        self.beats.beat(client, Some(service), run);
        let sick = self.published(client, service);
        if let Some(sick) = sick.filter(|instance| !instance.healthy).cloned() {
            let mut instance = Instance::clone(&sick);
            instance.healthy = true;
            self.publish_ip_port(client, service, Some(Arc::new(instance)), out);
        }
        true
    }

    fn beat_interval(&self, client: &ClientId, service: &ServiceKey) -> Period {
        let default = self.config.timing.beat_interval;
        self.published(client, service).map_or(default, |instance| {
            preserved(instance, "preserved.heart.beat.interval", default)
        })
    }

    fn publishes(&self, client: &ClientId, service: &ServiceKey) -> bool {
        let entry = self.clients.get(client);
        entry.is_some_and(|entry| entry.data.entry(service).is_some())
    }

    /// The instance that a place publishes for a service.
    fn published(&self, client: &ClientId, service: &ServiceKey) -> Option<&Arc<Instance>> {
        let (_, published) = self.clients.get(client)?.data.entry(service)?;
        published.instances().first()
    }

    fn publish_ip_port(
        &mut self,
        client: &ClientId,
        service: &ServiceKey,
        instance: Option<Arc<Instance>>,
        out: &mut Vec<Output>,
    ) {
        if instance.is_none()
            && let Some(beat) = self.beats.table.get_mut(client)
        {
            beat.services.remove(service);
        }
        // Publishing counts up by one: from the clock, not from the record.
        self.clients.raise(client, Revision(self.beats.clock));
        self.set_published(client, service, instance.map(Published::Single), out);
        let revision = self.clients.revision(client);
        self.beats.clock = self
            .beats
            .clock
            .max(revision.map_or(0, |revision| revision.0));
        self.settle(out);
    }

    /// Makes this node the owner of a client, which need not exist.
    fn own(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        let run = self.run();
        self.beats.beat(client, None, run);
        let held = match self.clients.get(client) {
            Some(entry) if entry.native.is_some() => return,
            Some(entry) => Some(entry.data.clone()),
            None => None,
        };
        let speaks_distro = self.config.profile.speaks_distro();
        let data = Arc::new(ClientSyncData {
            client: client.clone(),
            origin: speaks_distro.then(|| self.origin.clone()),
            revision: self.beats.next(),
            services: held
                .as_ref()
                .map_or_else(Vec::new, |held| held.services.clone()),
            words: held.map_or_else(Vec::new, |held| held.words.clone()),
        });
        let created = self.clients.remove(client).is_none();
        for (service, _) in &data.services {
            self.beats.beat(client, Some(service), run);
        }
        self.clients.insert_native(data.clone(), None);
        self.arm_beats(client);
        self.publish(NamingEvent::ClientChanged(client.clone()));
        out.push(Output::Event(Event::ClientChanged {
            data,
            owner: self.config.node.clone(),
            native: true,
            created,
            cause: ChangeCause::Request,
        }));
    }

    /// Keeps the round going while there is a client without a connection.
    pub(super) fn arm_beats(&mut self, client: &ClientId) {
        if client.is_ip_port() {
            let due = self.run() + self.config.timing.beat_interval;
            if !self.timers.is_armed(Timer::Beats) {
                self.timers.arm(Timer::Beats, due);
            }
        }
    }

    /// Timer `Beats`: judges the silence of what this node owns, and adopts what nobody owns.
    pub(super) fn beat_round(&mut self, out: &mut Vec<Output>) {
        if self.clients.ip_port().is_empty() {
            return;
        }
        let due = self.run() + self.config.timing.beat_interval;
        self.timers.arm(Timer::Beats, due);
        if !self.serves() {
            return;
        }
        let (mut orphans, mut silent, mut over) = (Vec::new(), Vec::new(), Vec::new());
        for client in self.clients.ip_port() {
            let entry = self.clients.get(client).expect("the set follows the table");
            if entry.native.is_some() {
                self.judge(client, &entry.data, &mut silent, &mut over);
            } else if self.is_orphan(client, &entry.data) {
                orphans.push(client.clone());
            }
        }
        for client in orphans {
            self.own(&client, out);
        }
        for (client, service, verdict) in silent {
            let instance = match verdict {
                Verdict::Unhealthy(instance) => Some(instance),
                Verdict::Silent => None,
            };
            self.publish_ip_port(&client, &service, instance, out);
        }
        for (client, unheard) in over {
            self.counters.clients_expired += 1;
            self.remove_client(&client, RemoveCause::Expired, unheard, out);
        }
    }

    fn judge(
        &self,
        client: &ClientId,
        data: &ClientSyncData,
        silent: &mut Vec<(ClientId, ServiceKey, Verdict)>,
        over: &mut Vec<(ClientId, Period)>,
    ) {
        let (run, timing) = (self.run(), &self.config.timing);
        let Some(beat) = self.beats.table.get(client) else {
            return;
        };
        let idle = run.since(beat.touched);
        if data.services.is_empty() && idle > timing.beat_remove_timeout {
            over.push((client.clone(), idle));
        }
        for (service, published) in &data.services {
            let Some(instance) = published.instances().first() else {
                continue;
            };
            let heard = beat.services.get(service).copied();
            let silence = run.since(heard.unwrap_or(beat.touched));
            let sick = preserved(
                instance,
                "preserved.heart.beat.timeout",
                timing.beat_timeout,
            );
            let dead = preserved(
                instance,
                "preserved.ip.delete.timeout",
                timing.beat_remove_timeout,
            );
            let verdict = if silence > dead {
                Verdict::Silent
            } else if silence > sick && instance.healthy {
                let mut instance = Instance::clone(instance);
                instance.healthy = false;
                Verdict::Unhealthy(Arc::new(instance))
            } else {
                continue;
            };
            silent.push((client.clone(), service.clone(), verdict));
        }
    }

    /// How many clients without a connection there are: all, and those that this node owns.
    pub fn ip_port_clients(&self) -> (u64, u64) {
        (self.clients.ip_port().len() as u64, self.beats.len() as u64)
    }
}
