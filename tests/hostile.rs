//! What strangers do to the HTTP of a real node. Beside them somebody asks who behaves, and how
//! often that one is answered is what counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod process;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use process::{PATIENCE, Process, address, run, serve_with, text};

/// A node that serves HTTP at this key's port.
fn node(key: &str, more: &[&str]) -> (Process, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let own = address();
    let mut arguments: Vec<String> = [format!("{key}.serve=on"), format!("{key}.port={port}")]
        .into_iter()
        .flat_map(|set| ["--set".to_owned(), set])
        .collect();
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let node = serve_with(&own, "", &arguments);
    node.until_message("ready");
    (node, port)
}

/// A stream on which this was said.
fn said(port: u16, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    stream
}

/// The status of the answer; `None` when there is none.
fn status(mut stream: TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    text(&answer).split(' ').nth(1)?.parse().ok()
}

fn get(port: u16, path: &str) -> Option<u16> {
    status(said(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ))
}

#[test]
fn probes_are_answered_whoever_holds_the_port() {
    let (_node, port) = node("ops", &[]);
    let silent = "";
    let no_head = "GET /livez HTTP/1.1\r\nHost: ";
    let no_body = "PUT /v1/limits HTTP/1.1\r\nHost: 127.0.0.1\r\n\
                   Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let unread = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(200);
    for words in [silent, no_head, no_body, &unread] {
        let held: Vec<TcpStream> = (0..100).map(|_| said(port, words)).collect();
        for path in ["/livez", "/readyz", "/metrics"] {
            let answered = (0..20).filter(|_| get(port, path) == Some(200)).count();
            assert_eq!(answered, 20, "{path} beside {words:?}");
        }
        drop(held);
    }
}

#[test]
fn a_page_in_a_browser_changes_nothing_and_an_operator_does() {
    let (_node, port) = node("ops", &[]);
    let post = |headers: &str| {
        let body = r#"{"keep": 0}"#;
        let length = body.len();
        status(said(
            port,
            &format!(
                "POST /v1/rebalance HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\
                 {headers}\r\n\r\n{body}"
            ),
        ))
    };
    let host = format!("Host: 127.0.0.1:{port}");
    let json = "Content-Type: application/json";
    assert_eq!(
        post(&format!("{host}\r\nContent-Type: text/plain")),
        Some(415)
    );
    assert_eq!(
        post(&format!("{host}\r\n{json}\r\nOrigin: http://evil.example")),
        Some(403)
    );
    assert_eq!(post(&format!("Host: evil.example\r\n{json}")), Some(403));
    assert_eq!(post(&format!("{host}\r\n{json}")), Some(200));
    let ops = format!("127.0.0.1:{port}");
    let away = [
        "rebalance",
        "--ops",
        &ops,
        "--keep",
        "0",
        "--redirect",
        "10.66.0.1:8848",
    ];
    let refused = run(&away);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("no other member"));
}

#[test]
fn wrong_logins_cost_nobody_else_theirs() {
    let mut hash = process::distro();
    hash.arg("hash-password");
    hash.stdin(std::process::Stdio::piped());
    hash.stdout(std::process::Stdio::piped());
    let mut child = hash.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"right\n").unwrap();
    let hash = text(&child.wait_with_output().unwrap().stdout);
    let user = format!("auth.users=ann={}", hash.trim());
    let (node, port) = node_with_login(&user);
    let login = |user: &str, password: &str| {
        said(
            port,
            &format!(
                "POST /nacos/v1/auth/login?username={user}&password={password} HTTP/1.1\r\n\
                 Host: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            ),
        )
    };
    let wrong: Vec<TcpStream> = (0..24).map(|_| login("mallory", "wrong")).collect();
    let right = (0..20).filter(|_| status(login("ann", "right")) == Some(200));
    assert_eq!(right.count(), 20);
    let statuses: Vec<Option<u16>> = wrong.into_iter().map(status).collect();
    assert!(
        statuses
            .iter()
            .all(|status| matches!(status, Some(403 | 429)))
    );
    node.until("the wrong ones are told", |line| {
        line["message"] == "wrong login" && line["user"] == "mallory"
    });
    // Whoever goes on is told to wait, before any password is looked at.
    let answers: Vec<_> = (0..10).map(|_| status(login("mallory", "wrong"))).collect();
    assert_eq!(answers.last(), Some(&Some(429)));
    assert_eq!(status(login("ann", "right")), Some(200));
}

fn node_with_login(user: &str) -> (Process, u16) {
    // The main port is that of HTTP.
    let own = address();
    let port: u16 = own.split([':', '/']).nth(1).unwrap().parse().unwrap();
    let set = [
        "--set",
        "http.serve=on",
        "--set",
        "auth.enabled=on",
        "--set",
        user,
    ];
    let node = serve_with(&own, "", &set);
    node.until_message("ready");
    (node, port)
}
