//! Clients that change what they publish.

use super::*;

#[test]
fn churn_changes_what_its_client_publishes_between_its_bounds() {
    let mut run = scenario(1);
    run.clients[0].register = vec![(key("s"), Instance::new("10.1.0.1", 80))];
    run.clients[0].churn = Some(crate::scenario::model::Churn {
        every: Period::from_secs(2),
        from: Period::from_secs(10),
        until: Period::from_secs(30),
    });
    let seen = seen(&run);
    let calls = times(&seen, CLIENT, &["Called"]);
    assert_eq!(calls[0], 0);
    assert!(calls.len() > 6, "{calls:?}");
    assert!(
        calls[1..].iter().all(|at| (11_000..=30_000).contains(at)),
        "{calls:?}"
    );
    assert!(!times(&seen, CLIENT, &["Called", "Deregister"]).is_empty());
    let stamped = Str::from("v");
    assert!(!times(&seen, CLIENT, &["Called", &format!("{stamped:?}")]).is_empty());
}

#[test]
fn churn_leaves_nothing_withdrawn_behind_it() {
    for seed in 1..20 {
        let mut run = scenario(1);
        run.seed = seed;
        run.clients[0].register = vec![(key("s"), Instance::new("10.1.0.1", 80))];
        run.clients[0].churn = Some(crate::scenario::model::Churn {
            every: Period::from_secs(2),
            from: Period::ZERO,
            until: Period::from_secs(9),
        });
        let seen = seen(&run);
        let last = seen
            .iter()
            .rev()
            .find(|(_, _, what)| what.starts_with("Called"));
        assert!(
            last.is_some_and(|(_, _, what)| what.contains("Register(")),
            "{seed}: {last:?}"
        );
    }
}
