//! The selector of a service list: on the wire it is JSON in a text, by the SDKs
//! (`{"type":"label","expression":"…"}`, Nacos `AbstractSelector`).

use std::collections::BTreeMap;

use distro_core::ids::Str;
use serde_json::{Value, json};

/// The expression of a selector; empty when it selects all.
///
/// # Errors
/// It is no such JSON, or of a type that there is not.
pub(crate) fn expression_of(text: &str) -> Result<Str, Str> {
    let all = Str::from("");
    if matches!(text.trim(), "" | "null") {
        return Ok(all);
    }
    // A map and no struct: nacos-client 3.1.1 for Java writes the type twice.
    let fields: BTreeMap<Str, Value> = super::from_json(text.as_bytes())
        .map_err(|why| super::clipped(&format!("the selector is no selector: {why}")))?;
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(Value::Null) | None => Ok(""),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            let why = format!("the selector's {name} is no text");
            Err(super::clipped(&why))
        }
    };
    match text("type")? {
        // The Java SDK sends nothing for these; others may.
        "none" | "unknown" | "" => Ok(all),
        "label" => text("expression").map(Str::from),
        other => Err(super::clipped(&format!(
            "the selector's type is '{other}', it should be none or label"
        ))),
    }
}

/// An expression as it is sent; nothing when it selects all.
pub(super) fn text_of(expression: &str) -> Option<String> {
    let selector = json!({ "type": "label", "expression": expression });
    (!expression.is_empty()).then(|| selector.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sdks_send_is_read() {
        let java = r#"{"type":"label","type":"label","expression":"INSTANCE.metadata.k = 'v'"}"#;
        let go = r#"{"type":"label","expression":"INSTANCE.metadata.k = 'v'"}"#;
        for text in [java, go] {
            assert_eq!(&*expression_of(text).unwrap(), "INSTANCE.metadata.k = 'v'");
        }
        for text in ["", " ", "null", "{}", r#"{"type":"none"}"#] {
            assert_eq!(&*expression_of(text).unwrap(), "", "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for (text, why) in [
            (
                "7",
                "the selector is no selector: the body is no JSON object",
            ),
            (r#"{"type":7}"#, "the selector's type is no text"),
            (
                r#"{"type":"script"}"#,
                "the selector's type is 'script', it should be none or label",
            ),
            (
                r#"{"type":"label","expression":[]}"#,
                "the selector's expression is no text",
            ),
        ] {
            assert_eq!(&*expression_of(text).unwrap_err(), why);
        }
    }
}
