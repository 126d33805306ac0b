//! `distro-sim run`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use distro_core::time::Period;
use distro_node::text::overwrites;
use distro_sim::compare::guarded;
use distro_sim::report::{Job, Layout, Report, Standing};
use distro_sim::run::RunOptions;
use distro_sim::scenario::model::{Scenario, WorldKind};
use distro_sim::scenario::{self, Problems};
use distro_sim::trace;
use distro_sim::world::tcp;
use serde_json::json;

use super::{BAD_INPUT, BROKEN, FAILED, Format, HELD, Looks, RunArguments, World, complain};

/// A scenario and where it came from.
pub(super) struct Loaded {
    pub(super) file: String,
    pub(super) scenario: Scenario,
}

/// Runs what the arguments name and gives the exit code.
pub(super) fn run(arguments: &RunArguments) -> io::Result<u8> {
    let real = matches!(arguments.world, Some(World::Tcp));
    if !arguments.real.fits(real) {
        return Ok(BAD_INPUT);
    }
    let Some(loaded) = load_all(&arguments.paths) else {
        return Ok(BAD_INPUT);
    };
    let jobs = count(arguments, &loaded);
    if jobs == 0 {
        complain("nothing to run: no scenario is meant for this world");
        return Ok(BAD_INPUT);
    }
    if arguments.trace.is_some() && jobs != 1 {
        complain(&format!(
            "--trace is for one run, and these are {jobs}: name one file, one seed and one world"
        ));
        return Ok(BAD_INPUT);
    }
    if let Some(path) = &arguments.trace {
        match overwrites(path, trace::FORMAT) {
            Ok(false) => {}
            Ok(true) => {
                complain(&format!(
                    "--trace {}: there is something else than a trace; name another file, or remove it",
                    path.display()
                ));
                return Ok(BAD_INPUT);
            }
            Err(error) => {
                complain(&format!("--trace {}: {error}", path.display()));
                return Ok(BAD_INPUT);
            }
        }
    }
    Session::new(arguments, &loaded, jobs).run(&loaded)
}

/// Reads all files that the paths name; none when anything is wrong, which was said then.
pub(super) fn load_all(paths: &[PathBuf]) -> Option<Vec<Loaded>> {
    let files = match files(paths) {
        Ok(files) => files,
        Err(message) => {
            complain(&message);
            return None;
        }
    };
    // Every file is read before anything runs: a typo in the last one must not cost an hour.
    let (loaded, problems): (Vec<_>, Vec<_>) =
        files.iter().map(|path| load(path)).partition(Result::is_ok);
    let problems: Vec<Problems> = problems.into_iter().filter_map(Result::err).collect();
    if !problems.is_empty() {
        let fancy = Looks::of(&io::stderr()).colour;
        for problems in &problems {
            complain(&problems.render(fancy));
        }
        complain("nothing was run");
        return None;
    }
    Some(loaded.into_iter().filter_map(Result::ok).collect())
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    let scenario = scenario::load(path)?;
    Ok(Loaded {
        file: path.display().to_string(),
        scenario,
    })
}

/// The files that the paths name: a directory means all scenario files in it, in name order, and
/// then those of the directories in it.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let (mut inside, below) = directory(path)?;
        if inside.is_empty() && below.is_empty() {
            return Err(format!(
                "{}: no scenario files (*.toml) in it",
                path.display()
            ));
        }
        inside.sort();
        files.extend(inside);
        files.extend(below);
    }
    Ok(files)
}

/// The scenario files in a directory, and those in the directories in it, in name order.
fn directory(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
    let show = |error: io::Error| format!("{}: {error}", path.display());
    let (mut inside, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(show)? {
        let file = entry.map_err(show)?.path();
        if file.is_dir() {
            folders.push(file);
        } else if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            inside.push(file);
        }
    }
    folders.sort();
    let mut below = Vec::new();
    for folder in folders {
        let (mut files, deeper) = directory(&folder)?;
        files.sort();
        below.extend(files);
        below.extend(deeper);
    }
    Ok((inside, below))
}

fn worlds(arguments: &RunArguments, scenario: &Scenario) -> Vec<WorldKind> {
    let asked = arguments.world.map(WorldKind::from);
    let meant = scenario.worlds.iter().copied();
    meant
        .filter(|world| match asked {
            Some(asked) => asked == *world,
            None => world.is_simulated(),
        })
        .collect()
}

fn seeds(arguments: &RunArguments, scenario: &Scenario) -> std::ops::RangeInclusive<u64> {
    match (arguments.seeds, arguments.seed) {
        (Some((low, high)), _) => low..=high,
        (None, Some(seed)) => seed..=seed,
        (None, None) => scenario.seed..=scenario.seed,
    }
}

fn count(arguments: &RunArguments, loaded: &[Loaded]) -> u64 {
    let runs = |scenario: &Scenario| {
        let seeds = seeds(arguments, scenario);
        let seeds = (seeds.end() - seeds.start()).saturating_add(1);
        seeds.saturating_mul(worlds(arguments, scenario).len() as u64)
    };
    loaded
        .iter()
        .map(|loaded| runs(&loaded.scenario))
        .fold(0, u64::saturating_add)
}

/// How many runs came out which way.
#[derive(Default)]
struct Tally {
    held: u64,
    broken: u64,
    missed: u64,
    failed: u64,
}

