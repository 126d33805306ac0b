//! What clients of gRPC may do to a node over real sockets: the same answers as to those of frames.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use distro_core::ids::Str;
use distro_core::message::Request;
use distro_core::message::naming::{
    BatchInstanceRequest, Instance, ServiceKey, ServiceQueryRequest, SubscribeServiceRequest,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Join, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::*;
use crate::carrier::grpc::client::{Client, Event};
use crate::carrier::grpc::status::Code;
use crate::carrier::grpc::{GREETING, STREAMS_MAX};
use crate::codec::{Ends, Payload, encode_request};

/// The reading half of a socket, which is not read while its owner is deaf.
struct Ear {
    half: OwnedReadHalf,
    deaf: Rc<Cell<bool>>,
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deaf.get() {
            return Poll::Pending;
        }
        Pin::new(&mut self.half).poll_read(context, buffer)
    }
}

fn payload(request: &Request) -> Payload {
    encode_request(request, None, &Ends::default())
}

/// A client of gRPC.
struct Caller {
    client: Client<Join<Ear, OwnedWriteHalf>>,
    deaf: Rc<Cell<bool>>,
    calls: u64,
}

impl Caller {
    /// One that has not said who it is.
    async fn dial(target: &Target) -> Caller {
        let (half, mouth) = Target::dial(target.ports.sdk).await.into_split();
        let deaf = Rc::new(Cell::new(false));
        let ear = Ear {
            half,
            deaf: deaf.clone(),
        };
        let io = tokio::io::join(ear, mouth);
        let client = Client::connect(io, "registry:9848", 4 * MESSAGE_BYTES_MAX).await;
        Caller {
            client: client.unwrap(),
            deaf,
            calls: 0,
        }
    }

    /// One that is set up.
    async fn set_up(target: &Target) -> Caller {
        let mut caller = Caller::dial(target).await;
        caller.client.send(&payload(&setup_request())).unwrap();
        caller.ask(&Request::HealthCheck).await;
        caller
    }

    fn call(&mut self, request: &Request) {
        self.calls += 1;
        self.client.call(self.calls, &payload(request));
    }

    /// The next answer, whatever is pushed meanwhile.
    async fn answer(&mut self) -> Option<Result<Payload, Code>> {
        loop {
            match self.client.next().await? {
                Event::Answer(_, answer) => return Some(answer.map_err(|status| status.code)),
                Event::Message(_) | Event::Room => {}
            }
        }
    }

    async fn ask(&mut self, request: &Request) -> Payload {
        self.call(request);
        self.answer().await.unwrap().unwrap()
    }
}

fn demo() -> ServiceKey {
    ServiceKey::named("demo")
}

/// Makes every list of the service long.
fn batch(metadata: &str) -> Request {
    let instances = (1..=250).map(|port| {
        let mut instance = Instance::new("10.1.1.1", port);
        instance.metadata = [("of", metadata)].into();
        instance
    });
    Request::BatchInstance(Box::new(BatchInstanceRequest {
        service: demo(),
        instances: instances.collect(),
    }))
}

fn query() -> Request {
    Request::ServiceQuery(Box::new(ServiceQueryRequest {
        service: demo(),
        clusters: Str::from(""),
        healthy_only: false,
    }))
}

