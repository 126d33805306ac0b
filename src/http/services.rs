//! Services, those who subscribe to them, and namespaces (parts 9.2, 9.6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance, ServiceKey};
use distro_core::message::selector::Selector;
use distro_core::node::Node;
use serde_json::{Value, json};

use super::Http;
use super::answer::{Outcome, Refusal, code};
use super::call::{Call, Page};
use super::instances::all;
use crate::codec::{expression_of, instance_json};

/// A page of the services that `wanted` wants, seen by `view`, and how many there are.
async fn page_of<W, V>(
    http: &Http,
    page: Page,
    wanted: W,
    view: V,
) -> Result<(Vec<Value>, usize), Refusal>
where
    W: Fn(&Node, &ServiceKey) -> bool + Send + 'static,
    V: Fn(&Node, &ServiceKey) -> Value + Send + 'static,
{
    http.look(move |node| {
        let mut count = 0;
        let mut items = Vec::new();
        // A service that nobody ever published is only somebody's subscription.
        for service in node.services().filter(|service| service.version > 0) {
            if !wanted(node, service.key) {
                continue;
            }
            if count >= page.skip() && items.len() < page.size {
                items.push(view(node, service.key));
            }
            count += 1;
        }
        (items, count)
    })
    .await
}

/// Which services are wanted, when a selector says so.
fn selector(call: &Call) -> Result<Option<Selector>, Refusal> {
    let illegal = |why: String| {
        let text = format!("Param 'selector' is illegal: {why}.");
        Refusal::invalid(text)
    };
    let expression = expression_of(call.text("selector").unwrap_or(""));
    let expression = expression.map_err(|why| illegal(why.to_string()))?;
    if expression.trim().is_empty() {
        return Ok(None);
    }
    let selector = Selector::parse(&expression);
    selector.map(Some).map_err(|why| illegal(why.to_string()))
}

async fn names(http: &Http, call: &Call) -> Result<(Vec<Value>, usize), Refusal> {
    let (namespace, group) = (call.namespace(), call.text_or("groupName", DEFAULT_GROUP));
    let selector = selector(call)?;
    let wanted = move |node: &Node, key: &ServiceKey| {
        key.namespace == namespace
            && key.group == group
            && selector.as_ref().is_none_or(|selector| {
                let instances = node.instances(key);
                selector.holds(instances.iter().map(|instance| &**instance))
            })
    };
    page_of(http, call.page(20), wanted, |_, key| json!(key.name)).await
}

pub(super) async fn names_v1(http: Arc<Http>, call: Call) -> Outcome {
    let (names, count) = names(&http, &call).await?;
    Ok(json!({ "doms": names, "count": count }))
}

pub(super) async fn names_v2(http: Arc<Http>, call: Call) -> Outcome {
    let (names, count) = names(&http, &call).await?;
    Ok(json!({ "services": names, "count": count }))
}

fn clusters_of(instances: &[Arc<Instance>]) -> BTreeSet<&str> {
    instances
        .iter()
        .map(|instance| &*instance.cluster_name)
        .collect()
}

/// A service with what it holds.
fn summary(node: &Node, key: &ServiceKey) -> Value {
    let instances = node.instances(key);
    let healthy = instances.iter().filter(|instance| instance.healthy).count();
    json!({
        "name": key.name, "groupName": key.group, "clusterCount": clusters_of(&instances).len(),
        "ipCount": instances.len(), "healthyInstanceCount": healthy, "triggerFlag": "false",
    })
}

async fn summaries(http: &Http, call: &Call, page: Page) -> Result<(Vec<Value>, usize), Refusal> {
    let namespace = call.namespace();
    let part = |name: &str| call.text(name).unwrap_or("").to_owned();
    let (name, group) = (part("serviceNameParam"), part("groupNameParam"));
    let full = [call.flag("ignoreEmptyService"), call.flag("hasIpCount")].contains(&Some(true));
    let wanted = move |node: &Node, key: &ServiceKey| {
        key.namespace == namespace
            && key.name.contains(&name)
            && key.group.contains(&group)
            && (!full || !node.instances(key).is_empty())
    };
    page_of(http, page, wanted, summary).await
}

pub(super) async fn catalog(http: Arc<Http>, call: Call) -> Outcome {
    let (list, count) = summaries(&http, &call, call.page(20)).await?;
    Ok(json!({ "serviceList": list, "count": count }))
}

/// Nacos `Page`.
fn paged(page: Page, items: Vec<Value>, total: usize) -> Value {
    json!({
        "totalCount": total, "pageNumber": page.number, "pagesAvailable": page.pages(total),
        "pageItems": items,
    })
}

pub(super) async fn search(http: Arc<Http>, call: Call) -> Outcome {
    let page = call.page(20);
    let (items, total) = summaries(&http, &call, page).await?;
    Ok(paged(page, items, total))
}

