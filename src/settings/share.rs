//! Shares from 0 to 1, alone and by service, as people write them.

use std::collections::BTreeMap;

use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, ServiceKey};
use distro_core::protect::Share;

use crate::text::value::{Wrong, wrong};

/// Digits after the point that are kept.
const DIGITS: usize = 6;

/// A share from its text, such as `0.8`.
pub(super) fn read(text: &str) -> Result<Share, Wrong> {
    match millionths(text.trim()).and_then(Share::from_millionths) {
        Some(share) => Ok(share),
        None => wrong(
            format!("`{text}` is no share"),
            "write a number from 0.0 to 1.0 with up to six digits after the point, such as 0.8",
        ),
    }
}

/// Why by digits: a share is exact, a float would round it first.
fn millionths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > DIGITS {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let rest: u32 = format!("{rest:0<DIGITS$}").parse().ok()?;
    whole
        .checked_mul(Share::ALL.millionths())?
        .checked_add(rest)
}

/// As TOML and people write it.
pub(super) fn text(share: Share) -> String {
    let all = Share::ALL.millionths();
    let (whole, rest) = (share.millionths() / all, share.millionths() % all);
    let rest = format!("{rest:0DIGITS$}");
    let rest = rest.trim_end_matches('0');
    format!("{whole}.{}", if rest.is_empty() { "0" } else { rest })
}

/// Shares of services from `orders=0.8,public@@DEFAULT_GROUP@@pay=0.5`.
pub(super) fn read_all(text: &str) -> Result<BTreeMap<ServiceKey, Share>, Wrong> {
    let mut shares = BTreeMap::new();
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        match word.rsplit_once('=') {
            Some((name, share)) => add(&mut shares, name.trim(), share)?,
            None => {
                return wrong(
                    format!("`{word}` is not a service with a share"),
                    "write \"orders=0.8,public@@DEFAULT_GROUP@@pay=0.5\"",
                );
            }
        }
    }
    Ok(shares)
}

/// Adds the share of one service.
pub(super) fn add(
    shares: &mut BTreeMap<ServiceKey, Share>,
    name: &str,
    share: &str,
) -> Result<(), Wrong> {
    let service = service(name)?;
    let share = read(share)?;
    if shares.contains_key(&service) {
        return wrong(
            format!("the service {service} is named twice"),
            "keep one of them",
        );
    }
    shares.insert(service, share);
    Ok(())
}

/// `service`, `group@@service` or `namespace@@group@@service`.
fn service(name: &str) -> Result<ServiceKey, Wrong> {
    let parts: Vec<&str> = name.split("@@").collect();
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
            format!("`{}` names no service", parts.join("@@")),
            "write service, group@@service or namespace@@group@@service",
        );
    }
    Ok(ServiceKey {
        namespace: Str::from(namespace),
        group: Str::from(group),
        name: Str::from(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_exactly_and_printed_as_it_was() {
        for same in ["0.0", "1.0", "0.8", "0.333333", "0.000001"] {
            assert_eq!(text(read(same).unwrap()), same);
        }
        assert_eq!(text(read("1").unwrap()), "1.0");
        for bad in ["", "1.1", "-0.5", "80%", "0.1234567", ".5", "1e-1", "2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_has_one_share_however_it_is_named() {
        let shares = read_all("orders=0.8, prod@@g@@pay=0.5").unwrap();
        let names: Vec<String> = shares.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["prod@@g@@pay", "public@@DEFAULT_GROUP@@orders"]);
        let twice = read_all("orders=0.8,DEFAULT_GROUP@@orders=0.5").unwrap_err();
        assert!(twice.message.contains("twice"), "{}", twice.message);
        for bad in ["orders", "@@orders=0.5", "a@@b@@c@@d=0.5", "orders=2"] {
            assert!(read_all(bad).is_err(), "{bad}");
        }
    }
}
