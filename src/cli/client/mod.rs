//! Commands that use a registry: one client, connected for as long as the command runs.
//!
//! # Layout
//! - [`register`]: `register` and `deregister` · [`list`]: `list` · [`watch`]: `watch`
//! - `local`: how `deregister` reaches `register` · `table`: how results look

pub mod list;
mod local;
pub mod register;
pub(crate) mod table;
pub mod watch;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use distro_core::config::Timing;
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::{NodeId, Str};
use distro_core::message::naming::ServiceKey;
use distro_core::profile::Profile;
use distro_core::sdk::io::{Answer, Call, CallError, SdkConfig, SdkEvent, SdkInput, SdkOutput};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use super::{BAD_INPUT, FAILED, Failure, Format, REFUSED, runtime};
use crate::carrier::Carrier;
use crate::client::{headers, own_ip};
use crate::net::tokio::TokioClock;
use crate::net::{Clock, Net};
use crate::settings::MAIN_PORT;
use crate::settings::member::Member;
use crate::shell::sdk::{SdkHandle, SdkShell};
use crate::shell::{Directory, ShellError, Tap};
use crate::text::value;
use crate::tls::net::TlsNet;
use crate::tls::{Connector, Files, Tls, is_tls_error};

/// How long one attempt to reach a server may take.
const REACH: Duration = Duration::from_secs(3);

/// What all these commands take.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Nodes by main address; the first that answers is used, the others if it is lost
    #[arg(
        long,
        short,
        value_name = "HOST:PORT,..",
        env = "DISTRO_SERVER",
        default_value = "127.0.0.1:8848",
        value_parser = member,
        value_delimiter = ','
    )]
    server: Vec<Member>,
    /// How results are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// How long to wait for an answer before giving up
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    /// How nodes are spoken to: our own frames, or Nacos's gRPC, which Nacos's servers know too
    #[arg(long, value_name = "tcp|grpc", env = "DISTRO_CARRIER", default_value_t)]
    carrier: Carrier,
    /// The token of a login, for nodes that ask for one; needs --carrier grpc
    #[arg(
        long,
        value_name = "TOKEN",
        env = "DISTRO_ACCESS_TOKEN",
        hide_env_values = true
    )]
    access_token: Option<String>,
    #[command(flatten)]
    tls: TlsArguments,
}

/// How a command speaks to nodes that want TLS.
#[derive(Debug, Clone, Args)]
pub struct TlsArguments {
    /// Authorities that vouch for the nodes, PEM; turns TLS on
    #[arg(long, value_name = "FILE", env = "DISTRO_CLIENT_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// This client's certificate, PEM, for nodes that ask for one
    #[arg(
        long,
        value_name = "FILE",
        env = "DISTRO_CLIENT_TLS_CERT",
        requires_all = ["tls_ca", "tls_key"]
    )]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "DISTRO_CLIENT_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// The name that the nodes' certificates hold, if it is not the host in --server
    #[arg(
        long,
        value_name = "NAME",
        env = "DISTRO_CLIENT_TLS_NAME",
        requires = "tls_ca"
    )]
    tls_name: Option<String>,
}

impl TlsArguments {
    /// Opens streams under TLS; `None` when nobody asked for it.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(crate) fn connector(&self) -> Result<Option<Connector>, Failure> {
        if self.tls_ca.is_none() {
            return Ok(None);
        }
        let tls = Tls::load(Files {
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            client_ca: None,
            server_ca: self.tls_ca.clone(),
        });
        let tls = tls.map_err(|error| Failure::new(BAD_INPUT, format!("tls: {error}")))?;
        let connector = tls.connector();
        Ok(Some(match &self.tls_name {
            Some(name) => connector.expecting(name),
            None => connector,
        }))
    }
}

pub(crate) fn member(text: &str) -> Result<Member, String> {
    Member::read(text).map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))
}

pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let period = value::period(text);
    let period = period.map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))?;
    Ok(Duration::from_micros(period.micros()))
}

/// A service: `name`, `group@@name` or `namespace@@group@@name`.
fn service(text: &str) -> Result<ServiceKey, String> {
    value::service(text).map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))
}

/// Runs a command to its end.
///
/// # Errors
/// As the command says.
pub fn run(command: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = runtime()?;
    let done = LocalSet::new().block_on(&runtime, command);
    runtime.shutdown_background();
    done
}

/// A client that runs.
pub(crate) struct Client {
    handle: SdkHandle,
    /// What it says of its own doings.
    pub(crate) events: mpsc::UnboundedReceiver<SdkEvent>,
    ended: JoinHandle<Result<(), ShellError>>,
    end: Instant,
    /// Who was reached, in words.
    reached: String,
}

/// Hands a client's events to the command.
struct Events(mpsc::UnboundedSender<SdkEvent>);

