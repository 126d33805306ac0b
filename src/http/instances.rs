//! Instances: register, change, beat, deregister, list (parts 9.2, 9.3, 9.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use distro_core::ids::Str;
use distro_core::message::ask::{Answer, Ask, Change, Place};
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{DEFAULT_CLUSTER, Instance, ServiceKey, Weight};
use distro_core::time::Period;
use distro_core::view::Selection;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Http;
use super::answer::{Outcome, Refusal, code};
use super::call::Call;
use crate::codec::instance_json;

/// Nacos `CACHE_MILLIS` of a list.
const CACHE_MILLIS: i64 = 10_000;
const BEAT_TAKEN: u32 = 10_200;
const BEAT_UNKNOWN: u32 = 20_404;
const WEIGHT_MAX: f64 = 10_000.0;

/// What an SDK puts into `beat` (Nacos `RsInfo`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BeatInfo {
    ip: Option<Str>,
    port: Option<i32>,
    cluster: Option<Str>,
    weight: Option<f64>,
    metadata: Option<BTreeMap<Str, Option<Str>>>,
    ephemeral: Option<bool>,
}

fn persistent() -> Refusal {
    let text = "persistent instances are not served by this node: leave out ephemeral=false";
    Refusal::new(StatusCode::NOT_IMPLEMENTED, code::DISABLED, text)
}

fn ephemeral_only(call: &Call) -> Result<(), Refusal> {
    match call.flag("ephemeral") {
        Some(false) => Err(persistent()),
        Some(true) | None => Ok(()),
    }
}

fn weight(call: &Call) -> Result<Option<Weight>, Refusal> {
    match call.number::<f64>("weight") {
        Some(weight) if !(0.0..=WEIGHT_MAX).contains(&weight) => {
            let text = format!(
                "instance format invalid: The weights range from 0.0 to 10000.0, this is {weight}"
            );
            Err(Refusal::new(StatusCode::BAD_REQUEST, code::WEIGHT, text))
        }
        weight => Ok(weight.map(Weight)),
    }
}

/// Metadata: a JSON object of texts, or `k=v,k2=v2`.
fn metadata(call: &Call) -> Result<Option<Metadata>, Refusal> {
    let Some(text) = call.text("metadata") else {
        return Ok(None);
    };
    let bad = |text: String| Refusal::new(StatusCode::BAD_REQUEST, code::METADATA, text);
    if text.starts_with('{') {
        let object: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| bad(format!("metadata is no JSON object: {error}")))?;
        let texts = object.into_iter().map(|(key, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (Str::from(key), Str::from(value))
        });
        return Ok(Some(texts.collect()));
    }
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| match pair.split_once('=') {
        Some((key, value)) => Ok((Str::from(key.trim()), Str::from(value.trim()))),
        None => Err(bad(format!(
            "metadata has '{pair}', write key=value,key2=value2 or a JSON object"
        ))),
    });
    pairs.collect::<Result<_, _>>().map(Some)
}

fn cluster(call: &Call) -> Option<&str> {
    call.text("clusterName").or_else(|| call.text("cluster"))
}

fn place(call: &Call) -> Place {
    Place {
        ip: call.text_or("ip", ""),
        port: call.number("port").unwrap_or(0),
    }
}

fn instance(call: &Call) -> Result<Instance, Refusal> {
    ephemeral_only(call)?;
    let Place { ip, port } = place(call);
    let enabled = call.flag("enabled").or_else(|| call.flag("enable"));
    Ok(Instance {
        instance_id: None,
        ip,
        port,
        weight: weight(call)?.unwrap_or(Weight::ONE),
        healthy: call.flag("healthy").unwrap_or(true),
        enabled: enabled.unwrap_or(true),
        ephemeral: true,
        cluster_name: Str::from(cluster(call).unwrap_or(DEFAULT_CLUSTER)),
        service_name: None,
        metadata: metadata(call)?.unwrap_or_default(),
    })
}

fn no_instance(service: &ServiceKey, place: &Place) -> Refusal {
    let text = format!(
        "no instance {}:{} of {service} was registered over HTTP; what a connection registered, \
         that connection changes",
        place.ip, place.port
    );
    Refusal::new(StatusCode::NOT_FOUND, code::NO_INSTANCE, text)
}

/// The machine's answer: how long until the next beat, for a beat.
async fn ask(
    http: &Http,
    ask: Ask,
    none: impl FnOnce() -> Refusal,
) -> Result<Option<Period>, Refusal> {
    match http.asker.ask(ask).await.ok_or_else(Refusal::gone)? {
        Answer::Done => Ok(None),
        Answer::Beat(period) => Ok(Some(period)),
        Answer::NotFound => Err(none()),
        Answer::Refused(text) => Err(Refusal::invalid(&*text)),
        Answer::Starting => Err(Refusal::starting()),
    }
}

