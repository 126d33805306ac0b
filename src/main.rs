//! `distro`: a registry node and the commands to use one.

use std::process::ExitCode;

use clap::Parser;
use distro_node::cli;

fn main() -> ExitCode {
    cli::main(&cli::Arguments::parse())
}
