//! World `tcp` as a person meets it when it cannot be done, fails, or is interrupted. The nodes
//! here are stand-ins; what real ones do is tested where they are built.

#![expect(
    clippy::disallowed_methods,
    reason = "real processes are waited for in real time, by a limit that only a hang reaches"
)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longer than anything here may take, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const LONG: &str = "about = \"x\"\nduration = \"10m\"\nnodes = 2\n";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distro-sim"));
    command.args(arguments).env_remove("DISTRO_BIN");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory of this test's own, with a scenario and a stand-in for the binary.
fn place(name: &str, script: &str) -> (PathBuf, String, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("our own directory");
    }
    std::fs::create_dir_all(&path).expect("our own directory");
    let (file, distro) = (path.join("long.toml"), path.join("distro"));
    std::fs::write(&file, LONG).expect("written");
    std::fs::write(&distro, script).expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&distro, mode).expect("our own file");
    let (file, distro) = (file.display().to_string(), distro.display().to_string());
    (path, file, distro)
}

fn run(arguments: &[&str]) -> Output {
    command(arguments)
        .output()
        .expect("the binary was just built")
}

#[test]
fn a_binary_that_is_missing_is_asked_for() {
    let (_, file, _) = place("missing", "");
    let output = run(&["run", &file, "--world", "tcp", "--distro", "/no/distro"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("no binary distro at /no/distro"), "{said}");
}

#[test]
fn a_node_that_ends_by_itself_fails_the_run_with_its_last_words() {
    let (_, file, distro) = place("crash", "#!/bin/sh\necho 'disk on fire' >&2\nexit 7\n");
    let output = run(&["run", &file, "--world", "tcp", "--distro", &distro]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ended by itself: exit status: 7"), "{said}");
    assert!(said.contains("disk on fire"), "{said}");
}

#[test]
fn a_historical_profile_has_no_process() {
    let (_, file, distro) = place("profile", "#!/bin/sh\n");
    let arguments = ["run", &file, "--world", "tcp", "--distro", &distro];
    let output = run(&[&arguments[..], &["--profile", "nacos-2.3"]].concat());
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("the released node, which has only the profile distro"),
        "{said}"
    );
}

/// The testbed, ended when its test fails.
struct Testbed(Child);

impl Drop for Testbed {
    fn drop(&mut self) {
        // It has ended in a test that went well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits for something that has to come.
fn awaited<T: Send + 'static>(what: &str, wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(wait()));
    told.recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("never: {what}"))
}

/// Numbers of two stand-ins, which write them into a pipe.
fn numbers(pipe: PathBuf) -> Vec<u32> {
    let mut numbers = Vec::new();
    // Its end comes whenever all who write are done, and may be before the second begins.
    while numbers.len() < 2 {
        let pipe = std::fs::File::open(&pipe).expect("our own pipe");
        let lines = BufReader::new(pipe).lines();
        numbers.extend(lines.map(|line| line.expect("text").parse::<u32>().expect("a number")));
    }
    numbers
}

fn lives(number: u32) -> bool {
    Path::new(&format!("/proc/{number}")).exists()
}

#[test]
fn signals_end_the_run_and_its_processes() {
    for (signal, name) in [("-INT", "interrupt"), ("-TERM", "terminate")] {
        // No variable reaches a node, the path neither.
        let script = "#!/bin/sh\necho $$ > \"${0%/*}/pids\"\nexec /bin/sleep 1000\n";
        let (path, file, distro) = place(name, script);
        let pipe = path.join("pids");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("a shell's tool").success());
        let mut child = command(&["run", &file, "--world", "tcp", "--distro", &distro]);
        let child = child.stdout(Stdio::piped()).spawn().expect("just built");
        let mut child = Testbed(child);
        let nodes = awaited("two nodes", move || numbers(pipe));
        assert!(nodes.iter().all(|node| lives(*node)));
        let pid = child.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("a shell's tool").success());
        let mut said = child.0.stdout.take().expect("a pipe");
        awaited("the end", move || {
            std::io::copy(&mut said, &mut std::io::sink())
        })
        .expect("a pipe to its end");
        let status = child.0.wait().expect("our child");
        assert_eq!(status.code(), Some(3));
        assert!(!nodes.iter().any(|node| lives(*node)), "{nodes:?} are left");
    }
}

#[test]
fn compare_needs_two_worlds_and_tells_what_they_say() {
    let (path, _, _) = place("compare", "");
    let file = path.join("short.toml");
    std::fs::write(&file, "about = \"x\"\nduration = \"9s\"\nnodes = 2\n").expect("written");
    let file = file.display().to_string();
    for worlds in ["event", "event,event"] {
        let output = run(&["compare", &file, "--worlds", worlds]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("at least two worlds"));
    }
    let output = run(&["compare", &file, "--worlds", "event,turmoil"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("short: the worlds agree (seed 1"), "{said}");
    assert!(said.contains("node ready"), "{said}");
    assert!(said.ends_with("1 of 1 agree\n"), "{said}");
    let output = run(&[
        "compare",
        &file,
        "--worlds",
        "event,turmoil",
        "--format",
        "json",
    ]);
    let said = text(&output.stdout);
    let lines: Vec<serde_json::Value> = { said.lines() }
        .map(|line| serde_json::from_str(line).expect("JSON lines"))
        .collect();
    assert_eq!(lines[0]["differs"], false);
    assert_eq!(lines[0]["checks"][0]["worlds"][0]["world"], "event");
    assert_eq!(lines[1]["exit"], 0);
}

#[test]
fn worlds_that_cannot_be_compared_exit_with_three() {
    let (_, file, distro) = place("uncompared", "#!/bin/sh\nexit 7\n");
    let arguments = [
        "compare",
        &file,
        "--worlds",
        "event,tcp",
        "--distro",
        &distro,
    ];
    let output = run(&arguments);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the run in tcp failed"), "{said}");
}
