//! The binary `glaux`: parses the command line, runs one command, and ends with its exit code. Nothing else is decided here.

mod auth;
mod cli;
mod config;
mod data_dir;
mod diagnostic;
mod exit_code;
mod figures;
mod flight;
mod grpc;
mod http;
mod interrupt;
mod output;
mod progress;
mod serve;
mod setting;
mod shutdown;
mod stats;
mod telemetry;
mod transport;

use std::process::ExitCode;

fn main() -> ExitCode {
    glaux_catalog::contained::silence_contained();
    cli::run(cli::parse())
}
