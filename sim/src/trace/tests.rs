use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::event::{ChangeCause, Event};
use distro_core::ids::{ClientId, ConnId, Incarnation, NodeId, RequestId, Revision, Str};
use distro_core::io::{CloseReason, RemoveCause, Removed};
use distro_core::message::distro::{
    ClientSyncData, Digest, DigestAnswer, DigestRound, DigestVerify, DistroDataRequest,
    DistroDataResponse, Origin, SnapshotChunk, SnapshotEntry, Word,
};
use distro_core::message::internal::ConnectionSetupRequest;
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{Instance, Published, ServiceInfo, ServiceKey, Weight};
use distro_core::message::{Request, Response, ResponseBody, code};
use distro_core::sdk::io::{Answer, CallError, SdkEvent};
use distro_core::time::{Mono, Period};

use super::*;
use crate::scenario::model::ClientOp;
use crate::scenario::parse;

fn scenario() -> Scenario {
    let text = "about = \"x\"\nduration = \"9s\"\nnodes = 2\n[[clients]]\nname = \"web\"\n\
                [[timeline]]\nat = \"1s\"\nfor = \"2s\"\nfault = \"partition\"\nbetween = [\"n1\", \"n2\"]";
    parse("quiet", text).expect("a good scenario")
}

fn origin() -> Origin {
    Origin {
        node: NodeId::new("10.0.0.1:8848"),
        incarnation: Incarnation(3),
    }
}

fn odd_instance() -> Instance {
    let mut instance = Instance::new("10.1.0.1", 8080);
    instance.weight = Weight(2.5);
    instance.enabled = false;
    instance.metadata = Metadata::from([("a", "say \"b\"\n")]);
    instance
}

fn data(revision: u64) -> Arc<ClientSyncData> {
    let plain = Arc::new(Instance::new("10.1.0.1", 8080));
    Arc::new(ClientSyncData {
        client: ClientId::new("c1"),
        origin: Some(origin()),
        revision: Revision(revision),
        services: vec![
            (
                ServiceKey::named("orders"),
                Published::Single(Arc::new(odd_instance())),
            ),
            (
                ServiceKey::named("stock"),
                Published::Batch(Arc::from([plain])),
            ),
        ],
        words: vec![Word(7), Word(8)],
    })
}

fn info() -> Arc<ServiceInfo> {
    Arc::new(ServiceInfo {
        service: ServiceKey::named("orders"),
        clusters: Str::from(""),
        hosts: [Arc::new(Instance::new("10.1.0.1", 8080))].into(),
        reach_protection_threshold: false,
        last_ref_time: 1_700,
        version: 4,
    })
}

fn request(request: &Request) -> Seen<'_> {
    let (conn, peer, id) = (ConnId(7), HostId(1), RequestId(9));
    Seen::RequestSent {
        conn,
        peer,
        id,
        request,
    }
}

fn response(response: &Response) -> Seen<'_> {
    let (conn, peer, id) = (ConnId(7), HostId(1), RequestId(9));
    Seen::ResponseReceived {
        conn,
        peer,
        id,
        response,
    }
}

