//! The suite of the crate `nacos-sdk`: `sdk-suite main` runs the cases, `sdk-suite hold` keeps an
//! instance. What it is told and what it answers: see `../../main.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nacos_sdk::api::config::ConfigServiceBuilder;
use nacos_sdk::api::naming::{
    NamingChangeEvent, NamingEventListener, NamingService, NamingServiceBuilder, ServiceInstance,
};
use nacos_sdk::api::props::ClientProps;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Longer than anything here may take, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const HELD: &str = "held";
const HELD_PORT: i32 = 7000;

type Case = Result<(), String>;
type Running<'a> = Pin<Box<dyn Future<Output = Case> + 'a>>;

fn say(line: Value) {
    println!("@{line}");
}

fn told<E: Display>(error: E) -> String {
    error.to_string()
}

fn at(name: &str) -> String {
    std::env::var(name).expect("the driver says where to go")
}

fn props(servers: &str, namespace: &str) -> ClientProps {
    ClientProps::new()
        .server_addr(servers)
        .namespace(namespace)
        .app_name("suite")
        // Otherwise the SDK keeps the last instance of a service for ever.
        .naming_push_empty_protection(false)
        .load_cache_at_start(false)
        .cache_dir(at("SUITE_DIR"))
}

async fn client(servers: &str, namespace: &str) -> Result<NamingService, String> {
    let builder = NamingServiceBuilder::new(props(servers, namespace));
    builder.build().await.map_err(told)
}

fn instance(port: i32) -> ServiceInstance {
    ServiceInstance {
        ip: "10.1.0.1".to_owned(),
        port,
        ..Default::default()
    }
}

