//! Parameter rules of naming requests (Nacos `RpcParamCheckFilter` and the instance legality
//! check), each with Nacos's message.

use alloc::format;
use alloc::string::String;

use crate::constants::METADATA_LENGTH_MAX;
use crate::message::naming::{Instance, ServiceKey};
use crate::message::selector::Selector;

/// Metadata keys that Nacos keeps for itself inside the replicated record. Why: a client that sets
/// one as metadata makes every Java node that reads the record throw, for ever (part 12.28).
const RESERVED_METADATA: [&str; 3] = [
    "publishInstanceWeight",
    "publishInstanceEnable",
    "customInstanceId",
];

type Checked = Result<(), String>;

fn is_cjk(char: char) -> bool {
    ('\u{4E00}'..='\u{9FA5}').contains(&char)
}

fn word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == '-'
}

fn rule(param: &str, value: &str, length_max: usize, legal: impl Fn(&str) -> bool) -> Checked {
    if value.trim().is_empty() {
        return Ok(());
    }
    if value.encode_utf16().count() > length_max {
        return Err(format!(
            "Param check invalid:Param '{param}' is illegal, the param length should not exceed \
             {length_max}."
        ));
    }
    if legal(value) {
        return Ok(());
    }
    Err(format!(
        "Param check invalid:Param '{param}' is illegal, illegal characters should not appear in \
         the param."
    ))
}

fn service_name_is_legal(name: &str) -> bool {
    let first = name.chars().next().map_or(0, char::len_utf8);
    !name.starts_with('@')
        && !name[first..].contains("@@")
        && !name[first..]
            .chars()
            .any(|char| is_cjk(char) || char.is_whitespace())
}

/// The rule for the size of a page. Why: Nacos answers a negative one with an error of its runtime,
/// or an empty page.
pub(crate) fn page(size: i32) -> Checked {
    if size >= 0 {
        return Ok(());
    }
    Err(format!(
        "Param check invalid:Param 'pageSize' is illegal, it is {size} and should be 0 or more."
    ))
}

/// The selector of a list, if it has one.
pub(crate) fn selector(expression: &str) -> Result<Option<Selector>, String> {
    if expression.trim().is_empty() {
        return Ok(None);
    }
    let selector = Selector::parse(expression);
    selector
        .map(Some)
        .map_err(|bad| format!("Param check invalid:Param 'selector' is illegal, {bad}."))
}

/// The rules for a service's identity. A blank name is refused: Nacos lets it through and fails
/// later (advice in part 4).
pub(crate) fn service(key: &ServiceKey) -> Checked {
    if key.name.trim().is_empty() {
        return Err(String::from(
            "Param check invalid:Param 'serviceName' is illegal, it should not be blank.",
        ));
    }
    rule("namespaceId/tenant", &key.namespace, 64, |text| {
        text.chars().all(word)
    })?;
    rule("serviceName", &key.name, 512, service_name_is_legal)?;
    group(&key.group)
}

/// The rules for a group name.
pub(crate) fn group(group: &str) -> Checked {
    rule("group", group, 128, |text| {
        text.chars()
            .all(|char| word(char) || char == ':' || char == '.')
    })
}

/// The rules for a comma-separated list of clusters.
pub(crate) fn clusters(clusters: &str) -> Checked {
    clusters
        .split(',')
        .try_for_each(|cluster| rule("cluster", cluster, 64, |text| text.chars().all(word)))
}

/// The filter's rules for one instance.
pub(crate) fn instance(instance: &Instance) -> Checked {
    rule("ip", &instance.ip, 128, |text| {
        !text
            .chars()
            .any(|char| is_cjk(char) || char.is_whitespace())
    })?;
    if !(0..=65535).contains(&instance.port) {
        return Err(String::from(
            "Param check invalid:Param 'port' is illegal, the value should be between 0 and 65535.",
        ));
    }
    clusters(&instance.cluster_name)?;
    let length: usize = instance
        .metadata
        .iter()
        .map(|(key, value)| key.encode_utf16().count() + value.encode_utf16().count())
        .sum();
    if length > METADATA_LENGTH_MAX {
        return Err(format!(
            "Param check invalid:Param 'Metadata' is illegal, the param length should not exceed \
             {METADATA_LENGTH_MAX}."
        ));
    }
    if let Some(key) = RESERVED_METADATA
        .iter()
        .find(|key| instance.metadata.contains_key(key))
    {
        return Err(format!(
            "Param check invalid:Param 'Metadata' is illegal, the key '{key}' is reserved."
        ));
    }
    if let Some(name) = &instance.service_name {
        rule("serviceName", name, 512, service_name_is_legal)?;
    }
    Ok(())
}

/// The handler's rules for a single register (`NamingUtils.checkInstanceIsLegal`).
pub(crate) fn legal(instance: &Instance) -> Checked {
    let time = |key: &str, default: u64| {
        instance
            .metadata
            .get(key)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(default)
    };
    let interval = time("preserved.heart.beat.interval", 5_000);
    if time("preserved.heart.beat.timeout", 15_000) < interval
        || time("preserved.ip.delete.timeout", 30_000) < interval
    {
        return Err(String::from(
            "Instance 'heart beat interval' must less than 'heart beat timeout' and 'ip delete \
             timeout'.",
        ));
    }
    let cluster = &instance.cluster_name;
    if !cluster
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || char == '-')
    {
        return Err(format!(
            "Instance 'clusterName' should be characters with only 0-9a-zA-Z-. (current: {cluster})"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Str;

    #[test]
    fn service_names_follow_nacos_regex() {
        for good in ["demo", "a.b-c_d", "@x".trim_start_matches('@'), "x@y"] {
            assert!(service(&ServiceKey::named(good)).is_ok(), "{good}");
        }
        for bad in ["@demo", "a@@b", "a b", "服务a服", "  "] {
            assert!(service(&ServiceKey::named(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instance_out_of_range_names_the_parameter() {
        let mut bad = Instance::new("10.0.0.1", 80);
        bad.port = 70_000;
        assert!(instance(&bad).is_err_and(|text| text.contains("'port'")));
        let mut bad = Instance::new("10.0.0.1", 80);
        bad.metadata
            .insert(Str::from("publishInstanceWeight"), Str::from("5"));
        assert!(instance(&bad).is_err_and(|text| text.contains("publishInstanceWeight")));
        let mut bad = Instance::new("10.0.0.1", 80);
        bad.metadata
            .insert(Str::from("k"), Str::from("v".repeat(1024).as_str()));
        assert!(instance(&bad).is_err_and(|text| text.contains("1024")));
    }

    #[test]
    fn the_register_rule_is_stricter_about_clusters_than_the_filter() {
        let mut under = Instance::new("10.0.0.1", 80);
        under.cluster_name = Str::from("a_b");
        assert!(instance(&under).is_ok());
        assert!(legal(&under).is_err());
    }
}
