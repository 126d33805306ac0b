//! Nodes and commands under TLS: real processes, certificates made as the tests run.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod process;

use std::path::PathBuf;

use process::{Process, address, run, serve, serve_with, text};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority and what it signed, as files.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Authority { issuer, dir };
        authority.sign("127.0.0.1");
        authority
    }

    /// Replaces the certificate and its key.
    fn sign(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("cert.pem"), cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `--set` for a node that asks for certificates on both of its carriers' ports.
    fn mutual(&self) -> Vec<String> {
        let file = |key: &str, name: &str| format!("tls.{key}={}", self.text(name));
        let set = [
            file("cert", "cert.pem"),
            file("key", "key.pem"),
            file("client-ca", "ca.pem"),
            "tls.sdk=mutual".to_owned(),
            "tls.cluster=mutual".to_owned(),
            "tls.reload=100ms".to_owned(),
        ];
        set.into_iter()
            .flat_map(|set| ["--set".to_owned(), set])
            .collect()
    }

    /// Flags for a command that shows a certificate.
    fn flags(&self) -> [String; 6] {
        let file = |name| self.text(name);
        let words = |word: &str| word.to_owned();
        [
            words("--tls-ca"),
            file("ca.pem"),
            words("--tls-cert"),
            file("cert.pem"),
            words("--tls-key"),
            file("key.pem"),
        ]
    }
}

fn with<'a>(words: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    words
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect()
}

fn secure(address: &str, members: &str, authority: &Authority) -> Process {
    let mutual = authority.mutual();
    let node = serve_with(address, members, &with(&[], &mutual));
    node.until_message("ready");
    node
}

#[test]
fn two_nodes_and_a_client_agree_under_mutual_tls() {
    let authority = Authority::new();
    let addresses = [address(), address()];
    let members = addresses.join(",");
    // A node is ready when it has loaded from the other: each waits for both.
    let mutual = authority.mutual();
    let nodes = addresses
        .each_ref()
        .map(|own| serve_with(own, &members, &with(&[], &mutual)));
    for node in &nodes {
        node.until_message("ready");
    }
    let flags = authority.flags();
    let watch = [
        "watch",
        "demo",
        "--format",
        "json",
        "--server",
        &addresses[1],
    ];
    let watcher = Process::start(&with(&watch, &flags), false);
    watcher.until_count(0);
    let register = [
        "register",
        "demo",
        "10.1.1.1:80",
        "--format",
        "json",
        "--server",
        &addresses[0],
    ];
    let client = Process::start(&with(&register, &flags), false);
    client.until_type("registered");
    watcher.until_count(1);
}

#[test]
fn who_lacks_what_a_mutual_listener_wants_is_told() {
    let authority = Authority::new();
    let own = address();
    let _node = secure(&own, "", &authority);
    let list = ["list", "--server", &own, "--timeout", "2s"];
    let flags = authority.flags();
    assert_eq!(run(&with(&list, &flags)).status.code(), Some(0));

    let stranger = Authority::new();
    let done = run(&with(&list, &stranger.flags()));
    assert_eq!(done.status.code(), Some(3));
    assert!(
        text(&done.stderr).contains("no TLS with"),
        "{}",
        text(&done.stderr)
    );

    let plain = run(&list);
    assert_eq!(plain.status.code(), Some(3));
    assert!(
        text(&plain.stderr).contains("wants TLS (--tls-ca)"),
        "{}",
        text(&plain.stderr)
    );

    let no_certificate = run(&with(&list, &flags[..2]));
    assert_eq!(no_certificate.status.code(), Some(3));
}

#[test]
fn a_client_that_wants_tls_from_a_plain_node_is_told() {
    let authority = Authority::new();
    let own = address();
    let node = serve(&own, "");
    node.until_message("ready");
    let done = run(&with(&["list", "--server", &own], &authority.flags()));
    assert_eq!(done.status.code(), Some(3));
    let told = text(&done.stderr);
    assert!(told.contains("does not speak TLS"), "{told}");
}

#[test]
fn new_certificates_are_used_without_a_restart_and_bad_ones_are_not() {
    let authority = Authority::new();
    let own = address();
    let node = secure(&own, "", &authority);
    let list = ["list", "--server", &own];
    let old_flags = authority.flags();
    assert_eq!(run(&with(&list, &old_flags)).status.code(), Some(0));

    authority.sign("renamed.internal");
    node.until_message("new certificates are in use");
    let done = run(&with(&list, &authority.flags()));
    assert!(
        text(&done.stderr).contains("not valid for name"),
        "{}",
        text(&done.stderr)
    );
    let named = with(
        &["list", "--server", &own, "--tls-name", "renamed.internal"],
        &old_flags,
    );
    assert_eq!(run(&named).status.code(), Some(0));

    std::fs::write(authority.path("ca.pem"), "soup").unwrap();
    node.until("a bad file is told", |line| {
        let message = line["message"].as_str().unwrap_or("");
        message.starts_with("the certificates stay as they are:") && message.contains("ca.pem")
    });
    std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
    node.until_message("new certificates are in use");
    assert_eq!(run(&named).status.code(), Some(0));
}

#[test]
fn settings_of_tls_that_cannot_be_right_are_refused_with_the_key() {
    let told = |set: &[&str]| {
        let mut arguments = vec!["serve"];
        for set in set {
            arguments.extend(["--set", set]);
        }
        let done = run(&arguments);
        assert_eq!(done.status.code(), Some(2));
        text(&done.stderr)
    };
    assert!(told(&["tls.cert=a.pem"]).contains("tls.cert needs tls.key"));
    assert!(told(&["tls.ops=server"]).contains("tls.ops needs a certificate"));
    let pair = ["tls.cert=a.pem", "tls.key=b.pem"];
    assert!(told(&pair).contains("no authority vouches for fellow nodes"));
    let mutual = [pair[0], pair[1], "tls.sdk=mutual", "tls.cluster=off"];
    assert!(told(&mutual).contains("tls.sdk has no authority for clients"));
    let absent = [pair[0], pair[1], "tls.cluster=off"];
    assert!(told(&absent).contains("tls: a.pem cannot be read"));
}
