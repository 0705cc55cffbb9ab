//! `glaux serve`: the server's own flags.

use std::net::SocketAddr;

use clap::Args;

use super::{options::CommonOptions, runtime::runtime, stop::Stop};
use crate::{serve, shutdown::Shutdown};

/// Serve Flight SQL to BI tools and programs
///
/// Clients connect with any Arrow Flight SQL driver (ADBC, JDBC, ODBC); docs/clients has a page for each. The HTTP port serves health
/// and metrics. SIGTERM or Ctrl-C ends the server in order: running queries may come to their end, for as long as
/// server.drain_timeout says.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address of Flight SQL; port 0 takes any free one [default: 127.0.0.1:32010]
    #[arg(long, value_name = "ADDR")]
    flight_addr: Option<SocketAddr>,

    /// Address of health and metrics [default: 127.0.0.1:8686]
    #[arg(long, value_name = "ADDR")]
    http_addr: Option<SocketAddr>,

    /// Let anybody on the network read and change everything
    #[arg(long)]
    allow_anonymous_network: bool,
}

pub(crate) fn run(options: &CommonOptions, args: &ServeArgs) -> Result<(), Stop> {
    // Before anything else, so that a signal always ends the server in order.
    let shutdown = Shutdown::listen()?;
    let mut loaded = options.load()?;
    if let Some(address) = args.flight_addr {
        loaded.server.flight_addr = address;
    }
    if let Some(address) = args.http_addr {
        loaded.server.http_addr = address;
    }
    loaded.server.allow_anonymous_network |= args.allow_anonymous_network;
    shutdown.set_patience(loaded.server.drain_timeout.0);
    let runtime = runtime()?;
    let served = runtime.block_on(serve::run(loaded, &shutdown));
    runtime.shutdown_background();
    Ok(served?)
}