pub(super) async fn catalog_instances(http: Arc<Http>, call: Call) -> Outcome {
    let instances = all(&http, &call).await?;
    let page = call.page(20);
    let list: Vec<Value> = instances
        .iter()
        .skip(page.skip())
        .take(page.size)
        .map(|instance| instance_json(instance))
        .collect();
    Ok(json!({ "list": list, "count": instances.len() }))
}

/// Its protect threshold as Nacos shows it, where a service without one has zero.
fn threshold(node: &Node, key: &ServiceKey) -> f64 {
    let share = node.protect_threshold(key);
    share.map_or(0.0, |share| f64::from(share.millionths()) / 1e6)
}

/// The instances of a service that exists, and its protect threshold.
async fn existing(http: &Http, key: &ServiceKey) -> Result<(Vec<Arc<Instance>>, f64), Refusal> {
    let wanted = key.clone();
    let found = http.look(move |node| {
        let known = node
            .service(&wanted)
            .is_some_and(|service| service.version > 0);
        known.then(|| (node.instances(&wanted), threshold(node, &wanted)))
    });
    found.await?.ok_or_else(|| {
        let text = format!(
            "service {} not found in namespace {}",
            key.grouped_name(),
            key.namespace
        );
        Refusal::new(StatusCode::NOT_FOUND, code::NO_SERVICE, text)
    })
}

pub(super) async fn detail_v1(http: Arc<Http>, call: Call) -> Outcome {
    let key = call.service();
    let (instances, threshold) = existing(&http, &key).await?;
    let clusters: Vec<Value> = clusters_of(&instances)
        .into_iter()
        .map(|name| json!({ "name": name, "healthChecker": { "type": "NONE" }, "metadata": {} }))
        .collect();
    Ok(json!({
        "namespaceId": key.namespace, "name": key.name, "groupName": key.group,
        "protectThreshold": threshold, "metadata": {}, "selector": { "type": "none" },
        "clusters": clusters,
    }))
}

pub(super) async fn detail(http: Arc<Http>, call: Call) -> Outcome {
    let key = call.service();
    let (instances, threshold) = existing(&http, &key).await?;
    let clusters: BTreeMap<&str, Value> = clusters_of(&instances)
        .into_iter()
        .map(|name| (name, json!({ "clusterName": name, "metadata": {} })))
        .collect();
    Ok(json!({
        "namespaceId": key.namespace, "namespace": key.namespace, "serviceName": key.name,
        "groupName": key.group, "ephemeral": true, "protectThreshold": threshold, "metadata": {},
        "selector": { "type": "none" }, "clusterMap": clusters,
    }))
}

async fn subscriber_page(
    http: &Http,
    call: &Call,
    page: Page,
) -> Result<(Vec<Value>, usize), Refusal> {
    let key = call.service();
    http.look(move |node| {
        let Some(service) = node.service(&key) else {
            return (Vec::new(), 0);
        };
        let view = |client: &distro_core::ids::ClientId| {
            let connection = node.connection(client);
            let ip = connection.map_or("", |connection| connection.ip);
            let app = connection.map_or("unknown", |connection| connection.app);
            json!({
                "addrStr": ip, "agent": "", "app": app, "appName": app, "ip": ip, "port": 0,
                "namespaceId": key.namespace, "groupName": key.group,
                "serviceName": key.grouped_name(), "cluster": "",
            })
        };
        let subscribers = service.subscribers.iter().skip(page.skip()).take(page.size);
        (subscribers.map(view).collect(), service.subscribers.len())
    })
    .await
}

pub(super) async fn subscribers_v1(http: Arc<Http>, call: Call) -> Outcome {
    let (items, count) = subscriber_page(&http, &call, call.page(500)).await?;
    Ok(json!({ "subscribers": items, "count": count }))
}

pub(super) async fn subscribers(http: Arc<Http>, call: Call) -> Outcome {
    let page = call.page(500);
    let (items, total) = subscriber_page(&http, &call, page).await?;
    Ok(paged(page, items, total))
}

/// `public` and those that services were seen in: there is nothing else to a namespace here.
pub(super) async fn namespaces(http: Arc<Http>, _: Call) -> Outcome {
    let seen = http.look(|node| {
        let mut seen = BTreeSet::from([DEFAULT_NAMESPACE.to_owned()]);
        let mut last = None;
        for service in node.services() {
            // They come in order of namespaces.
            if last != Some(&service.key.namespace) {
                seen.insert(service.key.namespace.to_string());
                last = Some(&service.key.namespace);
            }
        }
        seen
    });
    let view = |name: &String| {
        let is_public = name == DEFAULT_NAMESPACE;
        json!({
            "namespace": name, "namespaceShowName": name, "namespaceDesc": "", "quota": 200,
            "configCount": 0, "type": if is_public { 0 } else { 2 },
        })
    };
    Ok(seen.await?.iter().map(view).collect())
}
