//! Reads settings from their three sources and notes everything that is wrong on the way.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::keys::Keys;
use super::show::{leaves, named, variable};
use super::{Settings, Source, Text};
use crate::text::found::Found;
use crate::text::problem::{Problems, did_you_mean};
use crate::text::slot::Place;
use crate::text::table;

/// The environment variable that names the file.
pub const FILE_VARIABLE: &str = "DISTRO_CONFIG";
const PREFIX: &str = "DISTRO_";
/// Variables that other commands of the binary read.
const OTHERS: [&str; 7] = [
    FILE_VARIABLE,
    "DISTRO_OPS_SERVER",
    "DISTRO_SERVER",
    "DISTRO_CLIENT_TLS_CA",
    "DISTRO_CLIENT_TLS_CERT",
    "DISTRO_CLIENT_TLS_KEY",
    "DISTRO_CLIENT_TLS_NAME",
];

/// One flag as it was given.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As typed: `--port` or `--set`.
    pub name: String,
    /// The key it sets.
    pub path: String,
    /// The value's text.
    pub value: String,
}

/// What there is to read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file, if one is named.
    pub file: Option<PathBuf>,
    /// Environment variables, names and values.
    pub environment: Vec<(String, String)>,
    /// Flags that set something.
    pub flags: Vec<Flag>,
}

/// Reads everything. The second part of the result are warnings, one line each.
///
/// # Errors
/// Everything that is wrong, by the text it stands in.
pub fn load(sources: &Sources) -> Result<(Settings, Vec<String>), Vec<Problems>> {
    let mut reader = Reader::default();
    if let Some(path) = &sources.file {
        reader.file(path);
    }
    let warnings = reader.environment(&sources.environment);
    reader.flags(&sources.flags);
    let Reader {
        settings,
        mut problems,
    } = reader;
    if problems.is_empty() {
        problems = settings.misfits();
    }
    if problems.is_empty() {
        Ok((settings, warnings))
    } else {
        Err(problems)
    }
}

#[derive(Default)]
struct Reader {
    settings: Settings,
    problems: Vec<Problems>,
}

/// Where a key would be right that its table does not have.
fn elsewhere(word: &str) -> Option<String> {
    let keys = Keys::default();
    let leaf = leaves(&keys)
        .into_iter()
        .find(|leaf| leaf.key.name == word)?;
    Some(match leaf.table {
        "" => format!("`{word}` stands above the first table"),
        table => format!("`{word}` stands under [{table}]"),
    })
}

impl Reader {
    /// What is found in the text that is read next.
    fn found(&self) -> Found {
        Found {
            text: self.settings.texts.len(),
            elsewhere: Some(elsewhere),
            ..Found::default()
        }
    }

    /// A text is read: its problems, if any, belong to it.
    fn finish(&mut self, source: Source, text: String, found: Found) {
        let text = masked(text, &found);
        let text = Text { source, text };
        if !found.list.is_empty() {
            let (name, shown) = text.named();
            self.problems.push(Problems::new(name, shown, found.list));
        }
        self.settings.texts.push(text);
    }

    fn file(&mut self, path: &Path) {
        let source = Source::File(path.display().to_string());
        let mut found = self.found();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("the file cannot be read: {error}");
                found.add(0..0, message, "name a file with `--config`, or none");
                return self.finish(source, String::new(), found);
            }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            found.add(span, error.message(), "this is not TOML");
        }
        let (keys, what) = (&mut self.settings.keys, Keys::SECTION.what);
        table::read(keys, &mut found, what, 0..0, table.get_ref());
        self.finish(source, text, found);
    }

    /// Takes the value of a key that a variable or a flag sets.
    fn set(&mut self, found: &mut Found, path: &str, value: &str, at: usize) {
        let span = at..at + value.len();
        let Some(slot) = named(&mut self.settings.keys, path) else {
            return;
        };
        if slot.is_secret() {
            found.secrets.push(span.clone());
        }
        let place = Place {
            text: found.text,
            span: span.clone(),
        };
        found.take(span, slot.parse(value, place));
    }

    /// Variables that begin like ours and are not are only a warning: container platforms set
    /// such for a service that happens to be called `distro`.
    fn environment(&mut self, variables: &[(String, String)]) -> Vec<String> {
        let (mut text, mut found, mut warnings) = (String::new(), self.found(), Vec::new());
        let paths = paths();
        let mut ours: Vec<_> = variables
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str()))
            .collect();
        ours.sort();
        for (name, value) in ours {
            let Some(path) = paths.iter().find(|path| variable(path) == *name) else {
                let names: Vec<String> = paths.iter().map(|path| variable(path)).collect();
                let near = did_you_mean(name, names.iter().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                warnings.push(format!("the variable {name} sets nothing{hint}"));
                continue;
            };
            let at = text.len() + name.len() + 1;
            text.push_str(&format!("{name}={value}\n"));
            self.set(&mut found, path, value, at);
        }
        self.finish(Source::Environment, text, found);
        warnings
    }

    fn flags(&mut self, flags: &[Flag]) {
        let (mut text, mut found) = (String::new(), self.found());
        let paths = paths();
        for Flag { name, path, value } in flags {
            let lead = if name == "--set" {
                format!("{name} {path}=")
            } else {
                format!("{name} ")
            };
            let at = text.len() + lead.len();
            let path_at = text.len() + name.len() + 1;
            text.push_str(&format!("{lead}{value}\n"));
            if paths.contains(path) {
                self.set(&mut found, path, value, at);
                continue;
            }
            let help = match did_you_mean(path, paths.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`distro serve --print-config` shows every key".to_owned(),
            };
            let message = format!("unknown key `{path}`");
            found.add(path_at..path_at + path.len(), message, help);
        }
        self.finish(Source::Flags, text, found);
    }
}

/// The paths of all keys.
fn paths() -> Vec<String> {
    let keys = Keys::default();
    leaves(&keys).into_iter().map(|leaf| leaf.path).collect()
}

/// The text without its secrets: a problem shows the lines around it too.
fn masked(text: String, found: &Found) -> String {
    let mut bytes = text.into_bytes();
    for span in &found.secrets {
        if let Some(secret) = bytes.get_mut(span.clone()) {
            secret.fill(b'*');
        }
    }
    // Spans are those of whole values, so what is left is text.
    String::from_utf8_lossy(&bytes).into_owned()
}
