use super::*;
use crate::message::internal::ConnectResetRequest;

fn answers(out: &[SdkOutput]) -> Vec<(ConnId, u64, Response)> {
    out.iter()
        .filter_map(|output| match output {
            SdkOutput::Response { conn, id, response } => Some((*conn, id.0, response.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn detection_is_answered_also_during_the_setup() {
    let mut bench = Bench::new(&[A]);
    bench.step(SdkInput::Wake);
    let (conn, _) = bench.dialed();
    let out = bench.ask(conn, 4, Request::ClientDetection);
    assert_eq!(
        answers(&out),
        [(conn, 4, Response::ok(ResponseBody::ClientDetection))]
    );
}

#[test]
fn push_is_acknowledged_on_the_connection_it_came_from() {
    let (mut bench, old) = Bench::connected();
    bench.subscribe("demo");
    bench.run_for(2_000);
    bench.ask(
        old,
        1,
        Request::ConnectReset(ConnectResetRequest::default()),
    );
    let (conn, _) = bench.dialed();
    for (on, id) in [(old, 7), (conn, 8)] {
        let out = bench.ask(on, id, Request::NotifySubscriber(list("demo", 1, 1, &[1])));
        assert_eq!(
            answers(&out),
            [(on, id, Response::ok(ResponseBody::NotifySubscriber))]
        );
    }
}

#[test]
fn push_of_a_service_that_is_not_subscribed_is_acknowledged_and_not_kept() {
    let (mut bench, conn) = Bench::connected();
    let out = bench.ask(conn, 7, Request::NotifySubscriber(list("demo", 1, 1, &[1])));
    assert_eq!(answers(&out).len(), 1);
    assert_eq!(events(&out), []);
    assert_eq!(bench.sdk.list(&ServiceKey::named("demo")), None);
}

#[test]
fn request_that_a_client_does_not_serve_has_no_handler() {
    let (mut bench, conn) = Bench::connected();
    for received in [
        Request::ServerLoaderInfo.into(),
        Received::Unknown(Str::from("ConfigChange")),
    ] {
        let out = bench.ask(conn, 3, received);
        let response = Response::error(code::NO_HANDLER, "RequestHandler Not Found");
        assert_eq!(answers(&out), [(conn, 3, response)]);
    }
}

#[test]
fn unknown_and_closed_connections_are_ignored() {
    let (mut bench, old) = Bench::connected();
    bench.close(old);
    for conn in [old, ConnId(99)] {
        assert_eq!(bench.ask(conn, 3, Request::ClientDetection), []);
        assert_eq!(bench.answer(conn, RequestId(1), unregistered()), []);
        assert_eq!(bench.close(conn), []);
    }
}
