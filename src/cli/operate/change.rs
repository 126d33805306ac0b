//! `distro limits`, `distro rebalance` and `distro log`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use hyper::Method;
use serde_json::{Value, json};

use super::show::cell;
use super::{OfOne, http};
use crate::cli::client::table::table;
use crate::cli::{BAD_INPUT, DONE, Failure, Format, print};
use crate::ops::rules::{parse, rule_of};
use crate::settings::kinds::Level;
use crate::text::kind::Word;

/// What `distro limits` takes.
#[derive(Debug, Args)]
pub struct LimitsArguments {
    #[command(flatten)]
    of: OfOne,
    /// Replace the node's limits by those of this file, Nacos's limitRule in JSON
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
}

/// What `distro rebalance` takes.
#[derive(Debug, Args)]
pub struct RebalanceArguments {
    #[command(flatten)]
    of: OfOne,
    /// How many clients stay
    #[arg(long, value_name = "COUNT")]
    keep: u32,
    /// Where the others are sent, by main address; else to the next of their own lists
    #[arg(long, value_name = "HOST:PORT")]
    redirect: Option<String>,
}

/// What `distro log` takes.
#[derive(Debug, Args)]
pub struct LogArguments {
    #[command(flatten)]
    of: OfOne,
    /// The new level; without it the level is shown
    #[arg(value_parser = levels())]
    level: Option<String>,
}

/// The words for a level.
fn levels() -> PossibleValuesParser {
    Level::all()
        .into_iter()
        .map(|(_, word)| word)
        .collect::<Vec<_>>()
        .into()
}

/// Shows or replaces a node's limits.
///
/// # Errors
/// The file is wrong, or the node does not answer.
pub async fn limits(arguments: &LimitsArguments) -> Result<u8, Failure> {
    let of = &arguments.of;
    let answer = match &arguments.set {
        None => http::get(&of.ops, &of.ask, "/v1/limits").await?,
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(BAD_INPUT, format!("{name} cannot be read: {error}"))
            })?;
            let limits = parse(&name, &text).map_err(|why| Failure::new(BAD_INPUT, why))?;
            let rule = json!(rule_of(&limits));
            http::ask(&of.ops, &of.ask, Method::PUT, "/v1/limits", Some(&rule)).await?
        }
    };
    if of.ask.format == Format::Json {
        print(&answer.to_string())?;
        return Ok(DONE);
    }
    let limit = |value: &Value| match value.as_i64() {
        Some(limit) if limit >= 0 => limit.to_string(),
        Some(_) | None => "no limit".to_owned(),
    };
    let mut rows = vec![
        ["all clients".to_owned(), limit(&answer["countLimit"])],
        [
            "any other address".to_owned(),
            limit(&answer["countLimitPerClientIpDefault"]),
        ],
    ];
    for (what, field) in [
        ("address", "countLimitPerClientIp"),
        ("application", "countLimitPerClientApp"),
    ] {
        let named = answer[field].as_object().into_iter().flatten();
        rows.extend(named.map(|(name, count)| {
            let name = cell(&Value::String(name.clone()));
            [format!("{what} {name}"), limit(count)]
        }));
    }
    print(&table(["CONNECTIONS OF", "LIMIT"], &rows))?;
    Ok(DONE)
}

/// Sends clients of a node to others.
///
/// # Errors
/// The redirect is wrong, or the node does not answer.
pub async fn rebalance(arguments: &RebalanceArguments) -> Result<u8, Failure> {
    let of = &arguments.of;
    let body = json!({ "keep": arguments.keep, "redirect": arguments.redirect });
    let answer = http::ask(&of.ops, &of.ask, Method::POST, "/v1/rebalance", Some(&body)).await?;
    if of.ask.format == Format::Json {
        print(&answer.to_string())?;
    } else {
        let (leave, clients) = (cell(&answer["leave"]), cell(&answer["clients"]));
        print(&format!(
            "{leave} of {clients} clients are asked to leave at the next scan"
        ))?;
    }
    Ok(DONE)
}

/// Shows or changes the level of a node's log.
///
/// # Errors
/// The node does not answer.
pub async fn log(arguments: &LogArguments) -> Result<u8, Failure> {
    let of = &arguments.of;
    let answer = match &arguments.level {
        None => http::get(&of.ops, &of.ask, "/v1/log").await?,
        Some(level) => {
            let body = json!({ "level": level });
            http::ask(&of.ops, &of.ask, Method::PUT, "/v1/log", Some(&body)).await?
        }
    };
    if of.ask.format == Format::Json {
        print(&answer.to_string())?;
    } else {
        print(&cell(&answer["level"]))?;
    }
    Ok(DONE)
}
