//! A router on a listener, with bounds.

use std::time::Duration;

use axum::Router;
use distro_core::ids::Str;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, warn};

use super::seats::Seats;
use crate::net::Listener;

/// Pause after a failure to accept, such as too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at a time. For a further one another goes, on which nothing has moved for
    /// longest.
    pub(crate) connections: usize,
    /// The same of one address.
    pub(crate) per_address: usize,
    /// How long a request's head may take to arrive.
    pub(crate) head: Duration,
    /// How long nothing may move on a connection: a body that does not come, an answer that is not
    /// read, one that is kept and not used.
    pub(crate) still: Duration,
}

/// The address that a request came from, among its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Str);

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
    let seats = Seats::new(limits.connections, limits.per_address);
    loop {
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%error, "{what} cannot accept");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let (seat, caller) = (seats.take(&stream.remote_ip), Caller(stream.remote_ip));
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller.clone());
            routes.call(request)
        });
        let io = TokioIo::new(seat.watch(tokio::io::join(stream.reader, stream.writer)));
        tokio::task::spawn_local(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .serve_connection(io, service);
            tokio::select! {
                biased;
                () = seat.over(limits.still) => debug!("a connection to {what} was still for too long"),
                ended = served => {
                    if let Err(error) = ended {
                        debug!(%error, "a connection to {what} ended");
                    }
                }
            }
        });
    }
}
