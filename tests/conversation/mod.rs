//! Makes conversations: runs what a page says and writes who said what to whom, and when.

pub(crate) mod page;
mod script;
mod text;

use std::path::Path;

use distro_sim::run::{RunOptions, run};
use distro_sim::scenario::model::WorldKind;
use distro_sim::scenario::parse;

use page::{Made, Page};

/// The conversation of a page, as it is now.
pub(crate) fn spoken(page: &Page) -> String {
    let trace = match page.made {
        Made::Scenario => of_scenario(page),
        Made::Script => script::run(&page.source),
    };
    text::conversation(&trace, &page.shown())
}

/// The trace of a run.
fn of_scenario(page: &Page) -> String {
    // A scenario opens with what it shows; here the page does.
    let source = format!("about = \"A conversation.\"\n{}", page.source);
    let scenario = parse("golden", &source).unwrap_or_else(|problems| panic!("{problems}"));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{}-{:?}.jsonl",
        page.name,
        std::thread::current().id()
    ));
    let options = RunOptions {
        trace: Some(path.clone()),
        ..RunOptions::new(WorldKind::Event, scenario.seed)
    };
    run(&scenario, &options).unwrap();
    std::fs::read_to_string(path).unwrap()
}
