//! The fuzz targets' corpus, whole, cut short at every byte and damaged at every byte: what must
//! hold for any bytes of strangers (`fuzz/src/lib.rs`) holds for these with every run of the suite.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own elsewhere")]
mod fuzz;

use std::path::{Path, PathBuf};

use distro_core::view::Counters;
use distro_node::carrier::grpc::message::PREFIX_BYTES;

/// Longest input that is damaged at every byte; of a longer one as many places are.
const PLACES_MAX: usize = 400;

/// What is tried, told when it fails.
struct Tried<'a> {
    input: &'a Path,
    what: String,
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {}, {}", self.input.display(), self.what);
        }
    }
}

fn files(directory: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(&root).expect("the corpus is in the repository");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it is listed").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("it can be read");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// The messages of official SDKs.
fn golden() -> Vec<(PathBuf, Vec<u8>)> {
    let sdks = ["go-2.3.2", "java-3.1.1", "python-3.2.0", "rust-0.8.3"];
    sdks.iter()
        .flat_map(|sdk| files(&format!("src/codec/golden/{sdk}")))
        .collect()
}

/// Tries the inputs, and each of them damaged.
fn try_all(check: fn(&[u8]), inputs: Vec<(PathBuf, Vec<u8>)>) {
    assert!(inputs.len() >= 8, "only {} inputs", inputs.len());
    for (path, bytes) in inputs {
        let attempt = |what: String, bytes: &[u8]| {
            let _tried = Tried { input: &path, what };
            check(bytes);
        };
        attempt("as it is".to_owned(), &bytes);
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(PLACES_MAX).max(1)) {
            attempt(format!("cut at {at}"), &bytes[..at]);
            let mut damaged = bytes.clone();
            for with in [
                0x00,
                0xff,
                bytes[at] ^ 0x80,
                bytes[at].wrapping_add(1),
                b'"',
            ] {
                damaged[at] = with;
                attempt(format!("{with:#04x} at {at}"), &damaged);
            }
            attempt(
                format!("without what is at {at}"),
                &[&bytes[..at], &bytes[at + 1..]].concat(),
            );
        }
    }
}

#[test]
fn frames() {
    try_all(fuzz::frame, files("fuzz/corpus/frame"));
}

#[test]
fn bodies() {
    let framed = golden().into_iter().map(|(path, message)| {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let cut = [u8::try_from(PREFIX_BYTES + 3).unwrap(), 0];
        (path, [&cut[..], &length, &message].concat())
    });
    try_all(
        fuzz::body,
        framed.chain(files("fuzz/corpus/body")).collect(),
    );
}

#[test]
fn payloads() {
    let mut inputs = golden();
    inputs.extend(files("fuzz/corpus/payload"));
    try_all(fuzz::payload, inputs);
}

#[test]
fn recordings() {
    try_all(fuzz::recording, files("fuzz/corpus/recording"));
}

#[test]
fn lives() {
    try_all(fuzz::life, files("fuzz/corpus/life"));
}

/// Lives in which nobody gets in would try nothing.
#[test]
fn the_lives_are_full_ones() {
    let lives = files("fuzz/corpus/life");
    let nodes: Vec<_> = lives
        .iter()
        .filter_map(|(_, recording)| fuzz::node_after(recording))
        .collect();
    assert_eq!(nodes.len(), lives.len(), "each is a recording");
    let in_all = |count: fn(&Counters) -> u64| -> u64 {
        nodes.iter().map(|node| count(node.counters())).sum()
    };
    assert!(in_all(|all| all.snapshots_loaded) >= 4);
    assert!(in_all(|all| all.conns_registered) >= 20);
    assert!(in_all(|all| all.registers) >= 10);
    assert!(in_all(|all| all.syncs_applied) >= 20);
    assert!(in_all(|all| all.syncs_succeeded) >= 4);
    assert!(in_all(|all| all.verifies_matched) >= 4);
    assert!(in_all(|all| all.pushes_acked) >= 4);
}
