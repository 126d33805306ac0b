//! What a client's application does: at its start, and while its churn lasts.

use distro_core::message::naming::Instance;
use distro_core::rng::Rng;

use crate::scenario::model::{Churn, ClientOp, ClientSpec};

/// One change in this many withdraws an instance; the next change of it brings it back.
const WITHDRAW_ONE_IN: u64 = 4;

/// A client's application.
#[derive(Debug)]
pub(crate) struct Application {
    /// What it does as soon as it starts.
    start: Vec<ClientOp>,
    /// What its churn changes: entries of `start` that publish something.
    publishes: Vec<usize>,
    /// Entries of `publishes` that are withdrawn.
    withdrawn: Vec<bool>,
    /// Changes so far.
    changes: u64,
    /// Draws its changes and the gaps between them.
    rng: Rng,
}

impl Application {
    /// The application of a client.
    pub(crate) fn new(spec: &ClientSpec, seed: u64) -> Application {
        let registers = spec
            .register
            .iter()
            .cloned()
            .map(|(key, one)| ClientOp::Register(key, one));
        let batches = spec
            .batch
            .iter()
            .cloned()
            .map(|(key, all)| ClientOp::Batch(key, all));
        let subscribes = spec.subscribe.iter().cloned().map(ClientOp::Subscribe);
        let publishing = spec.register.len() + spec.batch.len();
        Application {
            start: registers.chain(batches).chain(subscribes).collect(),
            publishes: (0..publishing).collect(),
            withdrawn: vec![false; publishing],
            changes: 0,
            rng: Rng::new(seed, &format!("churn {}", spec.name)),
        }
    }

    /// What it does as soon as its client starts.
    pub(crate) fn begins(&mut self) -> Vec<ClientOp> {
        self.withdrawn.fill(false);
        self.start.clone()
    }

    /// The next change of what it publishes; none when it publishes nothing.
    pub(crate) fn change(&mut self) -> Option<ClientOp> {
        if self.publishes.is_empty() {
            return None;
        }
        let place = usize::try_from(self.rng.below(self.publishes.len() as u64)).ok()?;
        let withdraw = self.rng.below(WITHDRAW_ONE_IN) == 0 && !self.withdrawn[place];
        self.withdrawn[place] = withdraw;
        if withdraw {
            match &self.start[self.publishes[place]] {
                ClientOp::Register(key, _) | ClientOp::Batch(key, _) => {
                    return Some(ClientOp::Deregister(key.clone()));
                }
                ClientOp::Deregister(_)
                | ClientOp::Subscribe(_)
                | ClientOp::Unsubscribe(_)
                | ClientOp::Query(_) => return None,
            }
        }
        self.publish(place)
    }

    /// Brings back everything that is withdrawn.
    pub(crate) fn bring_back(&mut self) -> Vec<ClientOp> {
        let places = (0..self.withdrawn.len()).filter(|place| self.withdrawn[*place]);
        let places: Vec<usize> = places.collect();
        self.withdrawn.fill(false);
        places
            .into_iter()
            .filter_map(|place| self.publish(place))
            .collect()
    }

    /// When it changes something next: a gap after its last change, or after its churn begins.
    /// Churn leaves nothing withdrawn behind it, so there may be one more moment after its end.
    pub(crate) fn next_change(
        &mut self,
        churn: &Churn,
        last: Option<u64>,
        now: u64,
    ) -> Option<u64> {
        let every = churn.every.0;
        let gap = self
            .rng
            .between(every / 2, every.saturating_add(every / 2))
            .max(1);
        let at = last.unwrap_or(churn.from.0).saturating_add(gap);
        let back = || {
            let any = self.withdrawn.contains(&true);
            any.then(|| churn.until.0.max(now + 1))
        };
        if at <= churn.until.0 {
            Some(at)
        } else {
            back()
        }
    }

    /// Publishes one entry with a new stamp.
    fn publish(&mut self, place: usize) -> Option<ClientOp> {
        self.changes += 1;
        let version = self.changes;
        let stamped = |mut instance: Instance| {
            instance
                .metadata
                .insert("v".into(), version.to_string().into());
            instance
        };
        match self.start[self.publishes[place]].clone() {
            ClientOp::Register(key, one) => Some(ClientOp::Register(key, stamped(one))),
            ClientOp::Batch(key, all) => {
                Some(ClientOp::Batch(key, all.into_iter().map(stamped).collect()))
            }
            ClientOp::Deregister(_)
            | ClientOp::Subscribe(_)
            | ClientOp::Unsubscribe(_)
            | ClientOp::Query(_) => None,
        }
    }
}
