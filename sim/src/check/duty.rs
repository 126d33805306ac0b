//! What began and must come in time.

use distro_core::time::{Mono, Period};

use crate::check::found::{Found, Moment};
use crate::check::property::Property;

/// What came of a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its deadline is still to come, or cannot be told while something is wrong.
    Open,
    /// It was missed.
    Missed,
}

/// The duty was done at `at`: held, or late when that is after its deadline. Without a deadline,
/// because something is wrong just now, it is not judged.
pub(crate) fn done(
    found: &mut Found,
    property: Property,
    (since, at): (Mono, Moment),
    due: Option<Mono>,
    text: impl FnOnce() -> String,
) {
    let Some(due) = due else { return };
    let (bound, measured) = (due.since(since), at.at.since(since));
    if at.at <= due {
        found.held_within(property, measured, bound);
    } else {
        found.late(
            property,
            Moment {
                at: due,
                entry: at.entry,
            },
            (bound, measured),
            text,
        );
    }
}

/// The duty is not done yet: missed when its deadline has passed.
pub(crate) fn open(
    found: &mut Found,
    property: Property,
    (since, now): (Mono, Moment),
    due: Option<Mono>,
    text: impl FnOnce() -> String,
) -> Outcome {
    match due {
        Some(due) if now.at > due => {
            let times: (Period, Period) = (due.since(since), now.at.since(since));
            found.late(
                property,
                Moment {
                    at: due,
                    entry: now.entry,
                },
                times,
                text,
            );
            Outcome::Missed
        }
        Some(_) | None => Outcome::Open,
    }
}
