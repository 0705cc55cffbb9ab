//! Glaux as a contestant: the engine in this process, by its public interface, on a data directory that it is given.

use futures::TryStreamExt;
use glaux_engine::{Engine, EngineOptions, Session, SessionOptions, query::QueryReport};
use glaux_tests::s3_endpoint;
use serde_json::Value;

use super::{CORES, Outcome, Reported};
use crate::Result;

#[derive(Debug)]
pub(super) struct Glaux {
    engine: Engine,
    session: Session,
}

impl Glaux {
    pub(super) async fn start(message: &Value) -> Result<Self> {
        let engine = Engine::open(options(message)?).await?;
        Ok(Self { engine, session: Session::new(SessionOptions::default()) })
    }

    /// Defines a table and finds its partitions.
    pub(super) async fn open(&self, message: &Value) -> Result<Outcome> {
        let text = |name: &str| message[name].as_str().unwrap_or_default();
        let (table, keys) = (text("table"), message["keys"].as_array().filter(|keys| !keys.is_empty()));
        if message["is_known"].as_bool() == Some(true) {
            return Ok((Vec::new(), None));
        }
        let defined = |name: &str| -> String {
            let pairs = message[name].as_array().into_iter().flatten().filter_map(Value::as_array);
            let columns = pairs.map(|pair| pair.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
            columns.collect::<Vec<_>>().join(", ")
        };
        let mut sql = format!("CREATE EXTERNAL TABLE {table} ({})", defined("columns"));
        if keys.is_some() {
            sql += &format!(" PARTITIONED BY ({})", defined("keys"));
        }
        sql += &format!(" STORED AS PARQUET LOCATION '{}'", text("url"));
        self.run(&sql).await?;
        match keys {
            Some(_) => self.run(&format!("MSCK REPAIR TABLE {table}")).await,
            None => Ok((Vec::new(), None)),
        }
    }

    pub(super) async fn run(&self, sql: &str) -> Result<Outcome> {
        let (engine, session, sql) = (self.engine.clone(), self.session.clone(), sql.to_owned());
        tokio::spawn(async move {
            let mut query = engine.submit(&session, &sql).await.map_err(|failure| told(&failure.error))?;
            let mut batches = Vec::new();
            while let Some(batch) = query.try_next().await.map_err(|error| told(&error))? {
                batches.push(batch);
            }
            Ok((batches, Some(reported(&query.report()))))
        })
        .await?
    }
}

fn told(error: &glaux_engine::Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

fn reported(report: &QueryReport) -> Reported {
    Reported {
        requests: report.usage.requests.total(),
        fetched_bytes: report.usage.fetched_bytes,
        billed_bytes: report.bill.billed_bytes,
    }
}

/// The default settings with those that the command line gives: any of them, by its name in the settings' file.
fn options(message: &Value) -> Result<EngineOptions> {
    let mut settings = serde_json::to_value(EngineOptions::default())?;
    if let Some(settings) = settings.as_object_mut() {
        // Its secrets are not written out. It is given below.
        settings.remove("storage");
    }
    for option in message["options"].as_array().into_iter().flatten() {
        let (name, value) = (option[0].as_str().unwrap_or_default(), option[1].as_str().unwrap_or_default());
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        let mut at = &mut settings;
        for part in name.split('.') {
            if !at.is_object() {
                *at = Value::Object(serde_json::Map::new());
            }
            at = &mut at[part];
        }
        *at = value;
    }
    let mut options: EngineOptions =
        serde_json::from_value(settings).map_err(|error| format!("the engine's settings: {error}"))?;
    options.data_dir = message["data_dir"].as_str().unwrap_or_default().into();
    options.parallelism.get_or_insert(CORES);
    if let Some(url) = message["endpoint"].as_str() {
        options.storage = s3_endpoint::storage_options_for(url.to_owned());
    }
    Ok(options)
}