pub(super) async fn register(http: Arc<Http>, call: Call) -> Outcome {
    let (service, instance) = (call.service(), instance(&call)?);
    let question = Ask::Register(service, Box::new(instance));
    ask(&http, question, Refusal::gone).await?;
    Ok(json!("ok"))
}

pub(super) async fn deregister(http: Arc<Http>, call: Call) -> Outcome {
    ephemeral_only(&call)?;
    let question = Ask::Deregister(call.service(), place(&call));
    ask(&http, question, Refusal::gone).await?;
    Ok(json!("ok"))
}

pub(super) async fn update(http: Arc<Http>, call: Call) -> Outcome {
    ephemeral_only(&call)?;
    let (service, place) = (call.service(), place(&call));
    let change = Change {
        weight: weight(&call)?,
        enabled: call.flag("enabled").or_else(|| call.flag("enable")),
        metadata: metadata(&call)?,
    };
    let none = no_instance(&service, &place);
    ask(&http, Ask::Update(service, place, Box::new(change)), || {
        none
    })
    .await?;
    Ok(json!("ok"))
}

/// The content of a beat, if it has any, and its place.
fn beat_of(call: &Call) -> Result<(Place, Option<Instance>), Refusal> {
    let Some(text) = call.text("beat") else {
        if call.text("ip").is_none() || call.text("port").is_none() {
            let text = "a beat needs either 'beat' as JSON, or 'ip' and 'port'";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, code::MISSING, text));
        }
        return Ok((place(call), None));
    };
    let info: BeatInfo = serde_json::from_str(text)
        .map_err(|error| Refusal::invalid(format!("Param 'beat' is no beat: {error}")))?;
    if info.ephemeral == Some(false) {
        return Err(persistent());
    }
    let ip = info.ip.unwrap_or_else(|| call.text_or("ip", ""));
    let port = info.port.or_else(|| call.number("port")).unwrap_or(0);
    let cluster = info.cluster.filter(|name| !name.trim().is_empty());
    let given = cluster.or_else(|| self::cluster(call).map(Str::from));
    let weight = info.weight.unwrap_or(1.0);
    if !(0.0..=WEIGHT_MAX).contains(&weight) {
        let text = format!("Param 'beat' has weight {weight}, it ranges from 0 to 10000.");
        return Err(Refusal::invalid(text));
    }
    let metadata = info.metadata.unwrap_or_default().into_iter();
    let instance = Instance {
        instance_id: None,
        ip: ip.clone(),
        port,
        weight: Weight(weight),
        healthy: true,
        enabled: true,
        ephemeral: true,
        cluster_name: given.unwrap_or_else(|| Str::from(DEFAULT_CLUSTER)),
        service_name: None,
        metadata: metadata
            .filter_map(|(key, value)| Some((key, value?)))
            .collect(),
    };
    Ok((Place { ip, port }, Some(instance)))
}

/// The place that a write is about, as the responsible node is found by it (part 9.4).
pub(super) fn tag(call: &Call) -> Option<String> {
    // What is wrong is told by whoever handles the call.
    let (Place { ip, port }, _) = beat_of(call).ok()?;
    Some(format!("{ip}:{port}"))
}

pub(super) async fn beat_v1(http: Arc<Http>, call: Call) -> Outcome {
    ephemeral_only(&call)?;
    let (place, instance) = beat_of(&call)?;
    let question = Ask::Beat {
        service: call.service(),
        place,
        instance: instance.map(Box::new),
    };
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, BEAT_UNKNOWN, "");
    let (period, code) = match ask(&http, question, unknown).await {
        Ok(period) => (period.unwrap_or(Period::from_secs(5)), BEAT_TAKEN),
        // Not an error to a client: it registers again.
        Err(refusal) if refusal.code == BEAT_UNKNOWN => (Period::from_secs(5), BEAT_UNKNOWN),
        Err(refusal) => return Err(refusal),
    };
    Ok(json!({
        "clientBeatInterval": period.millis(), "code": code, "lightBeatEnabled": true,
    }))
}

/// v3: a registration, or with `heartBeat=true` a beat.
pub(super) async fn register_v3(http: Arc<Http>, call: Call) -> Outcome {
    if call.flag("heartBeat") != Some(true) {
        return register(http, call).await;
    }
    ephemeral_only(&call)?;
    let (service, place) = (call.service(), place(&call));
    let none = no_instance(&service, &place);
    let question = Ask::Beat {
        service,
        place,
        instance: None,
    };
    ask(&http, question, || none).await?;
    Ok(json!("ok"))
}

