//! The HTTP of the main port, as Nacos has it below its context path: for clients without a
//! connection, for scripts, for probes.
//!
//! Reads look at the machine through the shell's [`Inspector`]; writes enter it as questions
//! ([`Asker`]), so that one path in the core serves every carrier.
//!
//! # Layout
//! - `routes`: everything that is served, one table · `openapi`: the document made of it
//! - `call`: parameters · `answer`: the shapes of answers · `forward`: to the responsible node
//! - `listen`, `seats`: connections of a router · `instances`, `services`, `state`: the handlers ·
//!   [`auth`], `logins`: users and tokens

mod answer;
pub mod auth;
mod call;
mod forward;
mod instances;
pub(crate) mod listen;
mod logins;
mod openapi;
mod params;
mod routes;
mod seats;
mod services;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use distro_core::ids::{NodeId, Str};
use distro_core::node::Node;
use tracing::debug;

use crate::net::{Clock, Listener, Net};
use crate::shell::Tap;
use crate::shell::asks::Asker;
use crate::shell::node::{Inspector, NodeShell};
use answer::{Refusal, Style, code};
use auth::Auth;
use call::Call;
use listen::Limits;
use routes::{Access, Route, routes};

/// Largest body that is read.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What connections may take.
const LIMITS: Limits = Limits {
    connections: 4_096,
    per_address: 3_072,
    head: Duration::from_secs(30),
    still: Duration::from_secs(60),
};

/// What the main port's HTTP knows of its node.
#[derive(Debug)]
pub struct Http {
    inspector: Inspector,
    asker: Asker,
    me: NodeId,
    version: Str,
    auth: Arc<Auth>,
    /// Begins with a slash and ends without one; empty for the root.
    context: String,
    port: u16,
    draining: AtomicBool,
}

impl Http {
    /// Of a node. `me` and `version` are what fellow nodes are told.
    pub fn new<N: Net, C: Clock, T: Tap<distro_core::io::Input, distro_core::io::Output>>(
        shell: &NodeShell<N, C, T>,
        (me, version): (NodeId, Str),
        auth: Arc<Auth>,
        (context, port): (String, u16),
    ) -> Arc<Http> {
        Arc::new(Http {
            inspector: shell.inspector(),
            asker: shell.asker(),
            me,
            version,
            auth,
            context,
            port,
            draining: AtomicBool::new(false),
        })
    }

    /// From now on the node is not ready: it sends its clients away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn nacos_version(&self) -> &str {
        &self.version
    }

    fn wall_millis(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn look<T, F>(&self, question: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Node) -> T + Send + 'static,
    {
        self.inspector
            .look(question)
            .await
            .ok_or_else(Refusal::gone)
    }

    /// Who has to answer a call: `None` for this node itself.
    async fn who(&self, route: &Route, call: &Call) -> Result<Option<NodeId>, Refusal> {
        if matches!(route.access, Access::Open | Access::Operator) {
            return Ok(None);
        }
        let is_write = route.access == Access::Write;
        let tag = if is_write { instances::tag(call) } else { None };
        let seen = self.look(move |node| {
            let responsible = tag.map(|tag| node.responsible(&tag).clone());
            (node.is_ready(), responsible)
        });
        let (ready, responsible) = seen.await?;
        if !ready {
            return Err(Refusal::starting());
        }
        // Why not refused, as Nacos does: two nodes may see different members for a while. Records
        // of these clients are ordered across owners, so whoever takes the write does no harm.
        let by_node = forward::is_from_node(call);
        Ok(responsible.filter(|node| *node != self.me && !by_node))
    }
}

/// Answers one call of a route.
async fn answer<N: Net>(
    (http, net): (Arc<Http>, Arc<N>),
    route: &Route,
    request: Request<Body>,
) -> Response {
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(refusal) => return route.style.render(Err(refusal)),
    };
    let allowed = match route.access {
        Access::Open => Ok(None),
        Access::Operator | Access::Read | Access::Write => http.auth.check(call.token()),
    };
    if let Err(denied) = allowed {
        let refusal = Refusal::new(StatusCode::FORBIDDEN, code::DENIED, denied.to_string());
        return route.style.render(Err(refusal));
    }
    if let Err(refusal) = call.check(route) {
        return route.style.render(Err(refusal));
    }
    match http.who(route, &call).await {
        Ok(Some(node)) => match forward::forward(&*net, &http, &node, &call).await {
            Ok(response) => return response,
            // Registrations must not wait until members notice that a node is gone.
            Err(error) => {
                debug!(%node, %error, "the responsible node does not answer; served here")
            }
        },
        Ok(None) => {}
        Err(refusal) => return route.style.render(Err(refusal)),
    }
    route.style.render((route.handler)(http, call).await)
}

/// What a path is answered with that is no route.
fn unknown(context: &str, path: &str) -> Response {
    let below = path.strip_prefix(context).unwrap_or(path);
    let style = if below.starts_with("/v1/") {
        Style::Bare
    } else {
        Style::Result
    };
    let is_config = ["/v1/cs/", "/v2/cs/", "/v3/client/cs/", "/v3/admin/cs/"];
    let refusal = if is_config.iter().any(|start| below.starts_with(start)) {
        let text = "this node has no configuration: it serves ephemeral naming only";
        Refusal::new(StatusCode::NOT_IMPLEMENTED, code::DISABLED, text)
    } else {
        let text = format!("no such path; {context}/v3/api-docs lists them");
        Refusal::new(StatusCode::NOT_FOUND, code::NOT_FOUND, text)
    };
    style.render(Err(refusal))
}

/// The router, made of the table.
fn router<N: Net>(http: Arc<Http>, net: &Arc<N>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in routes() {
        let filter = MethodFilter::try_from(route.method.clone()).expect("a method of HTTP");
        let (path, route) = (route.path, Arc::new(route));
        let ends = (http.clone(), net.clone());
        let answering = on(filter, move |request: Request<Body>| {
            let (ends, route) = (ends.clone(), route.clone());
            async move { answer(ends, &route, request).await }
        });
        let before = paths.remove(path).unwrap_or_default();
        paths.insert(path, before.merge(answering));
    }
    let mut router = Router::new();
    for (path, methods) in paths {
        router = router.route(&format!("{}{path}", http.context), methods);
    }
    let wrong_method = async || {
        let text = "this path is not for that method";
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code::INVALID, text);
        Style::Result.render(Err(refusal))
    };
    router
        .method_not_allowed_fallback(wrong_method)
        .fallback(move |uri: Uri| {
            let answer = unknown(&http.context, uri.path());
            async move { answer }
        })
}

/// Serves on a listener until the future is dropped. Runs on a local set; `net` reaches fellow
/// nodes' main ports.
pub async fn serve<L, N>(listener: L, http: Arc<Http>, net: N)
where
    N: Net,
    L: Listener,
    L::Reader: tokio::io::AsyncRead + Unpin + Send + 'static,
    L::Writer: tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let routes = router(http, &Arc::new(net));
    listen::serve_routes(listener, routes, LIMITS, "the main port").await;
}
