//! `glaux serve`: runs the server until a signal ends it.

use clap::Args;

use super::{
    options::{CommonOptions, ServerFlags},
    runtime::runtime,
    stop::Stop,
};
use crate::{serve, shutdown::Shutdown};

/// Serve Flight SQL to BI tools and programs
///
/// Clients connect with any Arrow Flight SQL driver (ADBC, JDBC, ODBC); docs/clients has a page for each. The HTTP port serves health
/// and metrics. SIGTERM or Ctrl-C ends the server in order: running queries may come to their end, for as long as
/// server.drain_timeout says.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    server: ServerFlags,
}

pub(crate) fn run(options: &CommonOptions, args: &ServeArgs) -> Result<(), Stop> {
    // Before anything else, so that a signal always ends the server in order.
    let shutdown = Shutdown::listen()?;
    let loaded = options.load_with(&args.server)?;
    shutdown.set_patience(loaded.server.drain_timeout.0);
    let runtime = runtime()?;
    let served = runtime.block_on(serve::run(loaded, &shutdown));
    runtime.shutdown_background();
    Ok(served?)
}
