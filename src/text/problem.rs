//! What is wrong with a file of settings or a scenario, all of it at once: each problem with its
//! place, what is wrong and what would be right.

use std::fmt;
use std::ops::Range;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};

use super::{plain, plain_lines, same_length};

/// Width of the printed messages, in columns. Fixed, so that output does not depend on where it
/// is shown.
const WIDTH: usize = 90;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes of the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// All problems of one file, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// The problems of a file; at least one.
    pub fn new(file: &str, text: &str, mut list: Vec<Problem>) -> Problems {
        list.sort_by(|a, b| {
            a.span
                .start
                .cmp(&b.span.start)
                .then(a.span.end.cmp(&b.span.end))
        });
        list.dedup();
        Problems {
            file: file.to_owned(),
            text: text.to_owned(),
            list,
        }
    }

    /// The problems one by one.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// The line of a problem, counted from 1.
    pub fn line(&self, problem: &Problem) -> u32 {
        line_of(&self.text, problem.span.start)
    }

    /// The problems as people read them: file, line, the line itself with carets under the spot.
    /// `fancy`: colours and line-drawing characters, for a terminal.
    pub fn render(&self, fancy: bool) -> String {
        let theme = if fancy {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::none()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_wrap_lines(false)
            .with_context_lines(1);
        // A line is shown as it is written, but for what a terminal would obey.
        let source = same_length(&self.text).into_owned();
        let mut out = String::new();
        for problem in &self.list {
            let at = LabeledSpan::new(None, problem.span.start, problem.span.len());
            let mut diagnostic =
                MietteDiagnostic::new(wrapped(&plain_lines(&problem.message))).with_label(at);
            if !problem.help.is_empty() {
                diagnostic = diagnostic.with_help(wrapped(&plain_lines(&problem.help)));
            }
            let report = Report::from(diagnostic)
                .with_source_code(NamedSource::new(plain(&self.file), source.clone()));
            if handler.render_report(&mut out, report.as_ref()).is_err() {
                // The handler fails only on a span outside the text; say it plainly then.
                out.push_str(&plain_lines(&format!(
                    "{}: {}\n",
                    self.file, problem.message
                )));
            }
            out.push('\n');
        }
        let count = self.list.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        out.push_str(&format!("{count} {noun} in {}\n", plain(&self.file)));
        out
    }
}

/// Breaks a text at blanks. Why not the renderer's own: it breaks names at their hyphens too.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}

/// The line of a byte position, counted from 1.
pub fn line_of(text: &str, at: usize) -> u32 {
    let before = &text.as_bytes()[..at.min(text.len())];
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX - 1) + 1
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// The known name that was probably meant, if one is close enough.
pub fn did_you_mean<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let close = 1 + unknown.chars().count() / 3;
    let unknown = unknown.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&unknown, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= close)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Help for an unknown name: the one that was probably meant, and all that there are.
pub fn help_for<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    /// More names than this are not worth listing.
    const LISTED_MAX: usize = 40;
    let meant = did_you_mean(unknown, known.clone());
    let names: Vec<&str> = known.into_iter().collect();
    let list = if names.len() <= LISTED_MAX {
        format!("known here: {}", names.join(", "))
    } else {
        format!(
            "known here: {}, ... ({} in all)",
            names[..LISTED_MAX].join(", "),
            names.len()
        )
    };
    match meant {
        Some(name) => format!("did you mean `{name}`? {list}"),
        None => list,
    }
}
