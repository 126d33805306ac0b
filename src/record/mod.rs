//! A node's recording: every input of its core with the two clock readings it was taken at, so
//! that the same core, fed the same lines, is the same node again.
//!
//! Nothing that comes out needs to be written down: the core is a function of its configuration
//! and its inputs. Each line carries a hash of what came out instead, so a replay that is not the
//! same life says so at the first step that differs (another build, a lost line). What the core
//! cannot know is which of its outputs the shell could not carry out; those are noted by number.
//!
//! A line leaves for the system before anything it causes leaves for a socket. So a recording
//! of a process that was killed tells everything that anybody ever heard of it.
//!
//! The form is JSON, one object a line: a header, then steps. Messages are in it as they look on
//! the wire. It holds everything that clients published; treat it as you treat them.
//!
//! # Layout
//! - [`write`]: a [`Tap`](crate::shell::Tap) that writes one · [`read`]: reads one
//! - `line`: the lines themselves · `ask`: what clients without a connection ask

mod ask;
mod line;
pub mod read;
pub mod write;

#[cfg(test)]
mod tests;

use distro_core::hash::hash_of;
use distro_core::io::Output;

/// Name of the format, in every header.
pub const FORMAT: &str = "distro-recording";
/// Version of the format. It goes up when an old reader would misread a new recording.
pub const VERSION: u32 = 1;

/// One number for what one step put out.
pub fn outputs_hash(outputs: &[Output]) -> u64 {
    hash_of(outputs)
}
