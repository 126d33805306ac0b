//! The checks: judges of every run, one file per property.
//!
//! # Layout
//! - [`property`]: what is promised · [`bounds`]: within which times · [`found`]: what was found
//! - [`kind`]: classes of observations · [`facts`]: what all checks know, with [`faults`],
//!   [`intents`] (what applications want) and [`mirror`] (tables as events tell them)
//! - `s01` to `s17`: safety · `l01` to `l12`: liveness · `expect`: the file's own · [`wall`]: two
//!   runs compared · `marks`: rare paths
//!
//! A safety check speaks at the observation that breaks its property. A liveness check keeps
//! duties: what began when, and by when it must have come. A duty's clock starts again when a
//! fault that touches its hosts, or the way between them, is active or ends; a duty whose subject
//! disappears is dropped; one whose deadline lies behind the end of the run is not judged.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a check is called only for the kinds it asked for; that no observation is forgotten \
              is proved once, in `kind`, where the lint is on"
)]

pub mod bounds;
mod duty;
mod expect;
pub mod facts;
pub mod faults;
pub mod found;
pub mod intents;
pub mod kind;
mod l01_convergence;
mod l02_visible;
mod l03_returned;
mod l04_owner;
mod l05_replicas;
mod l06_subscriber;
mod l07_ready;
mod l10_drain;
mod l11_members;
mod l12_guards;
mod lookup;
mod marks;
pub mod mirror;
mod pace;
pub mod property;
mod s01_single_writer;
mod s02_resurrection;
mod s03_revision;
mod s04_false_removal;
mod s05_index;
mod s06_read;
mod s08_acknowledgement;
mod s09_not_ready;
mod s10_last_intent;
mod s11_push_order;
mod s12_identity;
mod s13_bounded;
mod s14_blast_radius;
mod s16_work;
mod s17_head_of_line;
mod sets;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod wall;
mod words;

use std::sync::Arc;

use distro_core::message::naming::ServiceInfo;

use crate::observe::{Observation, Tables};
use crate::scenario::model::Scenario;
use facts::Facts;
use found::Found;
use kind::Interest;
use mirror::Place;
pub use property::{ALL, About, Property};

/// A list that a node sends, taken apart once for all checks.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The list.
    pub info: &'a Arc<ServiceInfo>,
    /// The service's number.
    pub service: u32,
    /// The places in it, in order, each once.
    pub places: &'a [Place],
    /// No filter was asked for.
    pub whole: bool,
}

/// What a check looks at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What is known.
    pub facts: &'a Facts,
    /// The machines.
    pub tables: &'a dyn Tables,
    /// The run is over: nothing is on its way from the machines to the facts. Before that, the
    /// machines may be one step ahead of what was observed of them, so a difference between the
    /// two counts only when it is seen twice in a row.
    pub over: bool,
    /// The list in this observation, for pushes and answers with a list that a node sends.
    pub listing: Option<&'a Listing<'a>>,
}

/// The judge of one property, or of a few that look at the same things.
pub trait Check: core::fmt::Debug {
    /// For which observations it is called.
    fn interest(&self) -> Interest;
    /// Looks at an observation; the facts know it already.
    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found);
    /// Some time has passed: judges what is overdue. The facts are those before the observation
    /// that showed the time.
    fn tick(&mut self, _cx: &Context<'_>, _found: &mut Found) {}
    /// Looks over a node's tables. `settled`: they have not changed since the last scan. True asks
    /// for another scan although nothing changes: something is wrong that may pass.
    fn scan(&mut self, _node: u32, _settled: bool, _cx: &Context<'_>, _found: &mut Found) -> bool {
        false
    }
    /// The run is over.
    fn finish(&mut self, _cx: &Context<'_>, _found: &mut Found) {}
}

/// All checks for a scenario.
pub fn all(scenario: &Scenario) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(marks::Marks),
        Box::new(s01_single_writer::SingleWriter::default()),
        Box::new(s02_resurrection::Resurrection::default()),
        Box::new(s03_revision::RevisionDiscipline::default()),
        Box::new(s04_false_removal::FalseRemoval::default()),
        Box::new(s05_index::Index::default()),
        Box::new(s06_read::Read::default()),
        Box::new(s08_acknowledgement::Acknowledgement::default()),
        Box::new(s09_not_ready::NotReady),
        Box::new(s10_last_intent::LastIntent::default()),
        Box::new(s11_push_order::PushOrder::default()),
        Box::new(s12_identity::Identity::default()),
        Box::new(s13_bounded::Bounded::default()),
        Box::new(s14_blast_radius::BlastRadius::new(scenario)),
        Box::new(s16_work::Work::default()),
        Box::new(s17_head_of_line::HeadOfLine::default()),
        Box::new(l01_convergence::Convergence::default()),
        Box::new(l02_visible::Visible::default()),
        Box::new(l03_returned::Returned::new(scenario)),
        Box::new(l04_owner::Owner::default()),
        Box::new(l05_replicas::Replicas::default()),
        Box::new(l06_subscriber::Subscriber::new(scenario)),
        Box::new(l07_ready::Ready::default()),
        Box::new(l10_drain::Drain::default()),
        Box::new(l11_members::Members::default()),
        Box::new(l12_guards::Guards::default()),
        Box::new(expect::Expected::new(scenario)),
    ]
}