#[tokio::test]
async fn a_caller_that_never_reads_is_cut_while_others_are_answered() {
    run(async {
        let limits = Limits {
            queued_bytes: 64 * 1024,
            ..Limits::default()
        };
        let target = target(limits, None).await;
        let mut honest = Caller::set_up(&target).await;
        honest.ask(&batch("one")).await;
        let mut deaf = Caller::set_up(&target).await;
        // As many as may be open, each with an answer of 80 KiB and more: 40 MiB in all, of which
        // the client's window takes one.
        for _ in 0..STREAMS_MAX {
            deaf.call(&query());
        }
        deaf.deaf.set(true);
        let served = async {
            while target.counters.cut.load(Ordering::Relaxed) == 0 {
                honest.ask(&Request::HealthCheck).await;
            }
        };
        tokio::select! {
            () = served => {}
            answer = deaf.client.next() => panic!("{answer:?}"),
        }
        // What was on its way is all that it gets: of a window, hardly a whole answer.
        deaf.deaf.set(false);
        let mut answered = 0;
        while let Some(Ok(_)) = deaf.answer().await {
            answered += 1;
        }
        assert!(answered < 20, "{answered}");
        assert_eq!(target.node.borrow().sizes().native_clients, 1);
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_never_reads_goes_and_its_pushes_with_it() {
    run(async {
        let target = target(Limits::default(), None).await;
        let mut honest = Caller::set_up(&target).await;
        honest.ask(&batch("one")).await;
        let mut deaf = Caller::set_up(&target).await;
        let subscribe = Request::SubscribeService(Box::new(SubscribeServiceRequest {
            service: demo(),
            clusters: Str::from(""),
            subscribe: true,
        }));
        deaf.ask(&subscribe).await;
        assert_eq!(target.node.borrow().sizes().subscribers, 1);
        deaf.deaf.set(true);
        // It cannot say that it is there: it does not hear the question.
        let served = async {
            for turn in 0_u64.. {
                if target.node.borrow().sizes().subscribers == 0 {
                    return;
                }
                honest.ask(&batch(&turn.to_string())).await;
            }
        };
        tokio::select! {
            () = served => {}
            event = deaf.client.next() => panic!("{event:?}"),
        }
        assert_eq!(target.node.borrow().counters().conns_ejected, 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_over_the_limit_ends_its_call_and_no_other() {
    run(async {
        let target = target(Limits::default(), None).await;
        let mut caller = Caller::set_up(&target).await;
        let huge = "x".repeat(usize::try_from(2 * MESSAGE_BYTES_MAX).unwrap());
        caller.call(&batch(&huge));
        assert_eq!(caller.answer().await, Some(Err(Code::ResourceExhausted)));
        let after = caller.ask(&Request::HealthCheck).await;
        assert_eq!(&*after.type_name, "HealthCheckResponse");
        assert_eq!(target.counts(), [("oversized_frames", 1)]);
        assert_eq!(target.node.borrow().sizes().instances, 0);
    })
    .await;
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head[..], body].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The headers of a unary call, nothing of them in a table.
fn call_headers() -> Vec<u8> {
    let (method_and_scheme, path, kind) = ([0x83, 0x86], "/Request/request", "application/grpc");
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    let mut block = method_and_scheme.to_vec();
    block.extend([&[0x04, length(path)], path.as_bytes()].concat());
    block.extend([&[0x0f, 0x10, length(kind)], kind.as_bytes()].concat());
    block
}

/// Whether the frames have one of this kind.
fn has(mut frames: &[u8], wanted: u8) -> bool {
    while let [a, b, c, kind, rest @ ..] = frames {
        if *kind == wanted {
            return true;
        }
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = rest.get(5 + length..).unwrap_or(&[]);
    }
    false
}

#[tokio::test]
async fn calls_that_are_given_up_at_once_leave_nothing_behind() {
    run(async {
        let target = target(Limits::default(), None).await;
        let mut flood = GREETING.to_vec();
        for stream in (1..20_000).step_by(2) {
            flood.extend(frame(HEADERS, END_HEADERS, stream, &call_headers()));
            flood.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        }
        flood.extend(frame(PING, 0, 0, &[7; 8]));
        let mut stream = Target::dial(target.ports.sdk).await;
        stream.write_all(&flood).await.unwrap();
        let mut answer = Vec::new();
        while !has(&answer, PING) && !has(&answer, GOAWAY) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        assert!(has(&answer, GOAWAY));
        stream.read_to_end(&mut answer).await.unwrap();
        let mut caller = Caller::set_up(&target).await;
        caller.ask(&Request::HealthCheck).await;
        assert_eq!(target.counts(), [("broken_frames", 1)]);
    })
    .await;
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    run(async {
        let target = target(Limits::default(), None).await;
        let mut flood = GREETING.to_vec();
        flood.extend(frame(HEADERS, 0, 1, &call_headers()));
        let more = frame(
            CONTINUATION,
            0,
            1,
            &[&[0x00, 1, b'a', 0x7f, 0x81, 0x7e], &[b'v'; 16_000][..]].concat(),
        );
        for _ in 0..200 {
            flood.extend(&more);
        }
        let answer = target.answer(target.ports.sdk, &flood).await;
        assert!(has(&answer, GOAWAY));
        assert_eq!(target.counts(), [("broken_frames", 1)]);
    })
    .await;
}

#[tokio::test]
async fn calls_whose_messages_never_end_are_bounded_and_their_client_goes() {
    run(async {
        let target = target(Limits::default(), None).await;
        let mut stream = Target::dial(target.ports.sdk).await;
        let mut open = GREETING.to_vec();
        for call in 0..STREAMS_MAX {
            let stream = 2 * call + 1;
            open.extend(frame(HEADERS, END_HEADERS, stream, &call_headers()));
            // A message of 200,000 bytes of which a hundred come.
            let piece = [&[0, 0, 3, 0x0d, 0x40], &[b'x'; 100][..]].concat();
            open.extend(frame(DATA, 0, stream, &piece));
        }
        stream.write_all(&open).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(target.counts(), []);
        assert_eq!(target.node.borrow().counters().conns_ejected, 1);
    })
    .await;
}
