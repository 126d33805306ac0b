//! The binary `distro` as people and scripts use it: real processes on loopback ports. Everything
//! waits for a line that a process prints, nothing for time.

mod process;

use std::net::TcpListener;

use process::{Process, address, distro, run, serve, serve_with, text};
use serde_json::Value;

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
