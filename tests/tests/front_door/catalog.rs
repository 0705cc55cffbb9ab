//! One catalog service and several who use it: engines in this process, command lines, a second server. What one of them defines
//! the next statement of another sees; what two change at once some order explains; what was acknowledged outlives the service;
//! who may not change something does not.

mod access;
mod repair;
mod together;

use std::{path::Path, process::Command, sync::Arc};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use glaux_catalog::grpc::{Credentials, RemoteMetastore, RemoteOptions};
use glaux_engine::{Engine, EngineOptions, Error, Parts, Session, SessionOptions};
use glaux_tests::{lake::Lake, runner::render, server::Server};
use libtest_mimic::Trial;
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    [together::trials(), access::trials(), repair::trials()].into_iter().flatten().collect()
}

/// An engine with a data directory of its own, and the catalog of a service.
#[derive(Debug)]
struct Shared {
    engine: Engine,
    session: Session,
    /// Removed when the engine goes.
    _data: TempDir,
}

/// How to reach a server's catalog service.
fn options(server: &Server) -> RemoteOptions {
    RemoteOptions::new(format!("grpc://{}", server.flight()))
}

fn as_user(server: &Server, user: &str, password: &str) -> RemoteOptions {
    let credentials = Credentials::Password { user: user.to_owned(), password: password.to_owned() };
    RemoteOptions { credentials, ..options(server) }
}

impl Shared {
    async fn on(remote: &RemoteOptions) -> Result<Self, Error> {
        let data = tempfile::tempdir().expect("a folder can be made");
        let options = EngineOptions {
            data_dir: data.path().join("data"),
            parallelism: Some(2),
            memory_limit: Some(1 << 30),
            ..EngineOptions::default()
        };
        let metastore = Arc::new(RemoteMetastore::connect(remote).await?);
        let engine = Engine::open_with(options, Parts { metastore: Some(metastore), ..Parts::default() }).await?;
        Ok(Self { engine, session: Session::new(SessionOptions::default()), _data: data })
    }

    /// A statement's rows as text, `|` between the values.
    async fn run(&self, sql: &str) -> Result<Vec<String>, Error> {
        let query = self.engine.submit(&self.session, sql).await.map_err(|failure| failure.error)?;
        let batches: Vec<RecordBatch> = query.try_collect().await?;
        let rows = batches.iter().flat_map(|batch| render::rows(batch).expect("values can be shown"));
        Ok(rows.map(|row| row.join("|")).collect())
    }
}

/// A server that owns a catalog.
fn server() -> Server {
    Server::start(None, "")
}

/// A lake with files at `t/p=1` to `t/p=N`, of one row each: `n` is the partition's number.
async fn lake(partitions: usize) -> Lake {
    let lake = Lake::in_folder();
    let writer = glaux_tests::instance::Instance::start(Lake::in_folder()).await;
    for n in 1..=partitions {
        let outcome = writer.run(&format!("SELECT CAST({n} AS BIGINT) AS n")).await;
        lake.write(&format!("t/p={n}/a.parquet"), &outcome.schema, &outcome.batches, &Default::default())
            .expect("a file can be written");
    }
    lake
}

/// The table over [`lake`].
fn create(lake: &Lake) -> String {
    lake.expand("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'")
}

/// The command line, without the machine's own settings.
fn glaux(data_dir: &Path) -> Command {
    let mut command = Command::new(glaux_tests::server::binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GLAUX")) {
        command.env_remove(name);
    }
    command.arg("--data-dir").arg(data_dir).stdin(std::process::Stdio::null());
    command
}
