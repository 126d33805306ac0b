//! `distro diff`: which records differ between nodes, and why.
//!
//! Nodes are read one after the other while they work, so a difference counts only if a second
//! look finds it again, unless it is what the owner is about to send.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::show::cell;
use super::{Ask, OpsAddress, http, ops_address};
use crate::cli::client::table::table;
use crate::cli::client::time;
use crate::cli::{BAD_INPUT, DONE, FAILED, Failure, Format, REFUSED, print};

/// What `distro diff` takes.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// Operator's ports of the nodes to compare, two or more
    #[arg(required = true, num_args = 2.., value_name = "HOST[:PORT]", value_parser = ops_address)]
    nodes: Vec<OpsAddress>,
    /// How long to wait before a difference is looked at again
    #[arg(long, value_name = "TIME", default_value = "1500ms", value_parser = time)]
    again: Duration,
    #[command(flatten)]
    ask: Ask,
}

/// A record as `/v1/records` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    client: String,
    owner: Option<String>,
    owned: bool,
    incarnation: u64,
    revision: u64,
    digest: String,
    #[serde(default)]
    syncing: BTreeSet<String>,
    lease_millis: Option<u64>,
}

/// A node as it was seen.
#[derive(Debug, Clone, Default)]
struct Seen {
    name: String,
    incarnation: u64,
    ready: bool,
    verify_interval: String,
    /// Members and whether this node is connected to them.
    members: BTreeMap<String, bool>,
    records: BTreeMap<String, Record>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    client: String,
    /// Where the record is wrong or missing, and where it was compared with.
    at: String,
    with: String,
    kind: &'static str,
    why: String,
}

async fn see(at: &OpsAddress, ask: &Ask) -> Result<Seen, Failure> {
    let odd = |what: &str| {
        let text = format!("{at} is no operator's port of this version: {what} is not understood");
        Failure::new(FAILED, text)
    };
    let about = http::get(at, ask, "/v1/node").await?;
    let name = about["node"].as_str().ok_or_else(|| odd("/v1/node"))?;
    let members = http::get(at, ask, "/v1/members").await?;
    let members = members["members"].as_array().cloned().unwrap_or_default();
    let mut seen = Seen {
        name: name.to_owned(),
        incarnation: about["incarnation"].as_u64().unwrap_or(0),
        ready: about["ready"] == true,
        verify_interval: cell(&about["settings"]["timing.verify-interval"]["value"])
            .replace('"', ""),
        members: members
            .iter()
            .map(|member| (cell(&member["node"]), member["connected"] == true))
            .collect(),
        records: BTreeMap::new(),
    };
    for record in http::all(at, ask, "records").await? {
        let record: Record =
            serde_json::from_value(record).map_err(|_| odd("an entry of /v1/records"))?;
        seen.records.insert(record.client.clone(), record);
    }
    Ok(seen)
}

/// What becomes of a copy that only its owner could vouch for.
fn lease(record: &Record) -> String {
    match record.lease_millis {
        Some(millis) => format!("its lease ends in {}s", millis / 1_000),
        None => "it has no lease".to_owned(),
    }
}

/// Why `to` has not what its owner has.
fn owner_side(owner: &Seen, client: &str, to: &Seen) -> String {
    let syncing = owner.records.get(client);
    let syncing = syncing.is_some_and(|record| record.syncing.contains(&to.name));
    match owner.members.get(&to.name) {
        None => format!(
            "{} is not in the member list of its owner {}",
            to.name, owner.name
        ),
        Some(false) => format!("its owner {} is not connected to {}", owner.name, to.name),
        Some(true) if syncing => format!("a sync from its owner {} is on its way", owner.name),
        Some(true) => format!(
            "the sync was lost; the owner {} finds it at its next verify (every {})",
            owner.name, owner.verify_interval
        ),
    }
}

