use super::*;

fn push(bench: &mut Bench, conn: ConnId, info: &Arc<ServiceInfo>) -> Vec<SdkEvent> {
    events(&bench.ask(conn, 1, Request::NotifySubscriber(info.clone())))
}

fn changed(info: &Arc<ServiceInfo>) -> Vec<SdkEvent> {
    vec![SdkEvent::ListChanged { info: info.clone() }]
}

fn ignored(service: &str) -> Vec<SdkEvent> {
    vec![SdkEvent::ListIgnored {
        service: ServiceKey::named(service),
    }]
}

/// Subscribed to `demo`, with this list from the answer.
fn subscribed_to(info: &Arc<ServiceInfo>, config: SdkConfig) -> (Bench, ConnId) {
    let mut bench = Bench::with(config);
    bench.step(SdkInput::Wake);
    let (conn, _) = bench.set_up();
    let (_, id, _) = request(&bench.subscribe("demo"));
    let out = bench.answer(conn, id, subscribed(info));
    assert_eq!(events(&out), changed(info));
    assert_eq!(only_done(&out, 1), Ok(Answer::Service(info.clone())));
    (bench, conn)
}

fn view(bench: &Bench) -> Option<&Arc<ServiceInfo>> {
    bench.sdk.list(&ServiceKey::named("demo"))
}

#[test]
fn older_version_of_the_same_connection_is_ignored_whatever_its_stamp() {
    let (mut bench, conn) = subscribed_to(&list("demo", 5, 100, &[1]), config(&[A]));
    assert_eq!(
        push(&mut bench, conn, &list("demo", 4, 900, &[2])),
        ignored("demo")
    );
    let newer = list("demo", 6, 50, &[3]);
    assert_eq!(push(&mut bench, conn, &newer), changed(&newer));
    assert_eq!(view(&bench), Some(&newer));
}

#[test]
fn servers_without_versions_are_ordered_by_stamp() {
    let (mut bench, conn) = subscribed_to(&list("demo", 0, 100, &[1]), config(&[A]));
    assert_eq!(
        push(&mut bench, conn, &list("demo", 0, 99, &[2])),
        ignored("demo")
    );
    let same_stamp = list("demo", 0, 100, &[3]);
    assert_eq!(push(&mut bench, conn, &same_stamp), changed(&same_stamp));
}

#[test]
fn equal_content_is_taken_without_a_word_and_an_empty_list_counts() {
    let (mut bench, conn) = subscribed_to(&list("demo", 1, 1, &[1]), config(&[A]));
    assert_eq!(push(&mut bench, conn, &list("demo", 2, 2, &[1])), []);
    let empty = list("demo", 3, 3, &[]);
    assert_eq!(push(&mut bench, conn, &empty), changed(&empty));
}

/// Incident 38: the clock of the new server is behind.
#[test]
fn list_of_a_new_connection_counts_however_old_it_looks() {
    let (mut bench, conn) = subscribed_to(&list("demo", 50, 5_000, &[1, 2]), config(&[A, B]));
    bench.close(conn);
    assert!(view(&bench).is_some(), "the last view stays meanwhile");
    let (conn, out) = bench.set_up();
    let (_, id, _) = request(&out);
    let answer = list("demo", 3, 1_000, &[1, 2]);
    assert_eq!(events(&bench.answer(conn, id, subscribed(&answer))), []);
    let push_of_b = list("demo", 4, 1_001, &[1]);
    assert_eq!(push(&mut bench, conn, &push_of_b), changed(&push_of_b));
}

#[cfg(feature = "quirks")]
#[test]
fn wall_clock_quirk_takes_an_older_stamp_in_silence() {
    use crate::profile::Quirk;
    let profile = Profile::DISTRO.with(Quirk::PushOrderByWallClock);
    let config = SdkConfig {
        profile,
        ..config(&[A])
    };
    let (mut bench, conn) = subscribed_to(&list("demo", 5, 5_000, &[1, 2]), config);
    let older = list("demo", 6, 1_000, &[1]);
    assert_eq!(push(&mut bench, conn, &older), []);
    assert_eq!(view(&bench), Some(&older));
    assert_eq!(
        push(&mut bench, conn, &list("demo", 7, 1_001, &[1])),
        [],
        "the change is eaten"
    );
}

#[test]
fn answer_that_a_push_has_overtaken_does_not_undo_it() {
    let (mut bench, conn) = Bench::connected();
    let (_, id, _) = request(&bench.subscribe("demo"));
    let newer = list("demo", 9, 9, &[1]);
    assert_eq!(push(&mut bench, conn, &newer), changed(&newer));
    let out = bench.answer(conn, id, subscribed(&list("demo", 8, 8, &[])));
    assert_eq!(events(&out), ignored("demo"));
    assert_eq!(only_done(&out, 1), Ok(Answer::Service(newer)));
}

#[test]
fn unsubscribing_forgets_the_list_and_later_pushes() {
    let (mut bench, conn) = subscribed_to(&list("demo", 1, 1, &[1]), config(&[A]));
    let out = bench.call(Call::Unsubscribe {
        service: ServiceKey::named("demo"),
    });
    let (_, id, Request::SubscribeService(unsubscribe)) = request(&out) else {
        panic!()
    };
    assert!(!unsubscribe.subscribe);
    assert_eq!(push(&mut bench, conn, &list("demo", 2, 2, &[2])), []);
    assert_eq!(view(&bench), None);
    assert_eq!(bench.sdk.subscriptions().count(), 0);
    let out = bench.answer(conn, id, subscribed(&list("demo", 2, 2, &[2])));
    assert_eq!(only_done(&out, 2), Ok(Answer::Done));
    assert_eq!(view(&bench), None);
}

#[test]
fn push_that_lost_its_namespace_reaches_the_subscription_it_can_only_mean() {
    let (mut bench, conn) = Bench::connected();
    let within = |namespace| ServiceKey {
        namespace: Str::from(namespace),
        ..ServiceKey::named("demo")
    };
    let subscribe = |service| Call::Subscribe {
        service,
        clusters: Str::from(""),
    };
    bench.call(subscribe(within("prod")));
    let pushed = list("demo", 1, 1, &[1]);
    let expected = Arc::new(ServiceInfo {
        service: within("prod"),
        ..(*pushed).clone()
    });
    assert_eq!(push(&mut bench, conn, &pushed), changed(&expected));
    bench.call(subscribe(within("test")));
    assert_eq!(
        push(&mut bench, conn, &list("demo", 2, 2, &[2])),
        [],
        "it could mean either"
    );
    bench.subscribe("demo");
    assert_eq!(
        push(&mut bench, conn, &pushed),
        changed(&pushed),
        "an exact match goes first"
    );
}
