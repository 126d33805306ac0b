//! Where every observation goes: the trace's hash, the trace file, the checks; in that order.

use std::fs::File;
use std::io::BufWriter;

use crate::check::verdict::Verdict;
use crate::judge::Judge;
use crate::observe::{Observation, Tables};
use crate::outcome::RunOptions;
use crate::scenario::model::Scenario;
use crate::trace::{Header, TraceHash, TraceWriter};

use distro_core::time::Mono;

/// The recorder of one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    hash: TraceHash,
    writer: Option<TraceWriter<BufWriter<File>>>,
    judge: Judge,
    failure: Option<String>,
    #[cfg(test)]
    pub(crate) seen: Vec<(u64, u32, String)>,
}

/// What is left of a recorder at the end.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// What the checks say.
    pub(crate) verdict: Verdict,
    /// How many observations there were.
    pub(crate) entries: u64,
    /// Hash of them all.
    pub(crate) hash: u64,
}

fn cannot_write(error: &std::io::Error) -> String {
    format!("the trace cannot be written: {error}")
}

impl Recorder {
    /// A recorder that also writes the trace if the options say so.
    pub(crate) fn new(scenario: &Scenario, options: &RunOptions) -> Result<Recorder, String> {
        let writer = match &options.trace {
            None => None,
            Some(path) => {
                let file =
                    File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let header = Header {
                    world: options.world,
                    seed: options.seed,
                    profile: options.profile,
                };
                let writer = TraceWriter::new(BufWriter::new(file), scenario, &header);
                Some(writer.map_err(|error| cannot_write(&error))?)
            }
        };
        Ok(Recorder {
            hash: TraceHash::new(),
            writer,
            judge: Judge::new(scenario),
            failure: None,
            #[cfg(test)]
            seen: Vec::new(),
        })
    }

    /// Takes one observation.
    pub(crate) fn see(&mut self, seen: &Observation<'_>, tables: &dyn Tables) {
        let entry = self.hash.see(seen);
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.see(seen)
        {
            self.failure.get_or_insert_with(|| cannot_write(&error));
        }
        self.judge.see(entry, seen, tables);
        #[cfg(test)]
        self.seen
            .push((seen.at.0, seen.host.0, format!("{:?}", seen.what)));
    }

    /// What went wrong with the trace file, if anything.
    pub(crate) fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// The run is over.
    pub(crate) fn finish(mut self, at: Mono, tables: &dyn Tables) -> Result<Recorded, String> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(writer) = self.writer.take() {
            writer.finish().map_err(|error| cannot_write(&error))?;
        }
        Ok(Recorded {
            verdict: self.judge.finish(at, tables),
            entries: self.hash.entries(),
            hash: self.hash.finish(),
        })
    }
}
