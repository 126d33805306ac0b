use super::*;
use crate::message::internal::ConnectResetRequest;

#[test]
fn register_is_sent_at_once_and_done_when_acknowledged() {
    let (mut bench, conn) = Bench::connected();
    let (id, port) = operation(&bench.register("demo", 1));
    assert_eq!(port, Some(1));
    assert_eq!(bench.wanted(), [(1, false)]);
    let out = bench.answer(conn, id, registered());
    assert_eq!(only_done(&out, 1), Ok(Answer::Done));
    let service = ServiceKey::named("demo");
    assert_eq!(
        events(&out),
        [SdkEvent::Registered {
            service,
            redo: false
        }]
    );
    assert_eq!(bench.wanted(), [(1, true)]);
}

#[test]
fn everything_wanted_is_redone_at_once_on_a_new_connection() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    bench.close(conn);
    assert_eq!(bench.wanted(), [(1, false)]);
    let (conn, out) = bench.set_up();
    let (id, port) = operation(&out);
    assert_eq!(port, Some(1));
    let out = bench.answer(conn, id, registered());
    let service = ServiceKey::named("demo");
    assert_eq!(
        events(&out),
        [SdkEvent::Registered {
            service,
            redo: true
        }]
    );
    assert_eq!(dones(&out), []);
}

/// Incident 27: the deregistration's answer is lost, the application registers again meanwhile.
#[test]
fn register_after_a_deregister_with_a_lost_answer_ends_registered() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    let (lost, port) = operation(&bench.deregister("demo"));
    assert_eq!(port, None);
    bench.run_for(200);
    let out = bench.register("demo", 2);
    assert_eq!(requests(&out), [], "one operation at a time");
    assert_eq!(only_done(&out, 2), Err(CallError::Superseded));
    let out = bench.run_for(2_800);
    let instances: Vec<_> = requests(&out)
        .into_iter()
        .filter(|(_, _, request)| matches!(request, Request::Instance(_)))
        .collect();
    let [(_, id, Request::Instance(again))] = &instances[..] else {
        panic!("{out:?}")
    };
    assert_eq!(again.instance.port, 2);
    let out = bench.answer(conn, *id, registered());
    assert_eq!(only_done(&out, 3), Ok(Answer::Done));
    assert_eq!(
        bench.answer(conn, lost, deregistered()),
        [],
        "the late answer says nothing"
    );
    assert_eq!(bench.wanted(), [(2, true)]);
}

#[test]
fn unanswered_register_stays_wanted_and_is_redone_on_the_tick() {
    let (mut bench, conn) = Bench::connected();
    bench.register("demo", 1);
    let out = bench.run_for(3_000);
    assert_eq!(only_done(&out, 1), Err(CallError::Timeout));
    let (_, check, _) = request(&out);
    bench.answer(conn, check, health_ok());
    let (id, port) = operation(&bench.run_for(3_000));
    assert_eq!((bench.now, port), (Mono(6_000_000), Some(1)));
    let out = bench.answer(conn, id, registered());
    let service = ServiceKey::named("demo");
    assert_eq!(
        events(&out),
        [SdkEvent::Registered {
            service,
            redo: true
        }]
    );
}

/// Incident 23: a server with a cold cache says "no right" to everybody for a while.
#[test]
fn register_refused_for_now_is_redone_until_it_succeeds() {
    for code in [
        code::NO_RIGHT,
        code::OVER_THRESHOLD,
        code::FAIL,
        code::INVALID_SERVER_STATUS,
    ] {
        let (mut bench, conn) = Bench::connected();
        let (mut id, _) = operation(&bench.register("demo", 1));
        let mut ends = Vec::new();
        for _ in 0..3 {
            assert_eq!(bench.answer(conn, id, refused(code)), []);
            let out = bench.run_for(3_000);
            ends.extend(dones(&out));
            id = operation(&out).0;
        }
        assert_eq!(ends, [(1, Err(CallError::Timeout))], "a call ends once");
        bench.answer(conn, id, registered());
        assert_eq!(bench.wanted(), [(1, true)]);
    }
}

