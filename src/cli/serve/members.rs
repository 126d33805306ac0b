//! Who the members are, which of them is this node, and which of them is this node under another
//! name.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use distro_core::ids::NodeId;

use crate::cli::{BAD_INPUT, FAILED, Failure, coloured};
use crate::net::Net;
use crate::settings::Settings;
use crate::settings::member::{Member, cluster_conf};
use crate::text::problem::{Problem, Problems};

/// Where the member list comes from.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The settings: it never changes.
    Listed(Vec<Member>),
    /// A `cluster.conf`.
    File(PathBuf),
    /// A name, and the main port of those it resolves to.
    Name(String, u16),
}

impl Lookup {
    pub(super) fn of(settings: &Settings) -> Result<Lookup, Failure> {
        if let Some(path) = settings.cluster_conf() {
            return Ok(Lookup::File(path));
        }
        if let Some(name) = settings.members_dns() {
            let member = Member::read(name).map_err(|wrong| {
                let text = format!("members-dns: {}; write \"name:port\"", wrong.message);
                Failure::new(BAD_INPUT, text)
            })?;
            let port = member.port.unwrap_or(settings.main_port());
            return Ok(Lookup::Name(member.host, port));
        }
        Ok(Lookup::Listed(settings.members()))
    }

    /// True when the list may be another one later.
    pub(super) fn may_change(&self) -> bool {
        match self {
            Lookup::Listed(_) => false,
            Lookup::File(_) | Lookup::Name(..) => true,
        }
    }

    /// The list as it is now.
    pub(super) async fn look(&self, net: &impl Net) -> Result<Vec<Member>, Failure> {
        match self {
            Lookup::Listed(members) => Ok(members.clone()),
            Lookup::File(path) => from_file(path),
            Lookup::Name(name, port) => {
                let found = net.resolve(name).await.map_err(|error| {
                    Failure::new(
                        FAILED,
                        format!("members-dns {name} does not resolve: {error}"),
                    )
                })?;
                let mut members: Vec<Member> = found
                    .into_iter()
                    .map(|ip| Member {
                        host: ip.to_string(),
                        port: Some(*port),
                        ports: None,
                    })
                    .collect();
                members.sort();
                members.dedup();
                Ok(members)
            }
        }
    }
}

fn from_file(path: &Path) -> Result<Vec<Member>, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(BAD_INPUT, format!("{name} cannot be read: {error}")))?;
    let (members, bad) = cluster_conf(&text);
    if !bad.is_empty() {
        let problem =
            |(span, wrong): (std::ops::Range<usize>, crate::text::value::Wrong)| Problem {
                span,
                message: wrong.message,
                help: wrong.help,
            };
        let problems = Problems::new(&name, &text, bad.into_iter().map(problem).collect());
        let fancy = coloured(&std::io::stderr());
        return Err(Failure::new(BAD_INPUT, problems.render(fancy)));
    }
    if members.is_empty() {
        let help = "name the members, or leave cluster-conf out to run a node that is alone";
        return Err(Failure::new(
            BAD_INPUT,
            format!("{name} names no member: {help}"),
        ));
    }
    Ok(members)
}

/// Which node this is.
#[derive(Debug, Clone)]
pub(super) struct Me {
    bind: IpAddr,
    port: u16,
    /// Its name.
    pub(super) node: NodeId,
}

impl Me {
    /// Finds this node's name: the one that is set, or the member that is this host.
    pub(super) async fn find(
        settings: &Settings,
        members: &[Member],
        net: &impl Net,
    ) -> Result<Me, Failure> {
        let (bind, port) = (settings.bind(), settings.main_port());
        let me = |host: &str| Me {
            bind,
            port,
            node: NodeId::new(&format!("{host}:{port}")),
        };
        if let Some(address) = settings.address() {
            return Ok(me(address));
        }
        if members.is_empty() {
            let host = if bind.is_unspecified() {
                "127.0.0.1".to_owned()
            } else {
                bind.to_string()
            };
            return Ok(me(&host));
        }
        let probe = me("");
        let mut here = Vec::new();
        for member in members {
            if probe.is_me(member, net).await {
                here.push(member);
            }
        }
        match here[..] {
            [member] => Ok(me(&member.host)),
            [] => Err(Failure::new(
                BAD_INPUT,
                format!(
                    "none of the members is this host with main port {port}: add it to the list, or \
                     say with --address and --port which one this node is"
                ),
            )),
            [first, second, ..] => Err(Failure::new(
                BAD_INPUT,
                format!(
                    "members {first} and {second} are both this node: keep one of them, or say \
                     with --address which one it is"
                ),
            )),
        }
    }

    /// True when whoever dials the member's main port reaches this process.
    async fn is_me(&self, member: &Member, net: &impl Net) -> bool {
        if member.node(self.port).port() != self.port.to_string() {
            return false;
        }
        let Ok(addresses) = net.resolve(&member.host).await else {
            return false;
        };
        addresses.into_iter().any(|ip| {
            if self.bind.is_unspecified() {
                // An address can be bound where it belongs and nowhere else.
                UdpSocket::bind((ip, 0)).is_ok()
            } else {
                ip == self.bind
            }
        })
    }

    /// Members that are this node under another name than its own.
    pub(super) async fn aliases(&self, members: &[Member], net: &impl Net) -> Vec<Member> {
        let mut aliases = Vec::new();
        for member in members {
            if member.node(self.port) != self.node && self.is_me(member, net).await {
                aliases.push(member.clone());
            }
        }
        aliases
    }
}
