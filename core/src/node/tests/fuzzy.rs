//! Watching the names of services by a pattern (part 4.9).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::cluster::Cluster;
use crate::config::FuzzyLimits;
use crate::ids::Str;
use crate::message::fuzzy::{
    MATCHES_OVER_LIMIT, NamingFuzzyWatchRequest, PATTERNS_OVER_LIMIT, ServiceChange, SyncType,
    WatchType,
};
use crate::message::naming::ServiceKey;
use crate::message::{Request, Response, ResponseBody, code};
use crate::profile::{Profile, Release};
use crate::time::Period;

const ORDERS: &str = "public>>DEFAULT_GROUP>>order*";

fn ask(
    cluster: &mut Cluster,
    client: usize,
    pattern: &str,
    (watch_type, initializing, received): (WatchType, bool, &[&str]),
) -> Response {
    let received = received.iter().map(|name| ServiceKey::named(name));
    let request = NamingFuzzyWatchRequest {
        pattern: Str::from(pattern),
        received: received.collect(),
        watch_type,
        initializing,
    };
    cluster.ask(client, Request::NamingFuzzyWatch(Box::new(request)));
    let (to, answer) = cluster.answers.last().expect("a watch is answered");
    assert_eq!(*to, client);
    answer.clone()
}

fn watch(cluster: &mut Cluster, client: usize, pattern: &str) -> Response {
    ask(cluster, client, pattern, (WatchType::Watch, true, &[]))
}

/// A node, a client that watches its orders and knows all of them, and one that publishes.
fn watched() -> (Cluster, usize, usize) {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    assert!(watch(&mut cluster, watcher, ORDERS).is_ok());
    cluster.run(Period::from_secs(2));
    assert_eq!(told(&mut cluster, watcher), ["FINISH"]);
    (cluster, watcher, publisher)
}

fn sign(change: ServiceChange) -> char {
    match change {
        ServiceChange::Added => '+',
        ServiceChange::Deleted => '-',
    }
}

/// What a client was told since it was last looked at: changes as `+name`, batches as
/// `INIT 1/3 name name`.
fn told(cluster: &mut Cluster, client: usize) -> Vec<String> {
    let requests = core::mem::take(&mut cluster.requests);
    let of_client = requests.into_iter().filter(|(to, _)| *to == client);
    of_client
        .filter_map(|(_, request)| in_short(&request))
        .collect()
}

fn in_short(request: &Request) -> Option<String> {
    if let Request::NamingFuzzyWatchChangeNotify(said) = request {
        return Some(format!("{}{}", sign(said.change), said.service.name));
    }
    let Request::NamingFuzzyWatchSync(said) = request else {
        return None;
    };
    let (at, of) = (said.current_batch, said.total_batch);
    let kind = match said.sync_type {
        SyncType::Init => "INIT",
        SyncType::Diff => "DIFF",
        SyncType::Finish => {
            assert_eq!((at, of, said.contexts.len()), (1, 1, 0));
            return Some(String::from("FINISH"));
        }
    };
    let names: Vec<&str> = said.contexts.iter().map(|(key, _)| &*key.name).collect();
    Some(format!("{kind} {at}/{of} {}", names.join(" ")))
}

fn withdraw(cluster: &mut Cluster, client: usize, service: &str) {
    use crate::message::naming::{Instance, InstanceOperation, InstanceRequest};
    let request = InstanceRequest {
        service: ServiceKey::named(service),
        operation: InstanceOperation::Deregister,
        instance: Instance::new("10.1.0.0", 1),
    };
    cluster.ask(client, Request::Instance(Box::new(request)));
}

#[test]
fn the_first_list_comes_in_batches_of_ten_and_is_then_called_complete() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    for number in 0..12 {
        cluster.register(publisher, &format!("order-{number:02}"), 1);
    }
    cluster.register(publisher, "payments", 1);
    // Subscribed and never published: it is no service.
    cluster.subscribe(watcher, "order-none");
    assert_eq!(
        watch(&mut cluster, watcher, ORDERS),
        Response::ok(ResponseBody::NamingFuzzyWatch)
    );
    cluster.run(Period::from_millis(900));
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
    cluster.run(Period::from_millis(200));
    let batches = [
        "INIT 1/2 order-00 order-01 order-02 order-03 order-04 order-05 order-06 order-07 \
         order-08 order-09",
        "INIT 2/2 order-10 order-11",
    ];
    assert_eq!(told(&mut cluster, watcher), batches);
    cluster.run(Period::from_millis(600));
    assert_eq!(told(&mut cluster, watcher), ["FINISH"]);
    cluster.run(Period::from_secs(10));
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
}

