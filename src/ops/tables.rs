//! The machine's tables, a page at a time: `after` names the last entry of the page before, and
//! `next` in the answer the last of this one, absent at the end.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use distro_core::hash::hash_of;
use distro_core::ids::{ClientId, NodeId, Str};
use distro_core::message::naming::ServiceKey;
use distro_core::node::Node;
use distro_core::view::ClientView;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Ops, Query, Refusal};
use crate::text::value;

/// Entries of a page when nobody says how many, and at most: about a millisecond of the machine.
const PAGE_MAX: usize = 500;

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> Result<usize, Refusal> {
        match self.limit.unwrap_or(PAGE_MAX) {
            limit @ 1..=PAGE_MAX => Ok(limit),
            limit => Err(Refusal::bad(format!(
                "limit {limit} is not right: write a number from 1 to {PAGE_MAX}"
            ))),
        }
    }
}

/// The other members as this node sees them.
pub(super) async fn members(State(ops): State<Arc<Ops>>) -> Result<Json<Value>, Refusal> {
    let members = ops.look(|node| {
        let view = |member: distro_core::view::MemberView<'_>| {
            json!({
                "node": member.node, "state": format!("{:?}", member.state).to_uppercase(),
                "connected": member.connected, "incarnation": member.incarnation,
                "syncsPending": member.pending,
                "syncLagMillis": node.sync_lag(member.node).micros() / 1_000,
                "verify": {
                    "sent": member.proof.sent, "matched": member.proof.matched,
                    "failed": member.proof.failed, "lost": member.proof.lost,
                    "divergent": member.proof.divergent,
                },
            })
        };
        let members: Vec<Value> = node.members().map(view).collect();
        json!({ "node": node.id(), "members": members })
    });
    Ok(Json(members.await?))
}

/// A page of clients, seen by `view`.
async fn client_page(
    ops: &Ops,
    page: Page,
    name: &'static str,
    view: fn(&Node, ClientView<'_>) -> Value,
) -> Result<Json<Value>, Refusal> {
    let limit = page.limit()?;
    let after = ClientId::new(&page.after.unwrap_or_default());
    let answer = ops.look(move |node| {
        let mut views = node.clients_after(&after);
        let mut next = None;
        let mut page = Vec::with_capacity(limit);
        for client in views.by_ref().take(limit) {
            next = Some(client.data.client.clone());
            page.push(view(node, client));
        }
        let next = next.filter(|_| views.next().is_some());
        let mut answer = Map::new();
        answer.insert("node".to_owned(), json!(node.id()));
        answer.insert(name.to_owned(), Value::Array(page));
        answer.insert("next".to_owned(), json!(next));
        Value::Object(answer)
    });
    Ok(Json(answer.await?))
}

/// A client's owner: unknown for a record of a Java peer.
fn owner<'a>(client: &ClientView<'a>) -> Option<&'a NodeId> {
    Some(&client.origin.node).filter(|node| !node.as_str().is_empty())
}

/// All clients: owned ones with their connection, replicated ones with what is left of the lease.
pub(super) async fn clients(
    State(ops): State<Arc<Ops>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Refusal> {
    client_page(&ops, page, "clients", |node, client| {
        let data = client.data;
        let instances = data.services.iter().map(|(_, p)| p.instances().len());
        let mut entry = json!({
            "client": data.client, "owner": owner(&client), "owned": client.native,
            "revision": data.revision, "services": data.services.len(),
            "instances": instances.sum::<usize>(),
        });
        if let Some(connection) = node.connection(&data.client) {
            entry["ip"] = json!(connection.ip);
            entry["app"] = json!(connection.app);
            entry["idleMillis"] = json!(connection.idle.micros() / 1_000);
            entry["subscriptions"] = json!(connection.subscriptions);
        }
        if let Some(lease) = node.remaining(&data.client) {
            entry["leaseMillis"] = json!(lease.micros() / 1_000);
        }
        entry
    })
    .await
}

/// What a comparison of nodes needs of each record.
pub(super) async fn records(
    State(ops): State<Arc<Ops>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Refusal> {
    client_page(&ops, page, "records", |node, client| {
        let data = client.data;
        let services: Vec<String> = data
            .services
            .iter()
            .map(|(key, _)| key.to_string())
            .collect();
        let syncing = node.members().map(|member| member.node);
        let syncing: Vec<&NodeId> = syncing
            .filter(|member| client.native && node.is_syncing(member, &data.client))
            .collect();
        json!({
            "client": data.client, "owner": owner(&client), "owned": client.native,
            "incarnation": client.origin.incarnation, "revision": data.revision,
            "digest": format!("{:016x}", hash_of(&data.services)),
            "services": services, "syncing": syncing,
            "leaseMillis": node.remaining(&data.client).map(|lease| lease.micros() / 1_000),
        })
    })
    .await
}

/// The services.
pub(super) async fn services(
    State(ops): State<Arc<Ops>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Refusal> {
    let limit = page.limit()?;
    let after = match page.after.as_deref() {
        None | Some("") => ServiceKey {
            namespace: Str::from(""),
            group: Str::from(""),
            name: Str::from(""),
        },
        Some(text) => value::service(text)
            .map_err(|wrong| Refusal::bad(format!("{}; {}", wrong.message, wrong.help)))?,
    };
    let answer = ops.look(move |node| {
        let mut views = node.services_after(&after);
        let mut next = None;
        let mut page = Vec::with_capacity(limit);
        for service in views.by_ref().take(limit) {
            next = Some(service.key.to_string());
            page.push(json!({
                "namespace": service.key.namespace, "group": service.key.group,
                "name": service.key.name, "version": service.version,
                "publishers": service.publishers.len(), "subscribers": service.subscribers.len(),
            }));
        }
        let next = next.filter(|_| views.next().is_some());
        json!({ "node": node.id(), "services": page, "next": next })
    });
    Ok(Json(answer.await?))
}
