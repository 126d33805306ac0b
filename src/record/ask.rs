//! What clients without a connection ask, as it stands in a line.

use distro_core::ids::Str;
use distro_core::message::ask::{Ask, Change, Place};
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{Instance, ServiceKey, Weight};
use serde::{Deserialize, Serialize};

/// A question of a client without a connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AskLine {
    Register(ServiceKey, Box<Instance>),
    Deregister(ServiceKey, Str, i32),
    Beat(ServiceKey, Str, i32, Option<Box<Instance>>),
    Update {
        service: ServiceKey,
        ip: Str,
        port: i32,
        weight: Option<Weight>,
        enabled: Option<bool>,
        metadata: Option<Metadata>,
    },
}

impl From<Ask> for AskLine {
    fn from(ask: Ask) -> AskLine {
        match ask {
            Ask::Register(service, instance) => AskLine::Register(service, instance),
            Ask::Deregister(service, Place { ip, port }) => AskLine::Deregister(service, ip, port),
            Ask::Beat {
                service,
                place: Place { ip, port },
                instance,
            } => AskLine::Beat(service, ip, port, instance),
            Ask::Update(service, Place { ip, port }, change) => AskLine::Update {
                service,
                ip,
                port,
                weight: change.weight,
                enabled: change.enabled,
                metadata: change.metadata,
            },
        }
    }
}

impl From<AskLine> for Ask {
    fn from(line: AskLine) -> Ask {
        match line {
            AskLine::Register(service, instance) => Ask::Register(service, instance),
            AskLine::Deregister(service, ip, port) => Ask::Deregister(service, Place { ip, port }),
            AskLine::Beat(service, ip, port, instance) => Ask::Beat {
                service,
                place: Place { ip, port },
                instance,
            },
            AskLine::Update {
                service,
                ip,
                port,
                weight,
                enabled,
                metadata,
            } => {
                let change = Change {
                    weight,
                    enabled,
                    metadata,
                };
                Ask::Update(service, Place { ip, port }, Box::new(change))
            }
        }
    }
}
