//! The values that scenario files write as text: times, shares, sizes, profiles, services. Each
//! is read by one function and written by another that gives the same value back.

use distro_core::profile::{Profile, QUIRKS, Quirk, RELEASES};
use distro_core::time::Period;

pub(super) use distro_node::text::value::{Wrong, period, period_text, service, service_text};
use distro_node::text::value::{scaled, wrong};

use super::problem::help_for;

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

#[cfg(test)]
mod tests;