impl Tally {
    fn code(&self) -> u8 {
        match self {
            Tally { failed: 1.., .. } => FAILED,
            Tally { broken: 1.., .. } | Tally { missed: 1.., .. } => BROKEN,
            Tally { .. } => HELD,
        }
    }
}

struct Session<'a> {
    arguments: &'a RunArguments,
    layout: Layout,
    out: Looks,
    progress: bool,
    jobs: u64,
    done: u64,
    tally: Tally,
}

impl<'a> Session<'a> {
    fn new(arguments: &'a RunArguments, loaded: &[Loaded], jobs: u64) -> Session<'a> {
        Session {
            arguments,
            layout: Layout::of(loaded.iter().map(|loaded| &loaded.scenario)),
            out: Looks::of(&io::stdout()),
            progress: Looks::of(&io::stderr()).terminal && !arguments.quiet,
            jobs,
            done: 0,
            tally: Tally::default(),
        }
    }

    fn run(mut self, loaded: &[Loaded]) -> io::Result<u8> {
        self.begin()?;
        'all: for Loaded { file, scenario } in loaded {
            let worlds = worlds(self.arguments, scenario);
            if worlds.is_empty() {
                complain(&format!("{file}: not meant for this world, skipped"));
            }
            for world in worlds {
                for seed in seeds(self.arguments, scenario) {
                    let profile = self.arguments.profile;
                    self.one(Job {
                        file,
                        scenario,
                        world,
                        seed,
                        profile,
                        time_scale: self.arguments.real.time_scale(scenario, world),
                        netns: self.arguments.real.netns,
                    })?;
                    if tcp::interrupted() {
                        break 'all;
                    }
                }
            }
        }
        self.end()
    }

    fn begin(&self) -> io::Result<()> {
        if self.arguments.format == Format::Json {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match (self.arguments.seeds, self.arguments.seed) {
            (Some((low, high)), _) => writeln!(out, "seeds {low} to {high}")?,
            (None, Some(seed)) => writeln!(out, "seed {seed}")?,
            (None, None) => writeln!(out, "seeds as in the files")?,
        }
        if !self.arguments.quiet {
            writeln!(out, "{}", self.layout.heading())?;
        }
        Ok(())
    }

    fn one(&mut self, job: Job<'_>) -> io::Result<()> {
        self.show_progress(&job);
        let options = RunOptions {
            world: job.world,
            seed: job.seed,
            profile: job.profile,
            trace: self.arguments.trace.clone(),
            time_scale: job.time_scale,
            tcp: self.arguments.real.options(),
        };
        let (result, wall) = timed(|| guarded(job.scenario, &options));
        self.hide_progress();
        self.done += 1;
        let report = Report::new(job, &result, wall);
        match report.standing() {
            Standing::Held => self.tally.held += 1,
            Standing::Broken => self.tally.broken += 1,
            Standing::Missed => self.tally.missed += 1,
            Standing::Failed => self.tally.failed += 1,
        }
        if self.arguments.quiet && report.standing() == Standing::Held {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match self.arguments.format {
            Format::Json => writeln!(out, "{}", report.json())?,
            Format::Table => {
                let colour = self.out.colour;
                writeln!(
                    out,
                    "{}",
                    report.row(self.layout, |standing, text| {
                        if colour {
                            painted(standing, text)
                        } else {
                            text.to_owned()
                        }
                    })
                )?;
                write!(out, "{}", report.details())?;
            }
        }
        out.flush()
    }

    fn end(self) -> io::Result<u8> {
        let Tally {
            held,
            broken,
            missed,
            failed,
        } = self.tally;
        let code = self.tally.code();
        let mut out = io::stdout().lock();
        match self.arguments.format {
            Format::Json => {
                let summary = json!({
                    "type": "summary", "runs": self.done, "held": held, "broken": broken,
                    "missed": missed, "failed": failed, "exit": code,
                });
                writeln!(out, "{summary}")?;
            }
            Format::Table => {
                write!(out, "{held} of {} held", self.done)?;
                for (count, name) in [(broken, "broken"), (missed, "missed"), (failed, "failed")] {
                    if count > 0 {
                        write!(out, ", {count} {name}")?;
                    }
                }
                writeln!(out)?;
            }
        }
        Ok(code)
    }

    fn show_progress(&self, job: &Job<'_>) {
        if self.progress {
            let (number, jobs) = (self.done + 1, self.jobs);
            let name = &job.scenario.name;
            let line = format!("\r\x1b[2K[{number}/{jobs}] {name}, seed {}", job.seed);
            // Progress that can't be shown is no reason to stop.
            io::stderr()
                .lock()
                .write_all(line.as_bytes())
                .unwrap_or_default();
        }
    }

    fn hide_progress(&self) {
        if self.progress {
            io::stderr()
                .lock()
                .write_all(b"\r\x1b[2K")
                .unwrap_or_default();
        }
    }
}

fn painted(standing: Standing, text: &str) -> String {
    let colour = match standing {
        Standing::Held => "32",
        Standing::Broken | Standing::Failed => "31",
        Standing::Missed => "33",
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// The result and the real time it took.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the wall time of a whole run is shown to people and influences nothing"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Period) {
    let start = std::time::Instant::now();
    let result = work();
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    (result, Period(micros))
}
