use super::*;
use crate::message::internal::{ConnectResetRequest, label};

#[test]
fn first_wake_dials_the_first_server_and_sets_up() {
    let mut bench = Bench::with(SdkConfig {
        first: 1,
        ..config(&[A, B, C])
    });
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(0)));
    assert_eq!(
        bench.step(SdkInput::Wake),
        [SdkOutput::Dial { server: node(B) }]
    );
    let (conn, id) = bench.dialed();
    let out = bench.answer(conn, id, server_check(conn, true));
    let (_, _, Request::ConnectionSetup(setup)) = request(&out) else {
        panic!("{out:?}")
    };
    assert_eq!(
        setup.labels.get(label::SOURCE).map(|text| &**text),
        Some("sdk")
    );
    assert_eq!(
        setup.labels.get(label::MODULE).map(|text| &**text),
        Some("naming")
    );
    assert_eq!(
        setup.labels.get(label::APP_NAME).map(|text| &**text),
        Some("shop")
    );
    assert_eq!(setup.client_version.as_deref(), Some("Distro-Sdk:v0.1.0"));
    assert!(setup.ability_table.is_some());
    assert_eq!(&*setup.client_ip, "10.0.1.1");
    assert_eq!(bench.sdk.connected(), None);
    assert_eq!(events(&bench.ack_setup(conn)), [connected_to(B, conn)]);
    assert_eq!(
        bench.sdk.connected().map(|(server, _)| server.clone()),
        Some(node(B))
    );
}

#[test]
fn server_without_negotiation_is_connected_100_ms_after_the_setup() {
    let mut bench = Bench::new(&[A]);
    bench.step(SdkInput::Wake);
    let (conn, id) = bench.dialed();
    bench.answer(conn, id, server_check(conn, false));
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(100_000)));
    assert_eq!(events(&bench.run_for(100)), [connected_to(A, conn)]);
}

#[test]
fn missing_setup_acknowledgement_leads_to_the_next_server() {
    let mut bench = Bench::new(&[A, B]);
    bench.step(SdkInput::Wake);
    let (conn, id) = bench.dialed();
    bench.answer(conn, id, server_check(conn, true));
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(5_000_000)));
    assert_eq!(closes(&bench.run_for(5_000)), [conn]);
    assert_eq!(dials(&bench.run_for(100)), [node(B)]);
}

#[test]
fn refused_server_check_closes_and_leads_to_the_next_server() {
    let mut bench = Bench::new(&[A, B]);
    bench.step(SdkInput::Wake);
    let (conn, id) = bench.dialed();
    let starting = Response::error(code::INVALID_SERVER_STATUS, "Server is starting");
    assert_eq!(closes(&bench.answer(conn, id, starting)), [conn]);
    assert_eq!(dials(&bench.run_for(100)), [node(B)]);
    let (conn, id) = bench.dialed();
    assert_eq!(
        closes(&bench.answer(conn, id, health_ok())),
        [conn],
        "an answer of another type"
    );
}

#[test]
fn unanswered_server_check_is_given_up_after_the_connect_timeout() {
    let mut bench = Bench::new(&[A, B]);
    bench.step(SdkInput::Wake);
    let (conn, id) = bench.dialed();
    assert_eq!(bench.run_for(2_999), []);
    assert_eq!(closes(&bench.run_for(1)), [conn]);
    assert_eq!(
        bench.answer(conn, id, server_check(conn, true)),
        [],
        "too late"
    );
}

#[test]
fn transport_that_ends_during_the_setup_is_not_closed_again() {
    let mut bench = Bench::new(&[A, B]);
    bench.step(SdkInput::Wake);
    let (conn, id) = bench.dialed();
    bench.answer(conn, id, server_check(conn, true));
    assert_eq!(bench.close(conn), []);
    assert_eq!(dials(&bench.run_for(100)), [node(B)]);
}

#[test]
fn back_off_grows_by_a_step_with_each_round_of_the_list() {
    let mut bench = Bench::new(&[A, B, C]);
    bench.step(SdkInput::Wake);
    let mut waits = Vec::new();
    for _ in 0..160 {
        bench.step(SdkInput::DialFailed);
        let wait = bench.sdk.next_deadline().unwrap().since(bench.now);
        waits.push(wait.millis());
        assert_eq!(dials(&bench.run_for(wait.millis())).len(), 1);
    }
    assert_eq!(waits[..8], [100, 100, 100, 200, 200, 200, 300, 300]);
    assert_eq!(waits[147..], [5_000; 13]);
}

#[test]
fn back_off_starts_anew_after_a_connection_that_lasted() {
    let mut bench = Bench::new(&[A]);
    bench.step(SdkInput::Wake);
    for _ in 0..5 {
        bench.step(SdkInput::DialFailed);
        bench.run_for(600);
    }
    let (conn, _) = bench.set_up();
    bench.run_for(1_000);
    assert_eq!(dials(&bench.close(conn)), [node(A)], "at once");
    bench.step(SdkInput::DialFailed);
    assert_eq!(bench.sdk.next_deadline(), Some(Mono(bench.now.0 + 100_000)));
}

