//! The naming requests of clients (part 4).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::clients::Subscription;
use super::services::Filter;
use super::shared_names::Names;
use super::{NamingEvent, Node, params};
use crate::event::{ChangeCause, Event};
use crate::ids::{ClientId, ConnId, Str};
use crate::io::Output;
use crate::message::naming::{
    BatchInstanceRequest, DEFAULT_CLUSTER, DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance,
    InstanceOperation, InstanceRequest, Published, ServiceKey, ServiceListRequest,
    ServiceListResponse, ServiceQueryRequest, SubscribeServiceRequest,
};
use crate::message::selector::Selector;
use crate::message::{Response, ResponseBody, code};
use crate::profile::Quirk;

impl Node {
    /// Register or deregister one instance.
    pub(super) fn instance(
        &mut self,
        conn: ConnId,
        request: InstanceRequest,
        out: &mut Vec<Output>,
    ) -> Response {
        let body = || ResponseBody::Instance(request.operation);
        let names = self.names(request.service);
        let service = &names.service;
        let checked = params::service(service).and_then(|()| params::instance(&request.instance));
        if let Err(text) = checked {
            return Response::fail(code::INVALID_PARAM, &text, body());
        }
        let Some(client) = self.naming_client(conn) else {
            return client_gone(conn, "register ephemeral instance");
        };
        match request.operation {
            InstanceOperation::Register => {
                if let Err(text) = params::legal(&request.instance) {
                    return Response::fail(code::INVALID_PARAM, &text, body());
                }
                if self.refuses(&request.instance) {
                    return Response::fail(code::SERVER_NOT_IMPLEMENTED, NO_PERSISTENT, body());
                }
                let instance = match self.stored(&names, request.instance) {
                    Ok(instance) => instance,
                    Err(text) => return Response::fail(code::FAIL, &text, body()),
                };
                self.counters.registers += 1;
                self.set_published(&client, service, Some(Published::Single(instance)), out);
            }
            InstanceOperation::Deregister => {
                self.counters.deregisters += 1;
                self.set_published(&client, service, None, out);
            }
        }
        Response::ok(body())
    }

    /// Replace what a client publishes for a service by a list.
    pub(super) fn batch_instance(
        &mut self,
        conn: ConnId,
        request: BatchInstanceRequest,
        out: &mut Vec<Output>,
    ) -> Response {
        let (count, most) = (request.instances.len(), self.config.batch_instances_max);
        if self.config.profile.speaks_distro() && count > most as usize {
            let text = format!(
                "a batch of {count} instances is over this node's limit of {most} \
                 (limits.instances-per-batch)"
            );
            return Response::fail(code::INVALID_PARAM, &text, ResponseBody::BatchInstance);
        }
        let names = self.names(request.service);
        let checked = params::service(&names.service)
            .and_then(|()| request.instances.iter().try_for_each(params::instance));
        if let Err(text) = checked {
            return Response::fail(code::INVALID_PARAM, &text, ResponseBody::BatchInstance);
        }
        let Some(client) = self.naming_client(conn) else {
            return client_gone(conn, "batch register ephemeral instance");
        };
        if request
            .instances
            .iter()
            .any(|instance| self.refuses(instance))
        {
            let body = ResponseBody::BatchInstance;
            return Response::fail(code::SERVER_NOT_IMPLEMENTED, NO_PERSISTENT, body);
        }
        let instances: Result<Vec<Arc<Instance>>, String> = request
            .instances
            .into_iter()
            .map(|instance| self.stored(&names, instance))
            .collect();
        match instances {
            Ok(instances) => {
                self.counters.registers += 1;
                let published = Published::Batch(instances.into());
                self.set_published(&client, &names.service, Some(published), out);
                Response::ok(ResponseBody::BatchInstance)
            }
            Err(text) => Response::fail(code::FAIL, &text, ResponseBody::BatchInstance),
        }
    }

