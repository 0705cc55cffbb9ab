//! The binary `glaux`: parses the command line, runs one command, and ends with its exit code. Nothing else is decided here.

mod auth;
mod cli;
mod config;
mod diagnostic;
mod exit_code;
mod figures;
mod flight;
mod interrupt;
mod output;
mod progress;
mod stats;
mod telemetry;
mod transport;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    telemetry::init();
    cli::run(cli::Cli::parse())
}
