//! What an operator may change while the node runs. Nothing of it outlives the node.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use distro_core::ids::NodeId;
use distro_core::io::Command;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::info;

use super::rules::{Rule, rule_of};
use super::{Ops, Refusal};
use crate::settings::kinds as settings;
use crate::settings::member::Member;
use crate::text::kind::Word;

fn read<T: DeserializeOwned>(body: &Bytes, right: &str) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("{error}; write {right}")))
}

/// The limits on client connections, in Nacos's form.
pub(super) async fn limits(State(ops): State<Arc<Ops>>) -> Result<Json<Value>, Refusal> {
    ops.look(|node| Json(json!(rule_of(node.limits())))).await
}

/// Replaces them, until a limit-rule file changes.
pub(super) async fn set_limits(
    State(ops): State<Arc<Ops>>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let rule: Rule = read(&body, r#"{"countLimit": 100, "countLimitPerClientIp": {}}"#)?;
    let limits = rule.limits().map_err(Refusal::bad)?;
    info!(?limits, "limits set by the operator");
    let answer = json!(rule_of(&limits));
    ops.command(Command::SetLimits(limits)).await?;
    Ok(Json(answer))
}

/// What to keep and where the others go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebalance {
    keep: u32,
    redirect: Option<String>,
}

/// Sends clients away at the next connection scan.
pub(super) async fn rebalance(
    State(ops): State<Arc<Ops>>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let right = r#"{"keep": 100, "redirect": "10.0.0.2:8848"}; redirect may be left out"#;
    let Rebalance { keep, redirect } = read(&body, right)?;
    let member = redirect.as_deref().map(Member::read).transpose();
    let member =
        member.map_err(|wrong| Refusal::bad(format!("{}; {}", wrong.message, wrong.help)))?;
    let redirect: Option<NodeId> = match member {
        Some(member) if member.port.is_none() => {
            let text = format!(
                "redirect {member} has no port: write \"{}:8848\"",
                member.host
            );
            return Err(Refusal::bad(text));
        }
        Some(member) => Some(member.node(0)),
        None => None,
    };
    if let Some(to) = redirect.clone() {
        let members = ops.look(|node| {
            let members = node.members().map(|member| member.node.to_string());
            members.collect::<Vec<_>>()
        });
        let members = members.await?;
        if !members.contains(&to.to_string()) {
            let known = members.join(", ");
            let text = format!("redirect {to} is no other member; they are: {known}");
            return Err(Refusal::bad(text));
        }
    }
    let clients = ops.look(|node| node.sizes().native_clients).await?;
    let leave = clients.saturating_sub(u64::from(keep));
    info!(keep, leave, "rebalance asked for by the operator");
    let command = Command::Rebalance { keep, redirect };
    ops.command(command).await?;
    Ok(Json(
        json!({ "clients": clients, "keep": keep, "leave": leave }),
    ))
}

/// The level of the log.
pub(super) async fn log(State(ops): State<Arc<Ops>>) -> Result<Json<Value>, Refusal> {
    let level = ops.level.get().map(|level| level.to_string());
    let level = level
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({ "level": level })))
}

/// A level.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// Changes it.
pub(super) async fn set_log(
    State(ops): State<Arc<Ops>>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let Level { level } = read(&body, r#"{"level": "debug"}"#)?;
    let known = settings::Level::of(&level);
    let known = known.map_err(|wrong| Refusal::bad(wrong.to_string()))?;
    let set = ops.level.set(known.into());
    set.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    info!(level, "log level set by the operator");
    Ok(Json(json!({ "level": level })))
}
