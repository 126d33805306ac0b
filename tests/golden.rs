//! The protocol by example: conversations in `golden/` that a person can read, each made anew from
//! the scenario or script that stands in its file and compared letter by letter.
//!
//! `DISTRO_GOLDEN=rewrite cargo test --test golden` writes what the conversations are now.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod conversation;

use std::path::{Path, PathBuf};

use conversation::page::{Page, pages};
use conversation::spoken;

/// Set to this, the conversations are written and not compared.
const REWRITE: (&str, &str) = ("DISTRO_GOLDEN", "rewrite");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The first line in which a page's conversation is not what is spoken now.
fn difference(page: &Page) -> Option<String> {
    let now = spoken(page);
    let (mut was, mut is) = (page.conversation.lines(), now.lines());
    loop {
        let (was, is) = (was.next(), is.next());
        if was != is {
            let (was, is) = (was.unwrap_or("(the end)"), is.unwrap_or("(the end)"));
            return Some(format!("{}\n  was {was}\n  is  {is}", page.name));
        }
        was?;
    }
}

#[test]
fn conversations_are_what_they_were() {
    let rewrites = std::env::var(REWRITE.0).is_ok_and(|value| value == REWRITE.1);
    let pages = pages(&folder());
    assert!(pages.len() >= 12, "{}", pages.len());
    if rewrites {
        for page in &pages {
            page.rewrite(&folder(), &spoken(page));
        }
        return;
    }
    let differ: Vec<String> = pages.iter().filter_map(difference).collect();
    assert!(
        differ.is_empty(),
        "{}\n{}={} writes what they are now; commit only what you can explain",
        differ.join("\n"),
        REWRITE.0,
        REWRITE.1
    );
}

#[test]
fn every_conversation_opens_with_a_paragraph_on_what_it_shows() {
    for page in pages(&folder()) {
        let words = page.prose.split_whitespace().count();
        assert!(words >= 30, "{}: {words} words", page.name);
        assert!(page.conversation.lines().count() >= 4, "{}", page.name);
    }
}

/// A page as it would be of another scenario.
fn altered(name: &str, from: &str, to: &str) -> Page {
    let mut page = Page::read(&folder().join(name));
    assert!(page.source.contains(from), "{name} has {from}");
    page.source = page.source.replace(from, to);
    page
}

/// The canary: a defect that is switched on, or off, shows in the conversation about it.
#[test]
fn a_quirk_more_or_less_is_noticed() {
    let cured = altered("retry-replaces-delete.md", "nacos-2.3", "distro");
    assert!(difference(&cured).is_some());
    let spoilt = altered(
        "disconnect-and-delete.md",
        "nodes = 2",
        "nodes = 2\nprofile = \"nacos-2.3\"",
    );
    assert!(difference(&spoilt).is_some());
}

/// The canary: so does a time that is another by a little. Delays of the protocol run by ticks of a
/// tenth of a second.
#[test]
fn a_tick_more_or_a_slower_link_is_noticed() {
    let later = altered(
        "register-and-sync.md",
        "nodes = 2",
        "nodes = 2\ntiming = { sync-delay = \"1100ms\" }",
    );
    assert!(difference(&later).is_some());
    let slower = altered(
        "register-and-sync.md",
        "latency = \"1ms\"",
        "latency = \"2ms\"",
    );
    assert!(difference(&slower).is_some());
}
