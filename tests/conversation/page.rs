//! A page of `golden/`: a title, prose on what it shows, the scenario or script that it is made of,
//! and the conversation.

use std::path::Path;

/// What a conversation is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Of a scenario file, in world `event`.
    Scenario,
    /// Of what a stranger says to one node.
    Script,
}

/// Which part of what was seen is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// In microseconds.
    pub(crate) from: u64,
    /// In microseconds.
    pub(crate) to: u64,
    /// Messages and events that are left out: their names begin so.
    pub(crate) without: Vec<String>,
}

/// One page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// File name.
    pub(crate) name: String,
    /// Title and paragraph.
    pub(crate) prose: String,
    /// What it is made of.
    pub(crate) made: Made,
    /// The scenario or script.
    pub(crate) source: String,
    /// What is shown, as the page says it.
    pub(crate) heading: String,
    /// The conversation.
    pub(crate) conversation: String,
}

/// All pages, by name.
pub(crate) fn pages(folder: &Path) -> Vec<Page> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(path: &Path) -> Page {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let parts: Vec<&str> = text.split("```").collect();
        let [prose, source, between, conversation, end] = parts[..] else {
            panic!("{name}: prose, a block of toml or script, a block of text, and no more")
        };
        assert_eq!((between.trim(), end.trim()), ("", ""), "{name}");
        let (kind, source) = source.split_once('\n').unwrap();
        let (heading, conversation) = conversation.split_once('\n').unwrap();
        Page {
            prose: prose.to_owned(),
            made: match kind {
                "toml" => Made::Scenario,
                "script" => Made::Script,
                other => panic!("{name}: a block of toml or script, not of {other}"),
            },
            source: source.to_owned(),
            heading: heading.to_owned(),
            conversation: conversation.to_owned(),
            name,
        }
    }

    /// What the second block says of itself: ` ```text 2s..4s without HealthCheck`.
    pub(crate) fn shown(&self) -> Shown {
        let mut words = self.heading.split_whitespace();
        let (text, range) = (words.next(), words.next().unwrap_or(""));
        let seconds = |text: &str| -> Option<u64> {
            let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
            Some((seconds * 1e6) as u64)
        };
        let range = range
            .split_once("..")
            .map(|(from, to)| (seconds(from), seconds(to)));
        let (Some("text"), Some((Some(from), Some(to)))) = (text, range) else {
            panic!(
                "{}: ```text 2s..4s without .., not {}",
                self.name, self.heading
            )
        };
        let without = match words.next() {
            None => Vec::new(),
            Some("without") => words.map(str::to_owned).collect(),
            Some(other) => panic!("{}: without .., not {other}", self.name),
        };
        Shown { from, to, without }
    }

    /// Writes the page with another conversation.
    pub(crate) fn rewrite(&self, folder: &Path, conversation: &str) {
        let kind = match self.made {
            Made::Scenario => "toml",
            Made::Script => "script",
        };
        let text = format!(
            "{}```{kind}\n{}```\n\n```{}\n{conversation}```\n",
            self.prose, self.source, self.heading
        );
        std::fs::write(folder.join(&self.name), text).unwrap();
    }
}
