//! What lies between the hosts of a run when their bytes really travel: the links' rules, the
//! state of connections and hosts, and the fault layer of a stream. Worlds `turmoil` and `tcp`
//! share it, so a fault means the same in both.
//!
//! # Layout
//! - [`fabric`]: the shared state · [`stream`]: what happens to the frames of a stream ·
//!   `http2`: how a message is told in gRPC's
//! - [`tell`]: what a machine takes and puts out, as observations

pub(crate) mod fabric;
mod http2;
pub(crate) mod stream;
pub(crate) mod tell;

/// Why a limit on bandwidth is not wholly what it is in the world `event`.
pub(crate) const BANDWIDTH_NOTE: &str = "a full queue holds the sender's writes back here; it is told that the \
     connection is busy only when its own queue is full too";