    /// Changes what a native client publishes, and tells whoever has to know.
    pub(super) fn set_published(
        &mut self,
        client: &ClientId,
        service: &ServiceKey,
        published: Option<Published>,
        out: &mut Vec<Output>,
    ) {
        let is_batch = matches!(published, Some(Published::Batch(_)));
        let keep = is_batch && self.config.profile.has(Quirk::BatchKeepsRevision);
        let withdraws = published.is_none();
        let word = self
            .config
            .profile
            .speaks_distro()
            .then(|| self.words.next(self.now.mono));
        let said = published.clone();
        let before = self.clients.publish(client, service, published, word, keep);
        let before = before.expect("the client was found before");
        if let Some((before, word)) = &before {
            self.gave_up(service, before, *word, said.as_ref(), out);
        }
        if let (Some(said), Some(word)) = (&said, word)
            && !self.departures.is_empty()
        {
            self.arrived(service, said, (client, word), out);
        }
        if withdraws && before.is_none() {
            // Nothing to withdraw: the revision went up (part 12.37), peers learn it like a change.
            self.publish(NamingEvent::ClientChanged(client.clone()));
        } else {
            let (key, id) = (service.clone(), client.clone());
            self.publish(if withdraws {
                NamingEvent::ClientDeregisterService(key, id)
            } else {
                NamingEvent::ClientRegisterService(key, id)
            });
            self.publish(NamingEvent::ClientChanged(client.clone()));
        }
        let data = self
            .clients
            .get(client)
            .expect("it was just changed")
            .data
            .clone();
        out.push(Output::Event(Event::ClientChanged {
            data,
            owner: self.config.node.clone(),
            native: true,
            created: false,
            cause: ChangeCause::Request,
        }));
    }

