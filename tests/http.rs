//! The main port of real processes: settings, users, health, the way of a write.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod process;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use process::{Process, distro, run, serve_with, text};

/// A whole answer.
fn call(port: u16, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn hash_of(input: &str) -> std::process::Output {
    let mut child = distro()
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn bind() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

/// A main port; those that follow from it need room above it.
fn main_port() -> TcpListener {
    let mut bound = std::iter::repeat_with(bind);
    let found = bound.find(|listener| port_of(listener) < 64_000);
    found.unwrap()
}

/// A node whose HTTP is on, and its main port. The port is free because it was just bound.
fn node(more: &[&str]) -> (Process, u16, String) {
    let (main, sdk, cluster) = (main_port(), bind(), bind());
    let [port, sdk, cluster] = [main, sdk, cluster].map(|listener| port_of(&listener));
    let address = format!("127.0.0.1:{port}/{sdk}/{cluster}");
    let mut arguments = vec!["--set", "http.serve=on"];
    arguments.extend(more);
    let node = serve_with(&address, "", &arguments);
    (node, port, address)
}

#[test]
fn a_user_of_the_settings_logs_in_and_registers() {
    let made = hash_of("a password\n");
    assert!(made.status.success());
    let users = format!("auth.users=ann={}", text(&made.stdout).trim());
    let (node, port, address) = node(&[
        "--set",
        "auth.enabled=on",
        "--set",
        &users,
        "--set",
        "http.context-path=/registry/",
    ]);
    node.until_message("ready");
    let ready = call(port, "GET", "/registry/v1/console/health/readiness");
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.ends_with("OK"),
        "{ready}"
    );
    let register = "/registry/v1/ns/instance?serviceName=orders&ip=10.1.1.1&port=80";
    let refused = call(port, "POST", register);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let login = "/registry/v3/auth/user/login?username=ann&password=";
    let refused = call(port, "POST", &format!("{login}another"));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let told = call(port, "POST", &format!("{login}a+password"));
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    let told: serde_json::Value = serde_json::from_str(body).unwrap();
    let token = told["accessToken"].as_str().unwrap();
    let done = call(port, "POST", &format!("{register}&accessToken={token}"));
    assert!(
        done.starts_with("HTTP/1.1 200") && done.ends_with("ok"),
        "{done}"
    );
    let list = ["list", "orders", "--server", &address, "--carrier"];
    let refused = run(&[&list[..], &["grpc"]].concat());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("no accessToken: log in first (code 403)"));
    let refused = run(&[&list[..], &["grpc", "--access-token", "a.b.c"]].concat());
    assert!(text(&refused.stderr).contains("token invalid! (code 403)"));
    let nowhere = run(&[&list[..], &["tcp", "--access-token", token]].concat());
    assert_eq!(nowhere.status.code(), Some(2), "{nowhere:?}");
    let listed = run(&[&list[..], &["grpc", "--access-token", token]].concat());
    assert!(text(&listed.stdout).contains("10.1.1.1"), "{listed:?}");
    let bare = run(&[&list[..], &["tcp"]].concat());
    assert_eq!(bare.status.code(), Some(1), "{bare:?}");
    let elsewhere = call(port, "GET", "/nacos/v1/console/health/readiness");
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
}

#[test]
fn a_password_that_cannot_be_one_is_refused() {
    let long = "x".repeat(73);
    for (input, named) in [
        ("", "empty"),
        ("\n", "empty"),
        (&long, "72 bytes"),
        ("a\nb\n", "one line"),
    ] {
        let output = hash_of(input);
        assert_eq!(output.status.code(), Some(2), "{input:?}");
        assert!(
            text(&output.stderr).contains(named),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn settings_of_http_that_cannot_be_right_are_told_at_once() {
    let output = run(&[
        "serve",
        "--set",
        "auth.enabled=on",
        "--set",
        "auth.secret=short",
        "--set",
        "auth.token-ttl=1s",
        "--set",
        "http.context-path=/a b",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for named in [
        "there is no user",
        "32 bytes",
        "ten seconds",
        "no path to serve below",
    ] {
        assert!(told.contains(named), "{named}: {told}");
    }
    let output = run(&["serve", "--set", "auth.users=ann=plain"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hash-password"));
}

#[test]
fn a_main_port_in_use_is_told_and_nothing_starts() {
    let taken = main_port();
    let port = port_of(&taken).to_string();
    let [sdk, cluster] = [bind(), bind()].map(|listener| port_of(&listener).to_string());
    let mut arguments = vec!["serve", "--bind", "127.0.0.1", "--set", "ops.serve=off"];
    arguments.extend([
        "--port",
        &port,
        "--sdk-port",
        &sdk,
        "--cluster-port",
        &cluster,
    ]);
    let output = run(&arguments);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("http.serve=off"), "{told}");
}
