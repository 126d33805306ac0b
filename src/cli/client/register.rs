//! `distro register` and `distro deregister`.

use std::io;

use clap::Args;
use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_CLUSTER, Instance, ServiceKey, Weight};
use distro_core::sdk::io::{Answer, Call, SdkEvent};
use serde_json::json;

use super::local::{Door, Guest, withdraw};
use super::table::{address, clock, json_of, service_json};
use super::{Client, Common, service};
use crate::cli::{BAD_INPUT, DONE, FAILED, Failure, Format, REFUSED, Signals, complain, print};
use crate::settings::member::Member;

/// What `distro register` takes.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "An ephemeral instance lives as long as the connection that registered it: \
    this command stays connected, moves to another of its servers when one is lost, and withdraws \
    the instance on Ctrl-C, on SIGTERM or when `distro deregister` says so."
)]
pub struct RegisterArguments {
    /// `name`, `group@@name` or `namespace@@group@@name`
    #[arg(value_parser = service)]
    service: ServiceKey,
    /// Where the instance is, ip:port
    #[arg(value_name = "IP:PORT", value_parser = place)]
    instance: Place,
    /// Cluster of the instance
    #[arg(long, default_value = DEFAULT_CLUSTER)]
    cluster: String,
    /// Share of the load it takes
    #[arg(long, default_value = "1")]
    weight: f64,
    /// Listed as unhealthy
    #[arg(long)]
    unhealthy: bool,
    /// Free text pairs
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    #[command(flatten)]
    common: Common,
}

/// What `distro deregister` takes.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Only the connection that registered an ephemeral instance can withdraw it, \
    so this asks the `distro register` of the same user on this machine. Whatever else registered \
    it has to withdraw it itself, or end."
)]
pub struct DeregisterArguments {
    /// `name`, `group@@name` or `namespace@@group@@name`
    #[arg(value_parser = service)]
    service: ServiceKey,
    /// Where the instance is, ip:port
    #[arg(value_name = "IP:PORT", value_parser = place)]
    instance: Place,
    #[command(flatten)]
    common: Common,
}

/// Where an instance is.
#[derive(Debug, Clone)]
struct Place(String, u16);

fn place(text: &str) -> Result<Place, String> {
    match Member::read(text) {
        Ok(Member {
            host,
            port: Some(port),
            ports: None,
        }) => Ok(Place(host, port)),
        Ok(_) | Err(_) => high_port(text),
    }
}