impl Tap<SdkInput, SdkOutput> for Events {
    const ACTIVE: bool = false;
    fn input(&mut self, _input: &SdkInput) {}
    fn output(&mut self, output: &SdkOutput) {
        if let SdkOutput::Event(event) = output {
            // The command may be over.
            self.0.send(event.clone()).unwrap_or_default();
        }
    }
}

impl Client {
    /// Starts a client, once any of the servers can be reached at all.
    pub(crate) async fn start(common: &Common) -> Result<Client, Failure> {
        let end = Instant::now() + common.timeout;
        let mut directory = Directory::default();
        let mut servers: Vec<NodeId> = Vec::new();
        for member in &common.server {
            member.note(MAIN_PORT, &mut directory);
            servers.push(member.node(MAIN_PORT));
        }
        let net = TlsNet {
            connector: common.tls.connector()?,
        };
        let carrier = common.carrier;
        let headers = headers(carrier, common.access_token.clone())
            .map_err(|text| Failure::new(BAD_INPUT, text))?;
        let reach = reach((&net, carrier), &servers, &directory).await?;
        let clock = TokioClock::start();
        let config = SdkConfig {
            first: reach.server,
            servers,
            client_ip: Str::from(reach.own_ip),
            app: Str::from("distro-cli"),
            seed: clock.now().wall.0.unsigned_abs(),
            timing: Timing::default(),
            profile: Profile::DISTRO,
        };
        let (send, events) = mpsc::unbounded_channel();
        let shell = SdkShell::new(net, clock, config, directory, MESSAGE_BYTES_MAX);
        let shell = shell
            .with_tap(Events(send))
            .over(carrier)
            .with_headers(headers);
        Ok(Client {
            handle: shell.handle(),
            events,
            ended: tokio::task::spawn_local(shell.run()),
            end,
            reached: reach.words,
        })
    }

    /// Calls, again and again while the server is not ready, up to the command's time.
    pub(crate) async fn call(&mut self, what: Call) -> Result<Answer, Failure> {
        loop {
            let error = match self.handle.call(what.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if self.ended.is_finished() {
                return Err(Failure::new(FAILED, "the client stopped: a bug of ours"));
            }
            let late = Instant::now() >= self.end;
            let reached = &self.reached;
            match error {
                CallError::Refused { code, message } => {
                    let text = format!("{reached} refused: {message} (code {code})");
                    return Err(Failure::new(REFUSED, text));
                }
                CallError::NotConnected if late => {
                    let text = format!(
                        "{reached} accepts connections but serves no client: it is not ready yet, \
                         is over a connection limit, wants TLS (--tls-ca), or that port belongs to \
                         something else; its log says which"
                    );
                    return Err(Failure::new(FAILED, text));
                }
                CallError::Timeout | CallError::Superseded if late => {
                    return Err(Failure::new(
                        FAILED,
                        format!("{reached} did not answer in time"),
                    ));
                }
                CallError::NotConnected | CallError::Timeout | CallError::Superseded => {}
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Result<SdkEvent, Failure> {
        let event = self.events.recv().await;
        event.ok_or_else(|| Failure::new(FAILED, "the client stopped: a bug of ours"))
    }
}

struct Reach {
    server: usize,
    own_ip: String,
    words: String,
}

/// True when the other end closed in place of an answer.
fn hung_up(error: &io::Error) -> bool {
    [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind())
}

/// The first server that somebody listens at. A client would try for ever; people want to know.
async fn reach(
    (net, carrier): (&TlsNet, Carrier),
    servers: &[NodeId],
    directory: &Directory,
) -> Result<Reach, Failure> {
    let mut tried = Vec::new();
    for (server, node) in servers.iter().enumerate() {
        let Some(ports) = directory.ports(node) else {
            return Err(Failure::new(
                BAD_INPUT,
                format!("{node} has no usable port"),
            ));
        };
        let port = ports.sdk;
        let words = format!("{node} (client port {port})");
        let dial = tokio::time::timeout(REACH, net.connect(node.ip(), port));
        match dial.await {
            Ok(Ok(mut stream)) => {
                // Without it the node would count a stranger.
                let writer = &mut stream.writer;
                writer
                    .write_all(carrier.greeting())
                    .await
                    .unwrap_or_default();
                writer.flush().await.unwrap_or_default();
                return Ok(Reach {
                    server,
                    own_ip: own_ip(&stream.remote_ip),
                    words,
                });
            }
            Ok(Err(error)) if is_tls_error(&error) => {
                tried.push(format!("no TLS with {words}: {error}"));
            }
            Ok(Err(error)) if net.connector.is_some() && hung_up(&error) => {
                tried.push(format!("{words} does not speak TLS: leave --tls-ca out"));
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                tried.push(format!("nobody listens at {words}"));
            }
            Ok(Err(error)) => tried.push(format!("{words} cannot be reached: {error}")),
            Err(_) => tried.push(format!("{words} does not answer")),
        }
    }
    tried.push("is `distro serve` running there? name its main address with --server".to_owned());
    Err(Failure::new(FAILED, tried.join("\n")))
}
