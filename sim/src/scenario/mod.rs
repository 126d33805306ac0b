//! Scenario files: the format, its errors, and the checked [`model`].
//!
//! A scenario is TOML that a person can read aloud; `docs/SCENARIOS.md` is its reference.
//! [`parse`] gives the checked [`model::Scenario`] or every problem of the file at once;
//! [`write`] gives the file back.

pub mod address;
mod check;
mod fault;
mod fields;
mod hosts;
pub mod kinds;
pub mod model;
mod problem;
mod read;
mod scale;
pub mod schema;
pub mod tables;
mod value;
mod write;

use std::path::Path;

use toml::de::DeTable;

use distro_core::profile::Profile;

pub use check::{Impossible, Place, impossible};
pub use problem::{Problem, Problems};
pub use scale::scaled;
pub use write::{describe, without_lines, write};

use fields::Found;
use model::Scenario;

/// Reads a scenario from its text. `name` is the file's stem and becomes the scenario's name.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Problems> {
    parse_file(&format!("{name}.toml"), name, text)
}

/// Reads a scenario file.
///
/// # Errors
/// Everything that is wrong with the file; a file that can't be read is one problem.
pub fn load(path: &Path) -> Result<Scenario, Problems> {
    let shown = path.display().to_string();
    let name = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => parse_file(&shown, &name, &text),
            Err(error) => Err(unreadable(&shown, &format!("it is not UTF-8: {error}"))),
        },
        Err(error) => Err(unreadable(&shown, &error.to_string())),
    }
}

fn unreadable(file: &str, why: &str) -> Problems {
    let mut found = Found::default();
    found.add(
        0..0,
        format!("{file} can't be read: {why}"),
        "name a scenario file, written in TOML",
    );
    Problems::new(file, "", found.list)
}

fn parse_file(file: &str, name: &str, text: &str) -> Result<Scenario, Problems> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut found = Found::default();
    for error in &errors {
        found.add(
            error.span().unwrap_or(0..0),
            error.message(),
            "see https://toml.io for the syntax",
        );
    }
    // Why: after a syntax error the table has holes, and problems seen in them would mislead.
    if !errors.is_empty() {
        return Err(Problems::new(file, text, found.list));
    }
    let scenario = read::file(&mut found, name, text, root.get_ref());
    if found.list.is_empty() {
        Ok(scenario)
    } else {
        Err(Problems::new(file, text, found.list))
    }
}

/// A profile from its text, such as `nacos-2.3` or `distro + retry-replaces-delete`, as files and
/// the command line write it.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn profile(text: &str) -> Result<Profile, String> {
    value::profile(text).map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))
}

/// The text of a profile, as [`profile`] reads it.
pub fn profile_text(profile: Profile) -> String {
    value::profile_text(profile)
}

#[cfg(test)]
mod tests;
