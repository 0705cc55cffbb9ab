//! An engine with a lake and a data directory of its own, whose clock stands at 2025-06-15 12:00 UTC.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use glaux_engine::{
    Engine, EngineOptions, Error, Parts, Session, SessionOptions,
    clock::FixedClock,
    config::LocationOptions,
    query::{Failure, QueryReport},
};
use tempfile::TempDir;

use crate::{lake::Lake, runner::render};

/// When it is, in every instance: 2025-06-15 12:00 UTC, in seconds.
pub const NOW: i64 = 1_749_988_800;

#[derive(Debug)]
pub struct Instance {
    pub engine: Engine,
    pub session: Session,
    pub lake: Lake,
    /// Removed when the instance goes.
    data: TempDir,
}

/// What a statement gave.
#[derive(Debug)]
pub struct Outcome {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    pub report: QueryReport,
}

impl Outcome {
    /// The values as text, a row a line, `|` between them.
    ///
    /// # Panics
    /// If a value cannot be shown.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let rows = self.batches.iter().flat_map(|batch| render::rows(batch).expect("values can be shown"));
        rows.map(|row| row.join("|")).collect()
    }
}

impl Instance {
    /// # Panics
    /// If the engine does not open.
    pub async fn start(lake: Lake) -> Self {
        Self::start_with(lake, |_| {}).await
    }

    /// The same with other options.
    ///
    /// # Panics
    /// If the engine does not open.
    pub async fn start_with(lake: Lake, change: impl FnOnce(&mut EngineOptions)) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let engine = open(&lake, &data, change).await;
        let session = Session::new(SessionOptions { user: "tester".to_owned(), ..SessionOptions::default() });
        Self { engine, session, lake, data }
    }

    /// Ends the engine and opens another one over the same data directory and lake, with other options.
    ///
    /// # Panics
    /// If the engine does not open.
    pub async fn restart_with(self, change: impl FnOnce(&mut EngineOptions)) -> Self {
        let Self { engine, session, lake, data } = self;
        drop(engine);
        let engine = open(&lake, &data, change).await;
        Self { engine, session, lake, data }
    }

    /// The directory with the catalog and the history.
    #[must_use]
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.data.path().join("data")
    }

    /// Runs a statement to its end; `{lake}` in it is the lake's URL.
    ///
    /// # Errors
    /// The statement's, with its report.
    pub async fn try_run(&self, sql: &str) -> Result<Outcome, Failure> {
        self.try_run_as(&self.session, sql).await
    }

    /// The same in another session.
    ///
    /// # Errors
    /// The statement's, with its report.
    pub async fn try_run_as(&self, session: &Session, sql: &str) -> Result<Outcome, Failure> {
        let sql = self.lake.expand(sql);
        let mut query = self.engine.submit(session, &sql).await?;
        let schema = query.schema();
        let mut batches = Vec::new();
        let failed: Option<Error> = loop {
            match query.try_next().await {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let report = query.report();
        match failed {
            Some(error) => Err(Failure { error, report }),
            None => Ok(Outcome { schema, batches, report }),
        }
    }

    /// Runs a statement that must succeed.
    ///
    /// # Panics
    /// If it fails.
    #[expect(clippy::panic, reason = "a test that cannot go on fails")]
    pub async fn run(&self, sql: &str) -> Outcome {
        match self.try_run(sql).await {
            Ok(outcome) => outcome,
            Err(failure) => panic!("{sql}\n{:?}", failure.error),
        }
    }

    /// Writes the rows of a query as one Parquet file of the lake.
    ///
    /// # Panics
    /// If the query fails or the file cannot be written.
    pub async fn write(&self, path: &str, query: &str) {
        let outcome = self.run(query).await;
        self.lake
            .write(path, &outcome.schema, &outcome.batches, &crate::lake::WriteOptions::default())
            .expect("a file can be written");
    }
}

async fn open(lake: &Lake, data: &TempDir, change: impl FnOnce(&mut EngineOptions)) -> Engine {
    let mut options = EngineOptions {
        data_dir: data.path().join("data"),
        parallelism: Some(2),
        memory_limit: Some(1 << 30),
        storage: lake.storage_options(),
        locations: LocationOptions { allowed: vec![lake.url()], ..LocationOptions::default() },
        ..EngineOptions::default()
    };
    change(&mut options);
    let now: DateTime<Utc> = DateTime::from_timestamp(NOW, 0).expect("the time exists");
    let parts = Parts { clock: Some(Arc::new(FixedClock(now))), ..Parts::default() };
    Engine::open_with(options, parts).await.expect("the engine opens")
}
