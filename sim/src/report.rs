//! What `run` says of each run: a row for people, a line of JSON for machines.

use distro_core::profile::Profile;
use distro_core::time::Period;
use serde_json::{Value, json};

use crate::check::verdict::{CheckResult, Violation};
use crate::outcome::Outcome;
use crate::scenario::model::{Scenario, WorldKind};
use crate::scenario::profile_text;

/// One run to be reported.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The scenario's file, as the command line reaches it.
    pub file: &'a str,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// In which world.
    pub world: WorldKind,
    /// The seed.
    pub seed: u64,
    /// The profile that replaces the file's.
    pub profile: Option<Profile>,
    /// By how much all times were divided.
    pub time_scale: u32,
    /// With a network namespace for each host.
    pub netns: bool,
}

/// How a run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// All properties held and all expectations came true.
    Held,
    /// A property was broken.
    Broken,
    /// No property was broken, but an expectation of the file did not come true: a mark that was
    /// not reached, or a profile that should have failed and did not.
    Missed,
    /// The run itself failed.
    Failed,
}

/// A run and what came out.
#[derive(Debug)]
pub struct Report<'a> {
    job: Job<'a>,
    result: &'a Result<Outcome, String>,
    /// Real time that the run took.
    wall: Period,
    missed: Vec<String>,
}

/// Widths of the table's columns: scenario and verdict depend on what is run.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Characters for the scenario's name.
    pub name: usize,
}

/// Characters for the verdict.
const VERDICT_WIDTH: usize = 14;

impl Layout {
    /// A layout with room for these scenarios.
    pub fn of<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Layout {
        let longest = scenarios
            .map(|scenario| scenario.name.chars().count())
            .max();
        Layout {
            name: longest.unwrap_or(0).max("scenario".len()),
        }
    }

    /// The heading of the table.
    pub fn heading(self) -> String {
        format!(
            "{:>6}  {:<name$}  {:<7}  {:<VERDICT_WIDTH$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {}",
            "seed",
            "scenario",
            "world",
            "verdict",
            "simulated",
            "wall",
            "events",
            "events/s",
            "sim-s/s",
            "state",
            name = self.name
        )
    }
}

impl<'a> Report<'a> {
    /// What is to be said of a run.
    pub fn new(job: Job<'a>, result: &'a Result<Outcome, String>, wall: Period) -> Report<'a> {
        let missed = result
            .as_ref()
            .map(|outcome| missed(&job, outcome))
            .unwrap_or_default();
        Report {
            job,
            result,
            wall,
            missed,
        }
    }

    /// How it came out.
    pub fn standing(&self) -> Standing {
        match self.result {
            Err(_) => Standing::Failed,
            Ok(outcome) if !outcome.verdict.violations.is_empty() => Standing::Broken,
            Ok(_) if !self.missed.is_empty() => Standing::Missed,
            Ok(_) => Standing::Held,
        }
    }

    /// The verdict in a few words: `held`, `BROKEN S2 L5`, `missed`, `failed`.
    pub fn verdict(&self) -> String {
        match self.standing() {
            Standing::Held => "held".to_owned(),
            Standing::Missed => "MISSED".to_owned(),
            Standing::Failed => "FAILED".to_owned(),
            Standing::Broken => {
                let checks: Vec<&str> = self
                    .violations()
                    .iter()
                    .map(|violation| violation.check)
                    .collect();
                format!("BROKEN {}", checks.join(" "))
            }
        }
    }

    fn violations(&self) -> &[Violation] {
        self.result
            .as_ref()
            .map_or(&[], |outcome| &outcome.verdict.violations)
    }

    /// The row of the table. `paint` colours the verdict, given its text.
    pub fn row(&self, layout: Layout, paint: impl Fn(Standing, &str) -> String) -> String {
        let verdict = format!("{:<VERDICT_WIDTH$}", self.verdict());
        let verdict = paint(self.standing(), &verdict);
        let start = format!(
            "{:>6}  {:<name$}  {:<7}  {verdict}",
            self.job.seed,
            self.job.scenario.name,
            self.job.world.name(),
            name = layout.name
        );
        let Ok(outcome) = self.result else {
            return start;
        };
        format!(
            "{start}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:016x}",
            outcome.simulated.to_string(),
            short(self.wall),
            outcome.events,
            per_second(outcome.events, self.wall),
            per_second(outcome.simulated.0 / 1_000_000, self.wall),
            outcome.state_hash
        )
    }

    /// Everything a person needs beyond the row: what broke, when, against which bound, the
    /// command that repeats it, and the faults that were skipped. Empty when all is said.
    pub fn details(&self) -> String {
        let mut out = String::new();
        match self.result {
            Err(error) => out.push_str(&format!("    the run failed: {error}\n")),
            Ok(outcome) => {
                for (line, text) in &outcome.skipped {
                    let world = self.job.world.name();
                    let file = self.job.file;
                    out.push_str(&format!(
                        "    skipped in world {world}: {text} ({file}:{line})\n"
                    ));
                }
                if let Some(lag) = outcome.lag {
                    let scale = self.job.time_scale;
                    out.push_str(&format!(
                        "    real time, divided by {scale}; the machine's scheduler added up to \
                         {lag}, which every step of a bound has more\n"
                    ));
                }
                for note in &outcome.notes {
                    out.push_str(&format!("    {note}\n"));
                }
                for violation in &outcome.verdict.violations {
                    out.push_str(&format!(
                        "    {}\n",
                        broken(violation, &outcome.verdict.checks)
                    ));
                }
            }
        }
        for missed in &self.missed {
            out.push_str(&format!("    {missed}\n"));
        }
        if let Some(check) = self.expected().filter(|check| self.broke(check)) {
            out.push_str(&format!(
                "    {check} is what this profile is expected to break\n"
            ));
        }
        if self.standing() != Standing::Held {
            out.push_str(&format!("    again: {}\n", self.repeat()));
        }
        out
    }

    fn expected(&self) -> Option<&str> {
        expected(&self.job)
    }

    fn broke(&self, check: &str) -> bool {
        self.violations()
            .iter()
            .any(|violation| violation.check == check)
    }

    /// The one command that repeats this run.
    pub fn repeat(&self) -> String {
        let Job {
            file,
            world,
            seed,
            profile,
            time_scale,
            netns,
            ..
        } = self.job;
        let mut command = format!(
            "cargo run --release -p distro-sim -- run {} --seed {seed} --world {}",
            shell(file),
            world.name()
        );
        if let Some(profile) = profile {
            command.push_str(&format!(" --profile {}", shell(&profile_text(profile))));
        }
        if time_scale != 1 {
            command.push_str(&format!(" --time-scale {time_scale}"));
        }
        if netns {
            command.push_str(" --netns");
        }
        command
    }

    /// The run as one JSON object.
    pub fn json(&self) -> Value {
        let mut line = json!({
            "type": "run",
            "scenario": self.job.scenario.name,
            "file": self.job.file,
            "world": self.job.world.name(),
            "seed": self.job.seed,
            "profile": self.job.profile.map(profile_text),
            "verdict": match self.standing() {
                Standing::Held => "held",
                Standing::Broken => "broken",
                Standing::Missed => "missed",
                Standing::Failed => "failed",
            },
            "expected": self.expected(),
            "missed": self.missed,
            "wall_us": self.wall.0,
            "repeat": self.repeat(),
        });
        match self.result {
            Err(error) => line["error"] = json!(error),
            Ok(outcome) => {
                line["simulated_us"] = json!(outcome.simulated.0);
                line["events"] = json!(outcome.events);
                line["events_per_s"] = json!(per_second(outcome.events, self.wall));
                line["simulated_s_per_s"] =
                    json!(per_second(outcome.simulated.0 / 1_000_000, self.wall));
                line["trace_hash"] = json!(format!("{:016x}", outcome.trace_hash));
                line["state_hash"] = json!(format!("{:016x}", outcome.state_hash));
                line["time_scale"] = json!(self.job.time_scale);
                line["lag_us"] = json!(outcome.lag.map(|lag| lag.0));
                line["notes"] = json!(outcome.notes);
                line["marks"] = json!(outcome.verdict.marks);
                line["violations"] = outcome.verdict.violations.iter().map(violation).collect();
                line["checks"] = outcome.verdict.checks.iter().map(check).collect();
                let skipped = outcome.skipped.iter();
                line["skipped"] = skipped
                    .map(|(line, text)| json!({ "line": line, "text": text }))
                    .collect();
            }
        }
        line
    }
}

