//! What tables print: a reference for people, in text and in Markdown, and JSON Schema for editors.

use serde_json::{Value as Json, json};

use super::table::Section;

/// A section as plain text.
pub fn text(section: &Section) -> String {
    let mut out = format!("\n{}\n  {}\n", section.title, section.about);
    for key in (section.keys)() {
        let (takes, usual) = ((key.takes)(), key.usual_text());
        let (name, about) = (key.name, key.about);
        out.push_str(&format!("  {name:<18} {takes:<34} {usual:<20} {about}\n"));
    }
    out
}

/// A section as Markdown.
pub fn markdown(section: &Section) -> String {
    let mut out = format!("### `{}`\n\n{}\n\n", section.title, section.about);
    out.push_str("| key | takes | left out | meaning |\n|---|---|---|---|\n");
    for key in (section.keys)() {
        let cells = [(key.takes)(), key.usual_text(), key.about.to_owned()];
        let cells = cells.map(|text| cell(&text));
        out.push_str(&format!("| `{}` | {} |\n", key.name, cells.join(" | ")));
    }
    out
}

/// A text as a cell of a Markdown table.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The JSON Schema of a file whose top level is this section.
pub fn json_schema(title: &str, section: &Section) -> Json {
    let mut schema = section.schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema
}

/// The page with what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` replaced.
/// `None`: it has no such marks.
pub fn with_region(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- begin {name} -->\n"),
        format!("<!-- end {name} -->"),
    );
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}
