//! How instances and changes look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use distro_core::message::naming::{Instance, ServiceKey};
use serde_json::{Value, json};

use crate::cli::coloured;
use crate::text::is_hidden;

/// Green, yellow, red.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
}

/// The text in a colour, on a terminal.
pub(super) fn painted(colour: Colour, text: &str) -> String {
    if !coloured(&std::io::stdout()) {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Where an instance is.
pub(super) fn address(instance: &Instance) -> String {
    format!("{}:{}", instance.ip, instance.port)
}

fn metadata(instance: &Instance) -> String {
    let pairs: Vec<String> = instance
        .metadata
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// Text from a peer, without what a terminal would take for a command.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// What is worth showing of an instance, in columns.
pub(super) fn row(instance: &Instance) -> [String; 5] {
    let health = if instance.healthy {
        "healthy"
    } else {
        "unhealthy"
    };
    let cells = [
        address(instance),
        instance.cluster_name.to_string(),
        health.to_owned(),
        instance.weight.0.to_string(),
        metadata(instance),
    ];
    cells.map(|cell| plain(&cell))
}

/// Rows under a heading, each column as wide as it must be.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let cells: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(heading.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

/// An instance for machines.
pub(super) fn json_of(instance: &Instance) -> Value {
    json!({
        "ip": &*instance.ip, "port": instance.port, "cluster": &*instance.cluster_name,
        "healthy": instance.healthy, "enabled": instance.enabled, "weight": instance.weight.0,
        "metadata": instance.metadata.iter().map(|(k, v)| (k.to_string(), &**v))
            .collect::<BTreeMap<String, &str>>(),
    })
}

/// A service for machines.
pub(super) fn service_json(service: &ServiceKey) -> Value {
    json!({
        "namespace": &*service.namespace, "group": &*service.group, "name": &*service.name,
    })
}

/// What two lists differ in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) added: Vec<Arc<Instance>>,
    pub(super) removed: Vec<Arc<Instance>>,
    pub(super) changed: Vec<Arc<Instance>>,
}

/// The difference between two lists; instances are the same when address and cluster are.
pub(super) fn difference(before: &[Arc<Instance>], now: &[Arc<Instance>]) -> Difference {
    let by_place = |list: &[Arc<Instance>]| -> BTreeMap<(String, String), Arc<Instance>> {
        let place = |i: &Arc<Instance>| (address(i), i.cluster_name.to_string());
        list.iter().map(|i| (place(i), i.clone())).collect()
    };
    let (before, now) = (by_place(before), by_place(now));
    let mut found = Difference::default();
    for (place, instance) in &now {
        match before.get(place) {
            None => found.added.push(instance.clone()),
            Some(old) if old != instance => found.changed.push(instance.clone()),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(place, _)| !now.contains_key(*place));
    found.removed = gone.map(|(_, instance)| instance.clone()).collect();
    found
}

/// The time of day, UTC.
pub(super) fn clock() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let (secs, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    let (hours, minutes) = (secs / 3_600, secs / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", secs % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_tells_added_removed_and_changed_apart() {
        let a = Arc::new(Instance::new("10.0.0.1", 1));
        let b = Arc::new(Instance::new("10.0.0.2", 2));
        let mut heavier = Instance::new("10.0.0.2", 2);
        heavier.weight.0 = 2.0;
        let heavier = Arc::new(heavier);
        let c = Arc::new(Instance::new("10.0.0.3", 3));
        let found = difference(&[a.clone(), b], &[heavier.clone(), c.clone()]);
        assert_eq!(found.added, [c]);
        assert_eq!(found.removed, [a]);
        assert_eq!(found.changed, [heavier]);
    }

    #[test]
    fn text_from_a_peer_cannot_command_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb"), "a\u{fffd}[2Jb");
    }
}
