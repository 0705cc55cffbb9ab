//! One measured run: what the contestant says of its time beside what the endpoint's log says of its requests.

use std::{path::PathBuf, time::Duration};

use glaux_engine::accounting::RequestKind;
use glaux_tests::{lake::BUCKET, s3_endpoint::S3Endpoint};
use tempfile::TempDir;

use super::{
    Options,
    footers::Footers,
    lake::Lake,
    query::{BIG, LI, SMALL},
};
use crate::{
    Result,
    contestant::{Contestant, Reported, Setting, Table, Taken, Who},
};

/// Glaux's settings that keep data cold.
const COLD: [(&str, &str); 2] = [("data_cache.memory_bytes", "0"), ("data_cache.disk_bytes", "0")];

/// How long requests that nobody waits for any more may take to end.
const SETTLE: Duration = Duration::from_secs(2);

/// The lake, on the endpoint and in its folder.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) options: Options,
    pub(super) lake: Lake,
    pub(super) endpoint: S3Endpoint,
    li: Footers,
    big: Footers,
    small: Footers,
    /// Glaux's data directories, removed at the end.
    data: TempDir,
}

/// What one run took.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) peak: u64,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) reported: Option<Reported>,
    /// By the endpoint's log.
    pub(super) gets: usize,
    pub(super) lists: usize,
    pub(super) requests: usize,
    /// Bytes of objects.
    pub(super) bytes: u64,
    /// Requests for footers, and their bytes.
    pub(super) footer_gets: usize,
    pub(super) footer_bytes: u64,
    /// The most requests at the same time.
    pub(super) in_flight: usize,
}

impl Measured {
    /// Whether what is reported of requests and bytes is what the endpoint saw; true of those who report nothing.
    pub(super) fn is_reported_right(&self) -> bool {
        self.reported.is_none_or(|reported| reported.requests == self.requests as u64 && reported.fetched_bytes == self.bytes)
    }
}

impl Ground {
    /// Finds or makes the lake and serves it.
    pub(super) async fn prepare(options: Options) -> Result<Self> {
        let lake = Lake::find_or_make(&options.dir, options.scale, options.small_files)?;
        let endpoint = S3Endpoint::start().await;
        for (folder, table) in [(&lake.lineitem, LI), (&lake.lineitem, BIG), (&lake.small, SMALL)] {
            endpoint.put_dir(BUCKET, table.name, folder.join(table.name))?;
        }
        let footers = |folder: &PathBuf, table: Table| Footers::read(&folder.join(table.name), &format!("{}/", table.name));
        let (li, big) = (footers(&lake.lineitem, LI)?, footers(&lake.lineitem, BIG)?);
        let small = footers(&lake.small, SMALL)?;
        let ground = Self { options, lake, endpoint, li, big, small, data: TempDir::new()? };
        for table in [LI, BIG, SMALL] {
            let footers = ground.footers(&table);
            println!(
                "{}: {} files, {} row groups, {:.1} MB, footers {:.3} MB",
                table.name,
                footers.files(),
                footers.row_groups(),
                megabytes(footers.bytes()),
                megabytes(footers.footer_bytes())
            );
        }
        Ok(ground)
    }

    pub(super) fn footers(&self, table: &Table) -> &Footers {
        match table.name {
            "li" => &self.li,
            "big" => &self.big,
            _ => &self.small,
        }
    }

    /// Where a table lies on the endpoint.
    pub(super) fn s3_url(table: &Table) -> String {
        format!("s3://{BUCKET}/{}/", table.name)
    }

    /// Where it lies on this machine.
    pub(super) fn local_url(&self, table: &Table) -> String {
        let folder = if table.name == SMALL.name { &self.lake.small } else { &self.lake.lineitem };
        format!("file://{}/", folder.join(table.name).display())
    }

    /// How contestants are started that read from the endpoint, without any data cache.
    pub(super) fn remote(&self) -> Setting {
        let cold = COLD.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Setting {
            endpoint: Some(self.endpoint.url()),
            python: self.options.peers.clone(),
            options: cold.into_iter().chain(self.options.settings.iter().cloned()).collect(),
        }
    }

    /// How contestants are started that read local files.
    pub(super) fn local(&self) -> Setting {
        Setting { endpoint: None, ..self.remote() }
    }

    /// A data directory, the same for the same name.
    pub(super) fn data_dir(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    /// Those of some contestants that are asked for.
    pub(super) fn contestants(&self, of: impl IntoIterator<Item = Who>) -> Vec<Who> {
        let is_asked_for = |who: &Who| match self.options.only.as_slice() {
            [] => !who.is_peer() || self.options.peers.is_some(),
            only => only.contains(who),
        };
        of.into_iter().filter(is_asked_for).collect()
    }

    /// How long GETs and LISTs take from here on.
    pub(super) fn set_latencies(&self, get: Duration, list: Duration) {
        self.endpoint.set_latency(RequestKind::Get, get);
        self.endpoint.set_latency(RequestKind::Head, get);
        self.endpoint.set_latency(RequestKind::List, list);
    }

    /// Asks a contestant, and reads the log of what it asked.
    pub(super) async fn measured(
        &self,
        contestant: &mut Contestant,
        table: &Table,
        ask: impl FnOnce(&mut Contestant) -> Result<Taken>,
    ) -> Result<Measured> {
        self.settle().await;
        _ = (self.endpoint.take_log(), self.endpoint.take_most_in_flight());
        // This blocks the main thread alone, which serves no requests.
        let asked = ask(contestant);
        let in_flight = self.endpoint.take_most_in_flight();
        self.settle().await;
        let log = self.endpoint.take_log();
        let Taken { wall, cpu, peak, rows, reported } = asked?;
        let footers = self.footers(table);
        let of_kind = |kind| log.iter().filter(move |request| request.kind == kind);
        let of_footers: Vec<_> = log.iter().filter(|request| footers.is_of_footer(request)).collect();
        Ok(Measured {
            wall,
            cpu,
            peak,
            rows,
            reported,
            gets: of_kind(RequestKind::Get).count(),
            lists: of_kind(RequestKind::List).count(),
            requests: log.len(),
            bytes: of_kind(RequestKind::Get).filter(|get| get.status < 300).map(|get| get.bytes_sent).sum(),
            footer_gets: of_footers.len(),
            footer_bytes: of_footers.iter().map(|request| request.bytes_sent).sum(),
            in_flight,
        })
    }

    /// Asks for a query once so that listing, footers and page indexes are known, and then as often as the command line says; gives the
    /// run of median time, and all of them, the first among them.
    pub(super) async fn median(
        &self,
        contestant: &mut Contestant,
        table: &Table,
        sql: &str,
    ) -> Result<(Measured, Vec<Measured>)> {
        let mut runs = Vec::new();
        for _ in 0..=self.options.runs {
            runs.push(self.measured(contestant, table, |contestant| contestant.run(table.name, sql)).await?);
        }
        let mut timed: Vec<&Measured> = runs.iter().skip(1).collect();
        timed.sort_by_key(|run| run.wall);
        let median = timed.get(timed.len() / 2).map_or_else(Measured::default, |run| (*run).clone());
        Ok((median, runs))
    }

    async fn settle(&self) {
        let started = std::time::Instant::now();
        while self.endpoint.in_flight() > 0 && started.elapsed() < SETTLE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
