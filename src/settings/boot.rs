//! The number of this node's life. Fellow nodes take a higher one for a later life, so it must
//! rise even when the wall clock went back while the node was down.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use distro_core::constants::{LIFE_AHEAD_MAX, LIFE_FLOOR};
use distro_core::ids::Incarnation;
use distro_core::time::Wall;

/// Holds the number of the latest life.
const FILE: &str = "boot";

/// Most bytes that the number takes.
const BYTES_MAX: u64 = 64;

/// The number of the life before, 0 when there was none. `clock` is the wall clock.
fn before(path: &Path, clock: u64) -> io::Result<u64> {
    let wrong = |what: &str| {
        let text = format!("{}: {what}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let about = match std::fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    // Reading a fifo may never end, and a link leads to what somebody else may change.
    if !about.is_file() {
        return Err(wrong(
            "it should be a file, and is none (or a link); remove it",
        ));
    }
    let help = "it should hold one number; remove it if the clock is right";
    if about.len() > BYTES_MAX {
        return Err(wrong(help));
    }
    let text = std::fs::read_to_string(path)?;
    let before: u64 = text.trim().parse().map_err(|_| wrong(help))?;
    // Fellow nodes would not believe it.
    if before >= clock.max(LIFE_FLOOR.0) + LIFE_AHEAD_MAX.millis() {
        return Err(wrong(
            "its number lies more than ten years ahead of this host's clock, and no member would \
             believe it; set the clock right, or remove the file if it is",
        ));
    }
    Ok(before)
}

/// The number of the life that begins now: the wall clock in milliseconds, and with a directory
/// at least one more than that of the life before, which is remembered there.
///
/// # Errors
/// The directory cannot be used, or holds something else than a number.
pub fn incarnation(dir: Option<&Path>, wall: Wall) -> io::Result<Incarnation> {
    let clock = u64::try_from(wall.0).unwrap_or(0).max(1);
    let Some(dir) = dir else {
        return Ok(Incarnation(clock));
    };
    std::fs::create_dir_all(dir)?;
    let path = dir.join(FILE);
    let before = before(&path, clock)?;
    let now = clock.max(before.saturating_add(1));
    // Written aside and renamed: a power cut leaves the old number or the new one. What is there
    // already is no file of ours to write through.
    let aside = dir.join("boot.new");
    match std::fs::remove_file(&aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&aside)?;
    writeln!(file, "{now}")?;
    file.sync_all()?;
    std::fs::rename(&aside, &path)?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(Incarnation(now))
}
