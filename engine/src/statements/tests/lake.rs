//! What statements run against in tests.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use arrow::array::{Array, AsArray, RecordBatch};
use async_trait::async_trait;
use chrono::DateTime;
use glaux_catalog::{
    HiveType, Metastore, TableName,
    discovery::{ListPage, ListRequest, Lister, OpenLocation, StoreProvider},
    metastore::MemoryMetastore,
    model::{Column, Table},
};
use tempfile::TempDir;

use crate::{
    Engine, EngineOptions,
    accounting::Meter,
    clock::FixedClock,
    error::{Error, Result},
    execute::context,
    lifecycle::{History, Limits},
    runtime::Parts,
    session::{Session, SessionOptions},
    sql,
    statements::{StatementContext, ViewPlanner, execute},
};

/// An engine on a metastore in memory, a bucket `b` that is a list of keys, and a session.
#[derive(Debug)]
pub(super) struct Lake {
    pub metastore: Arc<dyn Metastore>,
    pub session: Session,
    keys: Bucket,
    engine: Engine,
    _data_dir: TempDir,
}

#[derive(Debug, Clone, Default)]
struct Bucket(Arc<Mutex<BTreeSet<String>>>);

#[async_trait]
impl Lister for Bucket {
    async fn page(&self, request: ListRequest) -> Result<ListPage> {
        assert!(request.delimited && request.token.is_none() && request.start_after.is_none());
        let mut prefixes = BTreeSet::new();
        for key in self.0.lock().unwrap().iter() {
            if let Some((folder, _)) = key.strip_prefix(&request.prefix).and_then(|rest| rest.split_once('/')) {
                prefixes.insert(format!("{}{folder}/", request.prefix));
            }
        }
        Ok(ListPage { objects: Vec::new(), prefixes: prefixes.into_iter().collect(), ..ListPage::default() })
    }

    fn seeks(&self) -> bool {
        false
    }
}

impl StoreProvider for Bucket {
    fn open(&self, location: &str) -> Result<OpenLocation> {
        // Other locations can be opened too, and hold nothing.
        let prefix = location.strip_prefix("s3://b/").unwrap_or(location).trim_end_matches('/').to_owned();
        Ok(OpenLocation { lister: Arc::new(self.clone()), prefix })
    }
}

/// Takes the words between SELECT and FROM for columns.
#[derive(Debug)]
struct Words;

#[async_trait]
impl ViewPlanner for Words {
    async fn columns(&self, query_text: &str, _database: &str) -> Result<Vec<Column>> {
        let (_, list) = query_text.split_once("SELECT ").expect("a plain SELECT");
        let list = list.split(" FROM").next().expect("split gives one");
        Ok(list.split(", ").map(|name| Column::new(name, HiveType::Int)).collect())
    }
}

impl Lake {
    pub(super) async fn new() -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let metastore: Arc<dyn Metastore> = Arc::new(MemoryMetastore::new());
        let clock = FixedClock(DateTime::from_timestamp(1_704_067_200, 0).expect("a valid time"));
        let options = EngineOptions { data_dir: data_dir.path().to_owned(), ..EngineOptions::default() };
        let parts = Parts {
            metastore: Some(Arc::clone(&metastore)),
            history: Some(Arc::new(History::in_memory().unwrap())),
            clock: Some(Arc::new(clock)),
            ..Parts::default()
        };
        Self {
            metastore,
            session: Session::new(SessionOptions::default()),
            keys: Bucket::default(),
            engine: Engine::open_with(options, parts).await.unwrap(),
            _data_dir: data_dir,
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn put(&self, keys: &[&str]) {
        self.keys.0.lock().unwrap().extend(keys.iter().map(|key| (*key).to_owned()));
    }

    pub(super) async fn batch(&self, text: &str) -> Result<RecordBatch> {
        let shared = &self.engine.0;
        let session = self.session.options();
        let plan = context::for_query(shared, &Meter::new(None), &session, &Limits::of_session(&session));
        let context = StatementContext { stores: &self.keys, ..context::for_statement(shared, &self.session, &plan, &Words) };
        execute(&sql::parse(text)?, &context).await
    }

    /// The rows, with `|` between the columns.
    pub(super) async fn run(&self, text: &str) -> Vec<String> {
        let batch = self.batch(text).await.unwrap_or_else(|error| panic!("{text}\n{error:?}"));
        let cell = |column: &dyn Array, row| match column.is_null(row) {
            true => "NULL".to_owned(),
            false => column.as_string::<i32>().value(row).to_owned(),
        };
        (0..batch.num_rows())
            .map(|row| batch.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|"))
            .collect()
    }

    pub(super) async fn error(&self, text: &str) -> Error {
        match self.batch(text).await {
            Ok(batch) => panic!("{text}\n{batch:?}"),
            Err(error) => error,
        }
    }

    pub(super) async fn table(&self, name: &str) -> Table {
        self.metastore.table(&TableName::new("default", name)).await.unwrap()
    }
}
