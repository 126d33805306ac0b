//! The load against a real node: what is counted is what happened there.

use std::time::Duration;

use super::*;
use crate::client::tests::Standalone;

fn plan(node: &Standalone, workload: Workload) -> Plan {
    Plan {
        targets: vec![Target {
            host: "127.0.0.1".to_owned(),
            port: node.ports.sdk,
        }],
        carrier: Carrier::Tcp,
        workload,
        connections: 2,
        instances: 6,
        depth: 4,
        rate: None,
        length: Duration::from_millis(300),
        timeout: Duration::from_secs(60),
        processes: vec![std::process::id()],
    }
}

async fn report(plan: &Plan) -> Report {
    run(plan, |_, _| {}).await.unwrap()
}

#[tokio::test]
async fn every_workload_is_done_and_nothing_fails() {
    let node = Standalone::start(None);
    let workloads = [
        Workload::Register,
        Workload::Churn,
        Workload::Query,
        Workload::Idle,
    ];
    let over = |workload| Carrier::ALL.map(|(carrier, name)| (workload, carrier, name));
    for (workload, carrier, name) in workloads.into_iter().flat_map(over) {
        let mut plan = plan(&node, workload);
        plan.carrier = carrier;
        let report = report(&plan).await;
        assert!(report.tally().done() > 0, "{workload:?} over {name}");
        assert_eq!(report.tally().errors().len(), 0, "{workload:?}: {report:?}");
        assert_eq!(report.json()["carrier"], name);
    }
}

#[tokio::test]
async fn a_change_counts_when_the_watcher_was_told() {
    let node = Standalone::start(None);
    let mut plan = plan(&node, Workload::Propagate);
    plan.carrier = Carrier::Grpc;
    plan.rate = Some(20.0);
    let report = report(&plan).await;
    // Every intended operation, whether or not its list was merged with the next.
    assert_eq!(report.tally().done(), 6);
    assert_eq!(report.tally().failed(), 0, "{report:?}");
    // The node waits 30 ms before it pushes.
    assert!(
        report.tally().latency.min() >= 30_000 - 10_000,
        "{report:?}"
    );
}

#[tokio::test]
async fn a_node_that_goes_is_an_error_by_kind() {
    let node = Standalone::start(None);
    let mut plan = plan(&node, Workload::Register);
    plan.length = Duration::from_secs(3_600);
    let kill = std::sync::Mutex::new(Some(node));
    let killed = run(&plan, |done, _| {
        if done > 0 {
            drop(kill.lock().unwrap().take());
        }
    });
    let report = killed.await.unwrap();
    assert!(report.tally().failed() >= 2);
    let kinds = report.tally().errors().keys();
    assert!(
        kinds
            .into_iter()
            .all(|kind| kind.starts_with("connection lost")),
        "{report:?}"
    );
    assert!(report.json()["perSecond"].as_f64().unwrap() > 0.0);
    assert!(report.text().contains("times connection lost"));
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let node = Standalone::start(None);
    let plan = plan(&node, Workload::Query);
    drop(node);
    let error = run(&plan, |_, _| {}).await.unwrap_err();
    assert!(error.contains("127.0.0.1"), "{error}");
}
