//! Does a server speak Nacos's protocol? Points of the checklist in part C of the protocol notes,
//! asked of any server that takes SDKs over gRPC, by someone who only has its address.
//!
//! # How
//! A point is several *claims*. Each is a small conversation over a connection of its own, in JSON
//! as SDKs write it, so that wrong and odd messages can be sent as well. All claims run at once,
//! since those about time mostly wait; each uses services that nobody else has. What was seen is
//! told with every verdict.
//!
//! What is not asked is told as skipped, with the reason: a kit that joined as a member would take
//! part in the cluster that it examines.
//!
//! # Layout
//! - [`line`]: a connection and what is said on it · [`raw`]: a call that no SDK makes
//! - `transport` (C.1 to C.3), `idle` (C.4), `naming` (C.5, C.7), `push` (C.6): the claims

mod idle;
mod line;
mod naming;
mod push;
mod raw;
mod transport;

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::carrier::grpc::payload::Headers;
use crate::tls::net::TlsNet;

/// Who is examined.
#[derive(Debug)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// The port that SDKs speak gRPC to.
    pub port: u16,
    /// What is sent with every message, such as an `accessToken`.
    pub headers: Headers,
    /// How it is reached.
    pub net: TlsNet,
    run: String,
    last: AtomicU32,
}

impl Target {
    /// A server. `run` tells this examination's services from those of others.
    pub fn new(host: &str, port: u16, headers: Headers, net: TlsNet, run: &str) -> Target {
        Target {
            host: host.to_owned(),
            port,
            headers,
            net,
            run: run.to_owned(),
            last: AtomicU32::new(0),
        }
    }

    /// A service that nobody else uses.
    fn service(&self) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        format!("distro-conformance-{}-{number}", self.run)
    }
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It was not asked.
    Skipped,
}

impl Verdict {
    /// As people and machines read it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Skipped => "skipped",
        }
    }
}

/// One claim and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The point of the checklist, such as `C.2`.
    pub point: &'static str,
    /// What should be.
    pub claim: &'static str,
    /// Whether it is.
    pub verdict: Verdict,
    /// What was seen, or why nothing was looked at.
    pub seen: String,
}

/// What was seen where a claim holds, and what is wrong where it does not.
type Seen = Result<String, String>;
type Asked = Pin<Box<dyn Future<Output = Seen>>>;

/// A claim that can be asked.
struct Claim {
    point: &'static str,
    claim: &'static str,
    ask: Box<dyn Fn(Rc<Target>) -> Asked>,
}

impl Claim {
    fn new<F, A>(point: &'static str, claim: &'static str, ask: F) -> Claim
    where
        F: Fn(Rc<Target>) -> A + 'static,
        A: Future<Output = Seen> + 'static,
    {
        Claim {
            point,
            claim,
            ask: Box::new(move |target| Box::pin(ask(target))),
        }
    }
}

fn claims() -> Vec<Claim> {
    let parts = [
        transport::claims(),
        idle::claims(),
        naming::claims(),
        push::claims(),
    ];
    parts.into_iter().flatten().collect()
}

const MEMBERS: &str = "of the members' port: whoever asks there takes part in the cluster";

/// What is never asked, and why.
const NOT_ASKED: [(&str, &str, &str); 8] = [
    (
        "C.4",
        "ConnectReset moves a client to another server",
        "only an operator can ask for it",
    ),
    ("C.8", "members are let in while starting", MEMBERS),
    (
        "C.9",
        "all operations of DistroDataRequest are answered",
        MEMBERS,
    ),
    (
        "C.10",
        "every peer is dialled and checked",
        "of a server as a client of its peers: they would have to be ours",
    ),
    (
        "C.11",
        "CHANGE, DELETE and VERIFY are sent as written",
        "of a server as a client of its peers: they would have to be ours",
    ),
    (
        "C.12",
        "members report to each other every 2 s",
        "of a server as a client of its peers: they would have to be ours",
    ),
    (
        "C.13",
        "synced clients expire by their lease of 180 s",
        "it takes a member that stops verifying",
    ),
    (
        "C.14",
        "no part in Raft",
        "what is not done can't be seen from here",
    ),
];

/// The points that there are, in order.
pub fn points() -> Vec<&'static str> {
    let mut points: Vec<_> = claims().iter().map(|claim| claim.point).collect();
    points.extend(NOT_ASKED.map(|(point, ..)| point));
    points.sort_by_key(|point| number(point));
    points.dedup();
    points
}

/// The number in `C.12`.
fn number(point: &str) -> u32 {
    let digits = point.rsplit('.').next().unwrap_or_default();
    digits.parse().unwrap_or(u32::MAX)
}

/// Asks all claims of these points, or of all when none are named, and tells each finding as it
/// comes. The findings are in the order of the checklist.
pub async fn run(target: Rc<Target>, only: &[String], tell: impl Fn(&Finding)) -> Vec<Finding> {
    let wanted = |point: &str| only.is_empty() || only.iter().any(|one| one == point);
    let mut asked: FuturesUnordered<_> = claims()
        .into_iter()
        .enumerate()
        .filter(|(_, claim)| wanted(claim.point))
        .map(|(at, Claim { point, claim, ask })| {
            let seen = ask(target.clone());
            async move {
                let (verdict, seen) = match seen.await {
                    Ok(seen) => (Verdict::Pass, seen),
                    Err(wrong) => (Verdict::Fail, wrong),
                };
                let finding = Finding {
                    point,
                    claim,
                    verdict,
                    seen,
                };
                (at, finding)
            }
        })
        .collect();
    let mut findings = Vec::new();
    while let Some((at, finding)) = asked.next().await {
        tell(&finding);
        findings.push((at, finding));
    }
    let skipped = NOT_ASKED.iter().filter(|(point, ..)| wanted(point));
    findings.extend(skipped.map(|(point, claim, why)| {
        let finding = Finding {
            point,
            claim,
            verdict: Verdict::Skipped,
            seen: (*why).to_owned(),
        };
        (usize::MAX, finding)
    }));
    findings.sort_by_key(|(at, finding)| (number(finding.point), *at));
    findings.into_iter().map(|(_, finding)| finding).collect()
}