struct Wanted {
    service: ServiceKey,
    clusters: String,
    healthy_only: bool,
}

/// The hosts as JSON, and whether the service is protected.
async fn listed(http: &Http, wanted: &Wanted) -> Result<(Vec<Value>, bool), Refusal> {
    let (key, healthy_only) = (wanted.service.clone(), wanted.healthy_only);
    let clusters = wanted.clusters.clone();
    let Selection { hosts, protected } = http
        .look(move |node| node.select(&key, &clusters, healthy_only))
        .await?;
    let hosts = hosts.iter().map(|instance| instance_json(instance));
    Ok((hosts.collect(), protected))
}

/// Nacos `ServiceInfo`. Both spellings of `allIPs`, since releases disagree.
async fn list_info(http: &Http, wanted: &Wanted) -> Outcome {
    let (hosts, protected) = listed(http, wanted).await?;
    Ok(json!({
        "name": wanted.service.grouped_name(), "groupName": wanted.service.group,
        "clusters": wanted.clusters, "cacheMillis": CACHE_MILLIS, "hosts": hosts,
        "lastRefTime": http.wall_millis(), "checksum": "", "allIPs": false, "allIps": false,
        "reachProtectionThreshold": protected, "valid": true,
    }))
}

fn wanted(call: &Call, clusters: &str) -> Wanted {
    Wanted {
        service: call.service(),
        clusters: call.text(clusters).unwrap_or("").to_owned(),
        healthy_only: call.flag("healthyOnly").unwrap_or(false),
    }
}

pub(super) async fn list_v1(http: Arc<Http>, call: Call) -> Outcome {
    list_info(&http, &wanted(&call, "clusters")).await
}

pub(super) async fn list_v2(http: Arc<Http>, call: Call) -> Outcome {
    list_info(&http, &wanted(&call, "clusterName")).await
}

pub(super) async fn list_v3(http: Arc<Http>, call: Call) -> Outcome {
    let mut wanted = wanted(&call, "clusterName");
    if wanted.clusters.is_empty() {
        // Nacos's default: without a cluster only that one is listed.
        DEFAULT_CLUSTER.clone_into(&mut wanted.clusters);
    }
    let (hosts, _) = listed(&http, &wanted).await?;
    Ok(Value::Array(hosts))
}

/// All instances, disabled ones too.
pub(super) async fn all(http: &Http, call: &Call) -> Result<Vec<Arc<Instance>>, Refusal> {
    let key = call.service();
    let mut instances = http.look(move |node| node.instances(&key)).await?;
    if let Some(cluster) = call.text("clusterName") {
        let clusters: Vec<&str> = cluster.split(',').collect();
        instances.retain(|instance| clusters.contains(&&*instance.cluster_name));
    }
    if call.flag("healthyOnly") == Some(true) {
        instances.retain(|instance| instance.healthy);
    }
    Ok(instances)
}

pub(super) async fn list_admin(http: Arc<Http>, call: Call) -> Outcome {
    let instances = all(&http, &call).await?;
    Ok(instances
        .iter()
        .map(|instance| instance_json(instance))
        .collect())
}

async fn find(http: &Http, call: &Call) -> Result<Arc<Instance>, Refusal> {
    let Place { ip, port } = place(call);
    let cluster = cluster(call).unwrap_or(DEFAULT_CLUSTER);
    let key = call.service();
    let instances = http.look(move |node| node.instances(&key)).await?;
    let mut same = instances.iter().filter(|one| &*one.cluster_name == cluster);
    let refuse = |text| Refusal::new(StatusCode::NOT_FOUND, code::NO_INSTANCE, text);
    if same.clone().next().is_none() {
        let service = call.service().grouped_name();
        return Err(refuse(format!(
            "no ips found for cluster {cluster} in service {service}"
        )));
    }
    let found = same.find(|one| one.ip == ip && one.port == port).cloned();
    found.ok_or_else(|| refuse("no matched ip found!".to_owned()))
}

pub(super) async fn detail_v1(http: Arc<Http>, call: Call) -> Outcome {
    let mut detail = detail(http, call).await?;
    if let Some(name) = detail
        .as_object_mut()
        .and_then(|detail| detail.remove("serviceName"))
    {
        detail["service"] = name;
    }
    Ok(detail)
}

pub(super) async fn detail(http: Arc<Http>, call: Call) -> Outcome {
    let found = find(&http, &call).await?;
    Ok(json!({
        "serviceName": call.service().grouped_name(), "ip": found.ip, "port": found.port,
        "clusterName": found.cluster_name, "weight": found.weight, "healthy": found.healthy,
        "enabled": found.enabled, "instanceId": found.instance_id, "metadata": found.metadata,
    }))
}
