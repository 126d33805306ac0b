//! `distro conformance`.

use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use super::client::TlsArguments;
use super::client::table::{plain, table};
use super::{BAD_INPUT, DONE, FAILED, Failure, Format, REFUSED, complain, print, runtime};
use crate::carrier::grpc::payload::Headers;
use crate::conformance::{self, Finding, Target, Verdict};
use crate::net::Net;
use crate::tls::net::TlsNet;

/// What `distro conformance` takes.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Takes about 35 seconds: a server may take that long to notice that a client is silent. Leaves \
    nothing behind: what is registered goes with its connection. Exits 0 when every claim that was asked \
    holds, 1 when one does not, 3 when the server can't be reached."
)]
pub struct ConformanceArguments {
    /// The port for SDKs' gRPC, which usually is the main port plus 1000
    #[arg(long, short, value_name = "HOST:PORT", value_parser = address)]
    target: (String, u16),
    /// Only these points of the checklist, such as C.2,C.5
    #[arg(long, value_name = "POINT,..", value_delimiter = ',', value_parser = point)]
    only: Vec<String>,
    /// The token of a login, for servers that ask for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "DISTRO_ACCESS_TOKEN",
        hide_env_values = true
    )]
    access_token: Option<String>,
    /// How the findings are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    tls: TlsArguments,
}

fn address(text: &str) -> Result<(String, u16), String> {
    let right = "write host:port, such as 127.0.0.1:9848";
    let (host, port) = text.rsplit_once(':').ok_or(right)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port: u16 = port.parse().map_err(|_| right)?;
    if host.is_empty() || port == 0 {
        return Err(right.to_owned());
    }
    Ok((host.to_owned(), port))
}

fn point(text: &str) -> Result<String, String> {
    let points = conformance::points();
    if points.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("the points are {}", points.join(", ")))
    }
}

/// Examines a server and prints what was found.
///
/// # Errors
/// The input is wrong, or nobody listens.
pub fn main(arguments: &ConformanceArguments) -> Result<u8, Failure> {
    let (host, port) = &arguments.target;
    let connector = arguments.tls.connector()?;
    let net = TlsNet { connector };
    let token = arguments.access_token.iter();
    let headers: Headers = token
        .map(|token| ("accessToken".to_owned(), token.clone()))
        .collect();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| Failure::new(BAD_INPUT, "the clock shows a time before 1970"))?;
    let run = since.as_millis().to_string();
    let is_watched = std::io::stderr().is_terminal();
    let findings = runtime()?.block_on(async {
        net.connect(host, *port)
            .await
            .map_err(|error| Failure::new(FAILED, format!("{host}:{port}: {error}")))?;
        let target = Rc::new(Target::new(host, *port, headers, net, &run));
        let tell = |finding: &Finding| {
            if is_watched {
                complain(&format!(
                    "{} {}: {}",
                    finding.point,
                    finding.claim,
                    finding.verdict.name()
                ));
            }
        };
        Ok(conformance::run(target, &arguments.only, tell).await)
    })?;
    show(&findings, arguments.format)?;
    let any = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    let fails = any(Verdict::Fail);
    if fails && !any(Verdict::Pass) {
        complain(&format!(
            "nothing passed: is {port} the port for SDKs' gRPC? It usually is the main port plus 1000"
        ));
    }
    Ok(if fails { REFUSED } else { DONE })
}

fn show(findings: &[Finding], format: Format) -> Result<(), Failure> {
    let count = |verdict| {
        findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    };
    match format {
        Format::Table => {
            let rows: Vec<_> = findings
                .iter()
                .map(|finding| {
                    let cells = [finding.point, finding.verdict.name(), finding.claim, &finding.seen];
                    cells.map(plain)
                })
                .collect();
            print(&table(["point", "verdict", "claim", "seen"], &rows))?;
            print(&format!(
                "{} pass, {} fail, {} skipped",
                count(Verdict::Pass),
                count(Verdict::Fail),
                count(Verdict::Skipped)
            ))
        }
        Format::Json => findings.iter().try_for_each(|finding| {
            let line = json!({
                "point": finding.point, "claim": finding.claim, "verdict": finding.verdict.name().to_lowercase(),
                "seen": finding.seen,
            });
            print(&line.to_string())
        }),
    }
}
