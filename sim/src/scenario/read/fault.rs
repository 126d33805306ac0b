//! Faults of the timeline.

use distro_core::time::Period;

use super::super::fields::Found;
use super::super::hosts::Only;
use super::super::model::{Fault, HostId, Path, What};
use super::super::value;
use super::path::{self, Wants};
use super::timeline::{Entry, Steps};

impl Entry<'_, '_> {
    /// A fault on paths that lasts.
    fn along(&self, found: &mut Found, wants: Wants, fault: impl Fn(Path) -> Fault) -> Steps {
        let lasts = self.lasts(found);
        let paths = path::read(found, self.reading, self.fields, wants);
        let step = |path| {
            (
                Period::ZERO,
                What::Fault {
                    fault: fault(path),
                    lasts,
                },
            )
        };
        paths.into_iter().map(step).collect()
    }

    /// What a fault does.
    pub(super) fn fault(&self, found: &mut Found) -> Steps {
        use Wants::{Anything, Apart, Path};
        let once = |fault| {
            vec![(
                Period::ZERO,
                What::Fault {
                    fault,
                    lasts: Period::ZERO,
                },
            )]
        };
        match self.section.name {
            "partition" => self.along(found, Apart, Fault::Partition),
            "loss" => {
                let per_million = self.rate(found);
                self.along(found, Anything, |path| Fault::Loss { path, per_million })
            }
            "drop" => {
                let count = self.count(found, 1);
                self.along(found, Anything, |path| Fault::Drop { path, count })
            }
            "delay" => {
                let by = self.time(found, "by");
                self.along(found, Anything, |path| Fault::Delay { path, by })
            }
            "duplicate" => {
                let per_million = self.rate(found);
                self.along(found, Anything, |path| Fault::Duplicate {
                    path,
                    per_million,
                })
            }
            "reorder" => {
                let within = self.time(found, "within");
                self.along(found, Anything, |path| Fault::Reorder { path, within })
            }
            "corrupt" => {
                let per_million = self.rate(found);
                self.along(found, Anything, |path| Fault::Corrupt { path, per_million })
            }
            "reset" => instant(self.along(found, Path, Fault::Reset)),
            "half-open" => instant(self.along(found, Path, Fault::HalfOpen)),
            "dead-stream" => instant(self.along(found, Path, Fault::DeadStream)),
            "bandwidth" => self.bandwidth(found),
            "fail-apply" => {
                let count = self.count(found, 1);
                let nodes = self.hosts(found, "node", Only::Nodes);
                nodes
                    .into_iter()
                    .flat_map(|node| once(Fault::FailApply { node, count }))
                    .collect()
            }
            _ => self.host_fault(found),
        }
    }

    fn bandwidth(&self, found: &mut Found) -> Steps {
        /// Bytes that may wait when the file does not say.
        const QUEUE_DEFAULT: u64 = 1 << 20;
        let value = self.fields.required(found, self.key("bytes-per-second"));
        let bytes_per_second = self.fields.bytes(found, "bytes-per-second").unwrap_or(1);
        if let (0, Some(value)) = (bytes_per_second, value) {
            found.add(
                value.span(),
                "nothing fits through",
                "for no traffic at all use a partition",
            );
        }
        let queue_bytes = self
            .fields
            .bytes(found, "queue-bytes")
            .unwrap_or(QUEUE_DEFAULT);
        self.along(found, Wants::Anything, |path| Fault::Bandwidth {
            path,
            bytes_per_second,
            queue_bytes,
        })
    }

    /// Faults of hosts rather than of paths.
    fn host_fault(&self, found: &mut Found) -> Steps {
        let lasting = |fault, lasts| vec![(Period::ZERO, What::Fault { fault, lasts })];
        let once = |fault| lasting(fault, Period::ZERO);
        if self.section.name == "rolling-restart" {
            return self.rolling_restart(found);
        }
        let hosts = self.hosts(found, "hosts", Only::Any);
        match self.section.name {
            "slow" => {
                let per_message = self.time(found, "per-message");
                lasting(Fault::Slow { hosts, per_message }, self.lasts(found))
            }
            "pause" => lasting(Fault::Pause(hosts), self.lasts(found)),
            "kill" => self.down(found, Fault::Kill(hosts.clone()), hosts),
            "power-off" => self.down(found, Fault::PowerOff(hosts.clone()), hosts),
            "restart" => {
                let profile = self.fields.get("profile");
                if let Some(value) = profile
                    && hosts.iter().any(|host| !self.reading.hosts.is_node(*host))
                {
                    found.add(
                        value.span(),
                        "a client has no profile",
                        "restart nodes and clients in two entries",
                    );
                }
                let profile = profile.and_then(|value| {
                    found.read(
                        "profile",
                        value,
                        "a profile's name in quotes",
                        value::profile,
                    )
                });
                once(Fault::Restart { hosts, profile })
            }
            "wall-jump" => {
                let value = self.fields.required(found, self.key("by"));
                let by_millis = value.and_then(|value| {
                    found.read(
                        "by",
                        value,
                        "a time with a sign, such as \"-30s\"",
                        value::signed_millis,
                    )
                });
                let by_millis = by_millis.unwrap_or(0);
                lasting(Fault::WallJump { hosts, by_millis }, self.lasts(found))
            }
            "mono-jump" => once(Fault::MonoJump {
                hosts,
                by: self.time(found, "by"),
            }),
            _ => {
                /// A clock that runs at twice its rate, or hardly at all, is as far as it goes.
                const PPM_MAX: i64 = 999_999;
                let value = self.fields.required(found, self.key("ppm"));
                let ppm = value.and_then(|value| found.integer("ppm", value, -PPM_MAX, PPM_MAX));
                let ppm = ppm.and_then(|ppm| i32::try_from(ppm).ok()).unwrap_or(0);
                lasting(Fault::Drift { hosts, ppm }, self.lasts(found))
            }
        }
    }

    /// A process that ends, and starts again when the entry says for how long.
    fn down(&self, found: &mut Found, fault: Fault, hosts: Vec<HostId>) -> Steps {
        let mut steps = vec![(
            Period::ZERO,
            What::Fault {
                fault,
                lasts: Period::ZERO,
            },
        )];
        let lasts = self.lasts(found);
        if lasts != Period::MAX {
            let fault = Fault::Restart {
                hosts,
                profile: None,
            };
            steps.push((
                lasts,
                What::Fault {
                    fault,
                    lasts: Period::ZERO,
                },
            ));
        }
        steps
    }

    fn rolling_restart(&self, found: &mut Found) -> Steps {
        let hosts = match self.fields.get("hosts") {
            Some(value) => self.reading.hosts.some(found, "hosts", value, Only::Nodes),
            None => self.reading.hosts.all_nodes(),
        };
        let every = self.time(found, "step");
        let down = self
            .fields
            .period(found, "down")
            .unwrap_or(Period::from_secs(1));
        let gaps = u64::try_from(hosts.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(1);
        let lasts = every.times(gaps) + down;
        vec![(
            Period::ZERO,
            What::Fault {
                fault: Fault::RollingRestart { hosts, every, down },
                lasts,
            },
        )]
    }
}

/// The same steps for a fault that takes no time.
fn instant(steps: Steps) -> Steps {
    steps
        .into_iter()
        .map(|(after, what)| match what {
            What::Fault { fault, .. } => (
                after,
                What::Fault {
                    fault,
                    lasts: Period::ZERO,
                },
            ),
            What::Call { .. } | What::Operate { .. } => (after, what),
        })
        .collect()
}