fn violation(it: &Violation) -> Value {
    json!({
        "check": it.check,
        "text": it.text,
        "at_us": it.at.0,
        "entry": it.entry,
        "bound_us": it.bound.map(|bound| bound.0),
        "measured_us": it.measured.map(|measured| measured.0),
    })
}

fn check(it: &CheckResult) -> Value {
    json!({
        "check": it.check,
        "name": it.name,
        "judged": it.judged,
        "broken": it.broken,
        "worst_us": it.worst.map(|worst| worst.0),
        "bound_us": it.bound.map(|bound| bound.0),
    })
}

/// The check that the file expects to be broken under the job's profile.
fn expected<'a>(job: &Job<'a>) -> Option<&'a str> {
    let profile = profile_text(job.profile?);
    job.scenario.expect.fails.get(&profile).map(String::as_str)
}

/// What the file expects and the run did not show.
fn missed(job: &Job<'_>, outcome: &Outcome) -> Vec<String> {
    let verdict = &outcome.verdict;
    let mut missed = Vec::new();
    if let Some(check) = expected(job)
        && !verdict
            .violations
            .iter()
            .any(|violation| violation.check == check)
    {
        missed.push(format!(
            "{check} was expected to be broken under this profile, and was not"
        ));
    }
    // Why not under another profile: the marks are what the file promises as it stands.
    if job.profile.is_none() {
        for mark in &job.scenario.expect.reached {
            if verdict.marks.get(mark.as_str()).copied().unwrap_or(0) == 0 {
                missed.push(format!("`{mark}` was expected to be reached, and was not"));
            }
        }
    }
    missed
}

fn broken(violation: &Violation, checks: &[CheckResult]) -> String {
    let name = checks
        .iter()
        .find(|check| check.check == violation.check)
        .map(|check| check.name);
    let mut text = violation.check.to_owned();
    if let Some(name) = name {
        text.push_str(&format!(" ({name})"));
    }
    text.push_str(&format!(
        " first broken at {}, entry {}: {}",
        violation.at, violation.entry, violation.text
    ));
    if let Some(bound) = violation.bound {
        text.push_str(&format!("; bound {bound}"));
    }
    if let Some(measured) = violation.measured {
        text.push_str(&format!(", measured {measured}"));
    }
    text
}

/// A real time, to three digits or so.
fn short(period: Period) -> String {
    match period.0 {
        micros @ 0..1_000 => format!("{micros}us"),
        micros @ 1_000..1_000_000 => format!("{}.{:02}ms", micros / 1_000, micros % 1_000 / 10),
        micros => format!("{}.{:02}s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// How many in a second, when so many took this long.
fn per_second(count: u64, wall: Period) -> u64 {
    let rate = u128::from(count) * 1_000_000 / u128::from(wall.0.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A word for a shell, in quotes when it needs them.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;
