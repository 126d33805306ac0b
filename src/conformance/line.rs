//! A connection to the server, and what is said on it in plain JSON.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::Str;
use serde_json::{Value, json};
use tokio::io::Join;
use tokio::time::{Instant, sleep, timeout_at};

use super::Target;
use crate::carrier::grpc::client::{Client, Event};
use crate::codec::Payload;
use crate::net::Net;
use crate::tls::net::{Reader, Writer};

/// How long an answer may take (Nacos `nacos.remote.client.grpc.timeout`).
pub(super) const ANSWER: Duration = Duration::from_secs(3);
/// How long a client waits for the setup's acknowledgement.
const SETUP_ACK: Duration = Duration::from_secs(5);
/// Between two looks at something that a server is not asked to tell.
const LOOK: Duration = Duration::from_millis(50);

/// What a server said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) kind: String,
    pub(super) body: Value,
}

impl Said {
    fn read(payload: &Payload) -> Result<Said, String> {
        let kind = payload.type_name.as_ref().to_owned();
        match serde_json::from_slice(&payload.body) {
            Ok(body) => Ok(Said { kind, body }),
            Err(error) => Err(format!("the body of a {kind} is no JSON: {error}")),
        }
    }

    /// In a line.
    pub(super) fn short(&self) -> String {
        let number = |key| self.body.get(key).and_then(Value::as_i64);
        let mut text = self.kind.clone();
        for key in ["resultCode", "errorCode"] {
            if let Some(number) = number(key) {
                text.push_str(&format!(" {key} {number}"));
            }
        }
        if let Some(message) = self.body.get("message").and_then(Value::as_str) {
            let message: String = message.chars().take(80).collect();
            text.push_str(&format!(" ({message})"));
        }
        text
    }

    /// Passes when it is of this type and says so.
    pub(super) fn succeeded(self, kind: &str) -> Result<Said, String> {
        if self.kind == kind && self.body["resultCode"] == 200 && self.body["success"] == true {
            Ok(self)
        } else {
            Err(format!("{} instead of a successful {kind}", self.short()))
        }
    }

    /// Passes when it is an `ErrorResponse` with this code.
    pub(super) fn refused(self, code: i64) -> Result<String, String> {
        if self.kind == "ErrorResponse" && self.body["errorCode"] == code {
            Ok(self.short())
        } else {
            Err(format!(
                "{} instead of ErrorResponse errorCode {code}",
                self.short()
            ))
        }
    }
}

/// A connection.
pub(super) struct Line {
    client: Client<Join<Reader, Writer>>,
    local: String,
    last: u64,
    answers: BTreeMap<u64, Result<Said, String>>,
    messages: VecDeque<Said>,
    /// Pushes and detections are answered.
    pub(super) polite: bool,
    over: bool,
}

fn payload(kind: &str, body: &Value) -> Payload {
    Payload {
        type_name: Str::from(kind),
        client_ip: Str::from("127.0.0.1"),
        body: body.to_string().into(),
    }
}

/// A request of the module `internal` with nothing in it.
pub(super) fn internal() -> Value {
    json!({"headers": {}, "module": "internal"})
}

impl Line {
    /// Connected, and nothing said.
    pub(super) async fn connect(target: &Target) -> Result<Line, String> {
        let authority = format!("{}:{}", target.host, target.port);
        let stream = target.net.connect(&target.host, target.port).await;
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        let io = tokio::io::join(stream.reader, stream.writer);
        let client = Client::connect(io, &authority, MESSAGE_BYTES_MAX).await;
        let mut client = client.map_err(|error| format!("no HTTP/2: {error}"))?;
        client.set_headers(target.headers.clone());
        Ok(Line {
            client,
            local: String::new(),
            last: 0,
            answers: BTreeMap::new(),
            messages: VecDeque::new(),
            polite: true,
            over: false,
        })
    }

    /// Connected, checked and registered, with the table of abilities.
    pub(super) async fn open(target: &Target) -> Result<Line, String> {
        let mut line = Line::connect(target).await?;
        let checked = line.check().await?;
        line.set_up(Some(json!({"fuzzyWatch": true})))?;
        if checked["supportAbilityNegotiation"] == true {
            line.message("SetupAckRequest", SETUP_ACK).await?;
        }
        line.registered().await?;
        Ok(line)
    }

    /// The server check: what it says.
    pub(super) async fn check(&mut self) -> Result<Value, String> {
        let said = self.ask("ServerCheckRequest", &internal()).await?;
        let said = said.succeeded("ServerCheckResponse")?;
        let id = said.body["connectionId"].as_str().unwrap_or_default();
        id.clone_into(&mut self.local);
        Ok(said.body)
    }

