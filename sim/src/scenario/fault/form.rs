//! How the values of faults are written in files, and the table that faults are written in.

use std::marker::PhantomData;

use distro_core::profile::Profile;
use distro_core::time::Period;

use crate::scenario::fields::{Fields, Found};
use crate::scenario::problem::help_for;
use crate::scenario::scale::divided;
use crate::scenario::schema::Key;
use crate::scenario::value::{self, period_text, profile_text, rate_text, signed_millis_text};
use crate::scenario::write::toml_text::quoted;

/// One way to write a value.
pub(super) trait Form {
    /// What is written.
    type Value;
    /// Reads it from the table of its fault; what is wrong is noted, and there is a stand-in.
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> Self::Value;
    /// As TOML; none when the key is left out.
    fn write(value: &Self::Value) -> Option<String>;
    /// Where every time is divided by `scale`.
    fn scale(_: &mut Self::Value, _: u32) {}
}

/// A time that must be there.
pub(super) struct Time;

impl Form for Time {
    type Value = Period;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> Period {
        fields.period_required(found, key).unwrap_or_default()
    }
    fn write(value: &Period) -> Option<String> {
        Some(quoted(&period_text(*value)))
    }
    fn scale(value: &mut Period, scale: u32) {
        *value = divided(*value, scale);
    }
}

/// A time that is so many microseconds when left out.
pub(super) struct TimeOr<const MICROS: u64>;

impl<const MICROS: u64> Form for TimeOr<MICROS> {
    type Value = Period;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> Period {
        fields.period(found, key.name).unwrap_or(Period(MICROS))
    }
    fn write(value: &Period) -> Option<String> {
        Time::write(value)
    }
    fn scale(value: &mut Period, scale: u32) {
        Time::scale(value, scale);
    }
}

/// A time with a sign, in milliseconds.
pub(super) struct SignedTime;

impl Form for SignedTime {
    type Value = i64;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> i64 {
        let right = "a time with a sign, such as \"-30s\"";
        let value = fields.required(found, key);
        value
            .and_then(|value| found.read(key.name, value, right, value::signed_millis))
            .unwrap_or(0)
    }
    fn write(value: &i64) -> Option<String> {
        Some(quoted(&signed_millis_text(*value)))
    }
    fn scale(value: &mut i64, scale: u32) {
        *value /= i64::from(scale);
    }
}

/// A share, per million.
pub(super) struct Share;

impl Form for Share {
    type Value = u32;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> u32 {
        let value = fields.required(found, key);
        value
            .and_then(|value| found.read(key.name, value, "a share, such as \"5%\"", value::rate))
            .unwrap_or(0)
    }
    fn write(value: &u32) -> Option<String> {
        Some(quoted(&rate_text(*value)))
    }
}

/// How many, from one on; so many when left out.
pub(super) struct Count<const USUAL: u32>;

impl<const USUAL: u32> Form for Count<USUAL> {
    type Value = u32;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> u32 {
        let count = fields.count(found, key.name, 1, u32::MAX);
        count.unwrap_or(USUAL)
    }
    fn write(value: &u32) -> Option<String> {
        Some(value.to_string())
    }
}

/// A size in bytes; so much when left out.
pub(super) struct Bytes<const USUAL: u64>;

impl<const USUAL: u64> Form for Bytes<USUAL> {
    type Value = u64;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> u64 {
        fields.bytes(found, key.name).unwrap_or(USUAL)
    }
    fn write(value: &u64) -> Option<String> {
        Some(value.to_string())
    }
}

/// Bytes per second, more than none. They grow by as much as the seconds shrink.
pub(super) struct PerSecond;

