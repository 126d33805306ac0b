//! The deterministic testbed: runs Distro on simulated hosts from seeded scenario files and judges
//! every run by the same checks.

pub mod observe;
pub mod scenario;
