//! The binary `glaux`: parses the command line, runs one command, and ends with its exit code. Nothing else is decided here.

mod auth;
mod cli;
mod config;
mod data_dir;
mod diagnostic;
mod exit_code;
mod figures;
mod file_stamp;
mod flight;
mod grpc;
mod http;
mod interrupt;
mod lock;
mod output;
mod progress;
mod serve;
mod setting;
mod shutdown;
mod span;
mod statements;
mod stats;
mod telemetry;
mod terminal;
mod transport;

use std::{process::ExitCode, thread};

fn main() -> ExitCode {
    glaux_catalog::contained::silence_contained();
    let cli = cli::parse();
    // Commands run statements themselves, and need a stack as deep as the workers'.
    match thread::Builder::new().name("glaux".to_owned()).stack_size(cli::STACK).spawn(|| cli::run(cli)) {
        Ok(command) => command.join().unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            diagnostic::print(
                &glaux_engine::Error::new(glaux_engine::ErrorKind::LimitExceeded, "cannot start a thread").with_source(error),
            );
            ExitCode::FAILURE
        }
    }
}
