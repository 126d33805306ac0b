//! `distro bench`.

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{BAD_INPUT, DONE, FAILED, Failure, Format, REFUSED, complain, print, runtime};
use crate::bench::{Plan, Target, Workload};
use crate::carrier::Carrier;
use crate::cli::client::{member, time};
use crate::settings::MAIN_PORT;
use crate::settings::member::Member;
use crate::shell::Directory;

/// What is done to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Register instances, and once all are there, again with other content
    Register,
    /// Deregister and register in turn
    Churn,
    /// Ask for the lists of services, after all instances were registered
    Query,
    /// Change an instance at one node and wait until a subscriber of another is told
    Propagate,
    /// Hold connections and do nothing but what keeps them alive
    Idle,
}

/// How nodes are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// Our own frames
    Tcp,
    /// Nacos's gRPC, as SDKs speak it
    Grpc,
    /// One after the other
    Both,
}

impl How {
    fn carriers(self) -> &'static [Carrier] {
        match self {
            How::Tcp => &[Carrier::Tcp],
            How::Grpc => &[Carrier::Grpc],
            How::Both => &[Carrier::Tcp, Carrier::Grpc],
        }
    }
}

/// What `distro bench` takes.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without --rate the registry sets the pace: each connection keeps --depth requests \
    under way. With --rate operations have intended times and latency counts from there, so nothing \
    that waits is left out. Exits 1 when an operation failed."
)]
pub struct BenchArguments {
    #[arg(value_enum)]
    workload: What,
    /// Nodes by main address; connections take them in turn
    #[arg(
        long,
        short,
        value_name = "HOST:PORT,..",
        env = "DISTRO_SERVER",
        default_value = "127.0.0.1:8848",
        value_parser = member,
        value_delimiter = ','
    )]
    server: Vec<Member>,
    /// How nodes are spoken to; with both, --format json prints one document per line
    #[arg(long, value_enum, env = "DISTRO_CARRIER", default_value = "tcp")]
    carrier: How,
    /// Connections of all nodes together; for propagate, pairs of them
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Instances of all connections together
    #[arg(long, value_name = "N", default_value = "3000", value_parser = clap::value_parser!(u32).range(1..))]
    instances: u32,
    /// How long it is measured
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Operations per second of all connections together; for propagate 100 unless given
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Requests under way on each connection, without --rate
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u32).range(1..1024))]
    depth: u32,
    /// How long an answer or a push may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    /// Processes of this machine whose processor time and memory are told
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pid: Vec<u32>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn plan(arguments: &BenchArguments) -> Result<Plan, Failure> {
    let mut directory = Directory::default();
    let mut targets = Vec::new();
    for member in &arguments.server {
        member.note(MAIN_PORT, &mut directory);
        let node = member.node(MAIN_PORT);
        let ports = directory.ports(&node);
        let ports =
            ports.ok_or_else(|| Failure::new(BAD_INPUT, format!("{node} has no usable port")))?;
        targets.push(Target {
            host: node.ip().to_owned(),
            port: ports.sdk,
        });
    }
    let workload = match arguments.workload {
        What::Register => Workload::Register,
        What::Churn => Workload::Churn,
        What::Query => Workload::Query,
        What::Propagate => Workload::Propagate,
        What::Idle => Workload::Idle,
    };
    let is_fine = |rate: &f64| rate.is_finite() && *rate > 0.0;
    if let Some(rate) = arguments.rate.filter(|rate| !is_fine(rate)) {
        let text = format!("--rate {rate} must be a number above 0");
        return Err(Failure::new(BAD_INPUT, text));
    }
    if workload == Workload::Propagate && targets.len() < 2 {
        let text = "propagate needs two nodes at least: --server A:8848,B:8848";
        return Err(Failure::new(BAD_INPUT, text));
    }
    if workload != Workload::Idle && arguments.instances < arguments.connections {
        let text = format!(
            "{} instances leave some of {} connections without one: raise --instances or lower \
             --connections",
            arguments.instances, arguments.connections
        );
        return Err(Failure::new(BAD_INPUT, text));
    }
    let unless_given = (workload == Workload::Propagate).then_some(100.0);
    Ok(Plan {
        targets,
        carrier: Carrier::default(),
        workload,
        connections: arguments.connections,
        instances: arguments.instances,
        depth: arguments.depth,
        rate: arguments.rate.or(unless_given),
        length: Duration::from_secs(arguments.seconds),
        timeout: arguments.timeout,
        processes: arguments.pid.clone(),
    })
}

/// Loads a cluster and tells what it took.
///
/// # Errors
/// The input is wrong, or the load could not begin.
pub fn main(arguments: &BenchArguments) -> Result<u8, Failure> {
    let mut plan = plan(arguments)?;
    let is_watched = std::io::stderr().is_terminal();
    let progress = |done, failed| {
        if is_watched {
            complain(&format!("{done} done, {failed} failed"));
        }
    };
    let mut code = DONE;
    for carrier in arguments.carrier.carriers() {
        plan.carrier = *carrier;
        let report = runtime()?.block_on(crate::bench::run(&plan, progress));
        let report = report.map_err(|text| Failure::new(FAILED, text))?;
        print(&match arguments.format {
            Format::Table => report.text(),
            Format::Json => report.json().to_string(),
        })?;
        if report.tally().failed() > 0 {
            code = REFUSED;
        }
    }
    Ok(code)
}
