//! `distro serve`: one node, from start to stop.

mod http;
mod log;
mod members;
mod quiet;
mod run;

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use quiet::Quiet;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{BAD_INPUT, DONE, FAILED, Failure, coloured, complain, print, runtime};
use crate::ops::LogLevel;
use crate::record::FORMAT;
use crate::settings::Settings;
use crate::settings::read::{FILE_VARIABLE, Flag, Sources, load};
use crate::text::{Plain, overwrites};

/// What `distro serve` takes. Every value is checked together with those of the file and of the
/// environment, so that one run tells everything that is wrong.
#[derive(Debug, Args)]
#[command(
    after_help = "Every key of --print-config can be set by `--set KEY=VALUE`, by a variable \
    DISTRO_KEY (capitals, `_` for `.` and `-`) or in the file; a flag beats the environment, which \
    beats the file. Without members the node is alone. SIGTERM or Ctrl-C sends clients to other \
    nodes and exits 0; a second one stops at once."
)]
pub struct ServeArguments {
    /// Settings in TOML (environment: DISTRO_CONFIG)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Main port; clients use it + 1000, fellow nodes + 1001
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Port for clients
    #[arg(long, value_name = "PORT")]
    sdk_port: Option<String>,
    /// Port for fellow nodes
    #[arg(long, value_name = "PORT")]
    cluster_port: Option<String>,
    /// Address to listen on
    #[arg(long, value_name = "IP")]
    bind: Option<String>,
    /// This node's host as the member list spells it
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// All members, such as 10.0.0.1:8848,10.0.0.2:8848
    #[arg(long, value_name = "LIST")]
    members: Option<String>,
    /// A Nacos cluster.conf; read, never written
    #[arg(long, value_name = "FILE")]
    cluster_conf: Option<String>,
    /// A name that resolves to the members
    #[arg(long, value_name = "NAME[:PORT]")]
    members_dns: Option<String>,
    /// A file with the secret that the nodes of the cluster share
    #[arg(long, value_name = "FILE")]
    cluster_secret_file: Option<String>,
    /// Directory that remembers this node's lives
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// How long a stop waits for clients to leave
    #[arg(long, value_name = "TIME")]
    drain_timeout: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Any key, such as timing.verify-interval=5s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write every input of the protocol core here, for replay; `-` is standard output
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print every setting and where it came from, and do nothing else
    #[arg(long)]
    print_config: bool,
}

impl ServeArguments {
    fn flags(&self) -> Vec<Flag> {
        let named = [
            ("--port", "port", &self.port),
            ("--sdk-port", "sdk-port", &self.sdk_port),
            ("--cluster-port", "cluster-port", &self.cluster_port),
            ("--bind", "bind", &self.bind),
            ("--address", "address", &self.address),
            ("--members", "members", &self.members),
            ("--cluster-conf", "cluster-conf", &self.cluster_conf),
            ("--members-dns", "members-dns", &self.members_dns),
            (
                "--cluster-secret-file",
                "cluster.secret-file",
                &self.cluster_secret_file,
            ),
            ("--data-dir", "data-dir", &self.data_dir),
            ("--drain-timeout", "drain-timeout", &self.drain_timeout),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ];
        let flag = |name: &str, path: &str, value: &str| Flag {
            name: name.to_owned(),
            path: path.to_owned(),
            value: value.to_owned(),
        };
        // A named flag is the stronger word: it comes last.
        let set = self.set.iter().map(|text| {
            let (path, value) = text.split_once('=').unwrap_or((text, ""));
            flag("--set", path.trim(), value.trim())
        });
        let named = named
            .into_iter()
            .filter_map(|(name, path, value)| value.as_ref().map(|value| flag(name, path, value)));
        set.chain(named).collect()
    }

    fn sources(&self) -> Sources {
        // A variable that is not text cannot be one of ours.
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE);
        let named = named.map(|(_, path)| PathBuf::from(path));
        Sources {
            file: self.config.clone().or(named),
            environment,
            flags: self.flags(),
        }
    }
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// Wrong settings, a port in use, a member list that cannot be right, or a bug of ours.
pub fn main(arguments: &ServeArguments) -> Result<u8, Failure> {
    let (settings, warnings) = load(&arguments.sources()).map_err(|problems| {
        let fancy = coloured(&std::io::stderr());
        let all: Vec<String> = problems.iter().map(|p| p.render(fancy)).collect();
        Failure::new(BAD_INPUT, all.join("\n"))
    })?;
    if arguments.print_config {
        for warning in warnings {
            complain(&warning);
        }
        print(settings.print().trim_end())?;
        return Ok(DONE);
    }
    let (level, quiet) = start_log(&settings);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let record = arguments
        .record
        .as_deref()
        .map(open_recording)
        .transpose()?;
    let runtime = runtime()?;
    let node = run::run(&settings, level, &quiet, record);
    let code = tokio::task::LocalSet::new().block_on(&runtime, node);
    // Looking up a name may hang for long; nobody waits for it.
    runtime.shutdown_background();
    code
}

/// Where a recording goes.
fn open_recording(path: &Path) -> Result<Box<dyn Write>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdout()));
    }
    let cannot = |error| {
        let text = format!("--record {}: {error}", path.display());
        Failure::new(FAILED, text)
    };
    if overwrites(path, FORMAT).map_err(cannot)? {
        let text = format!(
            "--record {}: there is something else than a recording; name another file, or remove it",
            path.display()
        );
        return Err(Failure::new(BAD_INPUT, text));
    }
    Ok(Box::new(File::create(path).map_err(cannot)?))
}

/// Sends events to standard error. What it gives changes the level later, and knows what was left out.
fn start_log(settings: &Settings) -> (LogLevel, Quiet) {
    let quiet = Quiet::default();
    let (level, format) = settings.log();
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    let (filter, level) = LogLevel::layer(level);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(|| Plain(std::io::stderr()))
        .with_ansi(coloured(&std::io::stderr()) && std::io::stderr().is_terminal())
        .with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    if format == "json" {
        let log = log.json().flatten_event(true);
        registry.with(log.with_filter(quiet.clone())).init();
    } else {
        registry.with(log.with_filter(quiet.clone())).init();
    }
    (level, quiet)
}
