//! Where everything is: the binary, the run's own network, the ports in it, its clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use distro_node::net::Clock as _;
use distro_node::net::tokio::TokioClock;
use distro_node::shell::{Directory, Ports};

use super::Options;
use super::netns::Spaces;
use super::place::Place;
use crate::scenario::address::{Addresses, NODE_PORT};
use crate::scenario::model::{HostId, Scenario};
use crate::world::link::fabric::TrueTime;

/// Networks `127.N.0.0/16` that runs may have. The first ones are left to people and their tests.
const NETS: std::ops::RangeInclusive<u8> = 32..=254;
/// Whoever listens here has the network.
const CLAIM_PORT: u16 = 8_999;
/// First port of the relay for fellow nodes, by dialling node.
const CLUSTER_DOORS: u16 = 10_000;
/// First port of the relay for clients, by client. Below the ports that the system hands out.
const SDK_DOORS: u16 = 20_000;
/// As many clients as have a door.
const CLIENTS_MAX: usize = 10_000;

/// Real time since the start of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct RealTime {
    /// The clock that all clients share; its zero is the start of the run.
    pub(super) clock: TokioClock,
}

impl RealTime {
    /// The run starts now.
    pub(super) fn start() -> RealTime {
        RealTime {
            clock: TokioClock::start(),
        }
    }

    /// Microseconds since the start.
    pub(super) fn now(&self) -> u64 {
        self.clock.now().mono.0
    }

    pub(super) fn true_time(self) -> TrueTime {
        TrueTime(Arc::new(move || self.now()))
    }
}

/// The places of one run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) distro: PathBuf,
    nodes: usize,
    ground: Ground,
}

/// What the run stands on.
#[derive(Debug)]
pub(super) enum Ground {
    /// The loopback network `127.N.0.0/16`, with a relay between the hosts.
    Loopback {
        net: u8,
        /// Held until the run is over: the network is nobody else's.
        _claim: TcpListener,
    },
    /// A network namespace for each host.
    Spaces(Spaces),
}

impl Plan {
    /// Finds the binary and takes a network for this run alone.
    pub(super) fn claim(scenario: &mut Scenario, options: &Options) -> Result<Plan, String> {
        let distro = binary(options.distro.as_deref())?;
        if scenario.clients.len() > CLIENTS_MAX {
            return Err(format!("world tcp takes at most {CLIENTS_MAX} clients"));
        }
        let ground = if options.netns {
            let hosts = (0..).map(HostId).take(scenario.hosts());
            let nodes = scenario.nodes.len();
            let ips = hosts.map(|host| ip(Addresses::Simulated, nodes, host));
            Ground::Spaces(Spaces::make(ips.collect())?)
        } else {
            loopback()?
        };
        let plan = Plan {
            distro,
            nodes: scenario.nodes.len(),
            ground,
        };
        scenario.setting.addresses = plan.addresses();
        Ok(plan)
    }

    pub(super) const fn ground(&self) -> &Ground {
        &self.ground
    }

    const fn addresses(&self) -> Addresses {
        match &self.ground {
            Ground::Loopback { net, .. } => Addresses::Loopback(*net),
            Ground::Spaces(_) => Addresses::Simulated,
        }
    }

    /// A host's address.
    pub(super) fn ip(&self, host: HostId) -> IpAddr {
        ip(self.addresses(), self.nodes, host)
    }

    /// Where a host is.
    pub(super) fn place(&self, host: HostId) -> Place {
        let space = match &self.ground {
            Ground::Loopback { .. } => None,
            Ground::Spaces(spaces) => Some(spaces.of(host.index())),
        };
        Place {
            ip: self.ip(host),
            space,
        }
    }

    /// From where the relay fills the queue of a listener that is to answer nobody.
    pub(super) fn plug(&self) -> IpAddr {
        let net = match &self.ground {
            Ground::Loopback { net, .. } => *net,
            // There is no relay.
            Ground::Spaces(_) => 0,
        };
        IpAddr::V4(Ipv4Addr::new(127, net, 255, 253))
    }

