//! C.5 and C.7: the requests of the naming module, and what a list looks like.

use std::rc::Rc;

use serde_json::{Value, json};

use super::line::{Line, Said, internal};
use super::{Claim, Seen, Target};

pub(super) fn claims() -> Vec<Claim> {
    vec![
        Claim::new(
            "C.5",
            "an instance is registered, listed as it was said, and deregistered",
            instance,
        ),
        Claim::new(
            "C.5",
            "a batch is registered as a whole, and replaced by the next",
            batch,
        ),
        Claim::new("C.5", "a subscription is answered with the list", subscribe),
        Claim::new("C.5", "a query can want some clusters only", clusters),
        Claim::new("C.5", "services are listed in pages", pages),
        Claim::new(
            "C.5",
            "persistent instances: served, or refused with a typed answer",
            persistent,
        ),
        Claim::new(
            "C.5",
            "configuration: served, 302, or refused with a typed answer",
            configuration,
        ),
        Claim::new("C.7", "a list has the keys that SDKs read", keys),
        Claim::new(
            "C.7",
            "lastRefTime of a service's lists strictly increases",
            increasing,
        ),
        Claim::new(
            "C.7",
            "an unknown service has an empty list, not none",
            nobody,
        ),
    ]
}

const GROUP: &str = "DEFAULT_GROUP";

fn of(service: &str) -> Value {
    json!({"headers": {}, "namespace": "public", "serviceName": service, "groupName": GROUP, "module": "naming"})
}

fn with(mut request: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    request
}

fn at(port: u16, cluster: &str) -> Value {
    json!({"ip": "10.20.30.40", "port": port, "weight": 2.5, "healthy": true, "enabled": true, "ephemeral": true,
        "clusterName": cluster, "metadata": {"zone": "a"}})
}

async fn change(
    line: &mut Line,
    service: &str,
    what: &str,
    instance: Value,
) -> Result<Said, String> {
    let request = with(of(service), &json!({"type": what, "instance": instance}));
    let said = line.ask("InstanceRequest", &request).await?;
    said.succeeded("InstanceResponse")
}

/// Registers an instance with this port.
pub(super) async fn register(line: &mut Line, service: &str, port: u16) -> Result<(), String> {
    let said = change(line, service, "registerInstance", at(port, "DEFAULT")).await?;
    if said.body["type"] == "registerInstance" {
        Ok(())
    } else {
        Err(format!("the answer's type is {}", said.body["type"]))
    }
}

async fn list(line: &mut Line, service: &str, clusters: &str) -> Result<Value, String> {
    let request = json!({"cluster": clusters, "healthyOnly": false, "udpPort": 0});
    let said = line
        .ask("ServiceQueryRequest", &with(of(service), &request))
        .await?;
    let mut said = said.succeeded("QueryServiceResponse")?;
    Ok(said.body["serviceInfo"].take())
}

/// The instances of a service as a query lists them.
pub(super) async fn hosts(line: &mut Line, service: &str) -> Result<Vec<Value>, String> {
    hosts_in(&list(line, service, "").await?)
}

/// The instances in a list.
pub(super) fn hosts_in(info: &Value) -> Result<Vec<Value>, String> {
    let hosts = info["hosts"].as_array();
    hosts.cloned().ok_or_else(|| format!("no hosts in {info}"))
}

/// The ports in a list, in order.
pub(super) fn ports(info: &Value) -> Result<Vec<u64>, String> {
    let mut ports: Vec<u64> = hosts_in(info)?
        .iter()
        .filter_map(|host| host["port"].as_u64())
        .collect();
    ports.sort_unstable();
    Ok(ports)
}

/// Subscribes, and gives the list in the answer.
pub(super) async fn subscribed(line: &mut Line, service: &str) -> Result<Value, String> {
    let request = with(of(service), &json!({"subscribe": true, "clusters": ""}));
    let said = line.ask("SubscribeServiceRequest", &request).await?;
    let mut said = said.succeeded("SubscribeServiceResponse")?;
    Ok(said.body["serviceInfo"].take())
}

/// A request to register or deregister a persistent instance.
pub(super) fn persistent_request(service: &str, what: &str) -> Value {
    let mut instance = at(80, "DEFAULT");
    instance["ephemeral"] = Value::Bool(false);
    with(of(service), &json!({"type": what, "instance": instance}))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, have: &T, want: &T) -> Result<(), String> {
    if have == want {
        Ok(())
    } else {
        Err(format!("{what}: {have:?} instead of {want:?}"))
    }
}

async fn instance(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    register(&mut line, &service, 80).await?;
    let listed = hosts(&mut line, &service).await?;
    let [host] = &listed[..] else {
        return Err(format!("{} instances listed", listed.len()));
    };
    for (key, value) in at(80, "DEFAULT").as_object().into_iter().flatten() {
        same(key, &host[key], value)?;
    }
    change(&mut line, &service, "deregisterInstance", at(80, "DEFAULT")).await?;
    same(
        "instances left",
        &hosts(&mut line, &service).await?.len(),
        &0,
    )?;
    Ok(host.to_string().chars().take(120).collect())
}

async fn batch(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    for wanted in [vec![80, 81, 82], vec![82, 83]] {
        let instances: Vec<Value> = wanted.iter().map(|port| at(*port, "DEFAULT")).collect();
        let request = json!({"type": "batchRegisterInstance", "instances": instances});
        let said = line
            .ask("BatchInstanceRequest", &with(of(&service), &request))
            .await?;
        said.succeeded("BatchInstanceResponse")?;
        let have = ports(&list(&mut line, &service, "").await?)?;
        let want: Vec<u64> = wanted.iter().copied().map(u64::from).collect();
        same("ports", &have, &want)?;
    }
    Ok("three instances, then two others".to_owned())
}

