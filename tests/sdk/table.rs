//! What people read: one row for each SDK, then everything that did not pass.

use std::fmt::Write;
use std::path::Path;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should; maybe with something to tell.
    Passed(Option<String>),
    /// It did not, and this is why the SDK and not the node is the reason.
    Explained(String),
    /// It did not.
    Failed(String),
    /// The SDK cannot do it.
    Skipped(String),
}

impl Verdict {
    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verdict::Passed(_) => "passed",
            Verdict::Explained(_) => "explained",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "skipped",
        }
    }
}

/// A case and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

/// An SDK.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    suite: &'static str,
    sdk: String,
    version: String,
    cases: Vec<Case>,
    /// Why it did not run.
    skipped: Option<String>,
    /// Why it ended early.
    broken: Option<String>,
}

impl Row {
    /// A suite that ran.
    pub(crate) fn ran(
        suite: &'static str,
        (sdk, version): (String, String),
        cases: Vec<Case>,
        broken: Option<String>,
    ) -> Row {
        Row {
            suite,
            sdk,
            version,
            cases,
            skipped: None,
            broken,
        }
    }

    /// A suite that could not run here.
    pub(crate) fn skipped(suite: &'static str, why: String) -> Row {
        let mut row = Row::broken(suite, String::new());
        (row.skipped, row.broken) = (Some(why), None);
        row
    }

    /// A suite that could not be run to its end.
    pub(crate) fn broken(suite: &'static str, why: String) -> Row {
        let (sdk, version) = ("-".to_owned(), "-".to_owned());
        Row::ran(suite, (sdk, version), Vec::new(), Some(why))
    }

    /// True when something did not pass and nothing explains it.
    pub(crate) fn is_bad(&self) -> bool {
        let failed = |case: &Case| matches!(case.verdict, Verdict::Failed(_));
        self.broken.is_some() || self.cases.iter().any(failed)
    }

    /// True when it did not run.
    pub(crate) fn is_skipped(&self) -> bool {
        self.skipped.is_some()
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> String {
        let of = self.cases.iter().filter(|case| is(&case.verdict));
        of.count().to_string()
    }
}

const HEADING: [&str; 8] = [
    "SUITE",
    "SDK",
    "VERSION",
    "CASES",
    "PASSED",
    "EXPLAINED",
    "FAILED",
    "SKIPPED",
];

fn cells(row: &Row) -> [String; 8] {
    [
        row.suite.to_owned(),
        row.sdk.clone(),
        row.version.clone(),
        row.cases.len().to_string(),
        row.count(|verdict| matches!(verdict, Verdict::Passed(_))),
        row.count(|verdict| matches!(verdict, Verdict::Explained(_))),
        row.count(|verdict| matches!(verdict, Verdict::Failed(_))),
        row.count(|verdict| matches!(verdict, Verdict::Skipped(_))),
    ]
}

/// Everything that the numbers do not say, a line each.
fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows {
        if let Some(why) = &row.skipped {
            notes.push(format!("{}: NOT RUN: {why}", row.suite));
        }
        if let Some(why) = &row.broken {
            notes.push(format!("{}: ENDED EARLY: {why}", row.suite));
        }
        for case in &row.cases {
            let why = match &case.verdict {
                Verdict::Passed(None) => continue,
                Verdict::Passed(Some(why))
                | Verdict::Explained(why)
                | Verdict::Failed(why)
                | Verdict::Skipped(why) => why,
            };
            let word = case.verdict.word();
            notes.push(format!("{} {}: {word}: {why}", row.suite, case.name));
        }
    }
    notes
}

/// The table with its notes.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut lines = vec![HEADING.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| {
        let words = lines.iter().map(|line| line[column].len());
        words.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADING.len()).map(width).collect();
    let mut out = String::from("\n");
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(word, width)| format!("{word:width$}"))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end()).unwrap();
    }
    for note in notes(rows) {
        writeln!(out, "{note}").unwrap();
    }
    out
}

/// The same for `docs/SDK.md`.
fn markdown(rows: &[Row], date: &str) -> String {
    let mut out = format!("Run of {date}:\n\n");
    let mut line = |cells: &[String]| writeln!(out, "| {} |", cells.join(" | ")).unwrap();
    line(&HEADING.map(str::to_lowercase));
    line(&HEADING.map(|_| "---".to_owned()));
    for row in rows {
        line(&cells(row));
    }
    out.push('\n');
    for note in notes(rows) {
        writeln!(out, "- {note}").unwrap();
    }
    out
}

/// Where `docs/SDK.md` keeps the table.
const MARKS: [&str; 2] = ["<!-- table: begin -->\n", "<!-- table: end -->"];

/// Puts the table into the file in place of the one of an earlier run. A run in which a suite did
/// not come to its end replaces nothing.
pub(crate) fn keep(rows: &[Row], date: &str, file: &Path) -> Result<(), String> {
    let is_partial = |row: &&Row| row.skipped.is_some() || row.broken.is_some();
    if let Some(row) = rows.iter().find(is_partial) {
        return Err(format!(
            "table not kept: {} did not run to its end",
            row.suite
        ));
    }
    let name = file.display();
    let told = |error: std::io::Error| format!("table not kept: {name}: {error}");
    let text = std::fs::read_to_string(file).map_err(told)?;
    let parts = text.split_once(MARKS[0]);
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(MARKS[1])?.1)));
    let Some((before, after)) = parts else {
        let [begin, end] = MARKS.map(str::trim);
        return Err(format!(
            "table not kept: {name} has no `{begin}` and `{end}`"
        ));
    };
    let [begin, end] = MARKS;
    let text = format!("{before}{begin}{}{end}{after}", markdown(rows, date));
    std::fs::write(file, text).map_err(told)
}
