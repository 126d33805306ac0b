//! How the values of faults are written in files, and the table that faults are written in.

use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::text::found::{Found, Value};
use distro_node::text::kind::{AtLeastOne, Kind, OneOf, Size, Toml, Whole, Word};
use distro_node::text::table::Key;
use serde_json::Value as Json;

use crate::scenario::fields::Fields;
use crate::scenario::kinds::{Build, Jump, Ppm, Rate};
use crate::scenario::scale::divided;

/// A kind of values as a fault has them.
pub(super) trait Form: Kind {
    /// What the fault has.
    type Value;
    /// From what a file says.
    fn value(self) -> Self::Value;
    /// Back to it.
    fn of(value: &Self::Value) -> Self;
    /// Where every time is divided by `scale`.
    fn scale(_: &mut Self::Value, _: u32) {}
}

/// The value of a key, if it is there and right.
pub(super) fn read<K: Form>(fields: &Fields<'_>, found: &mut Found, key: &Key) -> Option<K::Value> {
    fields.read::<K>(found, key.name).map(K::value)
}

/// The value of a key that must be there; what is wrong is noted, and there is a stand-in.
pub(super) fn required<K: Form>(fields: &Fields<'_>, found: &mut Found, key: &Key) -> K::Value
where
    K::Value: Default,
{
    let value = fields.required(found, key);
    let value = value.and_then(|value| K::read(found, key.name, value));
    value.map(K::value).unwrap_or_default()
}

impl Form for Period {
    type Value = Period;
    fn value(self) -> Period {
        self
    }
    fn of(value: &Period) -> Period {
        *value
    }
    fn scale(value: &mut Period, scale: u32) {
        *value = divided(*value, scale);
    }
}

impl Form for Jump {
    type Value = i64;
    fn value(self) -> i64 {
        self.0
    }
    fn of(value: &i64) -> Jump {
        Jump(*value)
    }
    fn scale(value: &mut i64, scale: u32) {
        *value /= i64::from(scale);
    }
}

impl Form for Rate {
    type Value = u32;
    fn value(self) -> u32 {
        self.0
    }
    fn of(value: &u32) -> Rate {
        Rate(*value)
    }
}

impl Form for AtLeastOne {
    type Value = u32;
    fn value(self) -> u32 {
        self.0
    }
    fn of(value: &u32) -> AtLeastOne {
        Whole(*value)
    }
}

impl Form for Ppm {
    type Value = i32;
    fn value(self) -> i32 {
        self.0
    }
    fn of(value: &i32) -> Ppm {
        Whole(*value)
    }
}

impl Form for Build {
    type Value = Profile;
    fn value(self) -> Profile {
        self.0
    }
    fn of(value: &Profile) -> Build {
        Build(*value)
    }
}

impl<W: Word> Form for OneOf<W> {
    type Value = W;
    fn value(self) -> W {
        self.0
    }
    fn of(value: &W) -> OneOf<W> {
        OneOf(*value)
    }
}

/// A size that is written back in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes(u64);

impl Kind for Bytes {
    fn takes() -> String {
        Size::takes()
    }

    fn right() -> String {
        Size::right()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Bytes> {
        Size::read(found, what, value).map(|size| Bytes(size.0))
    }

    fn write(&self) -> Toml {
        // A size that was read as a number is one; a longer one was written with its unit.
        i64::try_from(self.0).map_or_else(|_| Size(self.0).write(), Toml::from)
    }

    fn schema() -> Json {
        Size::schema()
    }
}

impl Form for Bytes {
    type Value = u64;
    fn value(self) -> u64 {
        self.0
    }
    fn of(value: &u64) -> Bytes {
        Bytes(*value)
    }
}

/// Bytes per second, more than none. They grow by as much as the seconds shrink.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerSecond(u64);

impl Kind for PerSecond {
    fn takes() -> String {
        Size::takes()
    }

    fn right() -> String {
        Size::right()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<PerSecond> {
        let bytes = Bytes::read(found, what, value)?.0;
        if bytes == 0 {
            let help = "for no traffic at all use a partition";
            found.add(value.span(), "nothing fits through", help);
        }
        Some(PerSecond(bytes))
    }

    fn write(&self) -> Toml {
        Bytes(self.0).write()
    }

    fn schema() -> Json {
        Size::schema()
    }
}

impl Form for PerSecond {
    type Value = u64;
    fn value(self) -> u64 {
        self.0
    }
    fn of(value: &u64) -> PerSecond {
        PerSecond(*value)
    }
    fn scale(value: &mut u64, scale: u32) {
        *value = value.saturating_mul(u64::from(scale));
    }
}

/// What [`faults!`] makes of the line of a value.
macro_rules! value_part {
    (key $kind:ty, $name:literal, $about:literal, required) => {
        distro_node::text::table::key::<$kind>($name, Usual::Required, $about)
    };
    (key $kind:ty, $name:literal, $about:literal, usual $value:expr) => {
        distro_node::text::table::key::<$kind>(
            $name,
            Usual::Value(|| <$kind as form::Form>::of(&$value).write()),
            $about,
        )
    };
    (key $kind:ty, $name:literal, $about:literal, absent $words:expr) => {
        distro_node::text::table::key::<$kind>($name, Usual::Words($words), $about)
    };
    (read $kind:ty, $fields:ident, $found:ident, $key:expr, required) => {
        form::required::<$kind>($fields, $found, &$key)
    };
    (read $kind:ty, $fields:ident, $found:ident, $key:expr, usual $value:expr) => {
        form::read::<$kind>($fields, $found, &$key).unwrap_or($value)
    };
    (read $kind:ty, $fields:ident, $found:ident, $key:expr, absent $words:expr) => {
        form::read::<$kind>($fields, $found, &$key)
    };
    (write $kind:ty, $value:ident, absent $words:expr) => {
        $value
            .as_ref()
            .map(|value| <$kind as form::Form>::of(value).write())
    };
    (write $kind:ty, $value:ident, $($rest:tt)+) => {
        Some(<$kind as form::Form>::of($value).write())
    };
    (scale $kind:ty, $value:ident, $scale:ident, absent $words:expr) => {
        if let Some(value) = $value {
            <$kind as form::Form>::scale(value, $scale);
        }
    };
    (scale $kind:ty, $value:ident, $scale:ident, $($rest:tt)+) => {
        <$kind as form::Form>::scale($value, $scale)
    };
}
pub(super) use value_part;

/// A group of faults from its table. An entry is a variant, its name in files, what the reference
/// says of it, keys of the format, the values that the variant has, each with its kind, its key,
/// what it is when left out and what it means, and further keys of the format.
macro_rules! faults {
    (
        $(#[$on_group:meta])*
        pub enum $group:ident {
            $(
                $(#[$on_fault:meta])*
                $fault:ident = $name:literal, $about:literal,
                [$($before:expr),*]
                $({ $(
                    $(#[$on_field:meta])*
                    $field:ident: $type:ty as $kind:ty =
                        $key:literal, $usual:ident $(($value:expr))?, $means:literal;
                )* })?
                [$($after:expr),*];
            )*
        }
    ) => {
        $(#[$on_group])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $group {
            $(
                $(#[$on_fault])*
                $fault $({ $($(#[$on_field])* $field: $type,)* })?,
            )*
        }

        impl $group {
            /// What the format knows of each.
            pub(in crate::scenario) const SECTIONS: &[Section] = &[$(
                Section::new($name, $about, || vec![
                    $($before,)*
                    $($(form::value_part!(key $kind, $key, $means, $usual $($value)?),)*)?
                    $($after,)*
                ]),
            )*];

            /// Its name in files.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$fault { .. } => $name,)*
                }
            }

            /// Reads the fault with this name, if it is one of this group.
            pub(in crate::scenario) fn read(
                name: &str,
                fields: &$crate::scenario::fields::Fields<'_>,
                found: &mut $crate::scenario::fields::Found,
            ) -> Option<$group> {
                // A group may have no values.
                let _ = (&fields, &found);
                match name {
                    $($name => Some(Self::$fault { $($(
                        $field: form::value_part!(
                            read $kind, fields, found,
                            form::value_part!(key $kind, $key, $means, $usual $($value)?),
                            $usual $($value)?
                        ),
                    )*)? }),)*
                    _ => None,
                }
            }

            /// The values with their keys, as TOML.
            pub(in crate::scenario) fn values(&self) -> Vec<(&'static str, Toml)> {
                let values: Vec<(&'static str, Option<Toml>)> = match self {
                    $(Self::$fault { $($($field,)*)? } => vec![$($(
                        ($key, form::value_part!(write $kind, $field, $usual $($value)?)),
                    )*)?],)*
                };
                values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            }

            /// Divides all times.
            fn scale(&mut self, scale: u32) {
                // A group may have no times.
                let _ = scale;
                match self {
                    $(Self::$fault { $($($field,)*)? } => { $($(
                        form::value_part!(scale $kind, $field, scale, $usual $($value)?);
                    )*)? })*
                }
            }
        }
    };
}
pub(super) use faults;
