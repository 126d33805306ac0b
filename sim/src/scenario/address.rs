//! Addresses of simulated hosts: a function of their place in the file, so that every world and
//! every trace uses the same.

use distro_core::ids::{NodeId, Str};
use distro_core::message::naming::Instance;

/// Port of every node's main listener.
pub const NODE_PORT: u16 = 8848;
/// Port that a client's instance has when the file names none; the instances of a batch count up
/// from it.
pub const INSTANCE_PORT: u16 = 8080;

/// Hosts per 256-block of an address: the last byte runs from 1 to 250, which keeps clear of the
/// network's and the broadcast address.
const PER_BLOCK: u32 = 250;

/// The IP of the node with this index among the nodes: `10.0.0.1` is the first.
pub fn node_ip(index: u32) -> Str {
    Str::from(format!(
        "10.0.{}.{}",
        (index / PER_BLOCK) % 256,
        index % PER_BLOCK + 1
    ))
}

/// The main address of the node with this index among the nodes: `10.0.0.1:8848` is the first.
pub fn node_id(index: u32) -> NodeId {
    NodeId(Str::from(format!("{}:{NODE_PORT}", node_ip(index))))
}

/// The IP of the client with this index among the clients: `10.1.0.1` is the first.
pub fn client_ip(index: u32) -> Str {
    let block = index / PER_BLOCK;
    Str::from(format!(
        "10.{}.{}.{}",
        1 + (block / 256) % 255,
        block % 256,
        index % PER_BLOCK + 1
    ))
}

/// What the client with this index publishes when the file says no more than a service's name.
pub fn client_instance(index: u32) -> Instance {
    Instance::new(&client_ip(index), INSTANCE_PORT)
}

/// Which addresses the hosts of a run have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addresses {
    /// Those that are made up: [`node_ip`], [`client_ip`].
    #[default]
    Simulated,
    /// Real ones of the loopback device, in `127.N.0.0/16`: the lower half for nodes, the upper
    /// for clients.
    Loopback(u8),
}

impl Addresses {
    /// The IP of the node with this index among the nodes.
    pub fn node_ip(self, index: u32) -> Str {
        match self {
            Addresses::Simulated => node_ip(index),
            Addresses::Loopback(net) => loopback(net, 0, index),
        }
    }

    /// The main address of the node with this index among the nodes.
    pub fn node_id(self, index: u32) -> NodeId {
        NodeId(Str::from(format!("{}:{NODE_PORT}", self.node_ip(index))))
    }

    /// The IP from which the client with this index among the clients connects.
    pub fn client_ip(self, index: u32) -> Str {
        match self {
            Addresses::Simulated => client_ip(index),
            Addresses::Loopback(net) => loopback(net, 128, index),
        }
    }
}

fn loopback(net: u8, first: u32, index: u32) -> Str {
    let block = first + (index / PER_BLOCK) % 127;
    Str::from(format!("127.{net}.{block}.{}", index % PER_BLOCK + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn addresses_of_different_hosts_differ() {
        let mut seen = BTreeSet::new();
        for index in 0..250 {
            assert!(seen.insert(node_ip(index)), "node {index}");
        }
        for index in 0..100_000 {
            assert!(seen.insert(client_ip(index)), "client {index}");
        }
    }

    #[test]
    fn loopback_addresses_of_different_hosts_differ() {
        let real = Addresses::Loopback(13);
        let nodes = (0..250).map(|index| real.node_ip(index));
        let clients = (0..30_000).map(|index| real.client_ip(index));
        let all: BTreeSet<Str> = nodes.chain(clients).collect();
        assert_eq!(all.len(), 30_250);
        assert_eq!(real.node_id(0).as_str(), "127.13.0.1:8848");
        assert_eq!(&*real.client_ip(0), "127.13.128.1");
    }

    #[test]
    fn first_addresses_are_easy_to_read() {
        assert_eq!(node_id(0).as_str(), "10.0.0.1:8848");
        assert_eq!(&*client_ip(0), "10.1.0.1");
        assert_eq!(&*client_ip(250), "10.1.1.1");
    }
}
