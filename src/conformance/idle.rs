//! C.4: how the ends of a connection know that the other is there.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::line::{Line, internal};
use super::naming::{hosts, register};
use super::{Claim, Seen, Target};

/// A connection may be idle for 20 s; a server looks every 3 s, and is given some more.
const DETECTED: Duration = Duration::from_secs(30);
/// From the detection to the end of who does not answer: a second, or the next look, and some more.
const GONE: Duration = Duration::from_secs(15);
/// How soon nobody may be told of an instance whose transport ended, once its end is known.
const FORGOTTEN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn claims() -> Vec<Claim> {
    vec![
        Claim::new(
            "C.4",
            "HealthCheck of a registered connection is answered",
            healthy,
        ),
        Claim::new(
            "C.4",
            "who is idle for 20 s is detected, and stays when it answers",
            detected,
        ),
        Claim::new(
            "C.4",
            "who does not answer the detection is dropped",
            dropped,
        ),
        Claim::new(
            "C.4",
            "the end of a transport takes its instances along",
            unregistered,
        ),
    ]
}

async fn healthy(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let said = line.ask("HealthCheckRequest", &internal()).await?;
    Ok(said.succeeded("HealthCheckResponse")?.short())
}

async fn detected(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    let since = Instant::now();
    line.message("ClientDetectionRequest", DETECTED).await?;
    let after = since.elapsed();
    let said = line.ask("HealthCheckRequest", &internal()).await?;
    said.succeeded("HealthCheckResponse")?;
    Ok(format!("detected after {:.1} s", after.as_secs_f64()))
}

async fn dropped(target: Rc<Target>) -> Seen {
    let mut line = Line::open(&target).await?;
    line.polite = false;
    line.message("ClientDetectionRequest", DETECTED).await?;
    let since = Instant::now();
    if line.ends(GONE).await {
        Ok(format!(
            "dropped {:.1} s later",
            since.elapsed().as_secs_f64()
        ))
    } else {
        Err(format!("still connected {GONE:?} after the detection"))
    }
}

async fn unregistered(target: Rc<Target>) -> Seen {
    let service = target.service();
    let mut reader = Line::open(&target).await?;
    let mut writer = Line::open(&target).await?;
    register(&mut writer, &service, 80).await?;
    if hosts(&mut reader, &service).await?.len() != 1 {
        return Err("the instance is not listed at its own server".to_owned());
    }
    drop(writer);
    let since = Instant::now();
    while !hosts(&mut reader, &service).await?.is_empty() {
        if since.elapsed() > FORGOTTEN {
            return Err(format!("still listed {FORGOTTEN:?} after the end"));
        }
        sleep(LOOK).await;
    }
    Ok(format!(
        "gone after {} ms at most",
        since.elapsed().as_millis()
    ))
}