async fn subscribe(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    register(&mut line, &service, 80).await?;
    let info = subscribed(&mut line, &service).await?;
    same("ports", &ports(&info)?, &vec![80])?;
    Ok("one instance in the answer".to_owned())
}

async fn clusters(target: Rc<Target>) -> Seen {
    let service = target.service();
    let (mut one, mut two) = (Line::open(&target).await?, Line::open(&target).await?);
    change(&mut one, &service, "registerInstance", at(80, "east")).await?;
    change(&mut two, &service, "registerInstance", at(81, "west")).await?;
    for (wanted, want) in [
        ("east", vec![80]),
        ("west", vec![81]),
        ("east,west", vec![80, 81]),
        ("", vec![80, 81]),
    ] {
        let info = list(&mut one, &service, wanted).await?;
        same(wanted, &ports(&info)?, &want)?;
    }
    Ok("one of two clusters, and both".to_owned())
}

async fn pages(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let group = target.service();
    let mut names: Vec<String> = (0..5).map(|_| target.service()).collect();
    names.sort();
    for name in &names {
        let request =
            json!({"groupName": group, "type": "registerInstance", "instance": at(80, "DEFAULT")});
        let said = line
            .ask("InstanceRequest", &with(of(name), &request))
            .await?;
        said.succeeded("InstanceResponse")?;
    }
    let mut found = Vec::new();
    for page in 1..=4 {
        let request = json!({"headers": {}, "namespace": "public", "serviceName": "", "groupName": group,
            "pageNo": page, "pageSize": 2, "selector": "", "module": "naming"});
        let said = line
            .ask("ServiceListRequest", &request)
            .await?
            .succeeded("ServiceListResponse")?;
        same("count", &said.body["count"], &json!(5))?;
        let on_page = said.body["serviceNames"].as_array().cloned();
        let on_page = on_page.ok_or_else(|| format!("no serviceNames in {}", said.body))?;
        let expected = match page {
            1 | 2 => 2,
            3 => 1,
            _ => 0,
        };
        same("names on a page", &on_page.len(), &expected)?;
        found.extend(on_page.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    found.sort();
    same("names", &found, &names)?;
    Ok("5 names on pages of 2, and an empty page after them".to_owned())
}

/// Passes when it was done, or refused so that an SDK tells its caller and does not retry.
fn served_or_typed(said: &Said) -> Seen {
    if said.body["success"] != true && said.kind == "ErrorResponse" && said.body["errorCode"] != 302
    {
        return Err(format!("{}: SDKs retry it", said.short()));
    }
    Ok(said.short())
}

async fn persistent(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    let request = persistent_request(&service, "registerInstance");
    let said = line.ask("PersistentInstanceRequest", &request).await?;
    if said.body["success"] == true {
        let request = persistent_request(&service, "deregisterInstance");
        line.ask("PersistentInstanceRequest", &request).await?;
    } else if said.kind == "ErrorResponse" {
        return Err(format!("{}: SDKs retry it", said.short()));
    }
    served_or_typed(&said)
}

async fn configuration(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let request = json!({"headers": {}, "dataId": target.service(), "group": GROUP, "tenant": "", "module": "config"});
    served_or_typed(&line.ask("ConfigQueryRequest", &request).await?)
}

async fn keys(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    register(&mut line, &service, 80).await?;
    let info = list(&mut line, &service, "").await?;
    same("name", &info["name"], &json!(service))?;
    same("groupName", &info["groupName"], &json!(GROUP))?;
    same("clusters", &info["clusters"], &json!(""))?;
    let is_of = [
        ("cacheMillis", Value::is_u64 as fn(&Value) -> bool),
        ("lastRefTime", Value::is_u64),
        ("checksum", Value::is_string),
        ("reachProtectionThreshold", Value::is_boolean),
        ("valid", Value::is_boolean),
    ];
    for (key, is_right) in is_of {
        if !is_right(&info[key]) {
            return Err(format!("{key} is {}", info[key]));
        }
    }
    let host = hosts_in(&info)?.pop().ok_or("the instance is not listed")?;
    let is_of = [
        ("ip", Value::is_string as fn(&Value) -> bool),
        ("port", Value::is_u64),
        ("weight", Value::is_f64),
        ("healthy", Value::is_boolean),
        ("enabled", Value::is_boolean),
        ("ephemeral", Value::is_boolean),
        ("clusterName", Value::is_string),
        ("metadata", Value::is_object),
        ("instanceHeartBeatInterval", Value::is_u64),
        ("instanceHeartBeatTimeOut", Value::is_u64),
        ("ipDeleteTimeout", Value::is_u64),
    ];
    for (key, is_right) in is_of {
        if !is_right(&host[key]) {
            return Err(format!("{key} of an instance is {}", host[key]));
        }
    }
    Ok(info.to_string().chars().take(120).collect())
}

async fn increasing(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut line = Line::open(&target).await?;
    let mut stamps = Vec::new();
    for port in 80..83 {
        register(&mut line, &service, port).await?;
        for _ in 0..2 {
            stamps.push(list(&mut line, &service, "").await?["lastRefTime"].as_u64());
        }
    }
    if stamps
        .windows(2)
        .all(|pair| pair[0].is_some() && pair[0] < pair[1])
    {
        Ok(format!("{} lists", stamps.len()))
    } else {
        Err(format!("{stamps:?}"))
    }
}

async fn nobody(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let info = list(&mut line, &target.service(), "").await?;
    same("instances", &hosts_in(&info)?.len(), &0)?;
    line.ask("HealthCheckRequest", &internal()).await?;
    Ok("hosts []".to_owned())
}
