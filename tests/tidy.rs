//! What no compiler looks at: references resolve, files stay small, every scenario says what it
//! shows, and the recipes of CONTRIBUTING name what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines that a source file may have. Why: one subject each, and a reader finds it.
const LINES_MAX: usize = 500;
/// Columns of a comment; code is the formatter's.
const COLUMNS_MAX: usize = 100;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below these folders with this ending, without what is built.
fn files(folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the folder can be read");
            let entries = entries.map(|entry| entry.expect("it has entries").path());
            let built = |path: &PathBuf| path.ends_with("target") || path.ends_with("node_modules");
            open.extend(entries.filter(|path| !built(path)));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folders:?} have files in {ending}");
    found
}

/// All of the project; the suite for a foreign SDK is a program of its own, beside those in other
/// languages.
fn sources() -> Vec<PathBuf> {
    let mut all = files(&["core", "src", "sim", "tests", "fuzz", "examples"], "rs");
    all.retain(|path| !path.starts_with(root().join("tests/sdk/rust")));
    all
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    let below = path.strip_prefix(root()).unwrap_or(path);
    below.display().to_string()
}

/// The numbers in `part 12.4 to 12.6` and `part 9.2, 9.3`, as far as they are numbers.
fn parts(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("part ") {
        let rest = &line[at + 5..];
        for word in rest
            .split([' ', ',', ')', ';', ':'])
            .filter(|word| !word.is_empty())
        {
            let number = word.trim_end_matches('.');
            let is_number = number.starts_with(|first: char| first.is_ascii_digit())
                && number.chars().all(|one| one.is_ascii_digit() || one == '.');
            if is_number {
                found.push(number.to_owned());
            } else if word != "to" && word != "and" {
                break;
            }
        }
    }
    found
}

#[test]
fn every_part_that_a_comment_names_is_told() {
    let told: BTreeSet<String> = text(&root().join("docs/NACOS.md"))
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or(line.strip_prefix("### ")))
        .filter_map(|heading| heading.split(' ').next())
        .map(|number| number.trim_end_matches('.').to_owned())
        .collect();
    let mut named = 0;
    for path in sources() {
        for (number, line) in (1..).zip(text(&path).lines()) {
            for part in parts(line) {
                named += 1;
                let place = format!("{}:{number}", shown(&path));
                assert!(told.contains(&part), "{place}: docs/NACOS.md has no {part}");
            }
        }
    }
    assert!(named > 30, "comments name parts: {named}");
}

#[test]
fn references_are_read_as_people_write_them() {
    assert_eq!(
        parts("order nothing guards (part 12.4 to 12.6)."),
        ["12.4", "12.6"]
    );
    assert_eq!(parts("asks (part 9.2, 9.3): clients"), ["9.2", "9.3"]);
    assert_eq!(parts("the naming requests (part 4)."), ["4"]);
    assert_eq!(parts("only the part of it that"), [""; 0]);
}

#[test]
fn files_have_one_subject_and_lines_fit() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = text(&path);
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines", shown(&path)));
        }
        for (number, line) in (1..).zip(text.lines()) {
            let comment = line.trim_start();
            let breakable = comment.starts_with("// ")
                || comment.starts_with("/// ")
                || comment.starts_with("//! ");
            if breakable && !line.contains('"') && line.chars().count() > COLUMNS_MAX {
                wrong.push(format!("{}:{number} is too wide", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_scenario_opens_with_what_it_shows() {
    for path in files(&["scenarios"], "toml") {
        let text = text(&path);
        let about = text.strip_prefix("about = ").unwrap_or_default();
        let about = about.trim_start_matches('"').trim_start();
        let prose = about.split("\"\"\"").next().unwrap_or_default();
        let words = prose.split_whitespace().count();
        assert!(words >= 10, "{} says too little of itself", shown(&path));
    }
}

/// Paths in backticks, of a document. A pattern stands for a family and is left out.
fn paths_named(document: &str) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        let plain = |one: char| one.is_ascii_alphanumeric() || "/._-".contains(one);
        let starts = [
            "core/",
            "src/",
            "sim/",
            "tests/",
            "docs/",
            "scenarios/",
            "fuzz/",
        ];
        word.chars().all(plain) && starts.iter().any(|start| word.starts_with(start))
    };
    quoted.filter(is_path).map(str::to_owned).collect()
}

#[test]
fn what_the_documents_for_contributors_name_is_there() {
    for document in ["CONTRIBUTING.md", "docs/ARCHITECTURE.md", "README.md"] {
        let named = paths_named(&text(&root().join(document)));
        for path in &named {
            let built = path.starts_with("fuzz/target") || path.starts_with("target");
            assert!(
                built || root().join(path).exists(),
                "{document} names {path}, which is not there"
            );
        }
    }
    assert_eq!(
        paths_named("see `core/src/io.rs` and `cargo`"),
        ["core/src/io.rs"]
    );
}
