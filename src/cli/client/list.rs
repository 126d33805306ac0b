//! `distro list`.

use std::sync::Arc;

use clap::Args;
use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, ServiceKey};
use distro_core::sdk::io::{Answer, Call};
use serde_json::json;

use super::table::{json_of, plain, row, service_json, table};
use super::{Client, Common, service};
use crate::cli::{DONE, Failure, Format, print};

/// Names asked for at once.
const PAGE: i32 = 500;

/// What `distro list` takes.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// `name`, `group@@name` or `namespace@@group@@name`; without it the services of a group
    #[arg(value_parser = service)]
    service: Option<ServiceKey>,
    /// The group whose services are listed
    #[arg(long, default_value = DEFAULT_GROUP, conflicts_with = "service")]
    group: String,
    /// Only instances of these clusters
    #[arg(long, value_name = "NAME,..", default_value = "", requires = "service")]
    clusters: String,
    /// Only healthy instances
    #[arg(long, requires = "service")]
    healthy: bool,
    #[command(flatten)]
    common: Common,
}

/// Lists the instances of a service, or the services.
///
/// # Errors
/// No node serves, or it refuses.
pub async fn list(arguments: &ListArguments) -> Result<u8, Failure> {
    let mut client = Client::start(&arguments.common).await?;
    match &arguments.service {
        Some(service) => instances(&mut client, arguments, service).await,
        None => services(&mut client, arguments).await,
    }
}

async fn instances(
    client: &mut Client,
    arguments: &ListArguments,
    service: &ServiceKey,
) -> Result<u8, Failure> {
    let query = Call::Query {
        service: service.clone(),
        clusters: Str::from(arguments.clusters.as_str()),
        healthy_only: arguments.healthy,
    };
    let hosts = match client.call(query).await? {
        Answer::Service(info) => info.hosts.clone(),
        Answer::Done | Answer::Services(_) => Arc::default(),
    };
    match arguments.common.format {
        Format::Json => {
            for instance in hosts.iter() {
                print(&json_of(instance).to_string())?;
            }
        }
        Format::Table if hosts.is_empty() => print(&format!("{service} has no instances"))?,
        Format::Table => {
            let rows: Vec<_> = hosts.iter().map(|instance| row(instance)).collect();
            let heading = ["INSTANCE", "CLUSTER", "HEALTH", "WEIGHT", "METADATA"];
            print(&table(heading, &rows))?;
        }
    }
    Ok(DONE)
}

async fn services(client: &mut Client, arguments: &ListArguments) -> Result<u8, Failure> {
    let group = Str::from(arguments.group.as_str());
    let mut names: Vec<Str> = Vec::new();
    for page_no in 1.. {
        let ask = Call::List {
            namespace: Str::from(DEFAULT_NAMESPACE),
            group: group.clone(),
            page_no,
            page_size: PAGE,
        };
        let page = match client.call(ask).await? {
            Answer::Services(page) => page,
            Answer::Done | Answer::Service(_) => break,
        };
        let is_last = page.service_names.is_empty();
        names.extend(page.service_names);
        let count = usize::try_from(page.count).unwrap_or(0);
        if is_last || names.len() >= count {
            break;
        }
    }
    match arguments.common.format {
        Format::Json => {
            for name in names {
                let mut service = ServiceKey::named(&name);
                service.group = group.clone();
                print(&json!({ "service": service_json(&service) }).to_string())?;
            }
        }
        Format::Table if names.is_empty() => print(&format!("no services in group {group}"))?,
        Format::Table => {
            let rows: Vec<[String; 1]> = names.iter().map(|name| [plain(name)]).collect();
            print(&table(["SERVICE"], &rows))?;
        }
    }
    Ok(DONE)
}
