//! TLS for every listener and every outgoing connection, with certificates that may change while
//! the node runs.
//!
//! [`Tls`] is what the files say at this moment. An [`Acceptor`] wraps accepted streams, whatever
//! runs on them; a [`Connector`] opens streams to others. Both follow the files: what they wrap
//! next uses what was read last, and streams that are open stay as they are.
//!
//! ```no_run
//! # fn wrap<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
//! #     tls: &distro_node::tls::Tls, accepted: S) {
//! use distro_node::tls::{Acceptor, Demand, Speaks};
//! let acceptor: Acceptor = tls.acceptor(Demand::Server, Speaks::Http1);
//! let stream = acceptor.wrap(accepted); // reads and writes; the handshake happens on the way
//! # }
//! ```
//!
//! # Layout
//! - `files`: certificates and keys from PEM · [`stream`]: an accepted stream · [`net`]: the
//!   shell's network, with TLS

mod files;
pub mod net;
pub mod stream;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use files::{Contents, Loaded};
use stream::ServerStream;

/// Where this end's certificates are; PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// This end's certificate, and the chain above it.
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
    /// Authorities that vouch for those who connect; needed for [`Demand::Mutual`].
    pub client_ca: Option<PathBuf>,
    /// Authorities that vouch for those this end connects to.
    pub server_ca: Option<PathBuf>,
}

/// What a listener asks of those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// TLS; they need no certificate.
    Server,
    /// TLS, and a certificate that `client_ca` vouches for.
    Mutual,
}

/// What runs on a listener's streams: what is offered to clients that negotiate it (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// gRPC, and our own framing, which negotiates nothing.
    Carriers,
    /// HTTP/1.1.
    Http1,
}

/// Why certificates cannot be used; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// What a look at the files showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Nothing new.
    Same,
    /// New certificates, from now on in use.
    Changed,
    /// They changed to something that cannot be used, so the old ones stay in use. Told once.
    Kept(TlsError),
}

#[derive(Debug)]
struct Current {
    /// The files as they were last read, good or bad.
    seen: Result<Contents, TlsError>,
    loaded: Loaded,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    current: RwLock<Current>,
}

/// The certificates of this end. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Inner>);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read, or they do not fit each other.
    pub fn load(files: Files) -> Result<Tls, TlsError> {
        let contents = Contents::read(&files)?;
        let loaded = Loaded::new(&files, &contents)?;
        let current = Current {
            seen: Ok(contents),
            loaded,
        };
        let current = RwLock::new(current);
        Ok(Tls(Arc::new(Inner { files, current })))
    }

    /// Reads the files again.
    pub fn reload(&self) -> Reload {
        let now = Contents::read(&self.0.files);
        let mut current = self
            .0
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if now == current.seen {
            return Reload::Same;
        }
        current.seen.clone_from(&now);
        match now.and_then(|contents| Loaded::new(&self.0.files, &contents)) {
            Ok(loaded) => {
                current.loaded = loaded;
                Reload::Changed
            }
            Err(error) => Reload::Kept(error),
        }
    }

    /// Reads the files again and again, for ever, and logs what changed.
    pub async fn watch(&self, period: Duration) {
        let mut again = tokio::time::interval(period);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick is now, and the files were just read.
        again.tick().await;
        loop {
            again.tick().await;
            match self.reload() {
                Reload::Same => {}
                Reload::Changed => tracing::info!("new certificates are in use"),
                Reload::Kept(error) => {
                    tracing::warn!("the certificates stay as they are: {error}");
                }
            }
        }
    }

    /// For a listener.
    pub fn acceptor(&self, demand: Demand, speaks: Speaks) -> Acceptor {
        Acceptor {
            tls: self.clone(),
            demand,
            speaks,
        }
    }

    /// For outgoing connections.
    pub fn connector(&self) -> Connector {
        Connector {
            tls: self.clone(),
            name: None,
        }
    }

    fn server(&self, demand: Demand, speaks: Speaks) -> Option<Arc<ServerConfig>> {
        let current = self
            .0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        current.loaded.server(demand, speaks)
    }

    fn client(&self) -> Arc<ClientConfig> {
        let current = self
            .0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        current.loaded.client.clone()
    }
}

/// Wraps the streams that a listener accepts.
#[derive(Debug, Clone)]
pub struct Acceptor {
    tls: Tls,
    demand: Demand,
    speaks: Speaks,
}

impl Acceptor {
    /// True when whoever connects has to show a certificate.
    pub(crate) fn asks(&self) -> bool {
        self.demand == Demand::Mutual
    }

    /// The stream under TLS. Its first read or write shakes hands, and fails when that fails or
    /// takes too long; see [`ServerStream`].
    pub fn wrap<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> ServerStream<S> {
        match self.tls.server(self.demand, self.speaks) {
            Some(config) => ServerStream::handshake(TlsAcceptor::from(config).accept(stream)),
            None => ServerStream::refused("this end has no certificate for the listener"),
        }
    }
}

/// Opens streams under TLS.
#[derive(Debug, Clone)]
pub struct Connector {
    tls: Tls,
    /// The name that the other end's certificate must hold instead of the dialled host.
    name: Option<String>,
}

impl Connector {
    /// The same, for servers whose certificates all hold this name and not their address.
    #[must_use]
    pub fn expecting(mut self, name: &str) -> Connector {
        self.name = Some(name.to_owned());
        self
    }

    /// Shakes hands on a stream that is connected to `host`.
    ///
    /// # Errors
    /// `host` can be in no certificate, or the handshake failed: what rustls says of it, as
    /// [`io::ErrorKind::InvalidData`].
    pub async fn connect<S>(
        &self,
        host: &str,
        stream: S,
    ) -> io::Result<tokio_rustls::client::TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let host = self.name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        TlsConnector::from(self.tls.client())
            .connect(name, stream)
            .await
    }
}

/// True when an error is of TLS and not of the stream below it.
pub fn is_tls_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}
