//! A server as a process of its own: `glaux serve` on free ports of loopback, with its log in a file. It is ended when it is dropped.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Result,
    metrics::Metrics,
    process::{Ended, Process},
};

/// How long the server may take to listen.
const START: Duration = Duration::from_secs(60);

/// How often is looked whether something has come about.
const POLL: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Server {
    child: Ended,
    log: PathBuf,
    pub(super) flight: SocketAddr,
    pub(super) http: SocketAddr,
}

impl Server {
    /// Serves a data directory; the log is written beside it.
    pub(super) async fn start(bin: &Path, data_dir: &Path) -> Result<Self> {
        let log = data_dir.with_extension("log");
        let mut command = Command::new(bin);
        command.args(["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        // Benches define tables over the folders that they write.
        command.env("GLAUX__ENGINE__LOCATIONS__FILE", "true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn().map_err(|error| format!("{}: {error}", bin.display()))?;
        let mut child = Ended(child);
        let started = Instant::now();
        loop {
            let text = fs::read_to_string(&log)?;
            if let (Some(flight), Some(http)) = (address(&text, "Flight SQL on grpc://"), address(&text, "HTTP on http://")) {
                return Ok(Self { child, log, flight, http });
            }
            if child.0.try_wait()?.is_some() || started.elapsed() > START {
                return Err(format!("{} does not serve: {text}", bin.display()).into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) fn process(&self) -> Process {
        Process::new(self.child.0.id())
    }

    pub(super) async fn metrics(&self) -> Result<Metrics> {
        Metrics::scrape(self.http).await
    }

    /// Waits until the metrics are as they should be; `false` if they are not in time.
    pub(super) async fn settles(&self, patience: Duration, settled: impl Fn(&Metrics) -> bool) -> Result<bool> {
        let started = Instant::now();
        while !settled(&self.metrics().await?) {
            if started.elapsed() > patience {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(true)
    }

    /// Waits until no more files and sockets are open than so many; gives how many there are, be it more.
    pub(super) async fn closes_down_to(&self, files: usize, patience: Duration) -> Result<usize> {
        let started = Instant::now();
        loop {
            let open = self.process().open_files()?;
            if open <= files || started.elapsed() > patience {
                return Ok(open);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Panics that the log tells of.
    pub(super) fn panics(&self) -> Result<usize> {
        let log = fs::read(&self.log)?;
        Ok(String::from_utf8_lossy(&log).lines().filter(|line| line.contains("panicked at")).count())
    }
}

/// The address behind a text that the server prints.
fn address(text: &str, before: &str) -> Option<SocketAddr> {
    // The line has been written whole once there is something behind it.
    let (line, _) = text.split_once(before)?.1.split_once('\n')?;
    line.trim().parse().ok()
}
