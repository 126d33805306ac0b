//! Where everything is: the binary, the run's own loopback network, the ports in it, its clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use distro_node::net::Clock as _;
use distro_node::net::tokio::TokioClock;

use super::Options;
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
    net: u8,
    nodes: usize,
    /// Held until the run is over: the network is nobody else's.
    _claim: TcpListener,
}

impl Plan {
    /// Finds the binary and takes a network for this run alone.
    pub(super) fn claim(scenario: &mut Scenario, options: &Options) -> Result<Plan, String> {
        let distro = binary(options.distro.as_deref())?;
        if scenario.clients.len() > CLIENTS_MAX {
            return Err(format!("world tcp takes at most {CLIENTS_MAX} clients"));
        }
        // A start that differs between processes keeps those that begin together apart.
        let first = u8::try_from(std::process::id() % 223).unwrap_or(0);
        let nets = NETS.cycle().skip(usize::from(first)).take(NETS.len());
        for net in nets {
            let claim = SocketAddr::from(([127, net, 255, 254], CLAIM_PORT));
            if let Ok(claim) = TcpListener::bind(claim) {
                scenario.setting.addresses = Addresses::Loopback(net);
                return Ok(Plan {
                    distro,
                    net,
                    nodes: scenario.nodes.len(),
                    _claim: claim,
                });
            }
        }
        Err("no loopback network 127.N.0.0/16 is free: world tcp needs Linux, and at most 223 runs \
             at a time"
            .to_owned())
    }

    fn addresses(&self) -> Addresses {
        Addresses::Loopback(self.net)
    }

    /// A host's address.
    pub(super) fn ip(&self, host: HostId) -> IpAddr {
        let nodes = u32::try_from(self.nodes).unwrap_or(u32::MAX);
        let text = match host.0.checked_sub(nodes) {
            Some(client) => self.addresses().client_ip(client),
            None => self.addresses().node_ip(host.0),
        };
        text.parse().expect("made of four numbers")
    }

    /// From where the relay fills the queue of a listener that is to answer nobody.
    pub(super) fn plug(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.net, 255, 253))
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

    /// Where a node's operator is heard.
    pub(super) fn operator(&self, node: HostId) -> SocketAddr {
        SocketAddr::new(
            self.ip(node),
            NODE_PORT + distro_node::shell::OPS_PORT_OFFSET,
        )
    }

    /// How a node is told about a node: itself as it is, a fellow by way of the relay.
    pub(super) fn member(&self, teller: HostId, member: HostId) -> String {
        let name = self.addresses().node_id(member.0);
        if teller == member {
            return name.to_string();
        }
        let door = self.door(teller);
        format!("{name}/{door}/{door}")
    }
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
