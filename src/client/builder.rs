//! What a client is told before it starts.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use distro_core::config::Timing;
use distro_core::ids::{NodeId, Str};
use distro_core::message::naming::DEFAULT_NAMESPACE;
use distro_core::profile::Profile;
use distro_core::sdk::io::SdkConfig;
use distro_core::time::Period;
use tokio::sync::oneshot;

use super::driver::{self, Command, Start};
use super::{Client, Error};
use crate::carrier::Carrier;
use crate::carrier::grpc::payload::Headers;
use crate::settings::MAIN_PORT;
use crate::settings::member::Member;
use crate::shell::Directory;
use crate::shell::guard::ACCESS_TOKEN;
use crate::tls::net::TlsNet;
use crate::tls::{Files, Tls};

/// Where the first node is unless somebody says otherwise.
const HERE: &str = "127.0.0.1:8848";

/// How a client speaks to nodes that want TLS; all files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Authorities that vouch for the nodes.
    pub ca: PathBuf,
    /// This client's certificate and its key, for nodes that ask for one.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The name that the nodes' certificates hold, if it is not the host in the server list.
    pub name: Option<String>,
}

/// What a client is told before it starts; made by [`Client::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    servers: Vec<String>,
    namespace: String,
    app: String,
    request_timeout: Option<Duration>,
    connect_timeout: Duration,
    tls: Option<TlsFiles>,
    carrier: Carrier,
    access_token: Option<String>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            servers: Vec::new(),
            namespace: DEFAULT_NAMESPACE.to_owned(),
            app: "unknown".to_owned(),
            request_timeout: None,
            connect_timeout: Duration::from_secs(10),
            tls: None,
            carrier: Carrier::default(),
            access_token: None,
        }
    }
}

impl Builder {
    /// Adds nodes by main address, `host:port` or `host:port/client-port/cluster-port`. Each client
    /// begins with one of them drawn at random, so that many spread; when one is lost the others
    /// are tried in turn. Without any: `127.0.0.1:8848`.
    #[must_use]
    pub fn servers<S: Into<String>>(mut self, servers: impl IntoIterator<Item = S>) -> Builder {
        self.servers.extend(servers.into_iter().map(Into::into));
        self
    }

    /// The namespace of services that are named without one; `public` unless set.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Builder {
        self.namespace = namespace.into();
        self
    }

    /// The application's name, by which nodes may limit connections.
    #[must_use]
    pub fn app(mut self, app: impl Into<String>) -> Builder {
        self.app = app.into();
        self
    }

    /// How long a call waits for its answer; 3 s, Nacos's, unless set.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Builder {
        self.request_timeout = Some(timeout);
        self
    }

    /// How long [`Builder::connect`] waits for a first connection; 10 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Builder {
        self.connect_timeout = timeout;
        self
    }

    /// Speaks TLS.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Builder {
        self.tls = Some(files);
        self
    }

    /// Speaks over another carrier than our own frames: [`Carrier::Grpc`] works with Nacos's own
    /// servers too.
    #[must_use]
    pub fn carrier(mut self, carrier: Carrier) -> Builder {
        self.carrier = carrier;
        self
    }

    /// The token of a login, for nodes that ask for one; only [`Carrier::Grpc`] carries it.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Builder {
        self.access_token = Some(token.into());
        self
    }

    /// Starts a client and gives it at once, connected or not: for programs that must start
    /// without the registry. Calls wait for a connection up to the request timeout.
    ///
    /// # Errors
    /// [`Error::Input`]: an address or a file that cannot be used.
    pub fn start(self) -> Result<Client, Error> {
        driver::start(self.ready()?)
    }

    /// Starts a client and waits until a node serves it.
    ///
    /// # Errors
    /// [`Error::Input`] as [`Builder::start`]; [`Error::NotConnected`] when no node serves it in
    /// time. The client has ended then.
    pub async fn connect(self) -> Result<Client, Error> {
        let (within, start) = (self.connect_timeout, self.ready()?);
        let tried: Vec<String> = start.config.servers.iter().map(NodeId::to_string).collect();
        let client = driver::start(start)?;
        let (reply, connected) = oneshot::channel();
        let command = Command::Connected(within, reply);
        client.commands.send(command).map_err(|_| Error::Closed)?;
        if connected.await.map_err(|_| Error::Closed)? {
            return Ok(client);
        }
        let tried = tried.join(", ");
        Err(Error::NotConnected(format!("tried {tried} for {within:?}")))
    }

    fn ready(self) -> Result<Start, Error> {
        let mut written = self.servers;
        if written.is_empty() {
            written.push(HERE.to_owned());
        }
        let (mut directory, mut servers) = (Directory::default(), Vec::new());
        for text in &written {
            let member = Member::read(text)
                .map_err(|wrong| Error::Input(format!("{}; {}", wrong.message, wrong.help)))?;
            member.note(MAIN_PORT, &mut directory);
            servers.push(member.node(MAIN_PORT));
        }
        if self.namespace.is_empty() || self.namespace.contains("@@") {
            let text = "a namespace is a text without @@; \"public\" is the one without a name";
            return Err(Error::Input(text.to_owned()));
        }
        let mut timing = Timing::default();
        if let Some(timeout) = self.request_timeout {
            let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
            if micros == 0 {
                let text = "a request timeout of zero would end every call before its answer";
                return Err(Error::Input(text.to_owned()));
            }
            timing.request_timeout = Period(micros);
        }
        let headers = headers(self.carrier, self.access_token).map_err(Error::Input)?;
        let seed = driver::seed();
        let count = u64::try_from(servers.len()).unwrap_or(u64::MAX);
        let first = usize::try_from(seed % count).unwrap_or(0);
        let host = servers.get(first).map_or("", NodeId::ip);
        Ok(Start {
            net: TlsNet {
                connector: self.tls.as_ref().map(connector).transpose()?,
            },
            config: SdkConfig {
                client_ip: Str::from(own_ip(host)),
                first,
                servers,
                app: Str::from(self.app),
                seed,
                timing,
                profile: Profile::DISTRO,
            },
            directory,
            namespace: Str::from(self.namespace),
            carrier: self.carrier,
            headers,
        })
    }
}

/// What a client with this token says with everything that it sends.
///
/// # Errors
/// The carrier has no place for it; in words.
pub(crate) fn headers(carrier: Carrier, token: Option<String>) -> Result<Headers, String> {
    match (carrier, token) {
        (_, None) => Ok(Headers::new()),
        (Carrier::Grpc, Some(token)) => Ok([(ACCESS_TOKEN.to_owned(), token)].into()),
        (Carrier::Tcp, Some(_)) => {
            Err("an access token goes over gRPC only: choose the carrier grpc".to_owned())
        }
    }
}

fn connector(files: &TlsFiles) -> Result<crate::tls::Connector, Error> {
    let (cert, key) = files.own.clone().unzip();
    let tls = Tls::load(Files {
        cert,
        key,
        client_ca: None,
        server_ca: Some(files.ca.clone()),
    });
    let tls = tls.map_err(|error| Error::Input(format!("tls: {error}")))?;
    let connector = tls.connector();
    Ok(match &files.name {
        Some(name) => connector.expecting(name),
        None => connector,
    })
}

/// The address from which this host reaches another; empty when it cannot be told.
pub(crate) fn own_ip(remote: &str) -> String {
    let any = if remote.contains(':') {
        "::"
    } else {
        "0.0.0.0"
    };
    // Sends nothing: it only asks the routing table.
    let own = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((remote, 9))?;
        socket.local_addr()
    });
    own.map(|address| address.ip().to_string())
        .unwrap_or_default()
}
