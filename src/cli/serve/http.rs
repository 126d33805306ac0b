//! The main port of a node that runs.

use std::sync::Arc;

use distro_core::config::Config;
use distro_core::profile::Profile;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::members::Me;
use super::run::{acceptor, listen};
use crate::cli::{BAD_INPUT, Failure};
use crate::http::auth::Auth;
use crate::http::{Http, serve};
use crate::net::tokio::TokioClock;
use crate::settings::{Listener, Settings};
use crate::shell::node::NodeShell;
use crate::tls::Tls;
use crate::tls::net::{TlsListener, TlsNet};

/// The HTTP of the main port, if it is served.
pub(super) struct MainPort(Option<(Arc<Http>, JoinHandle<()>)>);

impl MainPort {
    /// Not ready any more.
    pub(super) fn drain(&self) {
        if let Some((http, _)) = &self.0 {
            http.drain();
        }
    }

    pub(super) fn stop(self) {
        if let Some((_, task)) = self.0 {
            task.abort();
        }
    }
}

/// Who may call, over HTTP and on the ports of the carriers.
pub(super) fn load_auth(settings: &Settings) -> Result<Arc<Auth>, Failure> {
    let wanted = settings.auth();
    if wanted.on && wanted.secret.is_none() {
        warn!("auth.secret is not set: tokens hold on this node only, and until it ends");
    }
    let auth = Auth::new(wanted).map_err(|text| Failure::new(BAD_INPUT, text))?;
    Ok(Arc::new(auth))
}

/// Serves Nacos's HTTP, if it is not off.
pub(super) async fn start_http(
    settings: &Settings,
    tls: Option<&Tls>,
    shell: &NodeShell<TlsNet, TokioClock>,
    me: &Me,
    auth: Arc<Auth>,
) -> Result<MainPort, Failure> {
    let Some(address) = settings.http() else {
        return Ok(MainPort(None));
    };
    let listener = listen(address, "HTTP", "set http.serve=off").await?;
    let listener = TlsListener::new(listener, acceptor(settings, tls, Listener::Http));
    let secure = settings.tls_demand(Listener::Http).is_some();
    let net = TlsNet {
        connector: tls.filter(|_| secure).map(Tls::connector),
    };
    let context = settings.context_path();
    info!(%address, context = %context, auth = auth.is_on(), "main port");
    let version = Config::new(me.node.clone(), Vec::new(), Profile::DISTRO).version;
    let place = (context, address.port());
    let http = Http::new(shell, (me.node.clone(), version), auth, place);
    let task = tokio::task::spawn_local(serve(listener, http.clone(), net));
    Ok(MainPort(Some((http, task))))
}
