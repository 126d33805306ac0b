//! `distro-sim`: runs scenario files, compares traces, prints the reference of the format.
//!
//! Exit codes: 0 all held · 1 a property was violated (or two traces differ) · 2 the input is
//! wrong, nothing ran · 3 a run itself failed.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::main(cli::Arguments::parse())
}
