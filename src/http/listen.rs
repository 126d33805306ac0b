//! A router on a listener, with bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::net::Listener;

/// Pause after a failure to accept, such as too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at a time; a further one waits to be accepted.
    pub(crate) connections: usize,
    /// How long a request's head may take to arrive.
    pub(crate) head: Duration,
}

/// Serves until the future is dropped. Runs on a local set. `what` names the port in the log.
pub(crate) async fn serve_routes<L>(
    mut listener: L,
    routes: Router,
    limits: Limits,
    what: &'static str,
) where
    L: Listener,
    L::Reader: AsyncRead + Unpin + Send + 'static,
    L::Writer: AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        // Never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%error, "{what} cannot accept");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(routes.clone());
        let io = TokioIo::new(tokio::io::join(stream.reader, stream.writer));
        tokio::task::spawn_local(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .serve_connection(io, service);
            if let Err(error) = served.await {
                debug!(%error, "a connection to {what} ended");
            }
            drop(place);
        });
    }
}
