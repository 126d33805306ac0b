//! Hosts in network namespaces of their own, with the kernel's packet filter between them.
//!
//! Every host, clients too, has a namespace with one link to a hub, which forwards. Nodes listen on
//! their usual ports at the addresses that hosts have in the simulated worlds. Faults of links are
//! rules of the hub's packet filter, so packets really are lost and TCP does with that what it
//! does: it sends again, later and later, up to two minutes apart. Connections are broken by the
//! kernel too (`ss --kill`).
//!
//! What it needs: Linux, root, and the programs `unshare` (util-linux), `ip` and `ss` (iproute2)
//! and `nft` (nftables). Nothing of the machine's own network is touched, and namespaces have no
//! names, so that they are gone with the run even when the testbed is killed.

pub(super) mod filter;
mod space;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use filter::Filter;
pub(super) use space::Space;

use super::stage::drops;
use crate::scenario::model::{ConnFault, LinkFault, Path, Scenario};
use crate::world::common::rules::Scope;

/// As many hosts as a run may have: each is some processes and a link to make.
const HOSTS_MAX: usize = 1_000;
/// The hub's address on every link.
const HUB: &str = "169.254.0.1";

/// Sender and receiver, by address.
type Pair = (String, String);

/// The namespaces of a run.
#[derive(Debug)]
pub(super) struct Spaces {
    hub: Space,
    hosts: Vec<Arc<Space>>,
    addresses: Vec<IpAddr>,
}

impl Spaces {
    /// Makes a namespace for each of these addresses, all connected.
    pub(super) fn make(addresses: Vec<IpAddr>) -> Result<Spaces, String> {
        let failed = |why: String| {
            format!(
                "--netns needs Linux, root, and the programs unshare, ip, ss and nft (Debian: \
                 util-linux, iproute2, nftables): {why}"
            )
        };
        if addresses.len() > HOSTS_MAX {
            return Err(format!("--netns takes at most {HOSTS_MAX} hosts"));
        }
        if !rustix::process::geteuid().is_root() {
            return Err(failed("this is not root".to_owned()));
        }
        let home = space::home().map_err(|error| failed(error.to_string()))?;
        let make = || Space::new(home.clone()).map_err(failed);
        let hub = make()?;
        let hosts = addresses.iter().map(|_| make().map(Arc::new));
        let spaces = Spaces {
            hub,
            hosts: hosts.collect::<Result<_, String>>()?,
            addresses,
        };
        spaces.connect().map_err(failed)?;
        Ok(spaces)
    }

    fn connect(&self) -> Result<(), String> {
        let mut links = String::new();
        for (at, (space, address)) in self.hosts.iter().zip(&self.addresses).enumerate() {
            let there = space.path();
            // Writing to a string does not fail.
            write!(
                links,
                "link add h{at} type veth peer name eth0 netns {there}\n\
                 link set h{at} up\n\
                 address add {HUB}/32 dev h{at}\n\
                 route add {address}/32 dev h{at}\n"
            )
            .unwrap_or_default();
        }
        self.hub.run(&["ip", "-batch", "-"], &links)?;
        for (space, address) in self.hosts.iter().zip(&self.addresses) {
            let link = format!(
                "link set lo up\n\
                 link set eth0 up\n\
                 address add {address}/32 dev eth0\n\
                 route add {HUB} dev eth0 scope link\n\
                 route add default via {HUB} dev eth0 src {address}\n"
            );
            space.run(&["ip", "-batch", "-"], &link)?;
        }
        let forward = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
        self.hub
            .within(forward)
            .map_err(|error| format!("the hub does not forward: {error}"))?;
        self.filter(filter::TABLE)
    }

    /// The namespace of a host.
    pub(super) fn of(&self, host: usize) -> Arc<Space> {
        self.hosts[host].clone()
    }

    fn filter(&self, text: &str) -> Result<(), String> {
        self.hub.run(&["nft", "-f", "-"], text).map(drop)
    }

    /// Connections from a host to an address that are established: local port, remote port.
    fn connections(&self, host: usize, to: &str) -> Result<BTreeSet<(u16, u16)>, String> {
        let asked = ["ss", "-Htn", "state", "established", "dst", to];
        let told = self.hosts[host].run(&asked, "")?;
        let port = |place: &str| place.rsplit(':').next()?.parse::<u16>().ok();
        // Two queues, the two ends.
        let line = |line: &str| {
            let mut words = line.split_whitespace().skip(2);
            Some((port(words.next()?)?, port(words.next()?)?))
        };
        { told.lines() }
            .map(|text| line(text).ok_or_else(|| format!("ss: what is '{text}'?")))
            .collect()
    }

    /// Ends connections from a host to an address; the other end gets a reset.
    fn abort(&self, host: usize, to: &str) -> Result<(), String> {
        let before = self.connections(host, to)?;
        self.hosts[host].run(&["ss", "-Ht", "--kill", "dst", to], "")?;
        match self.connections(host, to)?.is_disjoint(&before) {
            true => Ok(()),
            false => Err("this kernel has no ss --kill (CONFIG_INET_DIAG_DESTROY)".to_owned()),
        }
    }
}