#[test]
fn a_service_that_comes_or_goes_is_told_at_the_next_tick_and_nothing_else_is() {
    let (mut cluster, watcher, publisher) = watched();
    let other = cluster.connect(0);
    let tick = Period::from_millis(100);
    cluster.register(publisher, "order-a", 1);
    cluster.register(publisher, "payments", 1);
    cluster.run(tick);
    assert_eq!(told(&mut cluster, watcher), ["+order-a"]);
    // A second publisher, and one of two that goes, leave the service where it is.
    cluster.register(other, "order-a", 2);
    withdraw(&mut cluster, other, "order-a");
    cluster.run(tick);
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
    withdraw(&mut cluster, publisher, "order-a");
    cluster.run(tick);
    assert_eq!(told(&mut cluster, watcher), ["-order-a"]);
    // Within one tick only how it ended is told.
    for _ in 0..3 {
        cluster.register(publisher, "order-a", 1);
        withdraw(&mut cluster, publisher, "order-a");
    }
    cluster.register(publisher, "order-b", 1);
    cluster.run(tick);
    assert_eq!(told(&mut cluster, watcher), ["-order-a", "+order-b"]);
    cluster.disconnect(publisher);
    cluster.run(tick);
    assert_eq!(told(&mut cluster, watcher), ["-order-b"]);
    let counters = cluster.nodes[0].counters();
    assert_eq!((counters.watches_sent, counters.watches_acked), (6, 6));
}

#[test]
fn a_failed_change_is_told_again_as_it_stands_by_then() {
    let (mut cluster, watcher, publisher) = watched();
    cluster.silent.push(watcher);
    cluster.register(publisher, "order-a", 1);
    cluster.run(Period::from_secs(1));
    withdraw(&mut cluster, publisher, "order-a");
    cluster.run(Period::from_secs(1));
    assert_eq!(told(&mut cluster, watcher), ["+order-a", "-order-a"]);
    // Both time out after five seconds, the first before the second.
    cluster.run(Period::from_secs(5));
    cluster.silent.clear();
    cluster.run(Period::from_secs(6));
    let again = told(&mut cluster, watcher);
    assert!(!again.is_empty());
    assert!(again.iter().all(|word| word == "-order-a"), "{again:?}");
    assert_eq!(cluster.nodes[0].sizes().watches_pending, 0);
}

#[test]
fn a_failed_batch_is_sent_again_without_what_is_gone() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    cluster.register(publisher, "order-a", 1);
    cluster.register(publisher, "order-b", 1);
    cluster.silent.push(watcher);
    watch(&mut cluster, watcher, ORDERS);
    cluster.run(Period::from_secs(2));
    assert_eq!(told(&mut cluster, watcher), ["INIT 1/1 order-a order-b"]);
    cluster.silent.clear();
    withdraw(&mut cluster, publisher, "order-b");
    cluster.run(Period::from_secs(6));
    assert_eq!(
        told(&mut cluster, watcher),
        ["-order-b", "INIT 1/1 order-a", "FINISH"]
    );
}

#[test]
fn a_watcher_that_comes_back_is_told_what_it_lacks_and_what_it_has_to_forget() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    cluster.register(publisher, "order-a", 1);
    cluster.register(publisher, "order-b", 1);
    cluster.run(Period::from_secs(10));
    cluster.ask(watcher, Request::HealthCheck);
    cluster.run(Period::from_secs(15));
    // Its list does not name payments: that is none of this pattern's.
    let has = ["order-a", "order-gone", "payments"];
    ask(
        &mut cluster,
        watcher,
        ORDERS,
        (WatchType::Watch, false, &has),
    );
    cluster.run(Period::from_secs(3));
    assert_eq!(
        told(&mut cluster, watcher),
        ["-order-gone", "DIFF 1/1 order-b"]
    );
    let all = ["order-a", "order-b"];
    ask(
        &mut cluster,
        watcher,
        ORDERS,
        (WatchType::Watch, false, &all),
    );
    cluster.run(Period::from_secs(3));
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
}

#[test]
fn a_node_that_starts_calls_nothing_deleted_before_publishers_had_time_to_return() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    let has = ["order-gone", "order-late"];
    ask(
        &mut cluster,
        watcher,
        ORDERS,
        (WatchType::Watch, false, &has),
    );
    cluster.run(Period::from_secs(10));
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
    for client in [watcher, publisher] {
        cluster.ask(client, Request::HealthCheck);
    }
    cluster.register(publisher, "order-late", 1);
    cluster.run(Period::from_secs(20));
    // Added once for its coming and once because it was looked for.
    assert_eq!(
        told(&mut cluster, watcher),
        ["+order-late", "-order-gone", "+order-late"]
    );
}

#[test]
fn who_watches_no_longer_is_told_nothing_and_leaves_nothing_behind() {
    let (mut cluster, watcher, publisher) = watched();
    let other = cluster.connect(0);
    watch(&mut cluster, other, ORDERS);
    watch(&mut cluster, other, "public>>*>>*");
    cluster.register(publisher, "order-a", 1);
    let cancel = (WatchType::Cancel, false, &[][..]);
    assert!(ask(&mut cluster, watcher, ORDERS, cancel).is_ok());
    assert!(
        ask(&mut cluster, watcher, ORDERS, cancel).is_ok(),
        "it may say so twice"
    );
    cluster.run(Period::from_millis(100));
    let requests = cluster.requests.clone();
    assert_eq!(told(&mut cluster, watcher), [""; 0]);
    cluster.requests = requests;
    assert_eq!(told(&mut cluster, other), ["+order-a"]);
    assert_eq!(cluster.nodes[0].sizes().fuzzy_patterns, 2);
    cluster.disconnect(other);
    assert_eq!(cluster.nodes[0].sizes().fuzzy_patterns, 0);
    cluster.run(Period::from_secs(8));
    assert_eq!(cluster.nodes[0].sizes().watches_pending, 0);
}

