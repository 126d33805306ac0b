//! The binary `distro` as people and scripts use it: real processes on loopback ports. Everything
//! waits for a line that a process prints, nothing for time.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here may take, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn distro() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distro"));
    // The environment of whoever runs the tests must not matter.
    for (name, _) in std::env::vars() {
        if name.starts_with("DISTRO_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

fn run(arguments: &[&str]) -> Output {
    distro().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process whose lines can be waited for; killed when it goes.
struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// `log`: its lines are those of standard error.
    fn start(arguments: &[&str], log: bool) -> Process {
        let mut command = distro();
        command.args(arguments).stdin(Stdio::null());
        let silent = if log { Stdio::null() } else { Stdio::piped() };
        command.stdout(silent);
        command.stderr(if log {
            Stdio::piped()
        } else {
            Stdio::inherit()
        });
        let mut child = command.spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let stream: Box<dyn std::io::Read + Send> = if log {
            Box::new(child.stderr.take().unwrap())
        } else {
            Box::new(child.stdout.take().unwrap())
        };
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Process { child, lines }
    }

    /// The first JSON line of which `is` holds.
    fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("never: {what}; seen: {seen:#?}");
            };
            if let Some(value) = serde_json::from_str(&line).ok().filter(|value| is(value)) {
                return value;
            }
            seen.push(line);
        }
    }

    fn until_message(&self, message: &str) -> Value {
        self.until(message, |line| line["message"] == message)
    }

    fn until_type(&self, name: &str) -> Value {
        self.until(name, |line| line["type"] == name)
    }

    fn until_count(&self, count: usize) -> Value {
        self.until(&format!("{count} instances"), |line| {
            line["instances"].as_array().map(Vec::len) == Some(count)
        })
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A node's address with free ports. They are free because they were just bound.
fn address() -> String {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listeners = [bind(), bind(), bind()];
    let [main, sdk, cluster] = listeners.each_ref().map(|l| l.local_addr().unwrap().port());
    // Main ports only name; any number below the limit does.
    format!("127.0.0.1:{}/{sdk}/{cluster}", 1 + main % 60_000)
}

fn serve(address: &str, members: &str) -> Process {
    serve_with(address, members, &[])
}

fn serve_with(address: &str, members: &str, more: &[&str]) -> Process {
    let mut parts = address.split(['/', ':']).skip(1);
    let mut part = || parts.next().unwrap();
    let (port, sdk, cluster) = (part(), part(), part());
    let mut arguments = vec!["serve", "--bind", "127.0.0.1", "--address", "127.0.0.1"];
    arguments.extend(["--port", port, "--sdk-port", sdk, "--cluster-port", cluster]);
    arguments.extend([
        "--log-format",
        "json",
        "--set",
        "timing.scan-interval=200ms",
    ]);
    arguments.extend([
        "--set",
        "timing.reset-wait=300ms",
        "--set",
        "timing.sync-delay=50ms",
    ]);
    if !members.is_empty() {
        arguments.extend(["--members", members]);
    }
    arguments.extend(more);
    Process::start(&arguments, true)
}

#[test]
fn the_effective_settings_are_printed_with_where_each_came_from() {
    let done = run(&["serve", "--print-config", "--port", "9000"]);
    assert_eq!(done.status.code(), Some(0));
    let printed = text(&done.stdout);
    let line = |start: &str| printed.lines().find(|l| l.starts_with(start)).unwrap();
    assert!(line("port = 9000").ends_with("# flag --port"));
    assert!(line("verify-interval = \"5s\"").ends_with("# default"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let dir = std::env::temp_dir().join(format!("distro-cli-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("node.toml");
    std::fs::write(&file, "prot = 1\n[timing]\nkeep-alive = \"20sec\"\n").unwrap();
    let done = distro()
        .args(["serve", "--set", "timing.push-dely=5s", "--config"])
        .arg(&file)
        .env("DISTRO_SDK_PORT", "many")
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let told = text(&done.stderr);
    for part in [
        "node.toml:1:1",
        "did you mean `port`?",
        "node.toml:3:14",
        "write \"20s\"",
        "DISTRO_SDK_PORT=many",
        "did you mean `timing.push-delay`?",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_port_in_use_is_said_in_one_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = run(&["serve", "--bind", "127.0.0.1", "--sdk-port", &port]);
    assert_eq!(done.status.code(), Some(3));
    let told = text(&done.stderr);
    assert!(
        told.contains(&format!("port {port} for clients is in use")),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1);
}

#[test]
fn a_member_that_is_this_node_under_another_name_is_refused() {
    let members = "127.0.0.1:7000,localhost:7000,127.0.0.2:7000";
    let done = run(&[
        "serve",
        "--port",
        "7000",
        "--bind",
        "127.0.0.1",
        "--address",
        "127.0.0.1",
        "--members",
        members,
    ]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("member localhost:7000 is this node itself"));
}

#[test]
fn nobody_listening_is_said_with_the_port_that_was_tried() {
    let node = address();
    let done = run(&["list", "demo", "--server", &node]);
    assert_eq!(done.status.code(), Some(3));
    assert!(text(&done.stderr).contains("nobody listens at"));
}

#[test]
fn a_node_alone_registers_lists_and_drains() {
    let address = address();
    let mut node = serve(&address, "");
    node.until_message("ready");
    let mut client = Process::start(
        &[
            "register",
            "demo",
            "10.1.1.1:80",
            "--format",
            "json",
            "--server",
            &address,
        ],
        false,
    );
    client.until_type("registered");
    let listed = run(&["list", "demo", "--format", "json", "--server", &address]);
    let instance: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (&instance["ip"], &instance["port"]),
        (&"10.1.1.1".into(), &80.into())
    );
    let services = text(&run(&["list", "--server", &address]).stdout);
    assert!(services.lines().any(|line| line == "demo"), "{services}");
    client.signal("-TERM");
    client.until_type("deregistered");
    assert_eq!(client.code(), Some(0));
    let listed = text(&run(&["list", "demo", "--server", &address]).stdout);
    assert!(listed.contains("has no instances"), "{listed}");
    node.signal("-TERM");
    let counts = node.until_message("stopped");
    assert!(counts["counts"].as_str().unwrap().contains("registers=1"));
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let address = address();
    // A client that may take its time and has nowhere to go: the drain does not end by itself.
    let slow = ["--drain-timeout", "1h", "--set", "timing.reset-wait=1h"];
    let mut node = serve_with(&address, "", &slow);
    node.until_message("ready");
    let watcher = Process::start(
        &["watch", "demo", "--format", "json", "--server", &address],
        false,
    );
    watcher.until_count(0);
    node.signal("-TERM");
    node.until_message("stopping: clients are sent to other nodes");
    node.signal("-INT");
    assert_eq!(node.code(), Some(130));
}

#[test]
fn three_nodes_share_what_one_was_told_and_forget_a_killed_client() {
    let addresses = [address(), address(), address()];
    let members = addresses.join(",");
    let nodes = addresses.each_ref().map(|address| serve(address, &members));
    for node in &nodes {
        node.until_message("ready");
    }
    let watcher = Process::start(
        &[
            "watch",
            "demo",
            "--format",
            "json",
            "--server",
            &addresses[2],
        ],
        false,
    );
    watcher.until_count(0);
    let mut client = Process::start(
        &[
            "register",
            "demo",
            "10.1.1.1:80",
            "--format",
            "json",
            "--server",
            &addresses[0],
        ],
        false,
    );
    client.until_type("registered");
    watcher.until_count(1);
    let listed = run(&[
        "list",
        "demo",
        "--format",
        "json",
        "--server",
        &addresses[1],
    ]);
    assert!(text(&listed.stdout).contains("10.1.1.1"));
    client.child.kill().unwrap();
    watcher.until_count(0);
}

#[test]
fn a_node_that_drains_sends_its_client_to_another_before_it_ends() {
    let addresses = [address(), address()];
    let members = addresses.join(",");
    let mut nodes = addresses.each_ref().map(|address| serve(address, &members));
    for node in &nodes {
        node.until_message("ready");
    }
    let servers = format!("{},{}", addresses[0], addresses[1]);
    let mover = Process::start(
        &[
            "register",
            "demo",
            "10.1.1.2:80",
            "--format",
            "json",
            "--server",
            &servers,
        ],
        false,
    );
    mover.until_type("registered");
    nodes[0].signal("-TERM");
    nodes[0].until_message("all clients have left");
    assert_eq!(nodes[0].code(), Some(0));
    mover.until_type("registered");
    let listed = run(&[
        "list",
        "demo",
        "--format",
        "json",
        "--server",
        &addresses[1],
    ]);
    assert!(text(&listed.stdout).contains("10.1.1.2"));
}
