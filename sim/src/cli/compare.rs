//! `distro-sim compare`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use distro_sim::compare::Comparison;
use distro_sim::run::RunOptions;
use distro_sim::scenario::model::WorldKind;
use distro_sim::world::tcp;
use serde_json::json;

use super::run::{Loaded, load_all};
use super::{BAD_INPUT, BROKEN, FAILED, Format, HELD, Looks, RealArguments, World, complain};

/// What `distro-sim compare` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the worlds agree (a property that all of them find broken \
    is agreed on), 1 they do not, 2 the input is wrong and nothing ran, 3 a run failed."
)]
pub(super) struct CompareArguments {
    /// Scenario files, or directories of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The worlds, in the order of the columns.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "event,turmoil,tcp"
    )]
    worlds: Vec<World>,
    /// The seed, in place of the file's.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    real: RealArguments,
    /// How many scenarios run at a time: in real time most of them only wait.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = jobs)]
    jobs: usize,
    /// How to print.
    #[arg(long, default_value = "table")]
    format: Format,
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=64) => Ok(jobs),
        Ok(_) | Err(_) => Err("write a number from 1 to 64".to_owned()),
    }
}

/// Compares what the arguments name and gives the exit code.
pub(super) fn compare(arguments: &CompareArguments) -> io::Result<u8> {
    let worlds: Vec<WorldKind> = arguments
        .worlds
        .iter()
        .copied()
        .map(WorldKind::from)
        .collect();
    let twice = { worlds.iter().enumerate() }.any(|(at, world)| worlds[..at].contains(world));
    if worlds.len() < 2 || twice {
        complain("--worlds names at least two worlds, each once, such as event,tcp");
        return Ok(BAD_INPUT);
    }
    if !arguments.real.fits(worlds.contains(&WorldKind::Tcp)) {
        return Ok(BAD_INPUT);
    }
    let Some(loaded) = load_all(&arguments.paths) else {
        return Ok(BAD_INPUT);
    };
    let meant = |loaded: &Loaded| {
        worlds
            .iter()
            .all(|world| loaded.scenario.worlds.contains(world))
    };
    let (loaded, others): (Vec<_>, Vec<_>) = loaded.into_iter().partition(meant);
    for other in &others {
        complain(&format!(
            "{}: not meant for all of these worlds, skipped",
            other.file
        ));
    }
    if loaded.is_empty() {
        complain("nothing to compare: no scenario is meant for all of these worlds");
        return Ok(BAD_INPUT);
    }
    run_all(arguments, &worlds, &loaded)
}

/// How many comparisons came out which way.
#[derive(Debug, Default)]
struct Tally {
    same: usize,
    differ: usize,
    failed: usize,
}

/// Compares each, several at a time (they share nothing, and in world tcp they mostly wait), and
/// prints them in the order of the files.
fn run_all(
    arguments: &CompareArguments,
    worlds: &[WorldKind],
    loaded: &[Loaded],
) -> io::Result<u8> {
    let next = AtomicUsize::new(0);
    let waiting: Vec<Mutex<Option<Comparison>>> = loaded.iter().map(|_| Mutex::new(None)).collect();
    let (told, done) = std::sync::mpsc::channel();
    let mut shown = Shown::new(arguments, loaded);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.min(loaded.len()) {
            let (next, waiting, told) = (&next, &waiting, told.clone());
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::SeqCst);
                    let Some(job) = loaded.get(place) else { return };
                    let comparison = one(arguments, worlds, job);
                    if let Ok(mut slot) = waiting[place].lock() {
                        *slot = Some(comparison);
                    }
                    if told.send(()).is_err() || tcp::interrupted() {
                        return;
                    }
                }
            });
        }
        drop(told);
        let mut printed = 0;
        while done.recv().is_ok() {
            shown.progress(printed);
            while let Some(slot) = waiting.get(printed) {
                let Some(comparison) = slot.lock().ok().and_then(|mut slot| slot.take()) else {
                    break;
                };
                shown.print(&loaded[printed], &comparison)?;
                printed += 1;
            }
        }
        Ok::<(), io::Error>(())
    })?;
    shown.end()
}