/// The links of a run under way.
#[derive(Debug)]
pub(super) struct Links<'a> {
    spaces: &'a Spaces,
    filter: Filter,
}

impl<'a> Links<'a> {
    /// Links as the scenario has them.
    pub(super) fn new(spaces: &'a Spaces, scenario: &Scenario) -> Result<Links<'a>, String> {
        let filter = Filter {
            lost_per_million: scenario.link.loss_per_million,
            ..Filter::default()
        };
        let links = Links { spaces, filter };
        links.apply()?;
        Ok(links)
    }

    fn apply(&self) -> Result<(), String> {
        self.spaces.filter(&self.filter.text())
    }

    /// All pairs of hosts that a path covers.
    fn pairs(&self, path: &Path) -> Vec<(usize, usize)> {
        let hosts = self.spaces.hosts.len();
        let scope = Scope::new(path, hosts);
        let number = |host: usize| u32::try_from(host).unwrap_or(u32::MAX);
        (0..hosts)
            .flat_map(|from| (0..hosts).map(move |to| (from, to)))
            .filter(|(from, to)| from != to && scope.covers_pair(number(*from), number(*to)))
            .collect()
    }

    fn address(&self, host: usize) -> String {
        self.spaces.addresses[host].to_string()
    }

    fn addresses(&self, (from, to): (usize, usize)) -> Pair {
        (self.address(from), self.address(to))
    }

    /// A fault of links begins.
    pub(super) fn begin(
        &mut self,
        action: u32,
        path: &Path,
        fault: &LinkFault,
    ) -> Result<(), String> {
        let drops = drops(path, fault)?;
        let pairs = self.pairs(path);
        let pairs: Vec<Pair> = pairs.iter().map(|pair| self.addresses(*pair)).collect();
        let rules = filter::rules(drops, &pairs);
        self.filter.lasting.insert(action, rules);
        self.apply()
    }

    /// Something happens to the connections that exist.
    pub(super) fn cut(&mut self, path: &Path, fault: ConnFault) -> Result<(), String> {
        match fault {
            ConnFault::Reset => self
                .pairs(path)
                .into_iter()
                .try_for_each(|(from, to)| self.spaces.abort(from, &self.address(to))),
            ConnFault::HalfOpen => self.half_open(path),
            ConnFault::DeadStream => {
                for pair in self.pairs(path) {
                    let addresses = self.addresses(pair);
                    let connections = self.spaces.connections(pair.0, &addresses.1)?;
                    let rules = connections.iter();
                    let rules = rules.map(|ports| filter::dead(&addresses, *ports));
                    self.filter.dead.extend(rules);
                }
                self.apply()
            }
        }
    }

    /// The receivers' ends go, and the senders do not hear of it.
    fn half_open(&self, path: &Path) -> Result<(), String> {
        let pairs = self.pairs(path);
        let muted = pairs.iter().map(|(from, to)| (*to, *from));
        let muted = muted.map(|pair| filter::without_resets(&self.addresses(pair)));
        let mut text = self.filter.text();
        for rule in muted {
            writeln!(text, "insert rule inet testbed between {rule}").unwrap_or_default();
        }
        self.spaces.filter(&text)?;
        for (from, to) in pairs {
            self.spaces.abort(to, &self.address(from))?;
        }
        self.apply()
    }

    /// A fault of links ends.
    pub(super) fn end(&mut self, action: u32) -> Result<(), String> {
        match self.filter.lasting.remove(&action) {
            Some(_) => self.apply(),
            None => Ok(()),
        }
    }

    /// A host is switched off, or on.
    pub(super) fn power(&mut self, host: usize, on: bool) -> Result<(), String> {
        let address = self.address(host);
        let changed = if on {
            self.filter.off.remove(&address)
        } else {
            self.filter.off.insert(address)
        };
        if !changed {
            return Ok(());
        }
        if on {
            // What the kernel of a host that lost its power would not remember.
            let all = ["ss", "-Ht", "--kill", "state", "all"];
            self.spaces.hosts[host].run(&all, "")?;
        }
        self.apply()
    }

    /// Packets that were dropped: by cuts, by loss, over a limit.
    pub(super) fn dropped(&self) -> Result<[u64; 3], String> {
        let count = |name| {
            let asked = ["nft", "list", "counter", "inet", "testbed", name];
            let told = self.spaces.hub.run(&asked, "")?;
            let words: Vec<&str> = told.split_whitespace().collect();
            let packets = words.windows(2).find(|words| words[0] == "packets");
            packets
                .and_then(|words| words[1].parse().ok())
                .ok_or_else(|| format!("nft: what is '{told}'?"))
        };
        Ok([count("cut")?, count("lost")?, count("limited")?])
    }
}