/// Why one of two nodes has a record and the other does not.
fn missing(all: &[Seen], has: &Seen, lacks: &Seen, record: &Record) -> String {
    if !lacks.ready {
        return format!("{} is not ready: its first load is not settled", lacks.name);
    }
    let Some(owner) = &record.owner else {
        return format!(
            "{} came from a Java node, which vouches for it; {}",
            record.client,
            lease(record)
        );
    };
    let Some(owner) = all.iter().find(|seen| seen.name == *owner) else {
        return match has.members.get(owner) {
            None => format!(
                "its owner {owner} has gone from the member list; {}",
                lease(record)
            ),
            Some(false) => format!("its owner {owner} has gone; {}", lease(record)),
            Some(true) => format!("its owner {owner} was not asked: name it too to learn why"),
        };
    };
    if owner.records.get(&record.client).is_some_and(|of| of.owned) {
        owner_side(owner, &record.client, lacks)
    } else if record.incarnation < owner.incarnation {
        format!(
            "an earlier life of its owner {} left it at {}; {}",
            owner.name,
            has.name,
            lease(record)
        )
    } else {
        format!(
            "its owner {} has no such client any more; {} has yet to hear of it (verify every \
             {}); {}",
            owner.name,
            has.name,
            owner.verify_interval,
            lease(record)
        )
    }
}

/// Why two nodes that both have a record have it differently.
fn unequal(
    all: &[Seen],
    one: &Seen,
    other: &Seen,
    (a, b): (&Record, &Record),
) -> Option<Difference> {
    let found = |behind: &Seen, ahead: &Seen, kind, why| Difference {
        client: a.client.clone(),
        at: behind.name.clone(),
        with: ahead.name.clone(),
        kind,
        why,
    };
    if (&a.owner, a.incarnation) != (&b.owner, b.incarnation) {
        let says = |seen: &Seen, record: &Record| {
            let owner = record.owner.as_deref().unwrap_or("a Java node");
            format!(
                "{} has it of {owner} (life {})",
                seen.name, record.incarnation
            )
        };
        let why = format!("{}, {}", says(one, a), says(other, b));
        return Some(found(one, other, "other owner", why));
    }
    if a.revision != b.revision {
        let (behind, ahead, old, new) = if a.revision < b.revision {
            (one, other, a, b)
        } else {
            (other, one, b, a)
        };
        let owner = all.iter().find(|seen| Some(&seen.name) == a.owner.as_ref());
        let cause = match owner {
            Some(owner) => owner_side(owner, &a.client, behind),
            None => format!(
                "its owner {} was not asked",
                a.owner.as_deref().unwrap_or("-")
            ),
        };
        let why = format!(
            "revision {} is behind {}: {cause}",
            old.revision, new.revision
        );
        return Some(found(behind, ahead, "older revision", why));
    }
    (a.digest != b.digest).then(|| {
        let why = format!(
            "both have revision {} with different content, which verify cannot see: a bug, please \
             report it",
            a.revision
        );
        found(one, other, "other content", why)
    })
}

/// All differences between any two of the nodes.
fn compare(all: &[Seen]) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            for (has, lacks) in [(one, other), (other, one)] {
                let only = has.records.values();
                let only = only.filter(|record| !lacks.records.contains_key(&record.client));
                found.extend(only.map(|record| Difference {
                    client: record.client.clone(),
                    at: lacks.name.clone(),
                    with: has.name.clone(),
                    kind: "missing",
                    why: missing(all, has, lacks, record),
                }));
            }
            let both = one.records.values();
            let both = both.filter_map(|a| Some((a, other.records.get(&a.client)?)));
            found.extend(both.filter_map(|pair| unequal(all, one, other, pair)));
        }
    }
    found
}

/// Compares nodes.
///
/// # Errors
/// A node does not answer, or the same one is named twice.
pub async fn diff(arguments: &DiffArguments) -> Result<u8, Failure> {
    let look = async || {
        let mut all = Vec::with_capacity(arguments.nodes.len());
        for node in &arguments.nodes {
            all.push(see(node, &arguments.ask).await?);
        }
        Ok::<_, Failure>(all)
    };
    let mut all = look().await?;
    for (index, seen) in all.iter().enumerate() {
        if all[..index].iter().any(|earlier| earlier.name == seen.name) {
            let text = format!("{} is named twice: name different nodes", seen.name);
            return Err(Failure::new(BAD_INPUT, text));
        }
    }
    let mut found = compare(&all);
    if !found.is_empty() {
        tokio::time::sleep(arguments.again).await;
        all = look().await?;
        let key = |d: &Difference| (d.client.clone(), d.at.clone(), d.with.clone(), d.kind);
        let before: BTreeSet<_> = found.iter().map(key).collect();
        found = compare(&all);
        found.retain(|difference| before.contains(&key(difference)));
    }
    tell(arguments.ask.format, &all, &found)?;
    Ok(if found.is_empty() { DONE } else { REFUSED })
}

