//! A host's clocks on turmoil's time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use distro_core::time::{Mono, Now};
use distro_node::net::Clock;
use tokio::time::{Sleep, sleep};

use crate::world::link::fabric::Fabric;

/// True time since the start of the run in microseconds, as the host that runs now sees it.
pub(crate) fn true_time() -> u64 {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// The clocks of one host, jumps, drift and pauses included.
#[derive(Debug, Clone)]
pub(crate) struct HostClock {
    fabric: Arc<Fabric>,
    host: u32,
}

impl HostClock {
    pub(crate) fn new(fabric: Arc<Fabric>, host: u32) -> HostClock {
        HostClock { fabric, host }
    }
}

impl Clock for HostClock {
    fn now(&self) -> Now {
        self.fabric.read_clock(self.host, true_time())
    }

    async fn sleep_until(&self, at: Mono) {
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            loop {
                match self
                    .fabric
                    .sleep_left(self.host, true_time(), at, context.waker())
                {
                    Some(0) => return Poll::Ready(()),
                    Some(left) => {
                        let fresh = timer.insert(Box::pin(sleep(Duration::from_micros(left))));
                        if fresh.as_mut().poll(context).is_pending() {
                            return Poll::Pending;
                        }
                    }
                    None => return Poll::Pending,
                }
            }
        })
        .await;
    }
}
