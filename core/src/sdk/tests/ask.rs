use super::*;
use crate::io::SendError;
use crate::message::naming::{DEFAULT_NAMESPACE, ServiceListResponse};

fn query() -> Call {
    let (service, clusters) = (ServiceKey::named("demo"), Str::from("zone-a"));
    Call::Query {
        service,
        clusters,
        healthy_only: true,
    }
}

#[test]
fn query_is_answered_and_leaves_no_trace() {
    let (mut bench, conn) = Bench::connected();
    let out = bench.call(query());
    let (_, id, Request::ServiceQuery(asked)) = request(&out) else {
        panic!("{out:?}")
    };
    assert!(asked.healthy_only && &*asked.clusters == "zone-a");
    let info = list("demo", 1, 1, &[1]);
    let response = Response::ok(ResponseBody::QueryService(Some(info.clone())));
    let out = bench.answer(conn, id, response.clone());
    assert_eq!(
        out,
        [SdkOutput::Done {
            call: 1,
            result: Ok(Answer::Service(info))
        }]
    );
    assert_eq!(bench.answer(conn, id, response), [], "a duplicate");
    assert_eq!(bench.sdk.list(&ServiceKey::named("demo")), None);
}

#[test]
fn service_names_are_listed_by_page() {
    let (mut bench, conn) = Bench::connected();
    let group = Str::from("DEFAULT_GROUP");
    let out = bench.call(Call::List {
        namespace: Str::from(DEFAULT_NAMESPACE),
        group,
        page_no: 2,
        page_size: 10,
    });
    let (_, id, Request::ServiceList(asked)) = request(&out) else {
        panic!("{out:?}")
    };
    assert_eq!(
        (asked.page_no, asked.page_size, &*asked.namespace),
        (2, 10, "public")
    );
    let page = ServiceListResponse {
        count: 11,
        service_names: vec![Str::from("demo")],
    };
    let response = Response::ok(ResponseBody::ServiceList(Box::new(page.clone())));
    assert_eq!(
        only_done(&bench.answer(conn, id, response), 1),
        Ok(Answer::Services(page))
    );
}

#[test]
fn question_asked_without_a_connection_waits_for_one() {
    let mut bench = Bench::new(&[A]);
    bench.step(SdkInput::Wake);
    assert_eq!(bench.call(query()), []);
    bench.run_for(2_900);
    let (_, out) = bench.set_up();
    assert!(matches!(request(&out).2, Request::ServiceQuery(_)));
    assert_eq!(
        dones(&bench.run_for(2_999)),
        [],
        "once sent it has its full time"
    );
    assert_eq!(only_done(&bench.run_for(1), 1), Err(CallError::Timeout));
}

#[test]
fn question_is_asked_again_on_the_next_connection() {
    let (mut bench, conn) = Bench::connected();
    let (_, first, _) = request(&bench.call(query()));
    bench.close(conn);
    let (conn, out) = bench.set_up();
    let (on, id, Request::ServiceQuery(_)) = request(&out) else {
        panic!("{out:?}")
    };
    assert!(on == conn && id != first);
}

#[test]
fn question_that_the_server_cannot_answer_ends_with_its_words() {
    let (mut bench, conn) = Bench::connected();
    let (_, id, _) = request(&bench.call(query()));
    let out = bench.answer(conn, id, Response::error(300, "starting"));
    let message = Str::from("starting");
    assert_eq!(
        only_done(&out, 1),
        Err(CallError::Refused { code: 300, message })
    );
    assert!(
        matches!(request(&out).2, Request::HealthCheck),
        "and the connection is doubted"
    );
}

#[test]
fn answer_of_the_wrong_type_is_a_failure_not_a_success() {
    let (mut bench, conn) = Bench::connected();
    let (id, _) = operation(&bench.register("demo", 1));
    assert_eq!(bench.answer(conn, id, health_ok()), []);
    assert_eq!(bench.wanted(), [(1, false)]);
    assert_eq!(operation(&bench.run_for(3_000)).1, Some(1));
    let (_, id, _) = request(&bench.subscribe("demo"));
    assert_eq!(
        bench.answer(conn, id, Response::ok(ResponseBody::SubscribeService(None))),
        []
    );
}

#[test]
fn request_that_cannot_be_sent_is_repeated_dropped_or_costs_the_connection() {
    for cause in [SendError::Busy, SendError::TooLarge, SendError::Closed] {
        let (mut bench, conn) = Bench::connected();
        let (id, _) = operation(&bench.register("demo", 1));
        let out = bench.step(SdkInput::SendFailed { conn, id, cause });
        match cause {
            SendError::Busy => assert_eq!(operation(&bench.run_for(3_000)).1, Some(1)),
            SendError::TooLarge => {
                assert!(matches!(only_done(&out, 1), Err(CallError::Refused { .. })));
                assert_eq!(bench.wanted(), []);
            }
            SendError::Closed => assert_eq!(dials(&out), [node(B)]),
        }
    }
}

#[test]
fn call_beyond_the_limit_is_refused_and_wants_nothing() {
    let mut bench = Bench::new(&[A]);
    for _ in 0..crate::sdk::calls::CALLS_MAX {
        assert_eq!(bench.call(query()), []);
    }
    let out = bench.register("demo", 1);
    assert!(matches!(
        dones(&out)[..],
        [(_, Err(CallError::Refused { code: -503, .. }))]
    ));
    assert_eq!(bench.wanted(), []);
}

#[test]
fn answer_on_a_connection_that_was_given_up_does_not_count() {
    let (mut bench, conn) = Bench::connected();
    let (_, asked, _) = request(&bench.call(query()));
    let (id, _) = operation(&bench.register("demo", 1));
    bench.answer(conn, id, unregistered());
    let response = Response::ok(ResponseBody::QueryService(Some(list("demo", 1, 1, &[]))));
    assert_eq!(bench.answer(conn, asked, response), []);
}
