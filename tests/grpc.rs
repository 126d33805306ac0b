//! A client that speaks Nacos's gRPC by hand with the real binary: what no SDK of ours asks for.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod process;

use bytes::Bytes;
use distro_node::carrier::grpc::client::{Client, Event};
use distro_node::codec::Payload;
use process::{PATIENCE, Process, address, serve};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// A connection that is set up, with the answers and messages that came while others were awaited.
struct Peer {
    client: Client<TcpStream>,
    calls: u64,
    messages: Vec<(String, Value)>,
}

fn payload(type_name: &str, body: &Value) -> Payload {
    Payload {
        type_name: type_name.into(),
        client_ip: "127.0.0.1".into(),
        body: Bytes::from(body.to_string()),
    }
}

fn read(payload: &Payload) -> (String, Value) {
    let body = serde_json::from_slice(&payload.body).unwrap();
    (payload.type_name.to_string(), body)
}

impl Peer {
    /// Sets up a connection of a module. The server says what it can do.
    async fn connect(address: &str, module: &str) -> Peer {
        let port = address.split('/').nth(1).unwrap();
        let authority = format!("127.0.0.1:{port}");
        let io = TcpStream::connect(&authority).await.unwrap();
        let client = Client::connect(io, &authority, 1024 * 1024).await.unwrap();
        let mut peer = Peer {
            client,
            calls: 0,
            messages: Vec::new(),
        };
        let setup = json!({
            "headers": {}, "clientVersion": "Nacos-Java-Client:v3.1.1", "tenant": "public",
            "labels": { "source": "sdk", "module": module },
            "abilityTable": { "fuzzyWatch": true }, "module": "internal",
        });
        let setup = payload("ConnectionSetupRequest", &setup);
        peer.client.send(&setup).unwrap();
        let ack = peer.message("SetupAckRequest").await;
        assert_eq!(ack["abilityTable"]["fuzzyWatch"], true);
        assert_eq!(
            ack["abilityTable"]["supportPersistentInstanceByGrpc"],
            false
        );
        peer
    }

    async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.client.next()).await;
        event.expect("it says something").expect("it stays")
    }

    /// A call's answer.
    async fn call(&mut self, type_name: &str, body: Value) -> (String, Value) {
        self.calls += 1;
        self.client.call(self.calls, &payload(type_name, &body));
        loop {
            match self.next().await {
                Event::Answer(call, answer) => {
                    assert_eq!(call, self.calls);
                    return read(&answer.unwrap());
                }
                Event::Message(message) => self.messages.push(read(&message)),
                Event::Room => {}
            }
        }
    }

    /// The next message, which has this type.
    async fn message(&mut self, type_name: &str) -> Value {
        while self.messages.is_empty() {
            if let Event::Message(message) = self.next().await {
                self.messages.push(read(&message));
            }
        }
        let (name, body) = self.messages.remove(0);
        assert_eq!(name, type_name, "{body}");
        body
    }

    /// The next message, acknowledged.
    async fn told(&mut self, type_name: &str) -> Value {
        let body = self.message(type_name).await;
        let answer = json!({
            "resultCode": 200, "errorCode": 0, "requestId": body["requestId"], "success": true,
        });
        let answer = payload("NamingFuzzyWatchChangeNotifyResponse", &answer);
        self.client.send(&answer).unwrap();
        body
    }

    async fn instance(&mut self, kind: &str, service: &str) {
        let body = json!({
            "headers": {}, "namespace": "public", "serviceName": service,
            "groupName": "DEFAULT_GROUP", "type": kind,
            "instance": { "ip": "10.0.0.5", "port": 80 }, "module": "naming",
        });
        let (_, answer) = self.call("InstanceRequest", body).await;
        assert_eq!(answer["resultCode"], 200, "{answer}");
    }
}

fn started() -> (Process, String) {
    let address = address();
    let node = serve(&address, "");
    node.until_message("ready");
    (node, address)
}

#[tokio::test]
async fn names_are_watched_by_a_pattern() {
    let (_node, address) = started();
    let mut watcher = Peer::connect(&address, "naming").await;
    let mut publisher = Peer::connect(&address, "naming").await;
    publisher.instance("registerInstance", "order-a").await;
    publisher.instance("registerInstance", "payments").await;
    let pattern = "public>>DEFAULT_GROUP>>order*";
    let watch = json!({
        "headers": {}, "namespace": "public", "groupKeyPattern": pattern,
        "receivedGroupKeys": [], "watchType": "WATCH", "initializing": true, "module": "naming",
    });
    let answer = watcher.call("NamingFuzzyWatchRequest", watch).await;
    let done = json!({ "resultCode": 200, "errorCode": 0, "success": true });
    assert_eq!(answer, ("NamingFuzzyWatchResponse".to_owned(), done));
    let first = watcher.told("NamingFuzzyWatchSyncRequest").await;
    assert_eq!(first["groupKeyPattern"], pattern);
    assert_eq!(first["syncType"], "FUZZY_WATCH_INIT_NOTIFY");
    let key = "public@@DEFAULT_GROUP@@order-a";
    let context = json!([{ "serviceKey": key, "changedType": "ADD_SERVICE" }]);
    assert_eq!(first["contexts"], context);
    let last = watcher.told("NamingFuzzyWatchSyncRequest").await;
    assert_eq!(last["syncType"], "FINISH_FUZZY_WATCH_INIT_NOTIFY");
    publisher.instance("deregisterInstance", "payments").await;
    publisher.instance("deregisterInstance", "order-a").await;
    let gone = watcher.told("NamingFuzzyWatchChangeNotifyRequest").await;
    assert_eq!(gone["serviceKey"], key);
    assert_eq!(gone["changedType"], "DELETE_SERVICE");
}

#[tokio::test]
async fn a_client_of_another_module_is_told_that_it_is_not_offered() {
    let (_node, address) = started();
    let mut peer = Peer::connect(&address, "config").await;
    for (asked, answered) in [
        ("ConfigQueryRequest", "ConfigQueryResponse"),
        (
            "ConfigBatchListenRequest",
            "ConfigChangeBatchListenResponse",
        ),
        ("LockOperationRequest", "LockOperationResponse"),
    ] {
        let (name, answer) = peer.call(asked, json!({ "headers": {} })).await;
        assert_eq!(name, answered);
        assert_eq!(answer["resultCode"], 500);
        assert_eq!(answer["errorCode"], 501);
        assert_eq!(answer["success"], false);
    }
    let (name, _) = peer
        .call("HealthCheckRequest", json!({ "headers": {} }))
        .await;
    assert_eq!(name, "HealthCheckResponse");
}
