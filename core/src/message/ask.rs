//! What a client without a connection asks (part 9.2, 9.3): Nacos's 1.x clients, sidecars, scripts.
//!
//! Such a client is named by the place of its instance, `ip:port#true`. It lives by beats, and the
//! node that is responsible for that place by hash owns it.

use alloc::boxed::Box;

use super::metadata::Metadata;
use super::naming::{Instance, ServiceKey, Weight};
use crate::ids::Str;
use crate::time::Period;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Publish an instance, or replace what its place publishes for the service.
    Register(ServiceKey, Box<Instance>),
    /// Withdraw what this place publishes for the service. Not there is a success.
    Deregister(ServiceKey, Place),
    /// The instance is alive. `instance` is absent in a light beat, which registers nothing.
    Beat {
        /// Which service.
        service: ServiceKey,
        /// Where.
        place: Place,
        /// What to register when the service is not published from there.
        instance: Option<Box<Instance>>,
    },
    /// Change parts of an instance that is published.
    Update(ServiceKey, Place, Box<Change>),
}

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Address.
    pub ip: Str,
    /// Port, 0 to 65535; wider so that a bad value gets a clear refusal.
    pub port: i32,
}

/// What an update changes; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Change {
    /// Load-balancing weight.
    pub weight: Option<Weight>,
    /// Whether it is listed.
    pub enabled: Option<bool>,
    /// All metadata.
    pub metadata: Option<Metadata>,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Done, or nothing to do.
    Done,
    /// A beat arrived; the next one is due after this time.
    Beat(Period),
    /// The service is not published from this place (by a client without a connection).
    NotFound,
    /// A parameter breaks its rule; nothing changed.
    Refused(Str),
    /// The first load is not settled; nothing changed.
    Starting,
}