    /// Subscribe or unsubscribe; both answer with the list as it is now.
    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        request: &SubscribeServiceRequest,
    ) -> Response {
        let service = self.names(request.service.clone()).service;
        let checked = params::service(&service).and_then(|()| params::clusters(&request.clusters));
        if let Err(text) = checked {
            let body = ResponseBody::SubscribeService(None);
            return Response::fail(code::INVALID_PARAM, &text, body);
        }
        let Some(client) = self.naming_client(conn) else {
            return client_gone(conn, "subscribe service");
        };
        let filter = Filter {
            clusters: &request.clusters,
            healthy_only: false,
            protect: self.config.protect.of(&service),
        };
        let info = self
            .services
            .info(&self.clients, &service, filter, self.now.wall);
        let native = self
            .clients
            .native_mut(&client)
            .expect("the client was just found");
        if request.subscribe {
            let subscription = Subscription {
                clusters: request.clusters.clone(),
            };
            native.subscriptions.insert(service.clone(), subscription);
            self.publish(NamingEvent::ClientSubscribeService(service, client));
        } else if native.subscriptions.remove(&service).is_some() {
            self.publish(NamingEvent::ClientUnsubscribeService(service, client));
        }
        let mut response = Response::ok(ResponseBody::SubscribeService(Some(info)));
        response.message = Some(Str::from("success"));
        response
    }

    /// The current list of a service.
    pub(super) fn query(&mut self, request: &ServiceQueryRequest) -> Response {
        let service = normalised(request.service.clone());
        let checked = params::service(&service).and_then(|()| params::clusters(&request.clusters));
        if let Err(text) = checked {
            let body = ResponseBody::QueryService(None);
            return Response::fail(code::INVALID_PARAM, &text, body);
        }
        let filter = Filter {
            clusters: &request.clusters,
            healthy_only: request.healthy_only,
            protect: self.config.protect.of(&service),
        };
        let info = self
            .services
            .info(&self.clients, &service, filter, self.now.wall);
        Response::ok(ResponseBody::QueryService(Some(info)))
    }

    /// A page of service names, in name order. Java's order is that of a hash set.
    pub(super) fn list_services(&self, request: &ServiceListRequest) -> Response {
        let checked = params::group(&request.group)
            .and_then(|()| params::page(request.page_size))
            .and_then(|()| params::selector(&request.selector));
        let selector = match checked {
            Ok(selector) => selector,
            Err(text) => {
                let body = ResponseBody::ServiceList(Box::new(ServiceListResponse {
                    count: 0,
                    service_names: Vec::new(),
                }));
                return Response::fail(code::INVALID_PARAM, &text, body);
            }
        };
        let namespace = or_default(&request.namespace, DEFAULT_NAMESPACE);
        let group = or_default(&request.group, DEFAULT_GROUP);
        let first = ServiceKey {
            namespace,
            group,
            name: Str::from(""),
        };
        let mut names: Vec<Str> = Vec::new();
        let mut count: i32 = 0;
        let size = usize::try_from(request.page_size).unwrap_or(usize::MAX);
        let page = usize::try_from(request.page_no.max(1) - 1).unwrap_or(0);
        let skip = page.saturating_mul(size);
        let matching = self
            .services
            .range_from(&first)
            .take_while(|(key, _)| key.namespace == first.namespace && key.group == first.group)
            .filter(|(_, service)| service.version > 0)
            .filter(|(key, _)| self.is_selected(selector.as_ref(), key));
        for (at, (key, _)) in matching.enumerate() {
            count = count.saturating_add(1);
            if at >= skip && names.len() < size {
                names.push(key.name.clone());
            }
        }
        let list = ServiceListResponse {
            count,
            service_names: names,
        };
        Response::ok(ResponseBody::ServiceList(Box::new(list)))
    }

    fn is_selected(&self, selector: Option<&Selector>, key: &ServiceKey) -> bool {
        selector.is_none_or(|selector| {
            let instances = self.services.instances(&self.clients, key);
            selector.holds(instances.iter().map(|instance| &**instance))
        })
    }

    /// True for an instance that asks to outlive its connection. Why refused: Nacos stores it as
    /// ephemeral and says that all is well, and then it goes with its connection.
    fn refuses(&self, instance: &Instance) -> bool {
        !instance.ephemeral && self.config.profile.speaks_distro()
    }

    /// An instance as it is stored: with its id, its cluster and its grouped service name.
    pub(super) fn stored(
        &self,
        names: &Names,
        mut instance: Instance,
    ) -> Result<Arc<Instance>, String> {
        let grouped = &names.grouped;
        if instance.instance_id.as_ref().is_none_or(|id| id.is_empty()) {
            let generator = instance.metadata.get("preserved.instance.id.generator");
            match generator.map_or("simple", |name| name) {
                "simple" => {
                    let Instance {
                        ip,
                        port,
                        cluster_name,
                        ..
                    } = &instance;
                    let id = format!("{ip}#{port}#{cluster_name}#{grouped}");
                    instance.instance_id = Some(Str::from(id));
                }
                other => {
                    return Err(format!(
                        "The InstanceIdGenerator type '{other}' is not found; 'simple' is."
                    ));
                }
            }
        }
        let cluster = &*instance.cluster_name;
        if cluster.trim().is_empty() || cluster == DEFAULT_CLUSTER {
            instance.cluster_name = self.services.default_cluster().clone();
        }
        instance.service_name = Some(grouped.clone());
        instance.ephemeral = true;
        Ok(Arc::new(instance))
    }

    pub(super) fn naming_client(&self, conn: ConnId) -> Option<ClientId> {
        let client = &self.connections.get(conn)?.client;
        self.clients.get(client)?.native.as_ref()?;
        Some(client.clone())
    }
}

/// What a client is told that wants a persistent instance.
pub(super) const NO_PERSISTENT: &str =
    "Persistent instances are not supported by this server; register an ephemeral one.";

pub(super) fn client_gone(conn: ConnId, action: &str) -> Response {
    let text = format!("Client [{conn}] connection already disconnect, can't {action}.");
    Response {
        result_code: code::CLIENT_DISCONNECT,
        error_code: code::CLIENT_DISCONNECT,
        message: Some(Str::from(text)),
        body: ResponseBody::Error,
    }
}

fn or_default(text: &Str, default: &str) -> Str {
    if text.trim().is_empty() {
        Str::from(default)
    } else {
        text.clone()
    }
}

/// A service's identity with Nacos's defaults for what is blank.
pub(super) fn normalised(key: ServiceKey) -> ServiceKey {
    ServiceKey {
        namespace: or_default(&key.namespace, DEFAULT_NAMESPACE),
        group: or_default(&key.group, DEFAULT_GROUP),
        name: key.name,
    }
}
