//! What a process is when it starts, and how what a scenario asks of it is put to it.

use distro_core::config::Config;
use distro_core::ids::{Incarnation, Str};
use distro_core::profile::Profile;
use distro_core::sdk::io::{Call, SdkConfig};
use distro_core::time::Now;

use super::nodes_of;
use crate::scenario::address;
use crate::scenario::model::{ClientOp, HostId, Scenario};

/// What a process is told when it starts.
#[derive(Debug)]
pub(crate) struct Birth<'a> {
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// On which host.
    pub(crate) host: HostId,
    /// As which build.
    pub(crate) profile: Profile,
    /// Which life on this host, from 1. Why not the wall clock: it may go back over a restart, and
    /// a run with wall jumps has to have the same history as one without (S15).
    pub(crate) life: u64,
    /// Seed of this life's randomness.
    pub(crate) seed: u64,
    /// The host's clocks.
    pub(crate) now: Now,
}

/// The configuration of a node of the scenario.
pub(crate) fn node_config(birth: &Birth<'_>, index: usize) -> Config {
    let Birth {
        scenario, profile, ..
    } = birth;
    let members = scenario.nodes[index]
        .members
        .iter()
        .map(|host| address::node_id(host.0))
        .collect();
    let mut config = Config::new(address::node_id(birth.host.0), members, *profile);
    config.incarnation = Incarnation(birth.life);
    config.seed = birth.seed;
    config.timing = scenario.timing(*profile);
    config.limits = scenario.limits.clone();
    config.message_bytes_max = scenario.message_bytes_max;
    config
}

/// The configuration of a client of the scenario.
pub(crate) fn sdk_config(birth: &Birth<'_>, index: usize) -> SdkConfig {
    let Birth {
        scenario,
        host,
        profile,
        ..
    } = birth;
    let spec = &scenario.clients[index];
    SdkConfig {
        servers: spec
            .servers
            .iter()
            .map(|host| scenario.setting.addresses.node_id(host.0))
            .collect(),
        first: 0,
        client_ip: address::client_ip(host.0 - nodes_of(scenario)),
        app: Str::from(spec.group.as_str()),
        seed: birth.seed,
        timing: scenario.timing(*profile),
        profile: *profile,
    }
}

/// What an operation asks of the client machine.
pub(crate) fn call_of(op: ClientOp) -> Call {
    let clusters = Str::default();
    match op {
        ClientOp::Register(service, instance) => Call::Register { service, instance },
        ClientOp::Batch(service, instances) => Call::BatchRegister { service, instances },
        ClientOp::Deregister(service) => Call::Deregister { service },
        ClientOp::Subscribe(service) => Call::Subscribe { service, clusters },
        ClientOp::Unsubscribe(service) => Call::Unsubscribe { service },
        ClientOp::Query(service) => Call::Query {
            service,
            clusters,
            healthy_only: false,
        },
    }
}
