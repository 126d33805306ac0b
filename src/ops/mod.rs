//! The HTTP of operators, on a port of its own: health, metrics, tables, and a few things to
//! change. Answers are JSON but for `/metrics`.
//!
//! Everything is read through the shell's [`Inspector`], a page at a time, so that no answer holds
//! the machine for long.
//!
//! # Layout
//! - `health`: `/livez`, `/readyz`, `/v1/node` · `tables`: members, clients, services, records
//! - `guard`: what is let through to them · `metrics`: `/metrics` · `change`: limits, rebalance,
//!   log level · `level`: what keeps that level · [`rules`]: the limit-rule file

mod change;
mod guard;
mod health;
mod level;
mod metrics;
pub mod rules;
mod tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use distro_core::io::Command;
use distro_core::node::Node;
pub use level::LogLevel;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::http::listen::{Limits, serve_routes};
use crate::net::{Clock, Listener, Net};
use crate::settings::Settings;
use crate::shell::node::{Inspector, NodeShell};
use crate::shell::{LinkCounters, Tap};

/// What connections may take.
const LIMITS: Limits = Limits {
    connections: 64,
    // The rest is for the probes of others.
    per_address: 48,
    head: Duration::from_secs(5),
    still: Duration::from_secs(15),
};

/// What the operator's HTTP knows of its node.
#[derive(Debug)]
pub struct Ops {
    inspector: Inspector,
    commands: mpsc::Sender<Command>,
    links: Arc<LinkCounters>,
    level: LogLevel,
    draining: AtomicBool,
    /// The effective settings; they never change.
    settings: Value,
    ports: Value,
    /// Names by which it may be called, beside addresses and `localhost`.
    hosts: Vec<String>,
}

impl Ops {
    /// Of a node with these settings.
    pub fn new<N: Net, C: Clock, T: Tap<distro_core::io::Input, distro_core::io::Output>>(
        settings: &Settings,
        shell: &NodeShell<N, C, T>,
        level: LogLevel,
    ) -> Arc<Ops> {
        let effective = settings.effective().into_iter().map(|(path, value, from)| {
            // Whoever may look at a node may not yet join it.
            let hidden = ["secret", "password", "auth.users"];
            let value = if hidden.iter().any(|word| path.contains(word)) {
                "(set, not shown)".to_owned()
            } else {
                value
            };
            let value = json!({ "value": value, "from": from });
            (path, value)
        });
        let ports = settings.ports();
        Arc::new(Ops {
            inspector: shell.inspector(),
            commands: shell.commands(),
            links: shell.counters(),
            level,
            draining: AtomicBool::new(false),
            hosts: settings
                .ops_hosts()
                .into_iter()
                .chain(settings.address().map(str::to_owned))
                .collect(),
            settings: Value::Object(effective.collect()),
            ports: json!({
                "main": settings.main_port(), "sdk": ports.sdk, "cluster": ports.cluster,
                "ops": settings.ops().map(|address| address.port()),
            }),
        })
    }

    /// From now on the node is not ready: it sends its clients away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    async fn look<T, F>(&self, question: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Node) -> T + Send + 'static,
    {
        let gone = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the node has stopped");
        self.inspector.look(question).await.ok_or_else(gone)
    }

    async fn command(&self, command: Command) -> Result<(), Refusal> {
        let gone = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the node has stopped");
        self.commands.send(command).await.map_err(gone)
    }
}

/// An answer that says what is wrong, and what would be right.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal(status, text.into())
    }

    fn bad(text: impl Into<String>) -> Refusal {
        Refusal(StatusCode::BAD_REQUEST, text.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Query parameters; those that cannot be read are refused as JSON.
#[derive(Debug)]
struct Query<T>(T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Refusal> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(rejection) => Err(Refusal::bad(rejection.body_text())),
        }
    }
}

/// Everything that is answered.
fn routes(ops: Arc<Ops>) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/node", get(health::node))
        .route("/v1/members", get(tables::members))
        .route("/v1/clients", get(tables::clients))
        .route("/v1/services", get(tables::services))
        .route("/v1/records", get(tables::records))
        .route("/v1/limits", get(change::limits).put(change::set_limits))
        .route("/v1/rebalance", post(change::rebalance))
        .route("/v1/log", get(change::log).put(change::set_log))
        .fallback(async || {
            let text = "no such page; there are /livez, /readyz, /metrics, /v1/node, /v1/members, \
                        /v1/clients, /v1/services, /v1/records, /v1/limits, /v1/rebalance, /v1/log";
            Refusal::new(StatusCode::NOT_FOUND, text)
        })
        .layer(from_fn_with_state(ops.clone(), guard::guard))
        .with_state(ops)
}

/// Serves on a listener until the future is dropped. Runs on a local set.
pub async fn serve<L>(listener: L, ops: Arc<Ops>)
where
    L: Listener,
    L::Reader: tokio::io::AsyncRead + Unpin + Send + 'static,
    L::Writer: tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    serve_routes(listener, routes(ops), LIMITS, "the operator's port").await;
}
