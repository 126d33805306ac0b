//! Commands that ask nodes at their operator's port.
//!
//! # Layout
//! - `http`: one request · [`show`]: `clients`, `members` · [`change`]: `limits`, `rebalance`,
//!   `log` · [`diff`]: `diff`

pub mod change;
pub mod diff;
mod http;
pub mod show;

use std::time::Duration;

use clap::Args;

use super::Format;
use super::client::{TlsArguments, time};
use crate::settings::MAIN_PORT;
use crate::shell::OPS_PORT_OFFSET;

/// How the operator's port of a node is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsAddress {
    host: String,
    port: u16,
}

impl std::fmt::Display for OpsAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// `host` or `host:port`; without a port the default operator's port.
fn ops_address(text: &str) -> Result<OpsAddress, String> {
    let wrong = || {
        format!("`{text}` is no operator's address: write \"host:port\", such as 127.0.0.1:9850")
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0)),
        None => (text, Some(MAIN_PORT + OPS_PORT_OFFSET)),
    };
    let odd = |c: char| c.is_whitespace() || matches!(c, '/' | '#' | '@' | ',' | '"');
    match port {
        Some(port) if !host.is_empty() && !host.contains(odd) => Ok(OpsAddress {
            host: host.to_owned(),
            port,
        }),
        Some(_) | None => Err(wrong()),
    }
}

/// What commands for one node take.
#[derive(Debug, Clone, Args)]
pub struct OfOne {
    /// The node's operator's port: its main port + 1002, unless ops.port says otherwise
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        env = "DISTRO_OPS_SERVER",
        default_value = "127.0.0.1:9850",
        value_parser = ops_address
    )]
    ops: OpsAddress,
    #[command(flatten)]
    ask: Ask,
}

/// What all these commands take.
#[derive(Debug, Clone, Args)]
pub struct Ask {
    /// How results are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// How long a node may take to answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    #[command(flatten)]
    tls: TlsArguments,
}
