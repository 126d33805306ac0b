//! The values that scenario files write as text: times, shares, sizes, profiles, services. Each
//! is read by one function and written by another that gives the same value back.

use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, ServiceKey};
use distro_core::profile::{Profile, QUIRKS, Quirk, RELEASES};
use distro_core::time::Period;

use super::problem::help_for;

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    pub(super) help: String,
}

fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
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
const TIME_HELP: &str = "write a number and a unit, such as \"30s\", \"500ms\", \"1.5s\", \"2m\"";

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
fn scaled(number: &str, unit: u64) -> Option<u64> {
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
pub(super) fn period(text: &str) -> Result<Period, Wrong> {
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
pub(super) fn period_text(period: Period) -> String {
    let micros = period.0;
    if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else if micros.is_multiple_of(1_000) {
        format!("{}ms", micros / 1_000)
    } else {
        format!("{micros}us")
    }
}

/// A time or a range of times, `1ms..5ms`.
pub(super) fn period_range(text: &str) -> Result<(Period, Period), Wrong> {
    let Some((low, high)) = text.split_once("..") else {
        let one = period(text)?;
        return Ok((one, one));
    };
    let (low, high) = (period(low.trim())?, period(high.trim())?);
    if low > high {
        return wrong(
            format!("`{text}` ends before it begins"),
            format!("write \"{}..{}\"", period_text(high), period_text(low)),
        );
    }
    Ok((low, high))
}

/// The shortest text of a range of times.
pub(super) fn period_range_text(low: Period, high: Period) -> String {
    if low == high {
        period_text(low)
    } else {
        format!("{}..{}", period_text(low), period_text(high))
    }
}

/// A jump of the wall clock: a signed time, in milliseconds.
pub(super) fn signed_millis(text: &str) -> Result<i64, Wrong> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let length = period(rest)?;
    if !length.0.is_multiple_of(1_000) {
        return wrong(
            format!("`{text}` is finer than a millisecond"),
            "wall clocks count milliseconds",
        );
    }
    Ok(sign * i64::try_from(length.millis()).unwrap_or(i64::MAX))
}

/// The text of a jump of the wall clock.
pub(super) fn signed_millis_text(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "+" };
    format!(
        "{sign}{}",
        period_text(Period(millis.unsigned_abs().saturating_mul(1_000)))
    )
}

/// A share such as `5%`, per million.
pub(super) fn rate(text: &str) -> Result<u32, Wrong> {
    const HELP: &str = "write a share from 0% to 100%, such as \"5%\" or \"0.01%\"";
    let Some(number) = text.strip_suffix('%') else {
        return wrong(
            format!("`{text}` is not a share"),
            format!("{HELP}, with the sign"),
        );
    };
    match scaled(number, 10_000) {
        Some(per_million) if per_million <= 1_000_000 => {
            Ok(u32::try_from(per_million).expect("a million fits"))
        }
        Some(_) => wrong(format!("`{text}` is more than everything"), HELP),
        None => wrong(
            format!("`{text}` is not a share"),
            format!("{HELP}; four decimals at most"),
        ),
    }
}

/// The text of a share.
pub(super) fn rate_text(per_million: u32) -> String {
    let (whole, part) = (per_million / 10_000, per_million % 10_000);
    if part == 0 {
        return format!("{whole}%");
    }
    let decimals = format!("{part:04}");
    format!("{whole}.{}%", decimals.trim_end_matches('0'))
}

/// A size such as `1MiB`, in bytes.
pub(super) fn bytes(text: &str) -> Result<u64, Wrong> {
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

/// A profile: a release's name, then `+ quirk` and `- quirk`.
pub(super) fn profile(text: &str) -> Result<Profile, Wrong> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or("");
    let Some(mut profile) = Profile::from_name(name) else {
        let known = RELEASES.iter().map(|(_, name)| *name);
        return wrong(format!("`{name}` is not a profile"), help_for(name, known));
    };
    while let Some(sign) = words.next() {
        if sign != "+" && sign != "-" {
            return wrong(
                format!("`{sign}` is neither `+` nor `-`"),
                "write \"distro + retry-replaces-delete\" or \"nacos-2.3 - ages-on-wall-clock\"",
            );
        }
        let name = words.next().unwrap_or("");
        let Some(quirk) = Quirk::from_name(name) else {
            let known = QUIRKS.iter().map(|(_, name)| *name);
            return wrong(format!("`{name}` is not a quirk"), help_for(name, known));
        };
        profile = if sign == "+" {
            profile.with(quirk)
        } else {
            profile.without(quirk)
        };
    }
    Ok(profile)
}

/// The text of a profile.
pub(super) fn profile_text(profile: Profile) -> String {
    let usual = Profile::of(profile.release());
    let mut text = profile.name().to_owned();
    for (quirk, name) in QUIRKS {
        match (usual.has(quirk), profile.has(quirk)) {
            (false, true) => text.push_str(&format!(" + {name}")),
            (true, false) => text.push_str(&format!(" - {name}")),
            (true, true) | (false, false) => {}
        }
    }
    text
}

/// A service: `name`, `group@@name` or `namespace@@group@@name`.
pub(super) fn service(text: &str) -> Result<ServiceKey, Wrong> {
    let parts: Vec<&str> = text.split("@@").collect();
    let (namespace, group, name) = match parts[..] {
        [name] => (DEFAULT_NAMESPACE, DEFAULT_GROUP, name),
        [group, name] => (DEFAULT_NAMESPACE, group, name),
        [namespace, group, name] => (namespace, group, name),
        _ => ("", "", ""),
    };
    if namespace.is_empty() || group.is_empty() || name.is_empty() {
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
pub(super) fn service_text(key: &ServiceKey) -> Option<String> {
    let text = if &*key.namespace != DEFAULT_NAMESPACE {
        key.to_string()
    } else if &*key.group != DEFAULT_GROUP {
        key.grouped_name().to_string()
    } else {
        key.name.to_string()
    };
    (service(&text).as_ref() == Ok(key)).then_some(text)
}

#[cfg(test)]
mod tests;
