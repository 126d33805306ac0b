//! Writes a recording while the node runs.

use std::io::{self, Write};

use distro_core::config::Config;
use distro_core::io::{Input, Output};
use distro_core::profile::Profile;
use distro_core::time::Now;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tokio::sync::oneshot;

use super::line::{ConfigLine, HeaderLine, In, Line, StepLine};
use super::{FORMAT, VERSION, outputs_hash};
use crate::net::Clock;
use crate::shell::Tap;

/// How often the two clocks are compared at most, for a pair that nothing came between.
const COMPARISONS_MAX: u32 = 100;
/// A pair that is this close, in microseconds, is good enough.
const CLOSE: u64 = 3;

/// Resolves when the recording cannot be written any more; never when it could all along.
pub type Failure = oneshot::Receiver<io::Error>;

/// Writes one line for each step, at once.
pub struct Recorder {
    out: Box<dyn Write>,
    line: Vec<u8>,
    /// Number of the next output of the step.
    output: usize,
    /// Taken when it has failed; nothing is written from then on.
    failed: Option<oneshot::Sender<io::Error>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// `CLOCK_MONOTONIC`, in microseconds. All processes of a machine read the same.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (secs, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    secs.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

/// What `CLOCK_MONOTONIC` showed when this clock was zero.
pub fn zero_of(clock: &impl Clock) -> u64 {
    let mut best = (u64::MAX, 0);
    for _ in 0..COMPARISONS_MAX {
        let before = clock.now().mono;
        let machine = monotonic();
        let apart = clock.now().mono.since(before).0;
        best = best.min((apart, machine.saturating_sub(before.0 + apart / 2)));
        if apart <= CLOSE {
            break;
        }
    }
    best.1
}

impl Recorder {
    /// Begins a recording with its header. `born` is what the clocks showed when the machine was
    /// made from `config`.
    ///
    /// # Errors
    /// The output's, or a profile that no release node has.
    pub fn start(
        mut out: Box<dyn Write>,
        clock: &impl Clock,
        born: Now,
        config: &Config,
    ) -> io::Result<(Recorder, Failure)> {
        if config.profile != Profile::DISTRO {
            return Err(io::Error::other("only the profile distro is recorded"));
        }
        let header = HeaderLine {
            format: FORMAT.to_owned(),
            version: VERSION,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            zero: zero_of(clock),
            born: born.into(),
            config: ConfigLine::from(config),
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        out.write_all(&line)?;
        out.flush()?;
        let (failed, failure) = oneshot::channel();
        let recorder = Recorder {
            out,
            line,
            output: 0,
            failed: Some(failed),
        };
        Ok((recorder, failure))
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.failed.is_none() {
            return;
        }
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, line)
            .map_err(io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.out.write_all(&self.line)?;
                self.out.flush()
            });
        if let Err(error) = written
            && let Some(failed) = self.failed.take()
        {
            // Whoever runs the node may be gone already.
            failed.send(error).ok();
        }
    }
}

impl Tap<Input, Output> for Recorder {
    fn step(&mut self, now: Now, input: &Input, outputs: &[Output]) {
        self.output = 0;
        self.write(&Line::Step(StepLine {
            at: now.into(),
            out: outputs_hash(outputs),
            input: In::from(input),
        }));
    }

    fn input(&mut self, _input: &Input) {}

    fn output(&mut self, _output: &Output) {
        self.output += 1;
    }

    fn refused(&mut self, _output: &Output) {
        self.write(&Line::Refused(self.output));
        self.output += 1;
    }
}