#[test]
fn refusal_ends_the_call_and_drops_the_wish() {
    for code in [code::INVALID_PARAM, code::SERVER_NOT_IMPLEMENTED] {
        let (mut bench, conn) = Bench::connected();
        let (id, _) = operation(&bench.register("demo", 1));
        let out = bench.answer(conn, id, refused(code));
        let message = Str::from("no");
        assert_eq!(
            only_done(&out, 1),
            Err(CallError::Refused { code, message })
        );
        assert_eq!(bench.wanted(), []);
        bench.close(conn);
        assert_eq!(requests(&bench.set_up().1), []);
    }
}

#[test]
fn refused_register_leaves_the_accepted_one_before_it_in_place() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    let (id, _) = operation(&bench.register("demo", -1_i16 as u16));
    bench.answer(conn, id, refused(code::INVALID_PARAM));
    assert_eq!(bench.wanted(), [(1, true)]);
    bench.close(conn);
    assert_eq!(operation(&bench.set_up().1).1, Some(1));
}

#[test]
fn refusal_after_an_unanswered_register_withdraws_what_may_be_there() {
    let (mut bench, conn) = Bench::connected();
    bench.register("demo", 1);
    let (_, check, _) = request(&bench.run_for(3_000));
    bench.answer(conn, check, health_ok());
    let (id, _) = operation(&bench.register("demo", 2));
    bench.answer(conn, id, refused(code::INVALID_PARAM));
    assert_eq!(bench.wanted(), []);
    let (id, port) = operation(&bench.run_for(3_000));
    assert_eq!(port, None);
    bench.answer(conn, id, deregistered());
    assert_eq!(
        bench.sdk.next_deadline(),
        Some(Mono(11_000_000)),
        "all is well"
    );
}

#[test]
fn later_call_supersedes_the_earlier_one_and_is_sent_after_its_answer() {
    let (mut bench, conn) = Bench::connected();
    let (first, _) = operation(&bench.register("demo", 1));
    assert_eq!(
        only_done(&bench.register("demo", 2), 1),
        Err(CallError::Superseded)
    );
    assert_eq!(
        only_done(&bench.register("demo", 3), 2),
        Err(CallError::Superseded)
    );
    let out = bench.answer(conn, first, registered());
    assert_eq!(events(&out), [], "what is wanted is not yet registered");
    let (id, port) = operation(&out);
    assert_eq!(port, Some(3));
    assert_eq!(bench.answer(conn, first, registered()), [], "a duplicate");
    assert_eq!(
        only_done(&bench.answer(conn, id, registered()), 3),
        Ok(Answer::Done)
    );
}

#[test]
fn answers_of_a_lost_connection_say_nothing_about_the_next_one() {
    let (mut bench, old) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.run_for(2_000);
    let (other, _) = operation(&bench.register("other", 1));
    assert_eq!(dials(&bench.answer(old, other, unregistered())), [node(B)]);
    assert_eq!(
        bench.answer(old, id, registered()),
        [],
        "given up, though it still stands"
    );
    let (conn, out) = bench.set_up();
    assert_eq!(requests(&out).len(), 2);
    assert_eq!(bench.answer(old, id, registered()), []);
    assert_eq!(bench.wanted(), [(1, false), (1, false)]);
    assert_eq!(
        bench.answer(conn, id, registered()),
        [],
        "numbers do not repeat"
    );
}

#[test]
fn lost_client_on_the_server_leads_to_a_new_connection() {
    for response in [
        refused(code::CLIENT_DISCONNECT),
        Response::error(-401, "gone"),
    ] {
        let (mut bench, conn) = Bench::connected();
        let (id, _) = operation(&bench.register("demo", 1));
        let out = bench.answer(conn, id, response);
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
fn deregister_before_the_redo_leaves_nothing_to_redo() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    bench.close(conn);
    bench.deregister("demo");
    assert_eq!(
        only_done(&bench.run_for(3_000), 2),
        Err(CallError::NotConnected)
    );
    assert_eq!(bench.wanted(), []);
    assert_eq!(requests(&bench.set_up().1), []);
}

#[test]
fn unanswered_deregister_is_redone_until_the_server_knows() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    bench.deregister("demo");
    let (_, check, _) = request(&bench.run_for(3_000));
    bench.answer(conn, check, health_ok());
    let out = bench.run_for(3_000);
    let (_, id, Request::Instance(request)) = request(&out) else {
        panic!("{out:?}")
    };
    assert_eq!(request.operation, InstanceOperation::Deregister);
    assert_eq!(request.instance.port, 1, "Nacos wants to see the instance");
    assert_eq!(bench.answer(conn, id, deregistered()), []);
    assert_eq!(
        bench.sdk.next_deadline(),
        Some(Mono(11_000_000)),
        "no further redo"
    );
}

