//! The level of the log.

use std::fmt;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Registry, reload};

/// How the names of all our crates begin.
const OURS: &str = "distro";

/// Reads and changes the level of the log while a node runs.
#[derive(Clone)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// A layer that filters the log by this level, and what changes it later.
    pub fn layer(level: LevelFilter) -> (reload::Layer<Targets, Registry>, LogLevel) {
        let (layer, handle) = reload::Layer::new(filter(level));
        (layer, LogLevel(handle))
    }

    /// The level.
    pub(super) fn get(&self) -> Result<LevelFilter, reload::Error> {
        self.0.with_current(|filter| {
            let ours = filter.iter().find(|(name, _)| *name == OURS);
            ours.map_or(LevelFilter::OFF, |(_, level)| level)
        })
    }

    pub(super) fn set(&self, level: LevelFilter) -> Result<(), reload::Error> {
        self.0.reload(filter(level))
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

/// Libraries say little before `trace`. Why: HTTP/2 alone tells of each of its frames at `debug`,
/// and what the node does is not to be found among them.
fn filter(level: LevelFilter) -> Targets {
    let others = if level == LevelFilter::TRACE {
        level
    } else {
        level.min(LevelFilter::INFO)
    };
    Targets::new().with_target(OURS, level).with_default(others)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_speak_up_with_trace_alone() {
        let enabled = |level: LevelFilter| {
            let filter = filter(level);
            ["distro_node::shell::node", "h2::codec"]
                .map(|target| filter.would_enable(target, &Level::DEBUG))
        };
        assert_eq!(enabled(LevelFilter::INFO), [false, false]);
        assert_eq!(enabled(LevelFilter::DEBUG), [true, false]);
        assert_eq!(enabled(LevelFilter::TRACE), [true, true]);
        let (_layer, level) = LogLevel::layer(LevelFilter::ERROR);
        assert_eq!(level.get().ok(), Some(LevelFilter::ERROR));
        assert!(!filter(LevelFilter::ERROR).would_enable("h2", &Level::WARN));
    }
}
