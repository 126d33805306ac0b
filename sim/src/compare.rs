//! The same question asked in several worlds: what each says of each check, side by side.
//!
//! All worlds run the scenario with the same seed and with the same time scale, so it is one
//! question, and their measured times can be read beside each other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use distro_core::time::Period;
use serde_json::{Value, json};

use crate::check::verdict::CheckResult;
use crate::outcome::{Outcome, RunOptions};
use crate::run::run;
use crate::scenario::model::{Scenario, WorldKind};

/// What one world says of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It was judged and held.
    Held,
    /// It was broken.
    Broken,
    /// This run gave no occasion to judge it.
    Unasked,
    /// The run failed.
    Failed,
}

impl Word {
    /// As it is shown.
    pub const fn text(self) -> &'static str {
        match self {
            Word::Held => "held",
            Word::Broken => "BROKEN",
            Word::Unasked => "-",
            Word::Failed => "FAILED",
        }
    }
}

/// One check in one world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The verdict.
    pub word: Word,
    /// The largest measured time, for checks with a bound.
    pub measured: Option<Period>,
    /// The bound at that time.
    pub bound: Option<Period>,
}

/// One check in all worlds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The property, such as `L2`.
    pub check: &'static str,
    /// Its name in words.
    pub name: &'static str,
    /// What each world says, in the order of [`Comparison::worlds`].
    pub cells: Vec<Cell>,
}

/// One scenario in several worlds.
#[derive(Debug)]
pub struct Comparison {
    /// In this order.
    pub worlds: Vec<WorldKind>,
    /// What came out in each.
    pub outcomes: Vec<Result<Outcome, String>>,
    /// Every check that any world judged.
    pub rows: Vec<Row>,
}

impl Row {
    /// True when one world says held and another broken. A world that had no occasion contradicts
    /// nobody.
    pub fn differs(&self) -> bool {
        let says = |word| self.cells.iter().any(|cell| cell.word == word);
        says(Word::Broken) && says(Word::Held)
    }
}

impl Comparison {
    /// Runs the scenario in each of these worlds, one after the other.
    pub fn run(scenario: &Scenario, worlds: &[WorldKind], options: &RunOptions) -> Comparison {
        let one = |world: &WorldKind| {
            let options = RunOptions {
                world: *world,
                seed: options.seed,
                profile: options.profile,
                trace: None,
                time_scale: options.time_scale,
                tcp: options.tcp.clone(),
            };
            guarded(scenario, &options)
        };
        let outcomes: Vec<_> = worlds.iter().map(one).collect();
        Comparison::of(worlds.to_vec(), outcomes)
    }

    /// Puts what came out side by side.
    pub fn of(worlds: Vec<WorldKind>, outcomes: Vec<Result<Outcome, String>>) -> Comparison {
        // Every world lists every check, so any that ran will do.
        let checks = outcomes.iter().flatten().next();
        let checks = checks.map_or(&[][..], |outcome| &outcome.verdict.checks);
        let row = |(index, check): (usize, &CheckResult)| Row {
            check: check.check,
            name: check.name,
            cells: outcomes.iter().map(|run| cell(run, index)).collect(),
        };
        let rows = checks.iter().enumerate().map(row);
        let rows = rows.filter(|row| row.cells.iter().any(|cell| cell.word != Word::Unasked));
        Comparison {
            rows: rows.collect(),
            worlds,
            outcomes,
        }
    }

    /// True when a run failed: there is nothing to compare it by.
    pub fn failed(&self) -> bool {
        self.outcomes.iter().any(Result::is_err)
    }

    /// True when the worlds do not say the same.
    pub fn differs(&self) -> bool {
        self.rows.iter().any(Row::differs)
    }

