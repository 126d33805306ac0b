//! Reads settings from their three sources and notes everything that is wrong on the way.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, TABLES};
use super::kind::{Kind, Secret, Setting};
use super::member::Member;
use super::{Origin, Settings, Text, share};
use crate::text::problem::{Problem, Problems, did_you_mean, help_for, line_of};
use crate::text::value::Wrong;

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
    let mut reader = Reader {
        settings: Settings::defaults(),
        secrets: Vec::new(),
        texts: Vec::new(),
        problems: Vec::new(),
    };
    if let Some(path) = &sources.file {
        reader.file(path);
    }
    let warnings = reader.environment(&sources.environment);
    reader.flags(&sources.flags);
    let Reader {
        settings,
        texts,
        mut problems,
        ..
    } = reader;
    if problems.is_empty() {
        problems = settings.misfits(&texts);
    }
    if problems.is_empty() {
        Ok((settings, warnings))
    } else {
        Err(problems)
    }
}

struct Reader {
    settings: Settings,
    /// Where secrets stand in the text that is being read.
    secrets: Vec<Range<usize>>,
    texts: Vec<Text>,
    problems: Vec<Problems>,
}

fn problem(span: Range<usize>, wrong: Wrong) -> Problem {
    Problem {
        span,
        message: wrong.message,
        help: wrong.help,
    }
}

impl Reader {
    /// A text is read: its problems, if any, belong to it.
    fn finish(&mut self, name: String, text: String, found: Vec<Problem>) {
        let text = self.masked(text);
        if !found.is_empty() {
            self.problems.push(Problems::new(&name, &text, found));
        }
        self.texts.push((name, text));
    }

    /// The text without its secrets: a problem shows the lines around it too.
    fn masked(&mut self, text: String) -> String {
        let mut bytes = text.into_bytes();
        for span in self.secrets.drain(..) {
            if let Some(secret) = bytes.get_mut(span) {
                secret.fill(b'*');
            }
        }
        // Spans are those of whole values, so what is left is text.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn key(&self, path: &str) -> Option<Key> {
        let mut keys = self.settings.keys().iter();
        keys.find(|key| key.path() == path).cloned()
    }

