use super::*;

/// The health check among the outputs.
fn check(out: &[SdkOutput]) -> RequestId {
    match request(out) {
        (_, id, Request::HealthCheck) => id,
        other => panic!("not a health check: {other:?}"),
    }
}

#[test]
fn idle_connection_is_checked_every_five_seconds_and_nothing_else_happens() {
    let (mut bench, conn) = Bench::connected();
    for round in 1..=100 {
        assert_eq!(bench.sdk.next_deadline(), Some(Mono(round * 5_000_000)));
        let id = check(&bench.run_to(Mono(round * 5_000_000)));
        assert_eq!(bench.answer(conn, id, health_ok()), []);
    }
}

#[test]
fn push_or_answer_puts_the_next_check_off() {
    let (mut bench, conn) = Bench::connected();
    bench.run_for(4_000);
    bench.ask(conn, 5, Request::ClientDetection);
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(9_000_000)));
    let (_, id, _) = request(&bench.register("demo", 1));
    bench.run_for(1_000);
    bench.answer(conn, id, registered());
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(10_000_000)));
}

#[test]
fn silent_server_is_given_up_after_three_checks_and_kept_until_the_next_is_set_up() {
    let (mut bench, old) = Bench::connected();
    let mut sent = Vec::new();
    let given_up = loop {
        let at = bench.sdk.next_deadline().unwrap();
        let out = bench.run_to(at);
        if !requests(&out).is_empty() {
            check(&out);
            sent.push(at);
        } else if !events(&out).is_empty() {
            assert_eq!(
                out,
                [
                    SdkOutput::Event(gone_from(A)),
                    SdkOutput::Dial { server: node(B) }
                ]
            );
            break at;
        }
    };
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0], Mono(5_000_000));
    for pair in sent.windows(2) {
        let between = pair[1].since(pair[0]).millis();
        assert!((3_000..3_500).contains(&between), "{between}");
    }
    assert_eq!(given_up.since(sent[2]).millis(), 3_000);
    assert_eq!(
        bench.sdk.next_deadline(),
        None,
        "a lost connection is not checked"
    );
    let (_, out) = bench.set_up();
    assert_eq!(closes(&out), [old]);
}

#[test]
fn answer_to_a_repeated_check_saves_the_connection() {
    let (mut bench, conn) = Bench::connected();
    check(&bench.run_for(5_000));
    let id = check(&bench.run_for(3_500));
    assert_eq!(bench.answer(conn, id, health_ok()), []);
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(13_500_000)));
}

#[test]
fn check_answered_with_a_refusal_gives_the_connection_up_at_once() {
    for code in [code::UN_REGISTER, code::INVALID_SERVER_STATUS] {
        let (mut bench, conn) = Bench::connected();
        let id = check(&bench.run_for(5_000));
        let out = bench.answer(conn, id, Response::error(code, "no"));
        assert_eq!(
            out,
            [
                SdkOutput::Event(gone_from(A)),
                SdkOutput::Dial { server: node(B) }
            ]
        );
    }
}

#[test]
fn pushes_alone_do_not_save_a_connection_that_does_not_answer() {
    let (mut bench, conn) = Bench::connected();
    check(&bench.run_for(5_000));
    let mut out = Vec::new();
    for id in 0..10 {
        out.extend(bench.ask(conn, id, Request::ClientDetection));
        out.extend(bench.run_for(1_000));
    }
    assert_eq!(events(&out), [gone_from(A)]);
}

#[test]
fn unanswered_request_has_the_connection_checked() {
    let (mut bench, conn) = Bench::connected();
    bench.run_for(1_000);
    bench.register("demo", 1);
    let id = check(&bench.run_for(3_000));
    assert_eq!(bench.answer(conn, id, health_ok()), [], "it stays");
}

#[test]
fn check_that_cannot_be_sent_counts_as_a_failed_try() {
    let (mut bench, conn) = Bench::connected();
    let mut out = bench.run_for(5_000);
    for _ in 0..3 {
        let (id, cause) = (check(&out), crate::io::SendError::Busy);
        out = bench.step(SdkInput::SendFailed { conn, id, cause });
        if events(&out).is_empty() {
            out = bench.run_for(500);
        }
    }
    assert_eq!(events(&out), [gone_from(A)]);
}

#[test]
fn long_pause_of_the_client_itself_costs_no_connection() {
    let (mut bench, conn) = Bench::connected();
    check(&bench.run_for(5_000));
    bench.now = Mono(600_000_000);
    assert_eq!(bench.step(SdkInput::Wake), [], "one try is lost");
    let id = check(&bench.run_for(500));
    assert_eq!(bench.answer(conn, id, health_ok()), []);
    assert!(bench.sdk.connected().is_some());
}