fn written(seen: &[Seen<'_>]) -> String {
    let header = Header {
        world: WorldKind::Event,
        seed: 7,
        profile: None,
    };
    let mut writer = TraceWriter::new(Vec::new(), &scenario(), &header).expect("a Vec");
    for (number, what) in (1..).zip(seen) {
        let at = Mono(number * 1_000_500);
        let entry = writer
            .see(&Observation {
                at,
                host: HostId(0),
                what: *what,
            })
            .expect("a Vec");
        assert_eq!(entry, number);
    }
    let text = String::from_utf8(writer.finish().expect("a Vec")).expect("UTF-8");
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    text
}

/// The fields of one entry after number, time and host.
fn fields(what: Seen<'_>) -> String {
    let text = written(&[what]);
    let line = text.lines().nth(1).expect("one entry");
    let fields = line.strip_prefix("{\"n\":1,\"t\":1.000500,\"host\":\"n1\",");
    fields.expect("the same start").to_owned()
}

#[test]
fn header_says_what_was_run() {
    let expected = format!(
        "{{\"format\":\"distro-trace\",\"version\":1,\"scenario\":\"quiet\",\"seed\":7,\"world\":\
         \"event\",\"profile\":null,\"build\":\"{}\",\"hosts\":[\"n1\",\"n2\",\"web\"]}}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(written(&[]), expected);
}

#[test]
fn messages_show_every_field_and_no_debris() {
    let change = Request::DistroData(DistroDataRequest::Change(data(2)));
    assert_eq!(
        fields(request(&change)),
        "\"kind\":\"request-sent\",\"peer\":\"n2\",\"conn\":7,\"id\":9,\
         \"type\":\"DistroDataRequest\",\"op\":\"CHANGE\",\"client\":\"c1\",\"revision\":2,\
         \"origin\":\"10.0.0.1:8848/3\",\"publishes\":{\
         \"orders\":\"10.1.0.1:8080 weight=2.5 disabled a:say \\\"b\\\"\\n\",\
         \"stock\":[\"10.1.0.1:8080\"]}}"
    );
    let failed = Response::error(code::UN_REGISTER, "who are you?");
    assert_eq!(
        fields(response(&failed)),
        "\"kind\":\"response-received\",\"peer\":\"n2\",\"conn\":7,\"id\":9,\
         \"type\":\"ErrorResponse\",\"ok\":false,\"result\":500,\"error\":301,\
         \"message\":\"who are you?\"}"
    );
    let push = Request::NotifySubscriber(info());
    assert_eq!(
        fields(request(&push)),
        "\"kind\":\"request-sent\",\"peer\":\"n2\",\"conn\":7,\"id\":9,\
         \"type\":\"NotifySubscriberRequest\",\"service\":\"orders\",\"version\":4,\
         \"refTime\":1700,\"hosts\":[\"10.1.0.1:8080\"]}"
    );
}

#[test]
fn digests_and_chunks_are_readable() {
    let digest = Digest { sum: 255, count: 2 };
    let round = DigestRound::Leaves(vec![(5, digest)]);
    let verify = DistroDataRequest::Digest(Box::new(DigestVerify {
        origin: origin(),
        round,
        clock: Word(9),
        given_up: Vec::new(),
    }));
    let text = fields(request(&Request::DistroData(verify)));
    assert!(
        text.contains("\"leaves\":[\"5:2:00000000000000ff\"]"),
        "{text}"
    );
    let held = vec![(ClientId::new("c1"), Revision(4))];
    let answer = DigestAnswer::Entries {
        leaves: vec![5],
        held,
    };
    let body = ResponseBody::DistroData(DistroDataResponse::Digest(answer));
    let text = fields(response(&Response::ok(body)));
    assert!(
        text.contains("\"leaves\":[\"5\"],\"held\":[\"c1=4\"]"),
        "{text}"
    );
    let entries = vec![SnapshotEntry {
        data: data(1),
        remaining: Period::from_millis(1_500),
    }];
    let chunk = SnapshotChunk {
        origin: origin(),
        settled: true,
        seen: Incarnation(2),
        entries,
        next: None,
    };
    let body = ResponseBody::DistroData(DistroDataResponse::Chunk(Box::new(chunk)));
    let text = fields(response(&Response::ok(body)));
    assert!(text.contains("\"remaining\":1.500000}]"), "{text}");
}

#[test]
fn events_have_the_names_of_nacos() {
    let removed = Removed {
        client: ClientId::new("c1"),
        cause: RemoveCause::Ejected(CloseReason::Idle),
        unheard: Period::from_secs(20),
    };
    let event = Event::ClientDisconnect {
        removed,
        origin: origin(),
        native: true,
    };
    assert_eq!(
        fields(Seen::Node(&event)),
        "\"kind\":\"node\",\"event\":\"ClientDisconnect\",\"client\":\"c1\",\"cause\":\"ejected\",\
         \"reason\":\"idle\",\"unheard\":20.000000,\"origin\":\"10.0.0.1:8848/3\",\"native\":true}"
    );
    let event = SdkEvent::ListChanged { info: info() };
    assert!(
        fields(Seen::Client(&event)).contains("\"event\":\"ListChanged\",\"service\":\"orders\"")
    );
}

#[test]
fn actions_read_as_in_their_file() {
    let scenario = scenario();
    let action = &scenario.timeline[0];
    assert_eq!(
        fields(Seen::Began { index: 0, action }),
        "\"kind\":\"began\",\"index\":0,\
         \"action\":\"at = 1s, fault = partition, between = [n1, n2], for = 2s\"}"
    );
}

/// Observations that differ pairwise, some of them only in one field.
fn different() -> (Vec<Request>, Vec<Response>, Vec<Event>, Vec<SdkEvent>) {
    let setup = ConnectionSetupRequest {
        client_ip: Str::from("10.1.0.1"),
        ..Default::default()
    };
    let service = ServiceKey::named("orders");
    let requests = vec![
        Request::HealthCheck,
        Request::ConnectionSetup(Box::new(setup)),
        Request::DistroData(DistroDataRequest::Change(data(1))),
        Request::DistroData(DistroDataRequest::Change(data(2))),
        Request::DistroData(DistroDataRequest::Add(data(2))),
        Request::DistroData(DistroDataRequest::Verify(ClientId::new("c1"), Revision(2))),
        Request::NotifySubscriber(info()),
    ];
    let responses = vec![
        Response::ok(ResponseBody::HealthCheck),
        Response::ok(ResponseBody::SubscribeService(Some(info()))),
        Response::ok(ResponseBody::QueryService(Some(info()))),
        Response::ok(ResponseBody::QueryService(None)),
        Response::fail(
            code::NO_RIGHT,
            "no",
            ResponseBody::QueryService(Some(info())),
        ),
    ];
    let changed = |created, cause| Event::ClientChanged {
        data: data(2),
        owner: NodeId::new("10.0.0.1:8848"),
        native: true,
        created,
        cause,
    };
    let events = vec![
        changed(true, ChangeCause::Request),
        changed(false, ChangeCause::Request),
        changed(false, ChangeCause::Sync),
        Event::Ready(Incarnation(1)),
        Event::Starting(Incarnation(1)),
    ];
    let clients = vec![
        SdkEvent::ListChanged { info: info() },
        SdkEvent::ListIgnored { service },
    ];
    (requests, responses, events, clients)
}

#[test]
fn every_difference_shows_in_text_and_hash() {
    let (requests, responses, events, clients) = different();
    let op = ClientOp::Query(ServiceKey::named("orders"));
    let other = ClientOp::Subscribe(ServiceKey::named("orders"));
    let results = [
        Ok(Answer::Done),
        Err(CallError::Timeout),
        Err(CallError::NotConnected),
    ];
    let mut seen: Vec<Seen<'_>> = vec![
        Seen::Started,
        Seen::Stopped { silent: true },
        Seen::Stopped { silent: false },
        Seen::Called { call: 1, op: &op },
        Seen::Called {
            call: 1,
            op: &other,
        },
    ];
    seen.extend(requests.iter().map(request));
    seen.extend(responses.iter().map(response));
    seen.extend(events.iter().map(Seen::Node));
    seen.extend(clients.iter().map(Seen::Client));
    seen.extend(
        results
            .iter()
            .map(|result| Seen::Returned { call: 1, result }),
    );
    let mut known = BTreeMap::new();
    for what in &seen {
        let mut hash = TraceHash::new();
        hash.see(&Observation {
            at: Mono(5),
            host: HostId(0),
            what: *what,
        });
        let text = fields(*what);
        if let Some(other) = known.insert(hash.finish(), text.clone()) {
            panic!("one hash for\n{other}\n{text}");
        }
    }
    let texts: std::collections::BTreeSet<_> = known.values().collect();
    assert_eq!(texts.len(), seen.len(), "one text for two observations");
}

#[test]
fn hash_depends_on_content_and_not_on_where_it_lives() {
    let of = |same: bool| {
        let mut hash = TraceHash::new();
        let first = Request::DistroData(DistroDataRequest::Change(data(1)));
        let again = Request::DistroData(DistroDataRequest::Change(data(1)));
        for shown in [&first, if same { &first } else { &again }] {
            hash.see(&Observation {
                at: Mono(1),
                host: HostId(0),
                what: request(shown),
            });
        }
        (hash.finish(), hash.entries())
    };
    assert_eq!(of(true), of(false));
}

#[test]
fn diff_of_equal_traces_is_nothing() {
    let text = written(&[Seen::Started]);
    assert_eq!(
        diff(text.as_bytes(), text.as_bytes(), 3).expect("readable"),
        None
    );
}

#[test]
fn diff_shows_the_first_difference_and_what_led_to_it() {
    let (left, right) = (Request::HealthCheck, Request::ClientDetection);
    let start = [
        Seen::Started,
        Seen::Opened {
            conn: ConnId(1),
            peer: HostId(1),
        },
    ];
    let a = written(&[start[0], start[1], request(&left), Seen::Started]);
    let b = written(&[start[0], start[1], request(&right), Seen::Started]);
    let found = diff(a.as_bytes(), b.as_bytes(), 1)
        .expect("readable")
        .expect("a difference");
    assert_eq!(found.entry, 3);
    assert_eq!(found.fields, ["type"]);
    assert_eq!(found.led.keys().collect::<Vec<_>>(), ["n1"]);
    assert_eq!(found.led["n1"].len(), 1, "no more than was asked for");
    assert!(found.led["n1"][0].contains("\"opened\""));
    let text = found.to_string();
    assert!(
        text.contains("the traces part at entry 3\nfields that differ: type\n"),
        "{text}"
    );
}

#[test]
fn diff_notices_a_trace_that_ends_early() {
    let (long, short) = (
        written(&[Seen::Started, Seen::Started]),
        written(&[Seen::Started]),
    );
    let found = diff(long.as_bytes(), short.as_bytes(), 3)
        .expect("readable")
        .expect("a difference");
    assert_eq!((found.entry, found.right.is_none()), (2, true));
    assert!(found.to_string().contains("+ (the trace ends here)"));
}
