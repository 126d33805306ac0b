//! Who says nothing, or never comes to the end of what it says: it takes nobody's place.

use std::time::{Duration, Instant};

use super::*;

fn tight() -> Limits {
    Limits {
        unknown_clients: 32,
        unknown_members: 8,
        unfinished_bytes: 512 * 1024,
        ..Limits::default()
    }
}

/// The beginning of a message of 200 KiB, and half of it.
fn half_a_message() -> Vec<u8> {
    let mut half = vec![b'x'; 100 * 1024];
    half[..5].copy_from_slice(&[0, 3, 0x20, 0, 1]);
    half
}

#[tokio::test]
async fn silent_streams_keep_out_neither_clients_nor_members() {
    run(async {
        let target = target(tight(), None).await;
        let mut silent = Vec::new();
        for number in 0..200 {
            for port in target.ports() {
                let mut stream = dial_as_stranger(port).await;
                // Every other one says at least what it speaks.
                if number % 2 == 0 {
                    stream.write_all(&PREAMBLE).await.unwrap();
                }
                silent.push(stream);
            }
        }
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
        let labels = [
            ("source", "cluster"),
            ("distro.node", MEMBER),
            ("distro.incarnation", "5"),
        ];
        let setup = Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
            labels: labels
                .map(|(key, value)| (Str::from(key), Str::from(value)))
                .into(),
            ..ConnectionSetupRequest::default()
        }));
        let frames = [frame(1, &setup), frame(2, &Request::HealthCheck)];
        let hello = [&PREAMBLE[..], &frames[0], &frames[1]].concat();
        assert_eq!(served(target.ports.cluster, 20, &hello).await, 20);
        let turned_away = target.counters.turned_away.load(Ordering::Relaxed);
        assert!(turned_away >= 360, "all but the places: {turned_away}");
    })
    .await;
}

#[tokio::test]
async fn before_its_setup_nobody_sends_much() {
    run(async {
        let target = target(tight(), None).await;
        for port in target.ports() {
            let mut stream = dial_as_stranger(port).await;
            let hello = [&PREAMBLE[..], &half_a_message()].concat();
            // The node may hang up before it has read it all.
            stream.write_all(&hello).await.unwrap_or_default();
            while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {}
        }
        assert_eq!(target.counts(), [("unfinished", 2)]);
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
    })
    .await;
}

#[tokio::test]
async fn messages_that_never_end_are_cut_and_slow_ones_of_others_arrive() {
    run(async {
        let target = target(tight(), None).await;
        // A client that behaves is in the middle of a long message all the while.
        let batch = Request::BatchInstance(Box::new(BatchInstanceRequest {
            service: ServiceKey::named("demo"),
            instances: (1..=500)
                .map(|port| Instance::new("10.1.1.1", port))
                .collect(),
        }));
        let long = [&setup()[..], &frame(2, &batch)].concat();
        let (half, rest) = long.split_at(long.len() / 2);
        let mut slow = Target::dial(target.ports.sdk).await;
        slow.write_all(half).await.unwrap();
        let mut strangers = Vec::new();
        for _ in 0..40 {
            let mut stream = dial_as_stranger(target.ports.sdk).await;
            let hello = [&setup()[..], &half_a_message()].concat();
            stream.write_all(&hello).await.unwrap_or_default();
            strangers.push(stream);
        }
        // Half of the budget is for two of them, whose names nobody has to know.
        let first = &mut strangers[0];
        while matches!(first.read(&mut [0; 64]).await, Ok(1..)) {}
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
        slow.write_all(rest).await.unwrap();
        slow.read_exact(&mut [0; PREAMBLE.len() + 4]).await.unwrap();
        assert_eq!(target.node.borrow().sizes().instances, 500);
        assert!(target.counters.unfinished.load(Ordering::Relaxed) > 0);
    })
    .await;
}

/// A client of gRPC with so many calls on their way, each with 60,000 bytes of a longer message.
async fn unfinished_calls(port: u16, calls: usize) -> impl Sized {
    let stream = dial_as_stranger(port).await;
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::task::spawn_local(connection);
    let mut bodies = Vec::new();
    for _ in 0..calls {
        let request = http::Request::post(format!("http://registry{}", grpc::UNARY_PATH))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let Ok(ready) = send.clone().ready().await else {
            break;
        };
        send = ready;
        let (answer, mut body) = send.send_request(request, false).unwrap();
        let mut half = vec![b'x'; 60_000];
        half[..5].copy_from_slice(&[0, 0, 3, 0x20, 0]);
        // The node may have hung up.
        body.send_data(half.into(), false).unwrap_or_default();
        bodies.push((answer, body));
    }
    (send, connection, bodies)
}

#[tokio::test]
async fn calls_that_never_end_are_cut_over_grpc_too() {
    run(async {
        let target = target(tight(), None).await;
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(unfinished_calls(target.ports.sdk, 3).await);
        }
        assert_eq!(served(target.ports.sdk, 20, &good_hello()).await, 20);
        // Half of the budget is that of one connection of theirs.
        let end = Instant::now() + Duration::from_secs(60);
        while target.counters.unfinished.load(Ordering::Relaxed) < 15 {
            assert!(Instant::now() < end, "never: {:?}", target.counts());
            tokio::task::yield_now().await;
        }
        drop(held);
    })
    .await;
}
