//! How an operator writes a node's address, and what a Nacos `cluster.conf` holds.

use std::fmt;

use distro_core::ids::NodeId;

use crate::shell::{CLUSTER_PORT_OFFSET, Directory, Ports};
use crate::text::value::{Wrong, wrong};

const HELP: &str = "write \"host:port\" with the main port, such as \"10.0.0.2:8848\"; a node with \
                    ports of its own is \"host:port/client-port/cluster-port\"";

/// A node as written: `host`, `host:port` or `host:port/client-port/cluster-port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Address or name.
    pub host: String,
    /// Main port, if written.
    pub port: Option<u16>,
    /// Ports of its listeners, if they do not follow from the main port.
    pub ports: Option<(u16, u16)>,
}

impl Member {
    /// Reads one.
    ///
    /// # Errors
    /// The text is none.
    pub fn read(text: &str) -> Result<Member, Wrong> {
        let mut parts = text.split('/');
        let main = parts.next().unwrap_or("");
        let listeners: Vec<&str> = parts.collect();
        let (host, port) = match main.rsplit_once(':') {
            Some((host, port)) => (host, Some(main_port(text, port)?)),
            None => (main, None),
        };
        let is_odd = |c: char| c.is_whitespace() || matches!(c, '#' | '@' | ',' | '"');
        if host.is_empty() || host.contains(is_odd) || (host.contains(':') && !host.ends_with(']'))
        {
            return wrong(format!("`{text}` is not a node's address"), HELP);
        }
        let ports = match listeners[..] {
            [] => None,
            [sdk, cluster] => Some((listen_port(text, sdk)?, listen_port(text, cluster)?)),
            _ => return wrong(format!("`{text}` is not a node's address"), HELP),
        };
        let host = host.to_owned();
        Ok(Member { host, port, ports })
    }

    /// Its id, with the main port that a node has when none is written.
    pub fn node(&self, default_port: u16) -> NodeId {
        NodeId::new(&format!(
            "{}:{}",
            self.host,
            self.port.unwrap_or(default_port)
        ))
    }

    /// Notes the node's own ports, if it has any.
    pub fn note(&self, default_port: u16, directory: &mut Directory) {
        if let Some((sdk, cluster)) = self.ports {
            directory.set(self.node(default_port), Ports { sdk, cluster });
        }
    }
}

/// The client and cluster listeners of a main port are a thousand above it.
fn main_port(text: &str, port: &str) -> Result<u16, Wrong> {
    let fits = |port: &u16| *port > 0 && port.checked_add(CLUSTER_PORT_OFFSET).is_some();
    match port.parse::<u16>().ok().filter(fits) {
        Some(port) => Ok(port),
        None => wrong(
            format!("`{text}` has `{port}` as its main port"),
            format!(
                "a main port is a number from 1 to {}",
                u16::MAX - CLUSTER_PORT_OFFSET
            ),
        ),
    }
}

fn listen_port(text: &str, port: &str) -> Result<u16, Wrong> {
    match port.parse::<u16>().ok().filter(|port| *port > 0) {
        Some(port) => Ok(port),
        None => wrong(
            format!("`{text}` has `{port}` as a listener's port"),
            "a port is a number from 1 to 65535",
        ),
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some((sdk, cluster)) = self.ports {
            write!(f, "/{sdk}/{cluster}")?;
        }
        Ok(())
    }
}

/// A line of a file that is no member: where, in bytes, and why.
pub type BadLine = (std::ops::Range<usize>, Wrong);

/// Reads a Nacos `cluster.conf`: one `ip[:port]` per line; `#` begins a comment. Java also takes
/// several members on one line, separated by commas, and a `?raft_port=..` that means nothing here.
pub fn cluster_conf(text: &str) -> (Vec<Member>, Vec<BadLine>) {
    let (mut members, mut bad) = (Vec::new(), Vec::new());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let written = line.split('#').next().unwrap_or("");
        let mut at = start;
        start += line.len();
        for part in written.split(',') {
            let lead = part.len() - part.trim_start().len();
            let word = part.trim();
            let from = at + lead;
            at += part.len() + 1;
            let address = word.split('?').next().unwrap_or("");
            if address.is_empty() {
                continue;
            }
            match Member::read(address) {
                Ok(member) => members.push(member),
                Err(why) => bad.push((from..from + word.len(), why)),
            }
        }
    }
    (members, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_back() {
        for text in ["10.0.0.1", "node-2:8848", "127.0.0.1:1/2/3", "[::1]:8848"] {
            assert_eq!(Member::read(text).unwrap().to_string(), text);
        }
        for text in [
            "", ":1", "a:0", "a:65000", "a b:1", "a:1/2", "a:1/2/0", "::1:1",
        ] {
            assert!(Member::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cluster_conf_is_read_as_nacos_reads_it() {
        let text = "# three\n10.0.0.1:8848\n 10.0.0.2 # old\n\n10.0.0.3:8848?raft_port=7, x:y\n";
        let (members, bad) = cluster_conf(text);
        let nodes: Vec<String> = members.iter().map(|m| m.node(9000).to_string()).collect();
        assert_eq!(nodes, ["10.0.0.1:8848", "10.0.0.2:9000", "10.0.0.3:8848"]);
        assert_eq!(bad.len(), 1);
        assert_eq!(&text[bad[0].0.clone()], "x:y");
    }
}