    /// The table: a heading and one row for each check.
    pub fn table(&self) -> String {
        let name = self.rows.iter().map(|row| row.name.len()).max();
        let name = name.unwrap_or(0).max("property".len());
        let mut out = format!("  {:<6}  {:<name$}", "check", "property");
        for world in &self.worlds {
            out.push_str(&format!("  {:<CELL$}", world.name()));
        }
        out = format!("{}\n", out.trim_end());
        for row in &self.rows {
            let mut line = format!("  {:<6}  {:<name$}", row.check, row.name);
            for cell in &row.cells {
                line.push_str(&format!("  {:<CELL$}", cell.text()));
            }
            if row.differs() {
                line.push_str("  DIFFERS");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// What the table does not say: runs that failed, faults that were skipped, delays.
    pub fn details(&self) -> String {
        let mut out = String::new();
        for (world, outcome) in self.worlds.iter().zip(&self.outcomes) {
            let world = world.name();
            match outcome {
                Err(error) => out.push_str(&format!("    the run in {world} failed: {error}\n")),
                Ok(outcome) => {
                    for (line, text) in &outcome.skipped {
                        out.push_str(&format!("    skipped in {world}: {text} (line {line})\n"));
                    }
                    if let Some(lag) = outcome.lag {
                        out.push_str(&format!(
                            "    {world}: the machine's scheduler added up to {lag}, which every \
                             step of a bound has more\n"
                        ));
                    }
                    for note in &outcome.notes {
                        out.push_str(&format!("    {world}: {note}\n"));
                    }
                    for violation in &outcome.verdict.violations {
                        let (check, at, text) = (violation.check, violation.at, &violation.text);
                        out.push_str(&format!("    {world}: {check} at {at}: {text}\n"));
                    }
                }
            }
        }
        out
    }

    /// Everything, for machines.
    pub fn json(&self) -> Value {
        let worlds = self.worlds.iter().zip(&self.outcomes);
        let worlds = worlds.map(|(world, outcome)| match outcome {
            Err(error) => json!({ "world": world.name(), "error": error }),
            Ok(outcome) => json!({
                "world": world.name(),
                "skipped": outcome.skipped.iter().map(|(line, text)| {
                    json!({ "line": line, "text": text })
                }).collect::<Vec<_>>(),
                "lag_us": outcome.lag.map(|lag| lag.0),
                "notes": outcome.notes,
                "violations": outcome.verdict.violations.iter().map(|violation| json!({
                    "check": violation.check, "at_us": violation.at.0, "text": violation.text,
                })).collect::<Vec<_>>(),
            }),
        });
        let cells = |row: &Row| -> Value {
            let cells = self.worlds.iter().zip(&row.cells);
            let cells = cells.map(|(world, cell)| {
                json!({
                    "world": world.name(),
                    "verdict": cell.word.json(),
                    "measured_us": cell.measured.map(|period| period.0),
                    "bound_us": cell.bound.map(|period| period.0),
                })
            });
            cells.collect()
        };
        let rows = self.rows.iter().map(|row| {
            json!({
                "check": row.check,
                "name": row.name,
                "differs": row.differs(),
                "worlds": cells(row),
            })
        });
        json!({
            "worlds": worlds.collect::<Vec<_>>(),
            "checks": rows.collect::<Vec<_>>(),
            "differs": self.differs(),
            "failed": self.failed(),
        })
    }
}

/// Characters for what one world says.
const CELL: usize = 17;

impl Word {
    const fn json(self) -> &'static str {
        match self {
            Word::Held => "held",
            Word::Broken => "broken",
            Word::Unasked => "unasked",
            Word::Failed => "failed",
        }
    }
}

impl Cell {
    fn text(&self) -> String {
        match self.measured {
            Some(measured) => format!("{} {measured}", self.word.text()),
            None => self.word.text().to_owned(),
        }
    }
}

fn cell(run: &Result<Outcome, String>, index: usize) -> Cell {
    let Some(check) = run
        .as_ref()
        .ok()
        .and_then(|run| run.verdict.checks.get(index))
    else {
        return Cell {
            word: Word::Failed,
            measured: None,
            bound: None,
        };
    };
    let word = match check {
        CheckResult { broken: 1.., .. } => Word::Broken,
        CheckResult { judged: 0, .. } => Word::Unasked,
        CheckResult { .. } => Word::Held,
    };
    Cell {
        word,
        measured: check.worst,
        bound: check.bound,
    }
}

/// Runs, and turns a panic into a failure of this run alone: the others still run.
///
/// # Errors
/// The run failed, or panicked.
pub fn guarded(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    let ran = catch_unwind(AssertUnwindSafe(|| run(scenario, options)));
    ran.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!(
            "a bug of the testbed or the core: {}",
            text.unwrap_or("panic")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::Verdict;

    fn outcome(checks: &[(u64, u64, Option<u64>)]) -> Result<Outcome, String> {
        let names = [("S1", "single writer"), ("L2", "change visible on peer")];
        let checks = checks.iter().zip(names);
        let checks = checks.map(|((judged, broken, worst), (check, name))| CheckResult {
            check,
            name,
            judged: *judged,
            worst: worst.map(Period::from_millis),
            bound: worst.map(|_| Period::from_secs(2)),
            broken: *broken,
        });
        Ok(Outcome {
            notes: Vec::new(),
            verdict: Verdict {
                checks: checks.collect(),
                ..Verdict::default()
            },
            skipped: vec![(7, "drift: no".to_owned())],
            simulated: Period::from_secs(1),
            events: 1,
            trace_hash: 0,
            state_hash: 0,
            lag: Some(Period::from_millis(3)),
        })
    }

    fn compared(runs: Vec<Result<Outcome, String>>) -> Comparison {
        let worlds = WorldKind::ALL.map(|(world, _)| world);
        Comparison::of(worlds[..runs.len()].to_vec(), runs)
    }

    #[test]
    fn each_check_is_one_row_with_what_each_world_measured() {
        let same = compared(vec![
            outcome(&[(3, 0, None), (1, 0, Some(900))]),
            outcome(&[(2, 0, None), (1, 0, Some(950))]),
            outcome(&[(0, 0, None), (1, 0, Some(1_100))]),
        ]);
        assert!(!same.differs() && !same.failed());
        assert_eq!(
            same.table(),
            "  check   property                event              turmoil            tcp\n  \
             S1      single writer           held               held               -\n  \
             L2      change visible on peer  held 0.9s          held 0.95s         held 1.1s\n"
        );
        let details = same.details();
        assert!(
            details.contains("skipped in tcp: drift: no (line 7)"),
            "{details}"
        );
        assert!(details.contains("tcp: the machine's scheduler added up to 0.003s"));
    }

    #[test]
    fn worlds_that_disagree_are_found() {
        let other = compared(vec![
            outcome(&[(3, 0, None), (1, 0, Some(900))]),
            outcome(&[(2, 0, None), (1, 1, Some(2_100))]),
        ]);
        assert!(other.differs());
        let marked: Vec<&str> = { other.rows.iter() }
            .filter(|row| row.differs())
            .map(|row| row.check)
            .collect();
        assert_eq!(marked, ["L2"]);
        assert!(
            other.table().contains("BROKEN 2.1s        DIFFERS"),
            "{}",
            other.table()
        );
        assert_eq!(other.json()["checks"][1]["worlds"][1]["verdict"], "broken");
    }

    #[test]
    fn a_world_without_an_occasion_contradicts_nobody_and_a_check_nobody_judged_has_no_row() {
        let quiet = compared(vec![
            outcome(&[(0, 0, None), (1, 1, Some(2_100))]),
            outcome(&[(0, 0, None), (0, 0, None)]),
        ]);
        assert!(!quiet.differs());
        assert_eq!(quiet.rows.len(), 1);
    }

    #[test]
    fn a_run_that_failed_is_no_agreement() {
        let failed = compared(vec![outcome(&[(1, 0, None)]), Err("no binary".to_owned())]);
        assert!(failed.failed());
        assert_eq!(failed.rows[0].cells[1].word, Word::Failed);
        assert!(
            failed
                .details()
                .contains("the run in turmoil failed: no binary")
        );
    }
}
