//! The printed reference, in text and in Markdown.

use distro_core::message::MessageKind;
use distro_core::profile::{QUIRKS, RELEASES};
use distro_node::text::reference;
use distro_node::text::table::Section;

use super::super::tables::SECTIONS;
use super::{CALLS, CHECKS, FAULTS, OPERATIONS, TIMELINE, VALUES};

/// The kinds of entries of a timeline, with their titles.
const KINDS: [(&str, &[Section]); 3] = [
    ("FAULTS", FAULTS),
    ("CALLS", CALLS),
    ("OPERATIONS", OPERATIONS),
];

/// The whole reference, as `distro-sim schema` prints it.
pub fn reference() -> String {
    let mut out = String::from("SCENARIO FILES: key, what it takes, what it is when left out\n");
    out.extend(SECTIONS.iter().map(reference::text));
    out.push_str(&reference::text(&TIMELINE));
    out.push_str("\nVALUES\n");
    for (name, about) in VALUES {
        out.push_str(&format!("  {name:<18} {about}\n"));
    }
    for (title, sections) in KINDS {
        out.push_str(&format!("\n{title}\n"));
        out.extend(sections.iter().map(reference::text));
    }
    for (title, names) in [
        (
            "MESSAGE KINDS",
            MessageKind::ALL.map(|(_, name)| name).to_vec(),
        ),
        ("PROFILES", RELEASES.map(|(_, name)| name).to_vec()),
        ("QUIRKS", QUIRKS.map(|(_, name)| name).to_vec()),
    ] {
        out.push_str(&format!("\n{title}\n"));
        out.extend(names.iter().map(|name| format!("  {name}\n")));
    }
    out.push_str("\nCHECKS\n");
    for (name, about) in CHECKS {
        out.push_str(&format!("  {name:<5} {about}\n"));
    }
    out
}

/// The parts of `docs/SCENARIOS.md` that are printed: the name of each region and what is in it.
pub fn markdown() -> Vec<(&'static str, String)> {
    let pairs = |head: &str, pairs: &[(&str, &str)]| {
        let row =
            |(name, about): &(&str, &str)| format!("| {name} | {} |\n", reference::cell(about));
        let rows: String = pairs.iter().map(row).collect();
        format!("{head}\n|---|---|\n{rows}")
    };
    let names = |names: Vec<&str>| {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("{}\n", quoted.join(", "))
    };
    let all = |sections: &[Section]| -> String {
        let pages: Vec<String> = sections.iter().map(reference::markdown).collect();
        pages.join("\n")
    };
    let tables: Vec<String> = SECTIONS.iter().map(reference::markdown).collect();
    vec![
        ("values", pairs("| value | how it is written |", VALUES)),
        (
            "tables",
            tables.join("\n") + "\n" + &reference::markdown(&TIMELINE),
        ),
        ("faults", all(FAULTS)),
        ("calls", all(CALLS)),
        ("operations", all(OPERATIONS)),
        (
            "message kinds",
            names(MessageKind::ALL.map(|(_, name)| name).to_vec()),
        ),
        ("releases", names(RELEASES.map(|(_, name)| name).to_vec())),
        ("quirks", names(QUIRKS.map(|(_, name)| name).to_vec())),
        ("checks", pairs("| check | property |", CHECKS)),
    ]
}
