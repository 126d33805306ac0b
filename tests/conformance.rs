//! Our own node, examined by our own kit, through the command as anybody would.

mod process;

use process::{address, run, serve, text};
use serde_json::Value;

#[test]
fn our_node_conforms() {
    let address = address();
    let node = serve(&address, "");
    node.until_message("ready");
    let port = address.split('/').nth(1).unwrap();
    let target = format!("127.0.0.1:{port}");
    let output = run(&["conformance", "--target", &target, "--format", "json"]);
    let lines = text(&output.stdout);
    let findings: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed: Vec<_> = findings
        .iter()
        .filter(|finding| finding["verdict"] == "fail")
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for point in ["C.1", "C.2", "C.3", "C.4", "C.5", "C.6", "C.7"] {
        let passes = |finding: &&Value| finding["point"] == point && finding["verdict"] == "pass";
        assert!(findings.iter().any(|finding| passes(&finding)), "{point}");
    }
}

#[test]
fn a_port_without_grpc_is_told_apart_from_a_server_that_is_wrong() {
    let address = address();
    let node = serve(&address, "");
    node.until_message("ready");
    let port = address.split('/').nth(2).unwrap();
    let target = format!("127.0.0.1:{port}");
    let output = run(&["conformance", "--target", &target, "--only", "C.1,C.2"]);
    assert_eq!(output.status.code(), Some(1));
    let hint = text(&output.stderr);
    assert!(hint.contains(port) && hint.contains("plus 1000"), "{hint}");
}

#[test]
fn wrong_arguments_and_silent_targets_are_said() {
    let output = run(&["conformance", "--target", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("host:port"));
    let output = run(&[
        "conformance",
        "--target",
        "127.0.0.1:9848",
        "--only",
        "C.99",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("C.14"));
    let port = address().split('/').nth(1).unwrap().to_owned();
    let output = run(&["conformance", "--target", &format!("127.0.0.1:{port}")]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}
