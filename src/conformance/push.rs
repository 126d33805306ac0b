//! C.6: subscribers are told.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::line::Line;
use super::naming::{ports, register, subscribed};
use super::{Claim, Seen, Target};

/// Half a second, a tick of 0.1 s, and some more for a busy machine; what it took is told.
const TOLD: Duration = Duration::from_secs(2);
/// The timeout of 5 s, the delay of 1 s, and some more.
const TOLD_AGAIN: Duration = Duration::from_secs(9);

pub(super) fn claims() -> Vec<Claim> {
    vec![
        Claim::new(
            "C.6",
            "a change is pushed with the whole list, half a second later",
            told,
        ),
        Claim::new("C.6", "a push that is not answered is sent again", again),
        Claim::new("C.6", "who unsubscribed is not told", not_told),
    ]
}

/// The next push of a service whose list has these ports.
async fn pushed(
    line: &mut Line,
    service: &str,
    want: &[u64],
    patience: Duration,
) -> Result<Value, String> {
    let is_it = |push: &Value| {
        let info = &push["serviceInfo"];
        info["name"] == service && ports(info).is_ok_and(|ports| ports == want)
    };
    let push = line
        .message_if("NotifySubscriberRequest", patience, is_it)
        .await?;
    push.ok_or_else(|| format!("no push of {want:?} within {patience:?}"))
}

async fn told(target: Rc<Target>) -> Seen {
    let service = target.service();
    let (mut reader, mut one) = (Line::open(&target).await?, Line::open(&target).await?);
    register(&mut one, &service, 80).await?;
    subscribed(&mut reader, &service).await?;
    let mut two = Line::open(&target).await?;
    let since = Instant::now();
    register(&mut two, &service, 81).await?;
    let push = pushed(&mut reader, &service, &[80, 81], TOLD).await?;
    let took = since.elapsed().as_millis();
    if !push["requestId"].is_string() {
        return Err(format!("the requestId of a push is {}", push["requestId"]));
    }
    Ok(format!("after {took} ms"))
}

async fn again(target: Rc<Target>) -> Seen {
    let service = target.service();
    let (mut reader, mut writer) = (Line::open(&target).await?, Line::open(&target).await?);
    reader.polite = false;
    subscribed(&mut reader, &service).await?;
    register(&mut writer, &service, 80).await?;
    pushed(&mut reader, &service, &[80], TOLD).await?;
    let since = Instant::now();
    pushed(&mut reader, &service, &[80], TOLD_AGAIN).await?;
    Ok(format!(
        "again after {:.1} s",
        since.elapsed().as_secs_f64()
    ))
}

async fn not_told(target: Rc<Target>) -> Seen {
    let service = target.service();
    let (mut reader, mut writer) = (Line::open(&target).await?, Line::open(&target).await?);
    subscribed(&mut reader, &service).await?;
    let request = serde_json::json!({"headers": {}, "namespace": "public", "serviceName": service,
        "groupName": "DEFAULT_GROUP", "subscribe": false, "clusters": "", "module": "naming"});
    let said = reader.ask("SubscribeServiceRequest", &request).await?;
    said.succeeded("SubscribeServiceResponse")?;
    register(&mut writer, &service, 80).await?;
    let is_it = |push: &Value| push["serviceInfo"]["name"] == *service;
    match reader
        .message_if("NotifySubscriberRequest", TOLD, is_it)
        .await?
    {
        Some(push) => Err(format!("told: {push}")),
        None => Ok(format!("silent for {TOLD:?}")),
    }
}
