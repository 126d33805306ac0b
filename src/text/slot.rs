//! The value of a key, and where it was written.

use std::fmt::Debug;
use std::ops::{Deref, Range};

use super::found::{Found, Value};
use super::kind::{Kind, Shown};
use super::table::Table;
use super::value::Wrong;

/// Where a value was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// In which of the texts that were read, counted from 0.
    pub text: usize,
    /// Where there, in bytes.
    pub span: Range<usize>,
}

/// The value of a key. `V` is a [`Kind`] when something is assumed of a key that is left out, and
/// an [`Option`] of one when not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot<V> {
    /// What holds.
    pub value: V,
    /// Where it was written, right or not; `None` for what nobody wrote.
    pub place: Option<Place>,
}

impl<V> Slot<V> {
    /// A value that nobody wrote.
    pub const fn usual(value: V) -> Slot<V> {
        Slot { value, place: None }
    }

    /// A value to be written.
    pub fn said(value: V) -> Slot<V> {
        let place = Some(Place::default());
        Slot { value, place }
    }

    /// Where it stands in its text; the text's first byte for what nobody wrote.
    pub fn span(&self) -> Range<usize> {
        self.place.as_ref().map_or(0..0, |place| place.span.clone())
    }
}

impl<V> Deref for Slot<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

/// A slot of whatever kind.
pub trait AnySlot: Debug {
    /// Takes the value of a file, or notes what is wrong with it.
    fn read(&mut self, found: &mut Found, what: &str, value: &Value<'_>);
    /// Takes a text, as flags and variables give it.
    ///
    /// # Errors
    /// The text is no such value.
    fn parse(&mut self, text: &str, place: Place) -> Result<(), Wrong>;
    /// The value; `None` when there is none.
    fn shown(&self) -> Option<Shown>;
    /// Where it was written.
    fn place(&self) -> Option<&Place>;
    /// True when its values are not to be shown.
    fn is_secret(&self) -> bool;
    /// Its table, when it is one.
    fn table(&self) -> Option<&dyn Table>;
    /// Its table, when it is one.
    fn table_mut(&mut self) -> Option<&mut dyn Table>;
}

/// What a slot holds: a value, or perhaps one.
trait Held {
    type Kind: Kind;
    fn held(&self) -> Option<&Self::Kind>;
    fn held_mut(&mut self) -> Option<&mut Self::Kind>;
    fn hold(kind: Self::Kind) -> Self;
}

impl<K: Kind> Held for K {
    type Kind = K;

    fn held(&self) -> Option<&K> {
        Some(self)
    }

    fn held_mut(&mut self) -> Option<&mut K> {
        Some(self)
    }

    fn hold(kind: K) -> K {
        kind
    }
}

impl<K: Kind> Held for Option<K> {
    type Kind = K;

    fn held(&self) -> Option<&K> {
        self.as_ref()
    }

    fn held_mut(&mut self) -> Option<&mut K> {
        self.as_mut()
    }

    fn hold(kind: K) -> Option<K> {
        Some(kind)
    }
}

impl<V: Held + Debug> AnySlot for Slot<V> {
    fn read(&mut self, found: &mut Found, what: &str, value: &Value<'_>) {
        let span = value.span();
        if V::Kind::SECRET {
            found.secrets.push(span.clone());
        }
        let text = found.text;
        self.place = Some(Place { text, span });
        if let Some(value) = V::Kind::read(found, what, value) {
            self.value = V::hold(value);
        }
    }

    fn parse(&mut self, text: &str, place: Place) -> Result<(), Wrong> {
        self.value = V::hold(V::Kind::parse(text)?);
        self.place = Some(place);
        Ok(())
    }

    fn shown(&self) -> Option<Shown> {
        self.value.held().map(Kind::shown)
    }

    fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    fn is_secret(&self) -> bool {
        V::Kind::SECRET
    }

    fn table(&self) -> Option<&dyn Table> {
        self.value.held()?.table()
    }

    fn table_mut(&mut self) -> Option<&mut dyn Table> {
        self.value.held_mut()?.table_mut()
    }
}
