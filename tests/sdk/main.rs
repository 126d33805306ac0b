//! The official SDKs against a cluster of real nodes: one program of ours for each, with the
//! package that everybody uses. `SDK_SUITES=all` runs every suite whose tools are here and says
//! which are not; names (`SDK_SUITES=python,rust`) run these, and then a missing tool is a failure.
//! Without it nothing runs: the suites need package managers, the rest of the tests does not.
//! `SDK_TABLE=docs/SDK.md` also puts the table into that file, when every suite ran.
//!
//! # What a program is told and what it answers
//! It speaks in lines that begin with `@`, one JSON object each; other lines are the SDK's noise.
//! It is told where to go by `SUITE_A`, `SUITE_B` (one node each), `SUITE_ALL` (several, to move
//! between) and `SUITE_DIR` (for its files). `SUITE_CASES`, if set, names the only cases to run.
//! - `main`: `{sdk, version}`, then one `{case, ok, why, skip}` for each case with two clients, A
//!   and B, on two nodes; `{cases: "done"}`. Then B subscribes to the service `held`
//!   (`{observing}`) and answers questions from standard input: `present A`, `absent A` when its
//!   pushed list is so, `mark` and `removed` which instances left since, `sees S P..` when a list
//!   of A's has these ports, until `end`.
//! - `hold`: registers one instance of `held` (`{holding}`) and keeps it until `end`.
//!
//! The driver kills and restarts nodes, stops and continues `hold`, and judges by B's answers.
//! Nothing waits for time: when the records of a dead node are gone is told by a witness that
//! only this node had.
//!
//! # Layout
//! - [`cluster`]: the nodes · [`speaker`]: lines and signals · [`suite`]: the SDKs and how their
//!   programs are built · [`stages`]: cases and faults · [`table`]: what people read

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod cluster;
#[path = "../process/mod.rs"]
mod process;
mod speaker;
mod stages;
mod suite;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use suite::{SUITES, Suite, Unready};
use table::Row;

/// Which suites are to run, and whether one that cannot is a failure.
struct Choice {
    suites: Vec<&'static Suite>,
    must_run: bool,
}

fn choice() -> Result<Choice, String> {
    let names = std::env::var("SDK_SUITES").unwrap_or_default();
    if names.trim() == "all" {
        return Ok(Choice {
            suites: SUITES.iter().collect(),
            must_run: false,
        });
    }
    let mut suites = Vec::new();
    for name in names.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let suite = SUITES.iter().find(|suite| suite.name == name);
        suites.push(suite.ok_or_else(|| {
            let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            format!(
                "SDK_SUITES: no suite `{name}`; there are all, {}",
                known.join(", ")
            )
        })?);
    }
    Ok(Choice {
        suites,
        must_run: true,
    })
}

/// `target/sdk`, where built programs and fetched packages stay.
fn cache() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).join("sdk")
}

fn run(suite: &'static Suite) -> Row {
    let dir = cache().join(suite.name);
    std::fs::create_dir_all(&dir).unwrap();
    match suite.prepare(&dir) {
        Ok(program) => stages::run(suite, &program, &dir),
        Err(Unready::Missing(why)) => Row::skipped(suite.name, why),
        Err(Unready::Broken(why)) => Row::broken(suite.name, why),
    }
}

fn keep_table(rows: &[Row]) -> Result<(), String> {
    let Some(file) = std::env::var_os("SDK_TABLE") else {
        return Ok(());
    };
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map_err(|error| format!("table not kept: date: {error}"))?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    table::keep(rows, &date, &file)
}

fn main() -> ExitCode {
    // Words are filters of `cargo test NAME`; this is one test with one name.
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let listing = std::env::args().any(|word| word == "--list");
    if listing || !filters.is_empty() && !filters.iter().any(|f| "sdk_suites".contains(f.as_str()))
    {
        return ExitCode::SUCCESS;
    }
    let choice = match choice() {
        Ok(choice) => choice,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    if choice.suites.is_empty() {
        println!("sdk suites: not run; SDK_SUITES=all runs them (see docs/SDK.md)");
        return ExitCode::SUCCESS;
    }
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let running: Vec<_> = choice
            .suites
            .iter()
            .map(|suite| (suite.name, scope.spawn(move || run(suite))))
            .collect();
        running
            .into_iter()
            .map(|(name, thread)| {
                let told = |panic: &Box<dyn std::any::Any + Send>| {
                    let text = panic.downcast_ref::<String>().cloned();
                    text.unwrap_or_else(|| "the driver panicked".to_owned())
                };
                thread
                    .join()
                    .unwrap_or_else(|panic| Row::broken(name, told(&panic)))
            })
            .collect()
    });
    print!("{}", table::text(&rows));
    if let Err(why) = keep_table(&rows) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    let bad = |row: &Row| row.is_bad() || choice.must_run && row.is_skipped();
    if rows.iter().any(bad) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
