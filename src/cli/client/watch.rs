//! `distro watch`.

use std::sync::Arc;

use clap::Args;
use distro_core::ids::Str;
use distro_core::message::naming::{Instance, ServiceInfo, ServiceKey};
use distro_core::sdk::io::{Answer, Call, SdkEvent};
use serde_json::json;

use super::table::{Colour, clock, difference, json_of, painted, row, service_json};
use super::{Client, Common, service};
use crate::cli::{DONE, Failure, Format, Signals, complain, print};

/// What `distro watch` takes.
#[derive(Debug, Clone, Args)]
pub struct WatchArguments {
    /// `name`, `group@@name` or `namespace@@group@@name`; it need not exist yet
    #[arg(value_parser = service)]
    service: ServiceKey,
    /// Only instances of these clusters
    #[arg(long, value_name = "NAME,..", default_value = "")]
    clusters: String,
    #[command(flatten)]
    common: Common,
}

/// Shows each change of a service until a signal.
///
/// # Errors
/// No node serves, or it refuses.
pub async fn watch(arguments: &WatchArguments) -> Result<u8, Failure> {
    let mut signals = Signals::catch()?;
    let mut client = Client::start(&arguments.common).await?;
    let subscribe = Call::Subscribe {
        service: arguments.service.clone(),
        clusters: Str::from(arguments.clusters.as_str()),
    };
    let mut shown = Shown {
        format: arguments.common.format,
        hosts: None,
        connected: None,
    };
    let first = tokio::select! {
        biased;
        _ = signals.next() => return Ok(DONE),
        first = client.call(subscribe) => first?,
    };
    if let Answer::Service(info) = first {
        shown.list(&info)?;
    }
    loop {
        let event = tokio::select! {
            biased;
            _ = signals.next() => return Ok(DONE),
            event = client.event() => event?,
        };
        match event {
            SdkEvent::ListChanged { info } => shown.list(&info)?,
            SdkEvent::Connected { server, .. } => shown.connected(server.as_str())?,
            SdkEvent::Disconnected { server } => shown.disconnected(server.as_str())?,
            SdkEvent::Registered { .. } | SdkEvent::ListIgnored { .. } => {}
        }
    }
}

/// What the reader has seen.
struct Shown {
    format: Format,
    hosts: Option<Arc<[Arc<Instance>]>>,
    connected: Option<String>,
}

impl Shown {
    fn list(&mut self, info: &ServiceInfo) -> Result<(), Failure> {
        if self.hosts.as_ref() == Some(&info.hosts) {
            return Ok(());
        }
        let before = self.hosts.replace(info.hosts.clone());
        let found = difference(before.as_deref().unwrap_or_default(), &info.hosts);
        if self.format == Format::Json {
            let all = |list: &[Arc<Instance>]| list.iter().map(|i| json_of(i)).collect::<Vec<_>>();
            let line = json!({
                "type": "list", "time": clock(), "service": service_json(&info.service),
                "instances": all(&info.hosts), "added": all(&found.added),
                "removed": all(&found.removed), "changed": all(&found.changed),
            });
            return print(&line.to_string());
        }
        let parts = [
            ("+", Colour::Green, found.added),
            ("-", Colour::Red, found.removed),
            ("~", Colour::Yellow, found.changed),
        ];
        let count = info.hosts.len();
        let noun = if count == 1 { "instance" } else { "instances" };
        print(&format!("{} {} has {count} {noun}", clock(), info.service))?;
        for (sign, colour, list) in parts {
            for instance in list {
                let line = format!("  {sign} {}", row(&instance).join("  "));
                print(&painted(colour, line.trim_end()))?;
            }
        }
        Ok(())
    }

    /// Where the lists come from is worth a line when it changes.
    fn connected(&mut self, server: &str) -> Result<(), Failure> {
        if self.connected.as_deref() == Some(server) {
            return Ok(());
        }
        self.connected = Some(server.to_owned());
        self.say("connected", server)
    }

    fn disconnected(&mut self, server: &str) -> Result<(), Failure> {
        self.connected = None;
        self.say("disconnected", server)
    }

    fn say(&self, what: &str, server: &str) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                print(&json!({ "type": what, "time": clock(), "server": server }).to_string())
            }
            Format::Table => {
                complain(&format!("{} {what}: {server}", clock()));
                Ok(())
            }
        }
    }
}
