//! The command line: arguments, output, exit codes.

mod compare;
mod run;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use distro_core::profile::Profile;
use distro_node::text::{plain_coloured, plain_lines};
use distro_sim::scenario;
use distro_sim::scenario::model::{Scenario, WorldKind};
use distro_sim::trace;
use distro_sim::world::tcp;

/// Everything held.
const HELD: u8 = 0;
/// A property was violated, or two traces differ.
const BROKEN: u8 = 1;
/// The input is wrong; nothing ran.
const BAD_INPUT: u8 = 2;
/// A run itself failed.
const FAILED: u8 = 3;

/// Runs Distro on simulated hosts from seeded scenario files and judges every run.
#[derive(Debug, Parser)]
#[command(
    name = "distro-sim",
    version,
    after_help = "Exit codes: 0 all held, 1 a property was \
    violated, 2 the input is wrong and nothing ran, 3 a run itself failed."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and judge them.
    Run(RunArguments),
    /// Ask the same question in several worlds: one row for each check.
    Compare(compare::CompareArguments),
    /// Show the first difference of two traces, with what led to it.
    Diff {
        /// The first trace.
        left: PathBuf,
        /// The second trace.
        right: PathBuf,
        /// How many of the lines that led to it, for each host.
        #[arg(long, default_value_t = 8)]
        context: usize,
    },
    /// Print the reference of scenario files: keys, faults, values, timing, checks.
    Schema {
        /// For whom.
        #[arg(long, default_value = "text")]
        format: SchemaFormat,
    },
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Scenario files, or directories of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The seed, in place of the file's.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Many seeds: from A up to and including B.
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<(u64, u64)>,
    /// Only in this world; tcp takes real time and runs only when it is named here.
    #[arg(long)]
    world: Option<World>,
    #[command(flatten)]
    real: RealArguments,
    /// Run every node with this profile, in place of the file's.
    #[arg(long, value_parser = scenario::profile)]
    profile: Option<Profile>,
    /// Write the trace here; for one run only.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// How to print.
    #[arg(long, default_value = "table")]
    format: Format,
    /// Print only what did not hold.
    #[arg(long)]
    quiet: bool,
}

/// How to run where time is real, and how much of it there is.
#[derive(Debug, Args)]
struct RealArguments {
    /// Divide every time of the scenario and every protocol constant by N, from 1 to 100
    /// [default: 1; in world tcp the file's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    time_scale: Option<u32>,
    /// The binary distro for world tcp [default: the one beside this program]
    #[arg(long, value_name = "PATH", env = "DISTRO_BIN")]
    distro: Option<PathBuf>,
    /// In world tcp: a network namespace for each host and real packet loss in place of the relay
    /// (Linux, root, and the programs of iproute2 and nftables)
    #[arg(long)]
    netns: bool,
}

impl RealArguments {
    fn time_scale(&self, scenario: &Scenario, world: WorldKind) -> u32 {
        let usual = if world.is_simulated() {
            1
        } else {
            scenario.time_scale
        };
        self.time_scale.unwrap_or(usual)
    }

    /// Whether they are for these runs; says so when not.
    fn fits(&self, has_tcp: bool) -> bool {
        if self.netns && !has_tcp {
            complain("--netns is for world tcp: say --world tcp, or have it among --worlds");
            return false;
        }
        true
    }

    fn options(&self) -> tcp::Options {
        tcp::Options {
            distro: self.distro.clone(),
            netns: self.netns,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum World {
    /// The bare core on an event queue.
    Event,
    /// The node's shell on turmoil's sockets.
    Turmoil,
    /// Real processes on the real kernel, in real time.
    Tcp,
}

impl From<World> for WorldKind {
    fn from(world: World) -> WorldKind {
        match world {
            World::Event => WorldKind::Event,
            World::Turmoil => WorldKind::Turmoil,
            World::Tcp => WorldKind::Tcp,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Rows for people.
    Table,
    /// JSON lines.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFormat {
    /// For people.
    Text,
    /// JSON Schema, by which editors complete and check files.
    JsonSchema,
}

impl SchemaFormat {
    fn text(self) -> String {
        match self {
            SchemaFormat::Text => scenario::schema::reference(),
            SchemaFormat::JsonSchema => format!("{:#}\n", scenario::schema::json_schema()),
        }
    }
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let range = text.split_once("..").and_then(|(low, high)| {
        Some((
            low.trim().parse::<u64>().ok()?,
            high.trim().parse::<u64>().ok()?,
        ))
    });
    match range {
        Some((low, high)) if low <= high => Ok((low, high)),
        Some((low, high)) => Err(format!("the range is empty; write {high}..{low}")),
        None => Err("write two numbers, such as 1..100".to_owned()),
    }
}

/// What a stream may show.
#[derive(Debug, Clone, Copy)]
struct Looks {
    terminal: bool,
    colour: bool,
}

impl Looks {
    #[expect(
        clippy::disallowed_methods,
        reason = "how output looks is no input of a run"
    )]
    fn of(stream: &impl IsTerminal) -> Looks {
        let terminal = stream.is_terminal();
        let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        Looks {
            terminal,
            colour: terminal && !no_color,
        }
    }
}

/// Does what the arguments say.
pub(crate) fn main(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Diff {
            left,
            right,
            context,
        } => diff(&left, &right, context),
        Command::Schema { format } => io::stdout()
            .lock()
            .write_all(format.text().as_bytes())
            .map(|()| HELD),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        // Why no word: whoever reads our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        Err(error) => {
            complain(&format!("output failed: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Says something on the error stream.
fn complain(text: &str) {
    // A message that can't be shown has nobody to be reported to; the exit code still tells.
    let text = plain_coloured(text.trim_end());
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

fn diff(left: &Path, right: &Path, context: usize) -> io::Result<u8> {
    let open = |path: &Path| {
        File::open(path)
            .map(BufReader::new)
            .map_err(|error| complain(&format!("{}: {error}", path.display())))
    };
    let (Ok(left), Ok(right)) = (open(left), open(right)) else {
        return Ok(BAD_INPUT);
    };
    let found = match trace::diff(left, right, context) {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("a trace can't be read: {error}"));
            return Ok(BAD_INPUT);
        }
    };
    let mut out = io::stdout().lock();
    match found {
        None => writeln!(out, "the traces are equal").map(|()| HELD),
        // Traces hold what strangers sent.
        Some(difference) => {
            let text = difference.to_string();
            write!(out, "{}", plain_lines(&text)).map(|()| BROKEN)
        }
    }
}
