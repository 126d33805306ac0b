//! What is said again and again is counted, not written: from one place of the program a log gets a
//! few lines in a while, and then how many more there were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, warn};
use tracing_subscriber::layer::{Context, Filter};

/// Lines from one place within [`WINDOW`].
const LINES_MAX: u32 = 20;
/// How long they are counted for.
const WINDOW: Duration = Duration::from_secs(10);

type Place = (&'static str, u32);

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
    message: String,
}

/// Lets the first lines through. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Quiet(Arc<Mutex<BTreeMap<Place, Window>>>);

impl Quiet {
    /// Whether this line is written.
    fn lets(&self, place: Place, now: Instant, message: impl FnOnce() -> String) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = places.entry(place).or_insert_with(|| Window {
            since: now,
            lines: 0,
            left_out: 0,
            message: String::new(),
        });
        if now.duration_since(window.since) >= WINDOW {
            window.since = now;
            window.lines = 0;
        }
        window.lines = window.lines.saturating_add(1);
        if window.lines <= LINES_MAX {
            return true;
        }
        if window.left_out == 0 {
            window.message = message();
        }
        window.left_out += 1;
        false
    }

    /// What was left out since the last time, by what it said first.
    fn left_out(&self) -> Vec<(String, u64)> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = places.values_mut().filter(|window| window.left_out > 0);
        windows
            .map(|window| {
                let count = std::mem::take(&mut window.left_out);
                (std::mem::take(&mut window.message), count)
            })
            .collect()
    }

    /// Tells what was left out, if anything was.
    pub(super) fn tell(&self) {
        for (message, lines) in self.left_out() {
            warn!(
                lines,
                "left out of the log, as they were like others: {message}"
            );
        }
    }

    /// Tells it again and again.
    pub(super) async fn watch(&self) {
        let mut again = tokio::time::interval(WINDOW);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            self.tell();
        }
    }
}

/// What an event says, without its fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Filter<S> for Quiet {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let about = event.metadata();
        // Whoever asks for details gets all of them.
        if *about.level() > Level::INFO {
            return true;
        }
        let place = (about.file().unwrap_or(""), about.line().unwrap_or(0));
        self.lets(place, Instant::now(), || {
            let mut message = Message(String::new());
            event.record(&mut message);
            message.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_one_place_is_counted_and_others_are_heard() {
        let (quiet, start) = (Quiet::default(), Instant::now());
        let say = |line, at| quiet.lets(("a.rs", line), at, || format!("line {line}"));
        let written = (0..31_000).filter(|_| say(1, start)).count();
        assert_eq!(written, 20);
        assert!(say(2, start));
        assert_eq!(quiet.left_out(), [("line 1".to_owned(), 30_980)]);
        assert!(quiet.left_out().is_empty());
        assert!(say(1, start + WINDOW), "after a while it is news again");
    }
}
