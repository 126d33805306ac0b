//! The operator's hand: a node's HTTP, and its `cluster.conf`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use distro_node::ops::rules::rule_of;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::place::Place;
use super::plan::Plan;
use super::process::listed;
use crate::scenario::model::{HostId, NodeOp, Scenario, What};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// What is to be asked of a node: method, path, body.
pub(super) fn question(
    scenario: &Scenario,
    op: &NodeOp,
) -> Option<(&'static str, &'static str, Value)> {
    match op {
        NodeOp::SetLimits(limits) => Some(("PUT", "/v1/limits", json!(rule_of(limits)))),
        NodeOp::Rebalance { keep, redirect } => {
            let addresses = scenario.setting.addresses;
            let redirect = redirect.map(|host| addresses.node_id(host.0).to_string());
            let body = match redirect {
                Some(redirect) => json!({ "keep": keep, "redirect": redirect }),
                None => json!({ "keep": keep }),
            };
            Some(("POST", "/v1/rebalance", body))
        }
        NodeOp::SetMembers(_) => None,
    }
}

/// Asks; an answer other than success is an error.
pub(super) async fn ask(
    (place, node): (Place, SocketAddr),
    (method, path, body): (&str, &str, Value),
) -> io::Result<()> {
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {node}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = place.socket()?.connect(node).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let text = format!("{method} {path}: {}", answer.replace("\r\n", " "));
    Err(io::Error::other(text))
}

/// The member files of nodes whose members change, in a directory that goes with the run.
#[derive(Debug)]
pub(super) struct MemberFiles(Option<tempfile::TempDir>);

impl MemberFiles {
    /// Prepares what the timeline needs.
    pub(super) fn new(scenario: &Scenario) -> io::Result<MemberFiles> {
        let changes = scenario.timeline.iter().any(|action| {
            matches!(
                &action.what,
                What::Operate {
                    op: NodeOp::SetMembers(_),
                    ..
                }
            )
        });
        changes.then(tempfile::tempdir).transpose().map(MemberFiles)
    }

    /// The file of a node; none when no members change in this run.
    pub(super) fn path(&self, node: HostId) -> Option<PathBuf> {
        let directory = self.0.as_ref()?;
        Some(directory.path().join(format!("{}.conf", node.0)))
    }

    /// Writes a node's members.
    pub(super) fn write(&self, plan: &Plan, node: HostId, members: &[HostId]) -> io::Result<()> {
        let Some(path) = self.path(node) else {
            return Ok(());
        };
        let text = listed(plan, node, members).join("\n");
        replace(&path, &text)
    }
}

/// Whoever reads the file sees either the old text or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}
