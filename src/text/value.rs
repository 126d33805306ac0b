//! The values that people write as text: times, sizes, services. Each is read by one function and
//! written by another that gives the same value back.

use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, ServiceKey};
use distro_core::time::Period;

use super::problem::help_for;

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// A text that is not the value it should be.
///
/// # Errors
/// Always: this makes the error.
pub fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        message: message.into(),
        help: help.into(),
    })
}

/// Units of time with their length in microseconds.
const TIME_UNITS: [(&str, u64); 5] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];
/// What people write in place of them.
const TIME_ALIASES: [(&str, &str); 21] = [
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("S", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("H", "h"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
    ("usec", "us"),
    ("micros", "us"),
    ("microseconds", "us"),
    ("\u{b5}s", "us"),
];
/// The longest time a file may name: ten years. Sums of a few stay far from overflow.
const PERIOD_MAX: Period = Period::from_secs(10 * 365 * 24 * 3_600);
/// How a time is written.
pub const TIME_HELP: &str =
    "write a number and a unit, such as \"30s\", \"500ms\", \"1.5s\", \"2m\"";

/// Sizes with their length in bytes.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `number` times `unit`, exactly: decimals are fine as long as nothing is lost.
pub fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut value = whole.checked_mul(unit)?;
    if number.contains('.') {
        let digits = u32::try_from(decimals.len())
            .ok()
            .filter(|digits| *digits <= 12)?;
        let part = decimals.parse::<u64>().ok()?.checked_mul(unit)?;
        let divisor = 10_u64.pow(digits);
        if part % divisor != 0 {
            return None;
        }
        value = value.checked_add(part / divisor)?;
    }
    Some(value)
}

/// A time such as `30s`.
///
/// # Errors
/// The text is not a time.
pub fn period(text: &str) -> Result<Period, Wrong> {
    let (number, unit) = split_unit(text);
    if number.is_empty() {
        return wrong(format!("`{text}` is not a time"), TIME_HELP);
    }
    if unit.is_empty() {
        return wrong(
            format!("`{text}` has no unit"),
            format!("write \"{number}s\" for seconds; {TIME_HELP}"),
        );
    }
    let Some((_, length)) = TIME_UNITS.iter().find(|(known, _)| *known == unit) else {
        let meant = TIME_ALIASES.iter().find(|(alias, _)| *alias == unit.trim());
        let same = TIME_UNITS.iter().find(|(known, _)| *known == unit.trim());
        let help = match (meant.map(|(_, unit)| *unit), same.map(|(unit, _)| *unit)) {
            (Some(unit), _) | (None, Some(unit)) => format!("write \"{number}{unit}\""),
            (None, None) => format!("units are us, ms, s, m and h; {TIME_HELP}"),
        };
        return wrong(format!("`{text}` has an unknown unit `{unit}`"), help);
    };
    match scaled(number, *length) {
        Some(micros) if micros <= PERIOD_MAX.0 => Ok(Period(micros)),
        Some(_) => wrong(
            format!("`{text}` is too long"),
            "the longest time is ten years",
        ),
        None => wrong(
            format!("`{text}` is not a whole number of microseconds"),
            TIME_HELP,
        ),
    }
}

/// The shortest text of a time.
pub fn period_text(period: Period) -> String {
    let micros = period.0;
    if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else if micros.is_multiple_of(1_000) {
        format!("{}ms", micros / 1_000)
    } else {
        format!("{micros}us")
    }
}

/// A size such as `1MiB`, in bytes.
///
/// # Errors
/// The text is not a size.
pub fn bytes(text: &str) -> Result<u64, Wrong> {
    const HELP: &str = "write a whole number of bytes or a size such as \"64KiB\" or \"1MiB\"";
    let (number, unit) = split_unit(text);
    let Some((_, length)) = SIZE_UNITS.iter().find(|(known, _)| *known == unit) else {
        let units = SIZE_UNITS.iter().map(|(unit, _)| *unit);
        return wrong(
            format!("`{text}` is not a size"),
            format!("{HELP}; {}", help_for(unit, units)),
        );
    };
    match scaled(number, *length) {
        Some(bytes) => Ok(bytes),
        None => wrong(format!("`{text}` is not a size"), HELP),
    }
}

/// The text of a size.
pub fn bytes_text(bytes: u64) -> String {
    let binary = SIZE_UNITS.iter().take(4).rev();
    let mut exact = binary.filter(|(_, length)| bytes > 0 && bytes.is_multiple_of(*length));
    match exact.next() {
        Some((unit, length)) => format!("{}{unit}", bytes / length),
        None => format!("{bytes}B"),
    }
}

/// A regular expression of texts that name a service.
pub const SERVICE_PATTERN: &str = "^[^@]+(@[^@]+)*(@@[^@]+(@[^@]+)*){0,2}$";

/// A service: `name`, `group@@name` or `namespace@@group@@name`.
///
/// # Errors
/// The text is not a service.
pub fn service(text: &str) -> Result<ServiceKey, Wrong> {
    let parts: Vec<&str> = text.split("@@").collect();
    let (namespace, group, name) = match parts[..] {
        [name] => (DEFAULT_NAMESPACE, DEFAULT_GROUP, name),
        [group, name] => (DEFAULT_NAMESPACE, group, name),
        [namespace, group, name] => (namespace, group, name),
        _ => ("", "", ""),
    };
    if [namespace, group, name]
        .iter()
        .any(|part| part.trim().is_empty())
    {
        return wrong(
            format!("`{text}` is not a service"),
            "write \"orders\", \"GROUP@@orders\" or \"namespace@@GROUP@@orders\"",
        );
    }
    Ok(ServiceKey {
        namespace: Str::from(namespace),
        group: Str::from(group),
        name: Str::from(name),
    })
}

/// The shortest text of a service; absent for one that text cannot express.
pub fn service_text(key: &ServiceKey) -> Option<String> {
    let text = if &*key.namespace != DEFAULT_NAMESPACE {
        key.to_string()
    } else if &*key.group != DEFAULT_GROUP {
        key.grouped_name().to_string()
    } else {
        key.name.to_string()
    };
    (service(&text).as_ref() == Ok(key)).then_some(text)
}