#[test]
fn patterns_over_the_limit_are_refused_until_one_is_free() {
    let mut cluster = Cluster::with(1, Profile::DISTRO, |config| config.fuzzy.patterns_max = 8);
    let full: Vec<_> = (0..3).map(|_| cluster.connect(0)).collect();
    for (number, client) in full.into_iter().enumerate() {
        for letter in ["x", "y"] {
            let pattern = format!("public>>g>>{letter}{number}*");
            assert!(watch(&mut cluster, client, &pattern).is_ok());
        }
    }
    let (one, two) = (cluster.connect(0), cluster.connect(0));
    assert!(watch(&mut cluster, one, "public>>g>>a*").is_ok());
    assert!(watch(&mut cluster, one, "public>>g>>b*").is_ok());
    assert!(
        watch(&mut cluster, two, "public>>g>>b*").is_ok(),
        "it is there already"
    );
    let refused = watch(&mut cluster, two, "public>>g>>c*");
    assert_eq!(refused.result_code, code::FAIL);
    assert_eq!(refused.error_code, PATTERNS_OVER_LIMIT);
    assert_eq!(refused.body, ResponseBody::NamingFuzzyWatch);
    let cancel = (WatchType::Cancel, false, &[][..]);
    ask(&mut cluster, one, "public>>g>>a*", cancel);
    assert!(watch(&mut cluster, two, "public>>g>>c*").is_ok());
}

#[test]
fn one_client_watches_no_more_than_its_share_and_the_others_have_theirs() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let (greedy, good) = (cluster.connect(0), cluster.connect(0));
    let all: Vec<bool> = (0..20)
        .map(|number| watch(&mut cluster, greedy, &format!("public>>g>>{number}*")).is_ok())
        .collect();
    assert_eq!(all.iter().filter(|ok| **ok).count(), 5);
    assert!(
        watch(&mut cluster, greedy, "public>>g>>0*").is_ok(),
        "again"
    );
    for letter in ["a", "b", "c", "d", "e"] {
        let pattern = format!("public>>g>>{letter}*");
        assert!(watch(&mut cluster, good, &pattern).is_ok());
    }
}

#[test]
fn a_full_pattern_says_so_is_active_and_is_filled_up_later() {
    let mut cluster = Cluster::with(1, Profile::DISTRO, |config| {
        config.fuzzy = FuzzyLimits {
            matches_max: 2,
            ..FuzzyLimits::default()
        };
    });
    let (watcher, publisher) = (cluster.connect(0), cluster.connect(0));
    for name in ["order-a", "order-b", "order-c"] {
        cluster.register(publisher, name, 1);
    }
    let answer = watch(&mut cluster, watcher, ORDERS);
    assert_eq!(answer.error_code, MATCHES_OVER_LIMIT);
    assert_eq!(answer.body, ResponseBody::NamingFuzzyWatch);
    cluster.run(Period::from_secs(3));
    assert_eq!(
        told(&mut cluster, watcher),
        ["INIT 1/1 order-a order-b", "FINISH"]
    );
    cluster.register(publisher, "order-d", 1);
    withdraw(&mut cluster, publisher, "order-d");
    withdraw(&mut cluster, publisher, "order-a");
    for _ in 0..3 {
        cluster.run(Period::from_secs(9));
        for client in [watcher, publisher] {
            cluster.ask(client, Request::HealthCheck);
        }
    }
    assert_eq!(told(&mut cluster, watcher), ["-order-a"]);
    cluster.run(Period::from_secs(4));
    assert_eq!(told(&mut cluster, watcher), ["+order-c"]);
    assert_eq!(
        cluster.nodes[0].sizes().watches_pending,
        0,
        "nothing is left to search"
    );
}

#[test]
fn a_pattern_that_is_none_is_refused_in_words_and_an_old_release_knows_no_watch() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    for bad in ["", "order*", "public>>order*", "public>>g>>a>>b"] {
        let answer = watch(&mut cluster, client, bad);
        assert_eq!(answer.error_code, code::INVALID_PARAM, "{bad}");
        assert_eq!(answer.body, ResponseBody::NamingFuzzyWatch);
        let text = answer.message.expect("it says why");
        assert!(text.contains("namespace>>group>>service"), "{text}");
    }
    let mut old = Cluster::new(1, Profile::of(Release::Nacos23));
    let client = old.connect(0);
    let answer = watch(&mut old, client, ORDERS);
    assert_eq!(answer.error_code, code::NO_HANDLER);
    assert_eq!(vec![answer.body], [ResponseBody::Error]);
}