#[test]
fn lost_connection_is_reported_and_the_next_server_dialled_at_once() {
    let (mut bench, conn) = Bench::connected();
    bench.run_for(2_000);
    let out = bench.close(conn);
    assert_eq!(
        out,
        [
            SdkOutput::Event(gone_from(A)),
            SdkOutput::Dial { server: node(B) }
        ]
    );
    assert_eq!(bench.sdk.connected(), None);
    let (conn, out) = bench.set_up();
    assert_eq!(
        out,
        [SdkOutput::Event(connected_to(B, conn))],
        "nothing left to close"
    );
}

#[test]
fn server_that_refuses_every_request_is_not_dialled_without_pause() {
    let mut bench = Bench::new(&[A]);
    bench.step(SdkInput::Wake);
    let (conn, _) = bench.set_up();
    let (_, id, _) = request(&bench.register("demo", 1));
    assert_eq!(
        dials(&bench.answer(conn, id, unregistered())),
        [node(A)],
        "at once"
    );
    let (conn, out) = bench.set_up();
    let (_, id, _) = request(&out);
    assert_eq!(dials(&bench.answer(conn, id, unregistered())), []);
    assert_eq!(dials(&bench.run_for(200)), [node(A)]);
}

fn reset(ip: Option<&str>, port: Option<&str>) -> Request {
    Request::ConnectReset(ConnectResetRequest {
        server_ip: ip.map(Str::from),
        server_port: port.map(Str::from),
        connection_id: None,
    })
}

#[test]
fn reset_moves_to_the_named_server_and_closes_the_old_connection_last() {
    let (mut bench, old) = Bench::connected();
    bench.run_for(2_000);
    let out = bench.ask(old, 9, reset(Some("10.0.0.3"), Some("1")));
    let response = Response::ok(ResponseBody::ConnectReset);
    let answer = SdkOutput::Response {
        conn: old,
        id: RequestId(9),
        response,
    };
    assert_eq!(out, [answer, SdkOutput::Dial { server: node(C) }]);
    assert!(
        bench.sdk.connected().is_some(),
        "it serves until the next one is set up"
    );
    assert_eq!(request(&bench.register("demo", 1)).0, old);
    let (conn, out) = bench.set_up();
    let after = [
        SdkOutput::Close { conn: old },
        SdkOutput::Event(gone_from(A)),
        SdkOutput::Event(connected_to(C, conn)),
    ];
    assert_eq!(out[..3], after);
    assert_eq!(request(&out).0, conn, "what is wanted is redone there");
}

#[test]
fn reset_to_a_server_outside_the_list_moves_to_the_next_one() {
    let (mut bench, old) = Bench::connected();
    bench.run_for(2_000);
    assert_eq!(
        dials(&bench.ask(old, 9, reset(Some("10.9.9.9"), None))),
        [node(B)]
    );
    assert_eq!(
        dials(&bench.ask(old, 10, reset(None, None))),
        [],
        "it is leaving already"
    );
}

#[test]
fn reset_tells_servers_of_one_address_apart_by_their_ports() {
    let mut bench = Bench::new(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
    bench.step(SdkInput::Wake);
    let (conn, _) = bench.set_up();
    let out = bench.ask(conn, 1, reset(Some("127.0.0.1"), Some("3")));
    assert_eq!(dials(&out), [node("127.0.0.1:3")]);
}

#[test]
fn old_connection_that_dies_during_a_move_is_reported_once() {
    let (mut bench, old) = Bench::connected();
    bench.run_for(2_000);
    bench.ask(old, 9, reset(None, None));
    assert_eq!(bench.close(old), [SdkOutput::Event(gone_from(A))]);
    let (conn, out) = bench.set_up();
    assert_eq!(out, [SdkOutput::Event(connected_to(B, conn))]);
}

#[test]
fn transport_that_nobody_asked_for_is_closed() {
    let (mut bench, _) = Bench::connected();
    let conn = ConnId(99);
    assert_eq!(
        bench.step(SdkInput::Dialed { conn }),
        [SdkOutput::Close { conn }]
    );
}

#[test]
fn client_without_servers_rests() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.step(SdkInput::Wake), []);
    assert_eq!(bench.sdk.next_deadline(), None);
    bench.register("demo", 1);
    assert_eq!(
        only_done(&bench.run_for(3_000), 1),
        Err(CallError::NotConnected)
    );
}

#[test]
fn setup_is_acknowledged_on_its_own_connection_only() {
    let (mut bench, old) = Bench::connected();
    bench.ask(old, 9, reset(None, None));
    let (conn, id) = bench.dialed();
    bench.answer(conn, id, server_check(conn, true));
    assert_eq!(bench.ack_setup(old), []);
    assert_eq!(closes(&bench.ack_setup(conn)), [old]);
}
