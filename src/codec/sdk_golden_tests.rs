//! Bytes of official SDKs (`golden/`), and what they mean.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use distro_core::message::Received;

use super::*;
use crate::carrier::grpc::payload;

const MEANING: &str = include_str!("golden/meaning.txt");

fn within(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Every recorded message with the SDK and the file it is from.
fn recorded() -> Vec<(String, Payload)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codec/golden");
    let sdks = within(&root).into_iter().filter(|path| path.is_dir());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    sdks.flat_map(|sdk| {
        // The version has a point in it, so no stem.
        let of = sdk.file_name().unwrap().to_string_lossy().into_owned();
        let files = within(&sdk).into_iter();
        files.map(move |file| {
            let bytes = std::fs::read(&file).unwrap();
            let (payload, _) = payload::decode(bytes.into()).unwrap();
            (format!("{of} {}", name(&file)), payload)
        })
    })
    .collect()
}

fn is_answer(payload: &Payload) -> bool {
    payload.type_name.ends_with("Response")
}

#[test]
fn recorded_messages_mean_what_is_written_beside_them() {
    let mut meaning = String::new();
    for (name, payload) in recorded() {
        if is_answer(&payload) {
            let response = decode_response(&payload).unwrap();
            let id = body_request_id(&payload.body);
            writeln!(meaning, "{name}: {id:?} {response:?}").unwrap();
        } else {
            match decode_request(&payload) {
                Received::Request(request) => writeln!(meaning, "{name}: {request:?}"),
                other @ (Received::Denied(_)
                | Received::Unsupported(_)
                | Received::Unknown(_)
                | Received::Malformed(_)) => writeln!(meaning, "{name}: {other:?}"),
            }
            .unwrap();
        }
    }
    assert!(meaning == MEANING, "the meaning is now:\n{meaning}");
}

#[test]
fn no_recorded_request_is_unknown_or_malformed_and_all_survive_our_own_encoding() {
    let mut tried = 0;
    for (name, payload) in recorded() {
        if is_answer(&payload) {
            continue;
        }
        let request = match decode_request(&payload) {
            Received::Request(request) => request,
            // Refused by its type alone; nothing of it is kept.
            Received::Unsupported(_) => continue,
            other @ (Received::Denied(_) | Received::Unknown(_) | Received::Malformed(_)) => {
                panic!("{name}: {other:?}")
            }
        };
        let again = encode_request(&request, None, &Ends::default());
        assert_eq!(decode_request(&again), request.into(), "{name}");
        tried += 1;
    }
    assert!(tried >= 30, "{tried}");
}
