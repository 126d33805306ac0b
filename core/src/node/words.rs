//! The clock that words are taken from: it orders what applications say at different nodes.
//!
//! It counts milliseconds of the monotonic clock from this life's number, and is never behind a
//! word that was heard. So a claim that could know of another is said later, no wall clock is read,
//! and the clocks of nodes that hear each other agree to within a message's time.

use crate::ids::Incarnation;
use crate::message::distro::Word;
use crate::time::Mono;

/// One node's clock of words.
#[derive(Debug)]
pub(crate) struct WordClock {
    /// What is added to the monotonic clock.
    ahead: u64,
    last: Word,
}

impl WordClock {
    pub(crate) fn new(life: Incarnation, mono: Mono) -> WordClock {
        WordClock {
            ahead: life.0.saturating_sub(millis(mono)),
            last: Word(0),
        }
    }

    /// The clock now.
    pub(crate) fn now(&self, mono: Mono) -> Word {
        Word(self.ahead.saturating_add(millis(mono))).max(self.last)
    }

    /// A word that is higher than all before it.
    pub(crate) fn next(&mut self, mono: Mono) -> Word {
        let Word(now) = self.now(mono);
        self.last = Word(now.max(self.last.0.saturating_add(1)));
        self.last
    }

    /// Somebody else's clock shows at least this.
    pub(crate) fn hear(&mut self, word: Word, mono: Mono) {
        if word > self.now(mono) {
            self.ahead = word.0.saturating_sub(millis(mono));
        }
    }
}

fn millis(mono: Mono) -> u64 {
    mono.since(Mono(0)).millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_rise_also_within_a_millisecond_and_after_a_later_one_was_heard() {
        let mut clock = WordClock::new(Incarnation(1_000), Mono(0));
        assert_eq!(clock.next(Mono(0)), Word(1_000));
        assert_eq!(clock.next(Mono(0)), Word(1_001));
        assert_eq!(clock.next(Mono(5_000_000)), Word(6_000));
        clock.hear(Word(90_000), Mono(5_000_000));
        assert_eq!(clock.now(Mono(6_000_000)), Word(91_000));
        clock.hear(Word(7), Mono(6_000_000));
        assert_eq!(clock.next(Mono(6_000_000)), Word(91_000));
    }

    #[test]
    fn the_highest_word_that_can_be_said_is_not_gone_beyond() {
        let mut clock = WordClock::new(Incarnation(u64::MAX), Mono(0));
        clock.hear(Word(u64::MAX), Mono(1_000));
        assert_eq!(clock.next(Mono(9_000_000)), Word(u64::MAX));
        assert_eq!(clock.next(Mono(9_000_000)), Word(u64::MAX));
    }
}