fn one(arguments: &CompareArguments, worlds: &[WorldKind], job: &Loaded) -> Comparison {
    // One question: all worlds get the scale of the one that needs it.
    let real = worlds.iter().find(|world| !world.is_simulated());
    let scale = real
        .or(worlds.first())
        .map_or(1, |world| arguments.real.time_scale(&job.scenario, *world));
    let options = RunOptions {
        time_scale: scale,
        tcp: arguments.real.options(),
        ..RunOptions::new(worlds[0], arguments.seed.unwrap_or(job.scenario.seed))
    };
    Comparison::run(&job.scenario, worlds, &options)
}

struct Shown<'a> {
    arguments: &'a CompareArguments,
    files: usize,
    live: bool,
    tally: Tally,
}

impl<'a> Shown<'a> {
    fn new(arguments: &'a CompareArguments, loaded: &[Loaded]) -> Shown<'a> {
        let shown = Shown {
            arguments,
            files: loaded.len(),
            live: Looks::of(&io::stderr()).terminal,
            tally: Tally::default(),
        };
        shown.progress(0);
        shown
    }

    fn progress(&self, done: usize) {
        if self.live {
            let line = format!("\r\x1b[2K[{done}/{}] comparing", self.files);
            // Progress that can't be shown is no reason to stop.
            io::stderr()
                .lock()
                .write_all(line.as_bytes())
                .unwrap_or_default();
        }
    }

    fn print(&mut self, job: &Loaded, comparison: &Comparison) -> io::Result<()> {
        let word = if comparison.failed() {
            self.tally.failed += 1;
            "failed"
        } else if comparison.differs() {
            self.tally.differ += 1;
            "differ"
        } else {
            self.tally.same += 1;
            "agree"
        };
        if self.live {
            io::stderr()
                .lock()
                .write_all(b"\r\x1b[2K")
                .unwrap_or_default();
        }
        let scale = self
            .arguments
            .real
            .time_scale(&job.scenario, WorldKind::Tcp);
        let mut out = io::stdout().lock();
        match self.arguments.format {
            Format::Json => {
                let mut line = comparison.json();
                line["type"] = json!("comparison");
                line["scenario"] = json!(job.scenario.name);
                line["file"] = json!(job.file);
                line["seed"] = json!(self.arguments.seed.unwrap_or(job.scenario.seed));
                line["time_scale"] = json!(scale);
                writeln!(out, "{line}")?;
            }
            Format::Table => {
                writeln!(
                    out,
                    "{}: the worlds {word} (seed {}, all times divided by {scale})",
                    job.scenario.name,
                    self.arguments.seed.unwrap_or(job.scenario.seed),
                )?;
                write!(out, "{}{}", comparison.table(), comparison.details())?;
            }
        }
        out.flush()
    }

    fn end(self) -> io::Result<u8> {
        let Tally {
            same,
            differ,
            failed,
        } = self.tally;
        let left = self.files - same - differ - failed;
        let code = match (failed + left, differ) {
            (0, 0) => HELD,
            (0, _) => BROKEN,
            (_, _) => FAILED,
        };
        let mut out = io::stdout().lock();
        match self.arguments.format {
            Format::Json => writeln!(
                out,
                "{}",
                json!({
                    "type": "summary", "agree": same, "differ": differ, "failed": failed,
                    "not_run": left, "exit": code,
                })
            )?,
            Format::Table => {
                write!(out, "{same} of {} agree", self.files)?;
                for (count, name) in [(differ, "differ"), (failed, "failed"), (left, "not run")] {
                    if count > 0 {
                        write!(out, ", {count} {name}")?;
                    }
                }
                writeln!(out)?;
            }
        }
        Ok(code)
    }
}
