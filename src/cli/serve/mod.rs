//! `distro serve`: one node, from start to stop.

mod flags;
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
use tracing_subscriber::layer::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use flags::NamedFlags;

use super::{BAD_INPUT, DONE, FAILED, Failure, coloured, complain, print, runtime};
use crate::ops::LogLevel;
use crate::record::FORMAT;
use crate::settings::kinds::Form;
use crate::settings::read::{FILE_VARIABLE, Flag, Sources, load};
use crate::settings::{Settings, json_schema};
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
    #[command(flatten)]
    named: NamedFlags,
    /// Any key, such as timing.verify-interval=5s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write every input of the protocol core here, for replay; `-` is standard output
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print every setting and where it came from, and do nothing else
    #[arg(long)]
    print_config: bool,
    /// Print the JSON Schema of the file, by which editors check it, and do nothing else
    #[arg(long)]
    print_schema: bool,
}

impl ServeArguments {
    fn flags(&self) -> Vec<Flag> {
        let set = self.set.iter().map(|text| {
            let (path, value) = text.split_once('=').unwrap_or((text, ""));
            Flag {
                name: "--set".to_owned(),
                path: path.trim().to_owned(),
                value: value.trim().to_owned(),
            }
        });
        // A named flag is the stronger word: it comes last.
        set.chain(self.named.0.iter().cloned()).collect()
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
    if arguments.print_schema {
        print(&format!("{:#}", json_schema()))?;
        return Ok(DONE);
    }
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

/// Sends events to standard error. What it gives changes the level later, and knows what was left
/// out.
fn start_log(settings: &Settings) -> (LogLevel, Quiet) {
    let quiet = Quiet::default();
    let (level, format) = settings.log();
    let (filter, level) = LogLevel::layer(level.into());
    let log = tracing_subscriber::fmt::layer()
        .with_writer(|| Plain(std::io::stderr()))
        .with_ansi(coloured(&std::io::stderr()) && std::io::stderr().is_terminal())
        .with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Form::Json => {
            let log = log.json().flatten_event(true);
            registry.with(log.with_filter(quiet.clone())).init();
        }
        Form::Text => registry.with(log.with_filter(quiet.clone())).init(),
    }
    (level, quiet)
}