    /// The id that the server gave this connection.
    pub(super) fn id(&self) -> &str {
        &self.local
    }

    /// Opens the stream with the setup.
    pub(super) fn set_up(&mut self, abilities: Option<Value>) -> Result<(), String> {
        let mut setup = json!({
            "headers": {}, "clientVersion": "Nacos-Java-Client:v3.1.0", "tenant": "public",
            "labels": {"AppName": "unknown", "module": "naming", "source": "sdk"}, "module": "internal",
        });
        if let Some(abilities) = abilities {
            setup["abilityTable"] = abilities;
        }
        self.tell("ConnectionSetupRequest", &setup)
    }

    /// Waits until the server knows the connection. There is nothing that tells when it does, if it
    /// does not negotiate abilities.
    pub(super) async fn registered(&mut self) -> Result<(), String> {
        let until = Instant::now() + ANSWER;
        loop {
            let said = self.ask("HealthCheckRequest", &internal()).await?;
            let is_late = said.body["errorCode"] == 301 && Instant::now() < until;
            if !is_late {
                return said.succeeded("HealthCheckResponse").map(drop);
            }
            sleep(LOOK).await;
        }
    }

    /// A unary call and its answer.
    pub(super) async fn ask(&mut self, kind: &str, body: &Value) -> Result<Said, String> {
        self.ask_raw(&payload(kind, body)).await
    }

    /// The same with any bytes as the body.
    pub(super) async fn ask_raw(&mut self, payload: &Payload) -> Result<Said, String> {
        self.last += 1;
        let call = self.last;
        self.client.call(call, payload);
        let until = Instant::now() + ANSWER;
        loop {
            if let Some(answer) = self.answers.remove(&call) {
                return answer;
            }
            if !self.hear(until).await? {
                return Err(format!(
                    "no answer to {} within {ANSWER:?}",
                    payload.type_name
                ));
            }
        }
    }

    /// Says something on the stream.
    pub(super) fn tell(&mut self, kind: &str, body: &Value) -> Result<(), String> {
        let sent = self.client.send(&payload(kind, body));
        sent.map_err(|_| "the stream is over".to_owned())
    }

    /// The next message of this type on the stream; others are passed over.
    pub(super) async fn message(
        &mut self,
        kind: &str,
        patience: Duration,
    ) -> Result<Value, String> {
        let found = self.message_if(kind, patience, |_| true).await?;
        found.ok_or_else(|| format!("no {kind} within {patience:?}"))
    }

    /// The next message of this type that is wanted; `None` when time is up.
    pub(super) async fn message_if(
        &mut self,
        kind: &str,
        patience: Duration,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Option<Value>, String> {
        let until = Instant::now() + patience;
        loop {
            while let Some(said) = self.messages.pop_front() {
                if said.kind == kind && is_wanted(&said.body) {
                    return Ok(Some(said.body));
                }
            }
            if !self.hear(until).await? {
                return Ok(None);
            }
        }
    }

    /// True when the server ends the connection in this time.
    pub(super) async fn ends(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            match self.hear(until).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => return self.over,
            }
        }
    }

    /// Takes what the server does next; false when time is up.
    async fn hear(&mut self, until: Instant) -> Result<bool, String> {
        let Ok(event) = timeout_at(until, self.client.next()).await else {
            return Ok(false);
        };
        match event {
            None => {
                self.over = true;
                return Err("the server ended the connection".to_owned());
            }
            Some(Event::Room) => {}
            Some(Event::Answer(call, answer)) => {
                let said = answer.map_err(|status| status.to_string());
                let said = said.and_then(|payload| Said::read(&payload));
                self.answers.insert(call, said);
            }
            Some(Event::Message(payload)) => {
                let said = Said::read(&payload)?;
                if self.polite {
                    self.answer(&said)?;
                }
                self.messages.push_back(said);
            }
        }
        Ok(true)
    }

    fn answer(&mut self, said: &Said) -> Result<(), String> {
        let kind = match &*said.kind {
            "NotifySubscriberRequest" => "NotifySubscriberResponse",
            "ClientDetectionRequest" => "ClientDetectionResponse",
            _ => return Ok(()),
        };
        let id = &said.body["requestId"];
        let body = json!({"resultCode": 200, "errorCode": 0, "requestId": id, "success": true});
        self.tell(kind, &body)
    }
}
