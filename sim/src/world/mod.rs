//! Where a scenario runs. Every world takes the same scenario and tells the same
//! [observations](crate::observe), so one set of checks judges all.

mod common;
pub mod event;
mod link;
mod script;
pub mod tcp;
pub mod turmoil;