/// An instance may have any port, a node's main port not.
fn high_port(text: &str) -> Result<Place, String> {
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    parts
        .and_then(|(host, port)| Some(Place(host.to_owned(), port.parse().ok()?)))
        .ok_or_else(|| "write ip:port, such as 10.1.1.1:80".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl RegisterArguments {
    fn instance(&self) -> Result<Instance, Failure> {
        let Place(ip, port) = &self.instance;
        let mut instance = Instance::new(ip, *port);
        if !self.weight.is_finite() || self.weight < 0.0 {
            let text = format!("--weight {} must be a number from 0 up", self.weight);
            return Err(Failure::new(BAD_INPUT, text));
        }
        instance.weight = Weight(self.weight);
        instance.healthy = !self.unhealthy;
        instance.cluster_name = Str::from(self.cluster.as_str());
        let pairs = self.metadata.iter();
        instance.metadata = pairs
            .map(|(key, value)| (Str::from(key.as_str()), Str::from(value.as_str())))
            .collect();
        Ok(instance)
    }
}

/// Why the wait was over.
enum Over {
    Signal,
    Asked(Guest),
}

/// Registers an instance and keeps it until a signal or a `distro deregister`.
///
/// # Errors
/// No node serves, or it refuses.
pub async fn register(arguments: &RegisterArguments) -> Result<u8, Failure> {
    let instance = arguments.instance()?;
    let mut signals = Signals::catch()?;
    let place = address(&instance);
    let door = match Door::open(&arguments.service, &place).await {
        Ok(door) => Some(door),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let text = format!("another `distro register` keeps {place} registered already");
            return Err(Failure::new(REFUSED, text));
        }
        Err(error) => {
            complain(&format!(
                "`distro deregister` will not find this process: {error}"
            ));
            None
        }
    };
    let mut client = Client::start(&arguments.common).await?;
    let call = Call::Register {
        service: arguments.service.clone(),
        instance: instance.clone(),
    };
    let answered = tokio::select! {
        biased;
        _ = signals.next() => return Ok(DONE),
        answered = client.call(call) => answered?,
    };
    debug_assert_eq!(answered, Answer::Done);
    let teller = Teller {
        arguments,
        instance: &instance,
    };
    let knock = async {
        match &door {
            Some(door) => door.knock().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(knock);
    let over = loop {
        tokio::select! {
            biased;
            _ = signals.next() => break Over::Signal,
            guest = &mut knock => break Over::Asked(guest),
            event = client.event() => teller.event(&event?)?,
        }
    };
    let call = Call::Deregister {
        service: arguments.service.clone(),
    };
    // Closing the connection withdraws as well: a second signal does not wait for the answer.
    let withdrawn = tokio::select! {
        biased;
        (_, code) = signals.next() => return Ok(code),
        withdrawn = client.call(call) => withdrawn,
    };
    if let Over::Asked(guest) = over {
        let text = withdrawn
            .as_ref()
            .err()
            .map_or("", |failure| failure.message.as_str());
        guest.tell(text).await;
    }
    withdrawn?;
    teller.say("deregistered", "", "")?;
    Ok(DONE)
}

struct Teller<'a> {
    arguments: &'a RegisterArguments,
    instance: &'a Instance,
}

impl Teller<'_> {
    fn event(&self, event: &SdkEvent) -> Result<(), Failure> {
        match event {
            SdkEvent::Connected { server, .. } => self.say("connected", "server", server.as_str()),
            SdkEvent::Disconnected { server } => {
                self.say("disconnected", "server", server.as_str())
            }
            SdkEvent::Registered { redo, .. } => {
                let how = if *redo { "again" } else { "first" };
                self.say("registered", "time", how)
            }
            SdkEvent::ListChanged { .. } | SdkEvent::ListIgnored { .. } => Ok(()),
        }
    }

    fn say(&self, what: &str, key: &str, value: &str) -> Result<(), Failure> {
        let service = &self.arguments.service;
        if self.arguments.common.format == Format::Json {
            let mut line = json!({
                "type": what, "at": clock(), "service": service_json(service),
                "instance": json_of(self.instance),
            });
            if !key.is_empty() {
                line[key] = json!(value);
            }
            return print(&line.to_string());
        }
        let place = address(self.instance);
        let text = match (what, value) {
            ("registered", "again") => format!("registered {place} as {service} again"),
            ("registered", _) => {
                format!("registered {place} as {service} until Ctrl-C")
            }
            ("deregistered", _) => format!("deregistered {place} from {service}"),
            (what, value) => format!("{what}: {value}"),
        };
        print(&format!("{} {text}", clock()))
    }
}

/// Withdraws what a `distro register` on this machine keeps registered.
///
/// # Errors
/// None does, or the withdrawal fails.
pub async fn deregister(arguments: &DeregisterArguments) -> Result<u8, Failure> {
    let Place(ip, port) = &arguments.instance;
    let (place, service) = (format!("{ip}:{port}"), &arguments.service);
    let asked = tokio::time::timeout(arguments.common.timeout, withdraw(service, &place)).await;
    match asked {
        Ok(Ok(problem)) if problem.is_empty() => {
            match arguments.common.format {
                Format::Json => {
                    let service = service_json(service);
                    let line = json!({ "type": "deregistered", "service": service });
                    print(&line.to_string())?;
                }
                Format::Table => print(&format!("deregistered {place} from {service}"))?,
            }
            Ok(DONE)
        }
        Ok(Ok(problem)) => Err(Failure::new(FAILED, problem)),
        Ok(Err(_)) => Err(Failure::new(
            REFUSED,
            format!(
                "no `distro register` of this user on this machine keeps {place} of {service}: \
                 only the process that registered an ephemeral instance can withdraw it, by \
                 saying so or by ending"
            ),
        )),
        Err(_) => Err(Failure::new(
            FAILED,
            "the process that keeps it does not answer",
        )),
    }
}