#[test]
fn batch_takes_the_place_of_a_single_instance() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, registered());
    let instances = vec![Instance::new("10.0.1.1", 2), Instance::new("10.0.1.1", 3)];
    let service = ServiceKey::named("demo");
    let out = bench.call(Call::BatchRegister { service, instances });
    let (_, id, Request::BatchInstance(batch)) = request(&out) else {
        panic!("{out:?}")
    };
    assert_eq!(batch.instances.len(), 2);
    let out = bench.answer(conn, id, Response::ok(ResponseBody::BatchInstance));
    assert_eq!(only_done(&out, 2), Ok(Answer::Done));
    assert_eq!(bench.wanted(), [(2, true)]);
}

#[test]
fn subscriptions_are_redone_and_the_answer_updates_the_list() {
    let (mut bench, conn) = Bench::connected();
    let (_, id, _) = request(&bench.subscribe("demo"));
    bench.answer(conn, id, subscribed(&list("demo", 7, 7, &[1])));
    bench.close(conn);
    let (conn, out) = bench.set_up();
    let (_, id, Request::SubscribeService(again)) = request(&out) else {
        panic!("{out:?}")
    };
    assert!(again.subscribe);
    let info = list("demo", 1, 1, &[2]);
    let out = bench.answer(conn, id, subscribed(&info));
    assert_eq!(out, [SdkOutput::Event(SdkEvent::ListChanged { info })]);
}

#[test]
fn refused_subscription_is_dropped_with_its_list() {
    let (mut bench, conn) = Bench::connected();
    let no = Response::fail(
        code::INVALID_PARAM,
        "no",
        ResponseBody::SubscribeService(None),
    );
    let (_, id, _) = request(&bench.subscribe("other"));
    let out = bench.answer(conn, id, no.clone());
    assert!(matches!(
        only_done(&out, 1),
        Err(CallError::Refused { code: 400, .. })
    ));
    let (_, id, _) = request(&bench.subscribe("demo"));
    bench.answer(conn, id, subscribed(&list("demo", 7, 7, &[1])));
    bench.close(conn);
    let (conn, out) = bench.set_up();
    bench.answer(conn, request(&out).1, no);
    assert_eq!(bench.sdk.subscriptions().count(), 0);
    assert_eq!(bench.sdk.list(&ServiceKey::named("demo")), None);
}

#[test]
fn many_services_are_redone_without_more_than_the_limit_under_way() {
    let (mut bench, conn) = Bench::connected();
    let limit = crate::sdk::requests::REQUESTS_MAX;
    let first = operation(&bench.register("service-0", 1)).0;
    for service in 1..limit + 10 {
        bench.register(&format!("service-{service}"), 1);
    }
    assert_eq!(requests(&bench.register("last", 1)), [], "no room");
    operation(&bench.answer(conn, first, registered()));
    bench.close(conn);
    assert_eq!(requests(&bench.set_up().1).len(), limit);
}

#[test]
fn request_of_an_old_connection_does_not_time_out_on_the_new_one() {
    let (mut bench, conn) = Bench::connected();
    operation(&bench.register("demo", 1));
    bench.run_for(2_000);
    bench.ask(
        conn,
        1,
        Request::ConnectReset(ConnectResetRequest::default()),
    );
    bench.run_for(900);
    let (conn, out) = bench.set_up();
    let (id, _) = operation(&out);
    assert_eq!(dones(&bench.run_for(200)), [(1, Err(CallError::Timeout))]);
    bench.answer(conn, id, registered());
    assert_eq!(bench.wanted(), [(1, true)]);
}

#[test]
fn call_that_waited_for_its_predecessor_gets_its_full_time() {
    let (mut bench, conn) = Bench::connected();
    bench.register("demo", 1);
    bench.deregister("demo");
    let out = bench.run_for(3_000);
    assert_eq!(dones(&out), []);
    let (_, id, _) = requests(&out).pop().unwrap();
    bench.run_for(2_999);
    assert_eq!(
        only_done(&bench.answer(conn, id, deregistered()), 2),
        Ok(Answer::Done)
    );
}
