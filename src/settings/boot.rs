//! The number of this node's life. Fellow nodes take a higher one for a later life, so it must
//! rise even when the wall clock went back while the node was down.

use std::io::{self, Write};
use std::path::Path;

use distro_core::ids::Incarnation;
use distro_core::time::Wall;

/// Holds the number of the latest life.
const FILE: &str = "boot";

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
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse::<u64>().map_err(|_| {
            let help = "it should hold one number; remove it if the clock is right";
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {help}", path.display()),
            )
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let now = clock.max(before.saturating_add(1));
    // Written aside and renamed: a power cut leaves the old number or the new one.
    let aside = dir.join("boot.new");
    let mut file = std::fs::File::create(&aside)?;
    writeln!(file, "{now}")?;
    file.sync_all()?;
    std::fs::rename(&aside, &path)?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(Incarnation(now))
}
