//! C.1 to C.3: how calls are made, who may make them, and how a connection is set up.

use std::rc::Rc;
use std::time::Duration;

use distro_core::ids::Str;
use serde_json::json;

use super::line::{Line, internal};
use super::{Claim, Seen, Target, raw};
use crate::codec::Payload;

/// How long an acknowledgement may take.
const ACK: Duration = Duration::from_secs(5);
/// How long nothing has to come until nothing is coming.
const SILENCE: Duration = Duration::from_secs(1);

pub(super) fn claims() -> Vec<Claim> {
    vec![
        Claim::new(
            "C.1",
            "/Request/request answers by metadata.type, in JSON",
            unary,
        ),
        Claim::new("C.1", "the type_url of a body is ignored", type_url),
        Claim::new("C.1", "a message compressed by gzip is accepted", gzip),
        Claim::new(
            "C.1",
            "/BiRequestStream/requestBiStream takes the setup",
            stream,
        ),
        Claim::new("C.1", "an unknown method is gRPC status 12", unknown_method),
        Claim::new(
            "C.2",
            "a transport has one id, millis_ip_port, and no other has it",
            ids,
        ),
        Claim::new("C.2", "301 before the setup", unregistered),
        Claim::new("C.2", "302 for an unknown type, before 301", unknown_type),
        Claim::new(
            "C.2",
            "502 for a type of the members' port (2.4.3 and later)",
            forbidden,
        ),
        Claim::new("C.2", "502 for a body that does not parse", unreadable),
        Claim::new(
            "C.3",
            "the server check is answered before the setup",
            checked_first,
        ),
        Claim::new(
            "C.3",
            "SetupAck for a setup with abilityTable, when it negotiates",
            acknowledged,
        ),
        Claim::new(
            "C.3",
            "no SetupAck for a setup without abilityTable (2.3.1 and later)",
            not_acknowledged,
        ),
        Claim::new(
            "C.3",
            "what is promised about persistent instances is kept",
            persistent,
        ),
    ]
}

async fn unary(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    line.check().await?;
    Ok("ServerCheckResponse".to_owned())
}

async fn raw_check(target: &Target, gzip: bool) -> Seen {
    let reply = raw::call(target, "/Request/request", &raw::server_check(), gzip).await?;
    let kind = reply.message.and_then(|message| message.metadata);
    match kind.map(|metadata| metadata.r#type) {
        Some(kind) if kind == "ServerCheckResponse" => Ok(kind),
        Some(kind) => Err(format!("{kind} instead of ServerCheckResponse")),
        None => Err(format!("no message; gRPC status {:?}", reply.status)),
    }
}

async fn type_url(target: Rc<Target>) -> Seen {
    raw_check(&target, false).await
}

async fn gzip(target: Rc<Target>) -> Seen {
    raw_check(&target, true).await
}

async fn stream(target: Rc<Target>) -> Seen {
    Line::open(&target).await?;
    Ok("HealthCheckResponse after it".to_owned())
}

async fn unknown_method(target: Rc<Target>) -> Seen {
    let reply = raw::call(&target, "/Nobody/knows", &raw::server_check(), false).await?;
    match reply.status {
        Some(12) => Ok("gRPC status 12".to_owned()),
        other => Err(format!("gRPC status {other:?}")),
    }
}

async fn ids(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    line.check().await?;
    let first = line.id().to_owned();
    line.check().await?;
    let mut other = Line::connect(&target).await?;
    other.check().await?;
    let parts: Vec<&str> = first.splitn(3, '_').collect();
    let [millis, _, port] = parts[..] else {
        return Err(format!("`{first}` is not millis_ip_port"));
    };
    // Our own server says more after the port, so that an id is never given twice.
    let port = port.split('_').next().unwrap_or_default();
    if millis.parse::<u64>().is_err() || port.parse::<u16>().is_err() || first.contains('#') {
        return Err(format!("`{first}` is not millis_ip_port"));
    }
    if line.id() != first || other.id() == first {
        return Err(format!(
            "{first}, then {}; another {}",
            line.id(),
            other.id()
        ));
    }
    Ok(first)
}

async fn unregistered(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    line.ask("HealthCheckRequest", &internal())
        .await?
        .refused(301)
}

async fn unknown_type(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    line.ask("NobodyKnowsRequest", &internal())
        .await?
        .refused(302)
}

async fn forbidden(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    let snapshot = json!({"headers": {}, "dataOperation": "SNAPSHOT", "module": "internal"});
    line.ask("DistroDataRequest", &snapshot).await?.refused(502)
}

async fn unreadable(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let payload = Payload {
        type_name: Str::from("InstanceRequest"),
        client_ip: Str::from(""),
        body: bytes::Bytes::from_static(b"{\"namespace\":"),
    };
    line.ask_raw(&payload).await?.refused(502)
}

async fn checked_first(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    let checked = line.check().await?;
    Ok(format!(
        "supportAbilityNegotiation {}",
        checked["supportAbilityNegotiation"]
    ))
}

async fn acknowledged(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    if line.check().await?["supportAbilityNegotiation"] != true {
        return Ok("it does not negotiate".to_owned());
    }
    line.set_up(Some(json!({})))?;
    let ack = line.message("SetupAckRequest", ACK).await?;
    let Some(table) = ack["abilityTable"].as_object() else {
        return Err(format!("no abilityTable in {ack}"));
    };
    if table.values().all(serde_json::Value::is_boolean) {
        Ok(ack["abilityTable"].to_string())
    } else {
        Err(format!("an ability that is no boolean in {ack}"))
    }
}

async fn not_acknowledged(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    line.check().await?;
    line.set_up(None)?;
    line.registered().await?;
    match line
        .message_if("SetupAckRequest", SILENCE, |_| true)
        .await?
    {
        None => Ok("registered without one".to_owned()),
        Some(ack) => Err(format!("SetupAckRequest {ack}")),
    }
}

async fn persistent(target: Rc<Target>) -> Seen {
    let mut line = Line::connect(&target).await?;
    let negotiates = line.check().await?["supportAbilityNegotiation"] == true;
    line.set_up(Some(json!({})))?;
    let mut promised = false;
    if negotiates {
        let ack = line.message("SetupAckRequest", ACK).await?;
        promised = ack["abilityTable"]["supportPersistentInstanceByGrpc"] == true;
    }
    line.registered().await?;
    let service = target.service();
    let request = super::naming::persistent_request(&service, "registerInstance");
    let said = line.ask("PersistentInstanceRequest", &request).await?;
    let seen = format!("promised: {promised}; {}", said.short());
    if said.body["success"] == true {
        let request = super::naming::persistent_request(&service, "deregisterInstance");
        line.ask("PersistentInstanceRequest", &request).await?;
    }
    if promised && said.body["success"] != true {
        return Err(seen);
    }
    Ok(seen)
}
