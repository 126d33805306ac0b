//! Ways to carry payloads between two ends.

pub mod tcp;
