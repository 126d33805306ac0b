//! `distro hash-password`.

use std::io::{IsTerminal, Read, stdin};

use super::{BAD_INPUT, DONE, FAILED, Failure, complain, print};
use crate::http::auth::hash_password;

/// Longest input that is read; a password is shorter.
const INPUT_MAX: u64 = 4_096;

/// Reads a password from standard input and prints its hash. Why not from an argument: everybody on
/// the machine could read it.
pub(super) fn hash() -> Result<u8, Failure> {
    if stdin().is_terminal() {
        complain("type the password and Enter, then Ctrl-D; it is shown while you type");
    }
    let mut text = String::new();
    let read = stdin().lock().take(INPUT_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::new(FAILED, format!("standard input: {error}")))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.contains('\n') {
        return Err(Failure::new(BAD_INPUT, "a password is one line"));
    }
    let hash = hash_password(password).map_err(|text| Failure::new(BAD_INPUT, text))?;
    print(&hash)?;
    Ok(DONE)
}