fn in_cluster(port: i32, cluster: &str) -> ServiceInstance {
    ServiceInstance {
        cluster_name: Some(cluster.to_owned()),
        ..instance(port)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn metadata(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

fn ports(instances: &[ServiceInstance]) -> Vec<i32> {
    let mut ports: Vec<i32> = instances.iter().map(ServiceInstance::port).collect();
    ports.sort_unstable();
    ports
}

/// Asks again and again until it is so; what was seen last is in the error.
async fn until<T: Debug, F: Future<Output = Result<T, String>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    is_so: impl Fn(&T) -> bool,
) -> Case {
    let mut last = String::from("nothing");
    let asking = async {
        loop {
            match ask().await {
                Ok(seen) if is_so(&seen) => return,
                Ok(seen) => last = format!("{seen:?}"),
                Err(error) => last = error,
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let done = timeout(PATIENCE, asking).await;
    done.map_err(|_| format!("never: {what}; last seen: {last}"))
}

async fn every(
    who: &NamingService,
    service: &str,
    group: Option<&str>,
    clusters: &[&str],
) -> Result<Vec<ServiceInstance>, String> {
    let (service, group) = (service.to_owned(), group.map(str::to_owned));
    let all = who.get_all_instances(service, group, words(clusters), false);
    all.await.map_err(told)
}

async fn sees(
    who: &NamingService,
    service: &str,
    group: Option<&str>,
    clusters: &[&str],
    wanted: &[i32],
) -> Case {
    let what = format!("{service} has ports {wanted:?}");
    let ask = || every(who, service, group, clusters);
    until(&what, ask, |seen| ports(seen) == wanted).await
}

/// The call ends with the SDK's own error, and it is told.
async fn refused<T, E: Display>(what: &str, call: impl Future<Output = Result<T, E>>) -> Case {
    match timeout(PATIENCE, call).await {
        Err(_) => Err(format!("{what} was never answered")),
        Ok(Ok(_)) => Err(format!("{what} was accepted")),
        Ok(Err(error)) if error.to_string().is_empty() => {
            Err(format!("{what}: an error without a text"))
        }
        Ok(Err(_)) => Ok(()),
    }
}

type Hosts = BTreeMap<String, ServiceInstance>;

/// The latest list of a service as the SDK pushes it, and which instances left it.
#[derive(Default, Clone)]
struct Seen {
    hosts: Option<Hosts>,
    removed: BTreeSet<String>,
}

struct Watcher(watch::Sender<Seen>);

impl NamingEventListener for Watcher {
    fn event(&self, event: Arc<NamingChangeEvent>) {
        let instances = event.instances.clone().unwrap_or_default();
        let now: Hosts = instances
            .into_iter()
            .map(|one| (one.ip_and_port(), one))
            .collect();
        self.0.send_modify(|seen| {
            let before = seen.hosts.take().unwrap_or_default();
            seen.removed
                .extend(before.into_keys().filter(|key| !now.contains_key(key)));
            seen.hosts = Some(now);
        });
    }
}

impl Watcher {
    fn new() -> Arc<Watcher> {
        Arc::new(Watcher(watch::Sender::new(Seen::default())))
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Hosts) -> bool) -> Case {
        let mut seen = self.0.subscribe();
        let wait = seen.wait_for(|seen| seen.hosts.as_ref().is_some_and(&is_so));
        match timeout(PATIENCE, wait).await {
            Ok(_) => Ok(()),
            Err(_) => Err(format!(
                "never pushed: {what}; last: {:?}",
                self.0.borrow().hosts
            )),
        }
    }
}

async fn register(a: &NamingService, b: &NamingService) -> Case {
    let done = a.register_instance("register".to_owned(), None, instance(80));
    done.await.map_err(told)?;
    sees(a, "register", None, &[], &[80]).await?;
    sees(b, "register", None, &[], &[80]).await
}

async fn metadata_and_weight(a: &NamingService, b: &NamingService) -> Case {
    let with = |pairs: &[(&str, &str)], weight| ServiceInstance {
        metadata: metadata(pairs),
        weight,
        ..instance(80)
    };
    let name = || "change".to_owned();
    a.register_instance(name(), None, with(&[("zone", "a")], 1.0))
        .await
        .map_err(told)?;
    let changed = with(&[("zone", "b"), ("version", "2")], 2.5);
    a.register_instance(name(), None, changed.clone())
        .await
        .map_err(told)?;
    until(
        "metadata and weight changed on the other node",
        || every(b, "change", None, &[]),
        |seen| match seen.as_slice() {
            [one] => one.metadata == changed.metadata && one.weight == 2.5,
            _ => false,
        },
    )
    .await
}

async fn batch(a: &NamingService, b: &NamingService) -> Case {
    let name = || "batch".to_owned();
    let three = [81, 82, 83].map(instance).to_vec();
    a.batch_register_instance(name(), None, three)
        .await
        .map_err(told)?;
    sees(b, "batch", None, &[], &[81, 82, 83]).await?;
    // Without a batch deregister of its own: the remaining ones are registered.
    let two = [82, 83].map(instance).to_vec();
    a.batch_register_instance(name(), None, two)
        .await
        .map_err(told)?;
    sees(b, "batch", None, &[], &[82, 83]).await
}

async fn deregister(a: &NamingService, b: &NamingService) -> Case {
    let name = || "deregister".to_owned();
    a.register_instance(name(), None, instance(80))
        .await
        .map_err(told)?;
    sees(b, "deregister", None, &[], &[80]).await?;
    a.deregister_instance(name(), None, instance(80))
        .await
        .map_err(told)?;
    sees(a, "deregister", None, &[], &[]).await?;
    sees(b, "deregister", None, &[], &[]).await
}

async fn select_healthy(a: &NamingService, b: &NamingService) -> Case {
    let ill = ServiceInstance {
        healthy: false,
        ..instance(83)
    };
    let mixed = vec![instance(81), instance(82), ill];
    let name = || "healthy".to_owned();
    a.batch_register_instance(name(), None, mixed)
        .await
        .map_err(told)?;
    sees(b, "healthy", None, &[], &[81, 82, 83]).await?;
    for (healthy, wanted) in [(true, vec![81, 82]), (false, vec![83])] {
        let seen = b
            .select_instances(name(), None, Vec::new(), false, healthy)
            .await;
        let seen = ports(&seen.map_err(told)?);
        if seen != wanted {
            return Err(format!("selected {seen:?}, wanted {wanted:?}"));
        }
    }
    let one = b
        .select_one_healthy_instance(name(), None, Vec::new(), false)
        .await;
    match one.map_err(told)?.port {
        81 | 82 => Ok(()),
        other => Err(format!("selected {other}, which is not healthy")),
    }
}

async fn subscribe(a: &NamingService, b: &NamingService) -> Case {
    let name = || "watched".to_owned();
    let watcher = Watcher::new();
    b.subscribe(name(), None, Vec::new(), watcher.clone())
        .await
        .map_err(told)?;
    a.register_instance(name(), None, instance(80))
        .await
        .map_err(told)?;
    watcher
        .until("added", |hosts| hosts.keys().eq(["10.1.0.1:80"]))
        .await?;
    let changed = ServiceInstance {
        metadata: metadata(&[("v", "2")]),
        weight: 3.0,
        ..instance(80)
    };
    a.register_instance(name(), None, changed.clone())
        .await
        .map_err(told)?;
    let same = |one: &ServiceInstance| one.metadata == changed.metadata && one.weight == 3.0;
    watcher
        .until("changed", |hosts| {
            hosts.len() == 1 && hosts.values().all(same)
        })
        .await?;
    a.deregister_instance(name(), None, instance(80))
        .await
        .map_err(told)?;
    watcher.until("removed", |hosts| hosts.is_empty()).await?;
    b.unsubscribe(name(), None, Vec::new(), watcher)
        .await
        .map_err(told)
}

async fn groups(a: &NamingService, b: &NamingService) -> Case {
    for (group, port) in [("g1", 81), ("g2", 82)] {
        let done =
            a.register_instance("grouped".to_owned(), Some(group.to_owned()), instance(port));
        done.await.map_err(told)?;
    }
    sees(b, "grouped", Some("g1"), &[], &[81]).await?;
    sees(b, "grouped", Some("g2"), &[], &[82]).await?;
    sees(b, "grouped", None, &[], &[]).await
}

async fn namespaces(a: &NamingService, b: &NamingService) -> Case {
    let there = client(&at("SUITE_A"), "other").await?;
    let also = client(&at("SUITE_B"), "other").await?;
    let name = || "spaced".to_owned();
    there
        .register_instance(name(), None, instance(81))
        .await
        .map_err(told)?;
    a.register_instance(name(), None, instance(82))
        .await
        .map_err(told)?;
    sees(&also, "spaced", None, &[], &[81]).await?;
    sees(b, "spaced", None, &[], &[82]).await
}

async fn clusters(a: &NamingService, b: &NamingService) -> Case {
    let name = || "clustered".to_owned();
    let both = vec![in_cluster(81, "east"), in_cluster(82, "west")];
    a.batch_register_instance(name(), None, both)
        .await
        .map_err(told)?;
    sees(b, "clustered", None, &[], &[81, 82]).await?;
    sees(b, "clustered", None, &["east"], &[81]).await?;
    sees(b, "clustered", None, &["west"], &[82]).await?;
    sees(b, "clustered", None, &["east", "west"], &[81, 82]).await
}

async fn paging(a: &NamingService, b: &NamingService) -> Case {
    let group = || Some("paged".to_owned());
    let names: BTreeSet<String> = (0..7).map(|number| format!("page-{number}")).collect();
    for name in &names {
        a.register_instance(name.clone(), group(), instance(80))
            .await
            .map_err(told)?;
    }
    let page = async |number| b.get_service_list(number, 3, group()).await.map_err(told);
    until("seven services", || page(1), |(_, count)| *count == 7).await?;
    let (mut all, mut sizes) = (BTreeSet::new(), Vec::new());
    for number in 1..=4 {
        let (names, _) = page(number).await?;
        sizes.push(names.len());
        all.extend(names);
    }
    if sizes != [3, 3, 1, 0] || all != names {
        return Err(format!("pages of {sizes:?} with {all:?}"));
    }
    Ok(())
}

async fn wrong_input(a: &NamingService, b: &NamingService) -> Case {
    let try_with = |service: &str, group: Option<&str>, instance| {
        a.register_instance(service.to_owned(), group.map(str::to_owned), instance)
    };
    refused("an empty name", try_with("", None, instance(80))).await?;
    refused("a name with a blank", try_with("a b", None, instance(80))).await?;
    refused(
        "a port over 65535",
        try_with("wrong", None, instance(65536)),
    )
    .await?;
    refused(
        "a cluster with a dot",
        try_with("wrong", None, in_cluster(80, "a.b")),
    )
    .await?;
    refused(
        "a group with a blank",
        try_with("wrong", Some("a b"), instance(80)),
    )
    .await?;
    try_with("right", None, instance(80)).await.map_err(told)?;
    sees(b, "right", None, &[], &[80]).await?;
    sees(b, "wrong", None, &[], &[]).await
}

async fn persistent_refused(a: &NamingService, _: &NamingService) -> Case {
    let lasting = ServiceInstance {
        ephemeral: false,
        ..instance(80)
    };
    refused(
        "a persistent instance",
        a.register_instance("lasting".to_owned(), None, lasting),
    )
    .await
}

async fn config_refused(_: &NamingService, _: &NamingService) -> Case {
    let builder = ConfigServiceBuilder::new(props(&at("SUITE_A"), ""));
    let service = builder.build().await.map_err(told)?;
    let words = || ("d".to_owned(), "DEFAULT_GROUP".to_owned());
    let (id, group) = words();
    refused(
        "publishing a configuration",
        service.publish_config(id, group, "c".to_owned(), None),
    )
    .await?;
    let (id, group) = words();
    refused("reading a configuration", service.get_config(id, group)).await
}

type Run = for<'a> fn(&'a NamingService, &'a NamingService) -> Running<'a>;

const CASES: &[(&str, Run)] = &[
    ("register", |a, b| Box::pin(register(a, b))),
    ("metadata-and-weight", |a, b| {
        Box::pin(metadata_and_weight(a, b))
    }),
    ("batch", |a, b| Box::pin(batch(a, b))),
    ("deregister", |a, b| Box::pin(deregister(a, b))),
    ("select-healthy", |a, b| Box::pin(select_healthy(a, b))),
    ("subscribe", |a, b| Box::pin(subscribe(a, b))),
    ("groups", |a, b| Box::pin(groups(a, b))),
    ("namespaces", |a, b| Box::pin(namespaces(a, b))),
    ("clusters", |a, b| Box::pin(clusters(a, b))),
    ("paging", |a, b| Box::pin(paging(a, b))),
    ("wrong-input", |a, b| Box::pin(wrong_input(a, b))),
    ("persistent-refused", |a, b| {
        Box::pin(persistent_refused(a, b))
    }),
    ("config-refused", |a, b| Box::pin(config_refused(a, b))),
];

/// Answers one question about the held service, `None` at the end.
async fn answer(
    words: &[&str],
    watcher: &Watcher,
    b: &NamingService,
) -> Option<Result<Value, String>> {
    Some(match words {
        ["present", address] => {
            let done = watcher
                .until("present", |hosts| hosts.contains_key(*address))
                .await;
            done.map(|()| json!({ "present": address }))
        }
        ["absent", address] => {
            let done = watcher
                .until("absent", |hosts| !hosts.contains_key(*address))
                .await;
            done.map(|()| json!({ "absent": address }))
        }
        ["mark"] => {
            watcher.0.send_modify(|seen| seen.removed.clear());
            Ok(json!({ "marked": true }))
        }
        ["removed"] => Ok(json!({ "removed": watcher.0.borrow().removed })),
        ["sees", service, wanted @ ..] => {
            let wanted: Vec<i32> = wanted.iter().filter_map(|port| port.parse().ok()).collect();
            let done = sees(b, service, None, &[], &wanted).await;
            done.map(|()| json!({ "sees": service }))
        }
        ["end"] => return None,
        other => Err(format!("no such question: {other:?}")),
    })
}

async fn observe(b: &NamingService) -> Case {
    let watcher = Watcher::new();
    b.subscribe(HELD.to_owned(), None, Vec::new(), watcher.clone())
        .await
        .map_err(told)?;
    say(json!({ "observing": HELD }));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        match answer(&words, &watcher, b).await {
            None => return Ok(()),
            Some(Ok(answer)) => say(answer),
            Some(Err(error)) => say(json!({ words[0]: false, "error": error })),
        }
    }
    Ok(())
}

/// As the lock file says.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split_once("name = \"nacos-sdk\"\nversion = \"");
    let version = entry.and_then(|(_, rest)| rest.split_once('"'));
    version.map_or("?", |(version, _)| version)
}

async fn main_role() -> Case {
    say(json!({ "sdk": "nacos-sdk (Rust)", "version": version() }));
    let a = client(&at("SUITE_A"), "").await?;
    let b = client(&at("SUITE_B"), "").await?;
    let only = std::env::var("SUITE_CASES").unwrap_or_default();
    for (name, case) in CASES {
        if !only.is_empty() && !only.split_whitespace().any(|wanted| wanted == *name) {
            continue;
        }
        match case(&a, &b).await {
            Ok(()) => say(json!({ "case": name, "ok": true })),
            Err(why) => say(json!({ "case": name, "ok": false, "why": why })),
        }
    }
    say(json!({ "cases": "done" }));
    observe(&b).await
}

async fn hold_role() -> Case {
    let who = client(&at("SUITE_ALL"), "").await?;
    who.register_instance(HELD.to_owned(), None, instance(HELD_PORT))
        .await
        .map_err(told)?;
    say(json!({ "holding": format!("10.1.0.1:{HELD_PORT}") }));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "end" {
            break;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let role = std::env::args().nth(1);
    let done = match role.as_deref() {
        Some("main") => main_role().await,
        Some("hold") => hold_role().await,
        other => Err(format!("no role {other:?}: main or hold")),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        std::process::exit(1);
    }
}