impl Form for PerSecond {
    type Value = u64;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> u64 {
        let value = fields.required(found, key);
        let bytes = fields.bytes(found, key.name).unwrap_or(1);
        if let (0, Some(value)) = (bytes, value) {
            found.add(
                value.span(),
                "nothing fits through",
                "for no traffic at all use a partition",
            );
        }
        bytes
    }
    fn write(value: &u64) -> Option<String> {
        Some(value.to_string())
    }
    fn scale(value: &mut u64, scale: u32) {
        *value = value.saturating_mul(u64::from(scale));
    }
}

/// Parts per million by which a clock is fast.
pub(super) struct Ppm;

impl Form for Ppm {
    type Value = i32;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> i32 {
        /// A clock that runs at twice its rate, or hardly at all, is as far as it goes.
        const PPM_MAX: i64 = 999_999;
        let value = fields.required(found, key);
        let ppm = value.and_then(|value| found.integer(key.name, value, -PPM_MAX, PPM_MAX));
        ppm.and_then(|ppm| i32::try_from(ppm).ok()).unwrap_or(0)
    }
    fn write(value: &i32) -> Option<String> {
        Some(value.to_string())
    }
}

/// A profile, or that of before.
pub(super) struct OneBuild;

impl Form for OneBuild {
    type Value = Option<Profile>;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> Option<Profile> {
        let value = fields.get(key.name)?;
        found.read(
            key.name,
            value,
            "a profile's name in quotes",
            value::profile,
        )
    }
    fn write(value: &Option<Profile>) -> Option<String> {
        value.map(|profile| quoted(&profile_text(profile)))
    }
}

/// One of some words; the first when left out.
pub(super) struct Word<T>(PhantomData<T>);

/// Values that are written as words.
pub(super) trait Words: Copy + PartialEq + 'static {
    /// All, with their words.
    const ALL: &'static [(Self, &'static str)];
}

impl<T: Words> Form for Word<T> {
    type Value = T;
    fn read(fields: &Fields<'_>, found: &mut Found, key: &Key) -> T {
        let (usual, _) = T::ALL[0];
        let Some(value) = fields.get(key.name) else {
            return usual;
        };
        let Some(text) = found.text(key.name, value) else {
            return usual;
        };
        let known = T::ALL.iter().find(|(_, word)| *word == text);
        if known.is_none() {
            let words = T::ALL.iter().map(|(_, word)| *word);
            let message = format!("`{}` is `{text}`", key.name);
            found.add(value.span(), message, help_for(text, words));
        }
        known.map_or(usual, |(value, _)| *value)
    }
    fn write(value: &T) -> Option<String> {
        let known = T::ALL.iter().find(|(known, _)| known == value);
        known.map(|(_, word)| quoted(word))
    }
}

/// A group of faults from its table. An entry is a variant, its name in files, what the reference
/// says of it, keys of the format, the values that the variant has, each with its form and its
/// key, and further keys of the format.
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
                    $field:ident: $type:ty as $form:ty = $key:expr;
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
            pub(in crate::scenario) const SECTIONS: &[$crate::scenario::schema::Section] = &[$(
                $crate::scenario::schema::Section {
                    name: $name,
                    about: $about,
                    keys: &[$($before,)* $($($key,)*)? $($after,)*],
                },
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
                        $field: <$form as form::Form>::read(fields, found, &$key),
                    )*)? }),)*
                    _ => None,
                }
            }

            /// The values with their keys, as TOML.
            pub(in crate::scenario) fn values(&self) -> Vec<(&'static str, String)> {
                let values: Vec<Option<(&'static str, String)>> = match self {
                    $(Self::$fault { $($($field,)*)? } => vec![$($(
                        <$form as form::Form>::write($field).map(|value| ($key.name, value)),
                    )*)?],)*
                };
                values.into_iter().flatten().collect()
            }

            /// Divides all times.
            fn scale(&mut self, scale: u32) {
                // A group may have no times.
                let _ = scale;
                match self {
                    $(Self::$fault { $($($field,)*)? } => { $($(
                        <$form as form::Form>::scale($field, scale);
                    )*)? })*
                }
            }
        }
    };
}
pub(super) use faults;
