//! Is it alive, is it ready, who is it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::{Ops, Refusal};

/// The machine answers.
pub(super) async fn live(State(ops): State<Arc<Ops>>) -> Result<Response, Refusal> {
    ops.look(|_| ()).await?;
    Ok(Json(json!({ "live": true })).into_response())
}

/// It serves clients, and means to go on.
pub(super) async fn ready(State(ops): State<Arc<Ops>>) -> Result<Response, Refusal> {
    let (ready, incarnation) = ops
        .look(|node| (node.is_ready(), node.incarnation().0))
        .await?;
    let reason = if ops.draining.load(Ordering::Relaxed) {
        "draining: clients are sent to other nodes"
    } else if ready {
        return Ok(Json(json!({ "ready": true, "incarnation": incarnation })).into_response());
    } else {
        "loading: the first load is not settled"
    };
    let body = json!({ "ready": false, "reason": reason, "incarnation": incarnation });
    Ok((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response())
}

/// Its name, its ports, its settings, the sizes of its tables.
pub(super) async fn node(State(ops): State<Arc<Ops>>) -> Result<Response, Refusal> {
    let draining = ops.draining.load(Ordering::Relaxed);
    let (mut about, sizes) = ops
        .look(move |node| {
            let about = json!({
                "node": node.id(), "incarnation": node.incarnation(),
                "ready": node.is_ready() && !draining, "draining": draining,
                "version": env!("CARGO_PKG_VERSION"),
            });
            (about, node.sizes())
        })
        .await?;
    about["ports"] = ops.ports.clone();
    about["settings"] = ops.settings.clone();
    about["sizes"] = sizes
        .fields()
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_iter()
        .map(|(name, size)| (name.to_owned(), json!(size)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    Ok(Json(about).into_response())
}
