//! Three real nodes on free ports, with the protocol's times shortened.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use super::process::distro;
use super::speaker::{Speaker, Speaks};

/// Times that the faults wait for. Everything that an SDK sees in normal life is as it is in
/// production.
const TIMES: &[&str] = &[
    "timing.keep-alive=8s",
    "timing.detection-timeout=2s",
    "timing.scan-interval=500ms",
    "timing.reset-wait=500ms",
    "timing.sync-delay=200ms",
    "timing.verify-interval=1s",
    "timing.client-clean-interval=500ms",
];
/// When a client with a connection is gone that says nothing any more: the keep-alive, the time for
/// an answer to the detection, and two each of the scans and the waits between them.
pub(crate) const SILENCE_BOUND: &str = "12 s, and the push";
/// What a lost connection may take beside the SDK's own period, on a busy machine.
const RETURN_MARGIN_SECONDS: u32 = 10;

/// Below the range from which systems give ports out by themselves, and SDKs want 1000 more.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// SDK, cluster and operators' port of one node fit before those of the next.
const PORT_STEP: u16 = 4;

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A main port with everything that a node binds beside it free.
fn free_port() -> u16 {
    // Drivers that run side by side have numbers side by side: room for all suites of each.
    let spread = u16::try_from(std::process::id() % 125).unwrap() * 80;
    loop {
        let step = NEXT_PORT.fetch_add(PORT_STEP, Ordering::Relaxed);
        let port = PORTS.start + (spread + step) % (PORTS.end - PORTS.start);
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if [port, port + 1000, port + 1001, port + 1002]
            .into_iter()
            .all(is_free)
        {
            return port;
        }
    }
}

struct Node {
    port: u16,
    process: Option<Speaker>,
}

/// Three nodes.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    dir: PathBuf,
    /// How long the nodes keep the clients of a node that died.
    grace: String,
}

impl Cluster {
    /// All of them ready. `redo_seconds`: see [`Suite`](super::suite::Suite).
    pub(crate) fn start(dir: &Path, redo_seconds: u32) -> Result<Cluster, String> {
        let node = || Node {
            port: free_port(),
            process: None,
        };
        let mut cluster = Cluster {
            nodes: vec![node(), node(), node()],
            dir: dir.to_owned(),
            grace: format!("{}s", redo_seconds + RETURN_MARGIN_SECONDS),
        };
        for index in 0..cluster.nodes.len() {
            cluster.launch(index);
        }
        for index in 0..cluster.nodes.len() {
            cluster.await_ready(index)?;
        }
        Ok(cluster)
    }

    /// A node's main address.
    pub(crate) fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[index].port)
    }

    /// Starts a node that does not run, and waits until it serves.
    pub(crate) fn start_node(&mut self, index: usize) -> Result<(), String> {
        self.launch(index);
        self.await_ready(index)
    }

    /// Ends a node without a word.
    pub(crate) fn kill(&mut self, index: usize) {
        self.nodes[index].process = None;
    }

    /// Asks a node to stop; its exit code.
    pub(crate) fn stop(&mut self, index: usize) -> Option<i32> {
        let mut process = self.nodes[index].process.take()?;
        process.signal("-TERM");
        process.end()
    }

    /// The node to which a process has a connection, of those in `among`.
    pub(crate) fn connected(&self, process: u32, among: &[usize]) -> Option<usize> {
        let ports = remote_ports(process);
        let is_used = |index: &usize| ports.contains(&(self.nodes[*index].port + 1000));
        among.iter().copied().find(is_used)
    }

    fn launch(&mut self, index: usize) {
        let members: Vec<String> = (0..self.nodes.len()).map(|i| self.address(i)).collect();
        let port = self.nodes[index].port;
        let mut command = distro();
        command.args(["serve", "--bind", "127.0.0.1", "--address", "127.0.0.1"]);
        command.args(["--port", &port.to_string()]);
        command.args(["--members", &members.join(","), "--log-format", "json"]);
        command
            .arg("--data-dir")
            .arg(self.dir.join(format!("node-{index}")));
        for time in TIMES {
            command.args(["--set", time]);
        }
        for key in ["client-expired-time", "return-grace"] {
            command.args(["--set", &format!("timing.{key}={}", self.grace)]);
        }
        let process = Speaker::start(command, Speaks::Log, Stdio::null());
        self.nodes[index].process = Some(process);
    }

    fn await_ready(&mut self, index: usize) -> Result<(), String> {
        let process = self.nodes[index].process.as_mut().unwrap();
        let ready = process.until("a node ready", |line| line["message"] == "ready");
        ready.map(|_| ())
    }
}

/// Remote ports of the established TCP connections of a process, as the kernel tells them.
fn remote_ports(process: u32) -> Vec<u16> {
    let dir = PathBuf::from(format!("/proc/{process}"));
    let Ok(files) = std::fs::read_dir(dir.join("fd")) else {
        return Vec::new();
    };
    let inodes: Vec<String> = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?.strip_prefix("socket:[")?;
            Some(link.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["net/tcp", "net/tcp6"].map(|name| {
        let table = std::fs::read_to_string(dir.join(name));
        table.unwrap_or_default()
    });
    let established = |line: &str| {
        let mut words = line.split_whitespace();
        let (remote, state) = (words.nth(2)?, words.next()?);
        let inode = words.nth(5)?;
        let port = u16::from_str_radix(remote.rsplit_once(':')?.1, 16).ok()?;
        (state == "01" && inodes.iter().any(|mine| mine == inode)).then_some(port)
    };
    tables
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(established)
        .collect()
}
