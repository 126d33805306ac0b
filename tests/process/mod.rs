//! The binary `distro` as processes of a test: what they print can be waited for, and they end with
//! the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]
#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(unreachable_pub, reason = "shared by test binaries")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here may take, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn distro() -> Command {
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

pub fn run(arguments: &[&str]) -> Output {
    distro().args(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process whose lines can be waited for; killed when it goes.
pub struct Process {
    pub child: Child,
    pub lines: mpsc::Receiver<String>,
    /// Where it reads, if the command said that it is to be piped.
    pub input: Option<ChildStdin>,
}

impl Process {
    /// The binary `distro`. `log`: its lines are those of standard error.
    pub fn start(arguments: &[&str], log: bool) -> Process {
        let mut command = distro();
        command.args(arguments).stdin(Stdio::null());
        let noise = if log { Stdio::null() } else { Stdio::inherit() };
        Process::spawn(command, log, noise)
    }

    /// Any command. `noise` is where the stream goes that is not read.
    pub fn spawn(mut command: Command, log: bool, noise: Stdio) -> Process {
        if log {
            command.stdout(noise).stderr(Stdio::piped());
        } else {
            command.stdout(Stdio::piped()).stderr(noise);
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
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
        let input = child.stdin.take();
        Process {
            child,
            lines,
            input,
        }
    }

    /// What `pick` makes of the first line of which it makes anything; otherwise the lines that
    /// came instead, until the end or for as long as `patience` allows between two of them.
    pub fn first<T>(
        &self,
        patience: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Vec<String>> {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(patience) else {
                return Err(seen);
            };
            if let Some(value) = pick(&line) {
                return Ok(value);
            }
            seen.push(line);
        }
    }

    /// The first JSON line of which `is` holds.
    pub fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let pick = |line: &str| serde_json::from_str(line).ok().filter(|value| is(value));
        self.first(PATIENCE, pick)
            .unwrap_or_else(|seen| panic!("never: {what}; seen: {seen:#?}"))
    }

    pub fn until_message(&self, message: &str) -> Value {
        self.until(message, |line| line["message"] == message)
    }

    pub fn until_type(&self, name: &str) -> Value {
        self.until(name, |line| line["type"] == name)
    }

    pub fn until_count(&self, count: usize) -> Value {
        self.until(&format!("{count} instances"), |line| {
            line["instances"].as_array().map(Vec::len) == Some(count)
        })
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    pub fn code(&mut self) -> Option<i32> {
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
pub fn address() -> String {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listeners = [bind(), bind(), bind()];
    let [main, sdk, cluster] = listeners.each_ref().map(|l| l.local_addr().unwrap().port());
    // Main ports only name; any number below the limit does.
    format!("127.0.0.1:{}/{sdk}/{cluster}", 1 + main % 60_000)
}

pub fn serve(address: &str, members: &str) -> Process {
    serve_with(address, members, &[])
}

pub fn serve_with(address: &str, members: &str, more: &[&str]) -> Process {
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
    // Nodes of one address must not meet on a port that follows from a made-up main port.
    arguments.extend(["--set", "ops.serve=off", "--set", "http.serve=off"]);
    if !members.is_empty() {
        arguments.extend(["--members", members]);
    }
    arguments.extend(more);
    Process::start(&arguments, true)
}