    /// The port of the relay at which a host reaches a node.
    pub(super) fn door(&self, from: HostId) -> u16 {
        let number = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        match from.index().checked_sub(self.nodes) {
            Some(client) => SDK_DOORS.saturating_add(number(client)),
            None => CLUSTER_DOORS.saturating_add(number(from.index())),
        }
    }

    /// Where a node itself listens for a host.
    pub(super) fn listener(&self, from: HostId) -> u16 {
        let offset = if from.index() < self.nodes {
            distro_node::shell::CLUSTER_PORT_OFFSET
        } else {
            distro_node::shell::SDK_PORT_OFFSET
        };
        NODE_PORT + offset
    }

    /// Where a node's operator is, and where it is heard.
    pub(super) fn operator(&self, node: HostId) -> (Place, SocketAddr) {
        let mut place = self.place(node);
        if place.space.is_some() {
            // A node that listens to the world talks to its operator on its own machine only.
            place = place.at(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let port = NODE_PORT + distro_node::shell::OPS_PORT_OFFSET;
        let at = SocketAddr::new(place.ip, port);
        (place, at)
    }

    /// How a node is told about a node: itself as it is, a fellow by way of the relay if there is
    /// one.
    pub(super) fn member(&self, teller: HostId, member: HostId) -> String {
        let name = self.addresses().node_id(member.0);
        match &self.ground {
            Ground::Loopback { .. } if teller != member => {
                let door = self.door(teller);
                format!("{name}/{door}/{door}")
            }
            Ground::Loopback { .. } | Ground::Spaces(_) => name.to_string(),
        }
    }

    /// How a client reaches the nodes.
    pub(super) fn directory(&self, client: HostId) -> Directory {
        let mut directory = Directory::default();
        if matches!(self.ground, Ground::Loopback { .. }) {
            let door = self.door(client);
            // All nodes, since it may be sent to one that is not in its list.
            for node in (0..).take(self.nodes) {
                // It dials no cluster port.
                let ports = Ports {
                    sdk: door,
                    cluster: door,
                };
                directory.set(self.addresses().node_id(node), ports);
            }
        }
        directory
    }
}

/// A host's address among so many nodes.
fn ip(addresses: Addresses, nodes: usize, host: HostId) -> IpAddr {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    let text = match host.0.checked_sub(nodes) {
        Some(client) => addresses.client_ip(client),
        None => addresses.node_ip(host.0),
    };
    text.parse().expect("made of four numbers")
}

/// A loopback network that nobody uses.
fn loopback() -> Result<Ground, String> {
    // A start that differs between processes keeps those that begin together apart.
    let first = u8::try_from(std::process::id() % 223).unwrap_or(0);
    let nets = NETS.cycle().skip(usize::from(first)).take(NETS.len());
    for net in nets {
        let claim = SocketAddr::from(([127, net, 255, 254], CLAIM_PORT));
        if let Ok(claim) = TcpListener::bind(claim) {
            return Ok(Ground::Loopback { net, _claim: claim });
        }
    }
    Err(
        "no loopback network 127.N.0.0/16 is free: world tcp needs Linux, and at most 223 runs \
         at a time"
            .to_owned(),
    )
}

/// The binary `distro`: the one that is named, or the one that was built beside this program.
fn binary(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_path_buf()),
            false => Err(format!("no binary distro at {}", path.display())),
        };
    }
    let own = std::env::current_exe().map_err(|error| format!("this program is gone: {error}"))?;
    // Tests lie one directory deeper than binaries.
    let beside = own.ancestors().skip(1).take(2);
    beside
        .map(|directory| directory.join("distro"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!(
                "no binary distro beside {}: build it with `cargo build -p distro-node` (and the \
                 same profile), or name it with --distro",
                own.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_that_is_not_there_is_said_so() {
        let error = binary(Some(Path::new("/nowhere/distro"))).unwrap_err();
        assert_eq!(error, "no binary distro at /nowhere/distro");
    }
}
