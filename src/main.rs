//! `distro`: a registry node and the commands to use one.

use std::process::ExitCode;

use distro_node::cli;

fn main() -> ExitCode {
    match cli::arguments() {
        Ok(arguments) => cli::main(&arguments),
        Err(code) => code,
    }
}
