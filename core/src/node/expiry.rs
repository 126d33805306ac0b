//! What ends by itself: leases of synced clients, tombstones, empty services.

use alloc::vec::Vec;

use super::Node;
use super::timers::Timer;
use crate::ids::ClientId;
use crate::io::{Output, RemoveCause};
use crate::time::Period;

impl Node {
    /// Removes synced clients nothing was heard of for a whole lease, and those of earlier lives
    /// whose time to return is over (Nacos `ExpiredClientCleaner`).
    pub(super) fn clean(&mut self, out: &mut Vec<Output>) {
        self.timers.arm(
            Timer::Clean,
            self.run() + self.config.timing.client_clean_interval,
        );
        let aged = self.aged();
        let lease = self.config.timing.client_expired_time;
        let mut over: Vec<(ClientId, RemoveCause, Period)> = Vec::new();
        for (_, group) in self.clients.groups() {
            let unheard = (aged + lease).since(group.expires);
            let cause = if group.ends.is_some_and(|ends| ends <= aged) {
                RemoveCause::OwnerRestarted
            } else if group.expires < aged {
                RemoveCause::Expired
            } else {
                continue;
            };
            over.extend(
                group
                    .tree
                    .all()
                    .map(|client| (client.clone(), cause, unheard)),
            );
        }
        if self.clients.has_records_without_origin() {
            let singly = self.clients.expired_singly(aged, lease).into_iter();
            over.extend(singly.map(|(client, unheard)| (client, RemoveCause::Expired, unheard)));
        }
        for (client, cause, unheard) in over {
            self.counters.clients_expired += u64::from(cause == RemoveCause::Expired);
            self.remove_client(&client, cause, unheard, out);
        }
        self.clients.drop_empty_groups(|group| {
            group.ends.is_some_and(|ends| ends <= aged) || group.expires < aged
        });
        self.clients.purge_tombstones(self.clock.run());
        self.purge_given_up();
    }

    /// Drops services that nobody has published or subscribed for long (Nacos
    /// `EmptyServiceCleaner`).
    pub(super) fn drop_empty_services(&mut self) {
        let run = self.run();
        let timing = &self.config.timing;
        self.timers.arm(
            Timer::EmptyServices,
            run + timing.empty_service_clean_interval,
        );
        if run.since(self.load.started()) >= timing.empty_service_expired_time {
            self.services
                .drop_empty(run - timing.empty_service_expired_time);
        }
    }
}
