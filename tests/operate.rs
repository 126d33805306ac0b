//! Operating real nodes: health, tables, changes, limits, and a comparison that finds what differs.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod process;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use process::{PATIENCE, Process, address, run, serve_with, text};
use serde_json::Value;

/// A free port for an operator.
fn free_port() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// A node with an operator's port, and that port's address.
fn node(at: &str, members: &str, more: &[&str]) -> (Process, String) {
    let port = free_port();
    let set = format!("ops.port={port}");
    let mut arguments = vec!["--set", "ops.serve=on", "--set", &set];
    arguments.extend(more);
    let node = serve_with(at, members, &arguments);
    (node, format!("127.0.0.1:{port}"))
}

/// The lines of a command that must do its work.
fn lines(arguments: &[&str]) -> Vec<Value> {
    let done = run(arguments);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let out = text(&done.stdout);
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asks again and again until the answer is right.
fn until(what: &str, arguments: &[&str], is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let seen = lines(arguments);
        if is(&seen) {
            return seen;
        }
        assert!(std::time::Instant::now() < end, "never: {what}: {seen:?}");
    }
}

#[test]
fn a_difference_between_nodes_is_named_with_its_reason_and_ends() {
    let (one, two) = (address(), address());
    let members = format!("{one},{two}");
    // A sync delay that no test waits for. Verify leaves alone what has a sync on its way.
    let late = ["--set", "timing.sync-delay=10m"];
    let (first, ops_one) = node(&one, &members, &late);
    let (second, ops_two) = node(&two, &members, &late);
    first.until_message("ready");
    second.until_message("ready");
    let json = ["--format", "json"];
    let of = |name: &'static str, ops: &str| {
        let mut arguments: Vec<String> = vec![name.into(), "--ops".into(), ops.into()];
        arguments.extend(json.map(String::from));
        arguments
    };
    let members_of = of("members", &ops_one);
    let members_of: Vec<&str> = members_of.iter().map(String::as_str).collect();
    until("connected", &members_of, |seen| {
        seen[0]["connected"] == true
    });
    assert_eq!(run(&["diff", &ops_one, &ops_two]).status.code(), Some(0));

    let client = Process::start(
        &[
            "register",
            "demo",
            "10.0.0.1:80",
            "--server",
            &one,
            "--format",
            "json",
        ],
        false,
    );
    client.until_type("registered");
    let clients_of = of("clients", &ops_one);
    let clients_of: Vec<&str> = clients_of.iter().map(String::as_str).collect();
    let id = until("a client", &clients_of, |seen| seen.len() == 1)[0]["client"].clone();
    let done = run(&[
        "diff", &ops_one, &ops_two, "--again", "1ms", "--format", "json",
    ]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    let found: Value = serde_json::from_str(text(&done.stdout).trim()).unwrap();
    assert_eq!(
        (&found["client"], &found["kind"]),
        (&id, &Value::from("missing"))
    );
    let why = found["why"].as_str().unwrap();
    assert!(why.contains("on its way"), "{why}");

    drop(client);
    until("no client", &clients_of, <[Value]>::is_empty);
    assert_eq!(run(&["diff", &ops_one, &ops_two]).status.code(), Some(0));
}

#[test]
fn limits_and_log_level_change_while_a_node_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("limitRule");
    std::fs::write(&file, r#"{"countLimit": 3}"#).unwrap();
    let rule = format!("limits.rule-file={}", file.display());
    let (node, ops) = node(&address(), "", &["--set", &rule]);
    node.until_message("ready");
    let limits = ["limits", "--ops", &ops, "--format", "json"];
    assert_eq!(lines(&limits)[0]["countLimit"], 3);
    std::fs::write(&file, "{\"countLimit\": 4}").unwrap();
    until("the new rule", &limits, |seen| seen[0]["countLimit"] == 4);
    std::fs::write(&file, "{\"countLimits\": 5}").unwrap();
    node.until("the wrong rule is told", |line| {
        let message = line["message"].as_str().unwrap_or("");
        message.contains("limits stay as they are") && message.contains("countLimits")
    });
    assert_eq!(lines(&limits)[0]["countLimit"], 4);
    let log = ["log", "--ops", &ops, "--format", "json", "debug"];
    assert_eq!(lines(&log)[0]["level"], "debug");
    let client = run(&[
        "rebalance",
        "--ops",
        &ops,
        "--keep",
        "1",
        "--redirect",
        "nowhere",
    ]);
    assert_eq!(client.status.code(), Some(1));
    assert!(text(&client.stderr).contains("has no port"));
}

/// A page of a node's operator's port.
fn page(ops: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(ops).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {ops}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_count_requests_by_their_type() {
    let at = address();
    let (node, ops) = node(&at, "", &[]);
    node.until_message("ready");
    for service in ["a", "b"] {
        lines(&["list", service, "--server", &at, "--format", "json"]);
    }
    let metrics = page(&ops, "/metrics");
    let count = |kind: &str| {
        let name = format!("distro_requests_total{{type=\"{kind}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map(|count| count.parse::<u64>().unwrap())
    };
    assert_eq!(count("query"), Some(2), "{metrics}");
    assert_eq!(count("register"), Some(0), "{metrics}");
    // A server check and a setup of each client.
    assert_eq!(count("setup"), Some(4), "{metrics}");
}

#[test]
fn a_wrong_port_is_told_with_the_right_one() {
    let at = address();
    let (node, _) = node(&at, "", &[]);
    node.until_message("ready");
    let sdk = at.split('/').nth(1).unwrap();
    for port in [sdk, &free_port()] {
        let done = run(&["members", "--ops", &format!("127.0.0.1:{port}")]);
        assert_eq!(done.status.code(), Some(3));
        assert!(text(&done.stderr).contains("main port + 1002"));
    }
    let done = run(&["diff", "127.0.0.1:1"]);
    assert_eq!(done.status.code(), Some(2));
}
