//! `distro clients` and `distro members`.

use clap::Args;
use serde_json::Value;

use super::{OfOne, http};
use crate::cli::client::table::{plain, table};
use crate::cli::{DONE, Failure, Format, print};

/// What `distro clients` takes.
#[derive(Debug, Args)]
pub struct ClientsArguments {
    #[command(flatten)]
    of: OfOne,
    /// Only those connected to this node
    #[arg(long)]
    owned: bool,
}

/// What `distro members` takes.
#[derive(Debug, Args)]
pub struct MembersArguments {
    #[command(flatten)]
    of: OfOne,
}

/// A value as a cell: `-` when it is not there.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plain(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn seconds(millis: &Value) -> String {
    let millis = millis.as_u64();
    millis.map_or_else(|| "-".to_owned(), |millis| format!("{}s", millis / 1_000))
}

/// The clients of a node.
///
/// # Errors
/// The node does not answer.
pub async fn clients(arguments: &ClientsArguments) -> Result<u8, Failure> {
    let of = &arguments.of;
    let mut clients = http::all(&of.ops, &of.ask, "clients").await?;
    clients.retain(|client| !arguments.owned || client["owned"] == true);
    if of.ask.format == Format::Json {
        for client in clients {
            print(&client.to_string())?;
        }
        return Ok(DONE);
    }
    if clients.is_empty() {
        print("no clients")?;
        return Ok(DONE);
    }
    let row = |client: &Value| {
        [
            cell(&client["client"]),
            cell(&client["owner"]),
            cell(&client["revision"]),
            cell(&client["instances"]),
            cell(&client["ip"]),
            cell(&client["app"]),
            seconds(&client["idleMillis"]),
            seconds(&client["leaseMillis"]),
        ]
    };
    let rows: Vec<[String; 8]> = clients.iter().map(row).collect();
    let heading = [
        "CLIENT",
        "OWNER",
        "REVISION",
        "INSTANCES",
        "IP",
        "APP",
        "IDLE",
        "LEASE",
    ];
    print(&table(heading, &rows))?;
    Ok(DONE)
}

/// The members as a node sees them.
///
/// # Errors
/// The node does not answer.
pub async fn members(arguments: &MembersArguments) -> Result<u8, Failure> {
    let of = &arguments.of;
    let answer = http::get(&of.ops, &of.ask, "/v1/members").await?;
    let members = answer["members"].as_array().cloned().unwrap_or_default();
    if of.ask.format == Format::Json {
        for member in members {
            print(&member.to_string())?;
        }
        return Ok(DONE);
    }
    if members.is_empty() {
        print(&format!("{} is alone", cell(&answer["node"])))?;
        return Ok(DONE);
    }
    let row = |member: &Value| {
        let verify = &member["verify"];
        let connected = if member["connected"] == true {
            "yes"
        } else {
            "no"
        };
        [
            cell(&member["node"]),
            cell(&member["state"]),
            connected.to_owned(),
            cell(&member["syncsPending"]),
            format!("{}ms", cell(&member["syncLagMillis"])),
            format!("{}/{}", cell(&verify["matched"]), cell(&verify["sent"])),
            cell(&verify["failed"]),
            cell(&verify["divergent"]),
        ]
    };
    let rows: Vec<[String; 8]> = members.iter().map(row).collect();
    let heading = [
        "MEMBER",
        "STATE",
        "CONNECTED",
        "SYNCS",
        "LAG",
        "VERIFIED",
        "FAILED",
        "DIVERGENT",
    ];
    print(&table(heading, &rows))?;
    Ok(DONE)
}
