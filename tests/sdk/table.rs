//! What people read: one row for each SDK, then everything that did not pass.

use std::fmt::Write;

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

/// The table with its notes.
pub(crate) fn text(rows: &[Row]) -> String {
    let heading = [
        "SUITE",
        "SDK",
        "VERSION",
        "CASES",
        "PASSED",
        "EXPLAINED",
        "FAILED",
        "SKIPPED",
    ];
    let mut lines = vec![heading.map(str::to_owned)];
    for row in rows {
        lines.push([
            row.suite.to_owned(),
            row.sdk.clone(),
            row.version.clone(),
            row.cases.len().to_string(),
            row.count(|verdict| matches!(verdict, Verdict::Passed(_))),
            row.count(|verdict| matches!(verdict, Verdict::Explained(_))),
            row.count(|verdict| matches!(verdict, Verdict::Failed(_))),
            row.count(|verdict| matches!(verdict, Verdict::Skipped(_))),
        ]);
    }
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut out = String::from("\n");
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(word, width)| format!("{word:width$}"))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end()).unwrap();
    }
    for row in rows {
        if let Some(why) = &row.skipped {
            writeln!(out, "{}: not run: {why}", row.suite).unwrap();
        }
        if let Some(why) = &row.broken {
            writeln!(out, "{}: ENDED EARLY: {why}", row.suite).unwrap();
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
            writeln!(out, "{} {}: {word}: {why}", row.suite, case.name).unwrap();
        }
    }
    out
}
