//! The commands of the binary `distro`.
//!
//! Exit codes: 0 done · 1 the registry said no · 2 the input is wrong, nothing was done · 3 it
//! could not be done: a port in use, nobody listens, not ready.
//!
//! # Layout
//! - [`serve`]: a node · [`client`]: `register`, `deregister`, `list`, `watch`
//! - [`operate`]: `clients`, `members`, `diff`, `limits`, `rebalance`, `log` ·
//!   `password`: `hash-password` · [`bench`]: `bench` ·
//!   [`conformance`]: `conformance`

pub mod bench;
pub mod client;
pub mod conformance;
pub mod operate;
mod password;
pub mod serve;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::text::{plain_coloured, plain_lines};

/// Done.
pub const DONE: u8 = 0;
/// The registry said no.
pub const REFUSED: u8 = 1;
/// The input is wrong.
pub const BAD_INPUT: u8 = 2;
/// It could not be done.
pub const FAILED: u8 = 3;

/// A registry for ephemeral services that keeps answering when the network does not.
#[derive(Debug, Parser)]
#[command(name = "distro", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node; without settings a standalone one on Nacos's ports
    Serve(serve::ServeArguments),
    /// Register an instance and keep it registered until Ctrl-C
    Register(client::register::RegisterArguments),
    /// Withdraw what a `distro register` on this machine keeps registered
    Deregister(client::register::DeregisterArguments),
    /// List the instances of a service, or the services
    List(client::list::ListArguments),
    /// Show each change of a service as it happens, until Ctrl-C
    Watch(client::watch::WatchArguments),
    /// List the clients of a node, its own and those of others that it knows
    Clients(operate::show::ClientsArguments),
    /// List the members as a node sees them, and what verify found with each
    Members(operate::show::MembersArguments),
    /// Tell which records differ between nodes, and why; exits 1 if any does
    Diff(operate::diff::DiffArguments),
    /// Show or replace a node's limits on client connections
    Limits(operate::change::LimitsArguments),
    /// Send clients of a node to other nodes
    Rebalance(operate::change::RebalanceArguments),
    /// Show or change the level of a node's log
    Log(operate::change::LogArguments),
    /// Load a running cluster and tell what it took
    Bench(bench::BenchArguments),
    /// Examine whether a server speaks Nacos's protocol, point by point
    Conformance(conformance::ConformanceArguments),
    /// Make the hash of a password, read from standard input, for `auth.users`
    HashPassword,
    /// Print what makes a shell complete these commands
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON object per line, for machines.
    Json,
}

/// Why a command did not do its work: its exit code and what to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For people; empty when everything was said.
    pub message: String,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }
}

/// What the command line says; an error is told, and its exit code given.
///
/// # Errors
/// It says nothing that can be done, or asks for help.
pub fn arguments() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| {
        let text = error.render();
        let is_coloured = if error.use_stderr() {
            coloured(&std::io::stderr())
        } else {
            coloured(&std::io::stdout())
        };
        let text = if is_coloured {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        // If nobody reads there is nobody to tell.
        let text = plain_coloured(&text);
        if error.use_stderr() {
            write!(std::io::stderr().lock(), "{text}").unwrap_or_default();
        } else {
            write!(std::io::stdout().lock(), "{text}").unwrap_or_default();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT))
    })
}

/// Runs a command and gives its exit code.
pub fn main(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Serve(arguments) => serve::main(arguments),
        Command::Register(arguments) => client::run(client::register::register(arguments)),
        Command::Deregister(arguments) => client::run(client::register::deregister(arguments)),
        Command::List(arguments) => client::run(client::list::list(arguments)),
        Command::Watch(arguments) => client::run(client::watch::watch(arguments)),
        Command::Clients(arguments) => client::run(operate::show::clients(arguments)),
        Command::Members(arguments) => client::run(operate::show::members(arguments)),
        Command::Diff(arguments) => client::run(operate::diff::diff(arguments)),
        Command::Limits(arguments) => client::run(operate::change::limits(arguments)),
        Command::Rebalance(arguments) => client::run(operate::change::rebalance(arguments)),
        Command::Log(arguments) => client::run(operate::change::log(arguments)),
        Command::Bench(arguments) => bench::main(arguments),
        Command::Conformance(arguments) => conformance::main(arguments),
        Command::HashPassword => password::hash(),
        Command::Completion { shell } => completion(*shell),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, message }) => {
            // What a registry said may be in it; only diagnostics of input have colours of their
            // own.
            let message = if code == BAD_INPUT {
                message
            } else {
                plain_lines(&message).into_owned()
            };
            if !message.is_empty() {
                complain(&message);
            }
            ExitCode::from(code)
        }
    }
}

fn completion(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "distro", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(DONE)
}

/// Tells people something that is not the result.
pub(crate) fn complain(message: &str) {
    // If standard error is closed there is nobody to tell.
    let message = plain_coloured(message);
    writeln!(std::io::stderr().lock(), "{message}").unwrap_or_default();
}

/// Prints a line of the result.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let line = plain_coloured(line);
    let printed = writeln!(out, "{line}").and_then(|()| out.flush());
    printed.map_err(|_| Failure::new(FAILED, ""))
}

/// True when colours may be used on standard output.
pub(crate) fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The current-thread runtime that everything here runs on.
///
/// # Errors
/// The system gives none.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FAILED, format!("no event loop: {error}")))
}

/// The two signals that ask a process to stop.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on they do not kill the process.
    ///
    /// # Errors
    /// The system does not let them be caught.
    pub(crate) fn catch() -> Result<Signals, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let catch = |kind| {
            signal(kind).map_err(|error| Failure::new(FAILED, format!("no signals: {error}")))
        };
        Ok(Signals {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// The next one: its name and its exit code.
    pub(crate) async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => ("SIGINT", 130),
            _ = self.terminate.recv() => ("SIGTERM", 143),
        }
    }
}
