//! The deterministic testbed: runs Distro on simulated hosts from seeded scenario files and judges
//! every run by the same checks.
//!
//! # Layout
//! - [`scenario`]: the file format, its errors, the checked model
//! - [`world`]: what a scenario runs in · [`run`]: one run in one world · [`outcome`]: what it is
//!   asked for, and what comes out
//! - [`observe`]: what every world tells · [`trace`]: written and hashed
//! - [`judge`], [`check`]: who judges it, one file per property
//! - [`report`], [`compare`]: what the command line prints

pub mod check;
pub mod compare;
pub mod judge;
pub mod observe;
pub mod outcome;
pub mod report;
pub mod run;
pub mod scenario;
pub mod trace;
pub mod world;