    fn unknown(&self, path: &str) -> String {
        let paths: Vec<String> = self.settings.keys().iter().map(Key::path).collect();
        match did_you_mean(path, paths.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`distro serve --print-config` shows every key".to_owned(),
        }
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let wrong = Wrong {
                    message: format!("the file cannot be read: {error}"),
                    help: "name a file with `--config`, or none".to_owned(),
                };
                return self.finish(name, String::new(), vec![problem(0..0, wrong)]);
            }
        };
        let mut found = Vec::new();
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let wrong = Wrong {
                message: error.message().to_owned(),
                help: "this is not TOML".to_owned(),
            };
            found.push(problem(error.span().unwrap_or(0..0), wrong));
        }
        self.table("", table.get_ref(), (&name, &text), &mut found);
        self.finish(name, text, found);
    }

    fn table(
        &mut self,
        table: &'static str,
        entries: &DeTable<'_>,
        (name, text): (&str, &str),
        found: &mut Vec<Problem>,
    ) {
        for (word, value) in entries {
            let key = word.get_ref();
            let inner = TABLES.into_iter().find(|t| table.is_empty() && *t == key);
            if let Some(inner) = inner {
                match value.get_ref().as_table() {
                    Some(entries) => self.table(inner, entries, (name, text), found),
                    None => found.push(Problem {
                        span: value.span(),
                        message: format!("`{inner}` is a table"),
                        help: format!("write [{inner}] and its keys below"),
                    }),
                }
                continue;
            }
            let path = if table.is_empty() {
                key.to_string()
            } else {
                format!("{table}.{key}")
            };
            let Some(known) = self.key(&path) else {
                found.push(Problem {
                    span: word.span(),
                    message: format!("unknown key `{key}`"),
                    help: self.help_in(table, key),
                });
                continue;
            };
            if known.kind.is_secret() {
                self.secrets.push(value.span());
            }
            match from_toml(&known, value) {
                Ok(setting) => {
                    let line = line_of(text, word.span().start);
                    let origin = Origin {
                        words: format!("{name}:{line}"),
                        place: Some((self.texts.len(), value.span())),
                    };
                    self.settings.set(path, setting, origin);
                }
                Err(wrong) => found.push(wrong),
            }
        }
    }

    /// Help for an unknown key of a table: one of its own, or one that belongs elsewhere.
    fn help_in(&self, table: &str, word: &str) -> String {
        let keys = self.settings.keys();
        if let Some(elsewhere) = keys.iter().find(|key| key.name == word) {
            return if elsewhere.table.is_empty() {
                format!("`{word}` stands above the first table")
            } else {
                format!("`{word}` stands under [{}]", elsewhere.table)
            };
        }
        let names = keys.iter().filter(|key| key.table == table);
        let names = names.map(|key| key.name.as_str());
        let tables = TABLES.into_iter().filter(|_| table.is_empty());
        let names: Vec<&str> = names.chain(tables).collect();
        help_for(word, names.iter().copied())
    }

    /// Variables that begin like ours and are not are only a warning: container platforms set
    /// such for a service that happens to be called `distro`.
    fn environment(&mut self, variables: &[(String, String)]) -> Vec<String> {
        let (mut text, mut found, mut warnings) = (String::new(), Vec::new(), Vec::new());
        let mut ours: Vec<_> = variables
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str()))
            .collect();
        ours.sort();
        for (name, value) in ours {
            let keys = self.settings.keys();
            let Some(key) = keys.iter().find(|key| key.variable() == *name).cloned() else {
                let names: Vec<String> = keys.iter().map(Key::variable).collect();
                let near = did_you_mean(name, names.iter().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                warnings.push(format!("the variable {name} sets nothing{hint}"));
                continue;
            };
            let start = text.len() + name.len() + 1;
            let span = start..start + value.len();
            text.push_str(&format!("{name}={value}\n"));
            if key.kind.is_secret() {
                self.secrets.push(span.clone());
            }
            match key.kind.read(value) {
                Ok(setting) => {
                    let origin = Origin {
                        words: format!("environment {name}"),
                        place: Some((self.texts.len(), span)),
                    };
                    self.settings.set(key.path(), setting, origin);
                }
                Err(wrong) => found.push(problem(span, wrong)),
            }
        }
        self.finish("environment".to_owned(), text, found);
        warnings
    }

    fn flags(&mut self, flags: &[Flag]) {
        let (mut text, mut found) = (String::new(), Vec::new());
        for Flag { name, path, value } in flags {
            let lead = if name == "--set" {
                format!("{name} {path}=")
            } else {
                format!("{name} ")
            };
            let start = text.len() + lead.len();
            let span = start..start + value.len();
            let path_at = text.len() + name.len() + 1;
            text.push_str(&format!("{lead}{value}\n"));
            let Some(key) = self.key(path) else {
                found.push(Problem {
                    span: path_at..path_at + path.len(),
                    message: format!("unknown key `{path}`"),
                    help: self.unknown(path),
                });
                continue;
            };
            if key.kind.is_secret() {
                self.secrets.push(span.clone());
            }
            match key.kind.read(value) {
                Ok(setting) => {
                    let origin = Origin {
                        words: format!("flag {name}"),
                        place: Some((self.texts.len(), span)),
                    };
                    self.settings.set(path.clone(), setting, origin);
                }
                Err(wrong) => found.push(problem(span, wrong)),
            }
        }
        self.finish("command line".to_owned(), text, found);
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

/// A value of the file. Numbers may stand without quotes where they need no unit.
fn from_toml(key: &Key, value: &Value<'_>) -> Result<Setting, Problem> {
    let path = key.path();
    let wrong_type = || Problem {
        span: value.span(),
        message: format!("`{path}` cannot be this"),
        help: format!("write {}", key.kind.takes()),
    };
    match key.kind {
        Kind::Members => {
            let words = value.get_ref().as_array().ok_or_else(wrong_type)?;
            let members: Result<Vec<Member>, Problem> = words.iter().map(member).collect();
            members.map(Setting::Members)
        }
        Kind::Hashes => {
            let table = value.get_ref().as_table().ok_or_else(wrong_type)?;
            let mut texts = std::collections::BTreeMap::new();
            for (name, text) in table {
                let Some(text) = text.get_ref().as_str() else {
                    return Err(Problem {
                        span: text.span(),
                        message: format!("`{}` is not a text", name.get_ref()),
                        help: format!("write {}", key.kind.takes()),
                    });
                };
                texts.insert(name.get_ref().to_string(), Secret(text.to_owned()));
            }
            Ok(Setting::Hashes(texts))
        }
        Kind::Counts => {
            let table = value.get_ref().as_table().ok_or_else(wrong_type)?;
            let mut counts = std::collections::BTreeMap::new();
            for (name, count) in table {
                let number = integer(count).and_then(|text| text.parse().ok());
                let number = number.ok_or_else(|| Problem {
                    span: count.span(),
                    message: format!("`{}` is not a count", name.get_ref()),
                    help: format!("write {}", Kind::Count.takes()),
                })?;
                counts.insert(name.get_ref().to_string(), number);
            }
            Ok(Setting::Counts(counts))
        }
        Kind::Share => {
            let text = number(value).ok_or_else(wrong_type)?;
            let read = key.kind.read(&text);
            read.map_err(|wrong| problem(value.span(), wrong))
        }
        Kind::Shares => shares(value.get_ref().as_table().ok_or_else(wrong_type)?),
        Kind::Port | Kind::Count => {
            let text = integer(value).ok_or_else(wrong_type)?;
            let read = key.kind.read(&text);
            read.map_err(|wrong| problem(value.span(), wrong))
        }
        Kind::Size
        | Kind::Time
        | Kind::Ip
        | Kind::Text
        | Kind::Host
        | Kind::Secret(_)
        | Kind::OneOf(_) => {
            let number = integer(value).filter(|_| matches!(key.kind, Kind::Size | Kind::Time));
            let text = value.get_ref().as_str().map(str::to_owned).or(number);
            let read = key.kind.read(&text.ok_or_else(wrong_type)?);
            read.map_err(|wrong| problem(value.span(), wrong))
        }
    }
}

/// A whole number as text.
fn integer(value: &Value<'_>) -> Option<String> {
    let integer = value.get_ref().as_integer()?;
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    Some(number.to_string())
}

fn shares(table: &DeTable<'_>) -> Result<Setting, Problem> {
    let mut shares = std::collections::BTreeMap::new();
    for (name, value) in table {
        let text = number(value).ok_or_else(|| Problem {
            span: value.span(),
            message: format!("`{}` is not a number", name.get_ref()),
            help: format!("write {}", Kind::Share.takes()),
        })?;
        share::add(&mut shares, name.get_ref(), &text)
            .map_err(|wrong| problem(name.span().start..value.span().end, wrong))?;
    }
    Ok(Setting::Shares(shares))
}

/// A number, whole or not, as text.
fn number(value: &Value<'_>) -> Option<String> {
    let float = value.get_ref().as_float();
    float.map_or_else(|| integer(value), |float| Some(float.as_str().to_owned()))
}

fn member(value: &Value<'_>) -> Result<Member, Problem> {
    let Some(text) = value.get_ref().as_str() else {
        return Err(Problem {
            span: value.span(),
            message: "a member is a text".to_owned(),
            help: "write \"10.0.0.1:8848\"".to_owned(),
        });
    };
    Member::read(text).map_err(|wrong| problem(value.span(), wrong))
}
