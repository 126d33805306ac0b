//! How often a node may send its fellows what it sends by itself, beyond syncs and verifies:
//! member reports, connection setups, health checks, probes, loads.

use std::collections::BTreeMap;

use distro_core::message::{MessageKind, Request};
use distro_core::time::{Mono, Period};

use crate::check::Context;

/// What one node sent another since a moment, by [`MessageKind`], and the transports between them
/// that opened.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Mono,
    sent: [u32; MessageKind::ALL.len()],
    opened: u32,
}

/// Counts what nodes send each other.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    windows: BTreeMap<(u32, u32), Window>,
    /// Faults and operations that began, lately: each may end connections.
    upsets: Vec<Mono>,
}

impl Pace {
    /// A fault or an operation of the timeline begins or ends.
    pub(crate) fn upset(&mut self, at: Mono, window: Period) {
        self.upsets.retain(|upset| *upset + window + window > at);
        self.upsets.push(at);
    }

    /// A process of a node began or ended: what it and others count begins anew.
    pub(crate) fn forget(&mut self, node: u32) {
        self.windows
            .retain(|(from, to), _| *from != node && *to != node);
    }

    /// A node sends another a request: the kind, how many of it there were, and how many there may
    /// be, when these are too many. Syncs and verifies are counted elsewhere.
    pub(crate) fn sent(
        &mut self,
        (node, target): (u32, u32),
        request: &Request,
        cx: &Context<'_>,
    ) -> Option<(&'static str, u64, u64)> {
        let kind = request.kind();
        let upsets = self.upsets(cx);
        let window = self.window(node, target, cx);
        let count = window.sent.get_mut(kind as usize)?;
        *count += 1;
        let sent = u64::from(*count);
        let allowed = allowed(kind, node, target, upsets, cx)?;
        (sent > allowed).then(|| (kind.name(), sent, allowed))
    }

    /// A transport between two nodes opened at one of them: the same for these.
    pub(crate) fn opened(
        &mut self,
        (node, peer): (u32, u32),
        cx: &Context<'_>,
    ) -> Option<(&'static str, u64, u64)> {
        let upsets = self.upsets(cx);
        let window = self.window(node, peer, cx);
        window.opened += 1;
        let opened = u64::from(window.opened);
        // Either of the two dials.
        let allowed = 2 * (cx.facts.bounds.dials() + upsets);
        (opened > allowed).then_some(("transport", opened, allowed))
    }

    fn upsets(&self, cx: &Context<'_>) -> u64 {
        let (now, length) = (cx.facts.now.at, cx.facts.bounds.work_window());
        let lately = self.upsets.iter().filter(|at| **at + length >= now);
        lately.count() as u64
    }

    fn window(&mut self, node: u32, target: u32, cx: &Context<'_>) -> &mut Window {
        let now = cx.facts.now.at;
        let fresh = Window {
            from: now,
            sent: [0; MessageKind::ALL.len()],
            opened: 0,
        };
        let window = self.windows.entry((node, target)).or_insert(fresh);
        if now >= window.from + cx.facts.bounds.work_window() {
            *window = fresh;
        }
        window
    }
}

/// How many messages of a kind one node may send another within a window; none where it is not
/// ours to say.
fn allowed(
    kind: MessageKind,
    node: u32,
    target: u32,
    upsets: u64,
    cx: &Context<'_>,
) -> Option<u64> {
    let (facts, bounds) = (cx.facts, &cx.facts.bounds);
    let members = |node: u32| facts.node[node as usize].members.len();
    Some(match kind {
        MessageKind::Report => bounds.reports(members(node), members(target)),
        // A check and a setup for a dial of its own, an acknowledgement for one of the other's.
        MessageKind::Setup => 3 * (bounds.dials() + upsets),
        MessageKind::HealthCheck => bounds.health_checks() + upsets,
        MessageKind::Detection => bounds.probes(),
        MessageKind::Snapshot | MessageKind::DistroQuery => {
            // A chunk has a record at least.
            let held = facts.node[target as usize].mirror.records.len() as u64;
            bounds.loads() + upsets + held
        }
        // What only an operator makes a node send.
        MessageKind::Reset | MessageKind::Unknown => bounds.probes() + upsets,
        // What only clients send, and what is counted by record.
        MessageKind::Register
        | MessageKind::Subscribe
        | MessageKind::Query
        | MessageKind::Push
        | MessageKind::Add
        | MessageKind::Change
        | MessageKind::Delete
        | MessageKind::Verify => return None,
    })
}