fn tell(format: Format, all: &[Seen], found: &BTreeSet<Difference>) -> Result<(), Failure> {
    match format {
        Format::Json => {
            for difference in found {
                let line = json!({
                    "client": difference.client, "node": difference.at,
                    "with": difference.with, "kind": difference.kind, "why": difference.why,
                });
                print(&line.to_string())?;
            }
            Ok(())
        }
        Format::Table if found.is_empty() => {
            let counts: Vec<String> = all
                .iter()
                .map(|seen| format!("{} has {}", seen.name, seen.records.len()))
                .collect();
            print(&format!("no difference; records: {}", counts.join(", ")))
        }
        Format::Table => {
            let row = |difference: &Difference| {
                [
                    difference.client.as_str(),
                    &difference.at,
                    &difference.with,
                    difference.kind,
                    &difference.why,
                ]
                .map(|text| cell(&json!(text)))
            };
            let rows: Vec<[String; 5]> = found.iter().map(row).collect();
            print(&table(
                ["CLIENT", "AT", "COMPARED WITH", "WHAT", "WHY"],
                &rows,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, other: &str, connected: bool) -> Seen {
        Seen {
            name: name.to_owned(),
            incarnation: 7,
            ready: true,
            verify_interval: "5s".to_owned(),
            members: BTreeMap::from([(other.to_owned(), connected)]),
            records: BTreeMap::new(),
        }
    }

    fn with(mut seen: Seen, owner: &str, revision: u64, digest: &str) -> Seen {
        let record = Record {
            client: "c".to_owned(),
            owner: Some(owner.to_owned()),
            owned: owner == seen.name,
            incarnation: 7,
            revision,
            digest: digest.to_owned(),
            syncing: BTreeSet::new(),
            lease_millis: Some(9_000),
        };
        seen.records.insert(record.client.clone(), record);
        seen
    }

    fn only(all: &[Seen]) -> Difference {
        let found = compare(all);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn each_difference_is_named_with_its_reason() {
        let (a, b) = (|up| seen("a", "b", up), |up| seen("b", "a", up));
        let equal = [with(a(true), "a", 3, "x"), with(b(true), "a", 3, "x")];
        assert_eq!(compare(&equal), BTreeSet::new());

        let lost = only(&[with(a(true), "a", 3, "x"), b(true)]);
        assert_eq!((lost.at.as_str(), lost.kind), ("b", "missing"));
        assert!(lost.why.contains("next verify (every 5s)"), "{}", lost.why);

        let cut = only(&[with(a(false), "a", 3, "x"), b(true)]);
        assert!(cut.why.contains("not connected"), "{}", cut.why);

        let old = only(&[with(a(true), "a", 3, "x"), with(b(true), "a", 2, "y")]);
        assert_eq!((old.at.as_str(), old.kind), ("b", "older revision"));
        assert!(old.why.contains("revision 2 is behind 3"), "{}", old.why);

        let content = only(&[with(a(true), "a", 3, "x"), with(b(true), "a", 3, "y")]);
        assert_eq!(content.kind, "other content");

        let gone = only(&[a(true), with(b(true), "a", 3, "x")]);
        assert!(gone.why.contains("no such client any more"), "{}", gone.why);

        let orphan = only(&[a(true), with(b(true), "z", 3, "x")]);
        assert!(orphan.why.contains("z has gone"), "{}", orphan.why);
    }

    #[test]
    fn what_is_on_its_way_is_said() {
        let mut owner = with(seen("a", "b", true), "a", 3, "x");
        let record = owner.records.get_mut("c").unwrap();
        record.syncing.insert("b".to_owned());
        let found = only(&[owner, seen("b", "a", true)]);
        assert!(found.why.contains("on its way"), "{}", found.why);
    }
}
