//! An engine behind the `.slt` runner, with the statements that begin with `@`.

use std::fmt;

use async_trait::async_trait;
use glaux_engine::query::{Failure, QueryReport};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};

use super::render;
use crate::{
    instance::{Instance, Outcome},
    lake::{Lake, WriteOptions},
};

/// An engine, its lake and its session.
#[derive(Debug)]
pub struct EmbeddedDatabase {
    instance: Instance,
    last: Option<QueryReport>,
    requests: Vec<String>,
}

/// A statement's error as a test sees it: kind, message and hint on one line.
#[derive(Debug)]
pub struct Failed(pub(super) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl EmbeddedDatabase {
    /// Starts an engine over an empty lake.
    pub(super) async fn start(is_s3: bool) -> Self {
        let lake = if is_s3 { Lake::on_s3().await } else { Lake::in_folder() };
        Self { instance: Instance::start(lake).await, last: None, requests: Vec::new() }
    }

    async fn statement(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failed> {
        self.instance.lake.take_requests();
        let outcome = self.instance.try_run(sql).await;
        self.requests = self.instance.lake.take_requests();
        let Outcome { schema, batches, report } = outcome.map_err(|Failure { error, report }| {
            self.last = Some(report);
            failed(&error)
        })?;
        self.last = Some(report);
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = schema.fields().iter().map(|field| render::letter(field.data_type())).collect();
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(render::rows(batch).map_err(Failed)?);
        }
        let url = self.instance.lake.url();
        for value in rows.iter_mut().flatten().filter(|value| value.contains(&url)) {
            *value = value.replace(&url, "{lake}");
        }
        Ok(DBOutput::Rows { types, rows })
    }

    /// `@write PATH [OPTIONS] SELECT ...`
    async fn write(&self, rest: &str) -> Result<(), Failed> {
        let invalid = || Failed(format!("@write PATH [OPTIONS] SELECT ..., not {rest}"));
        let (path, rest) = rest.split_once(char::is_whitespace).ok_or_else(invalid)?;
        let start = ["SELECT", "VALUES", "WITH"].iter().filter_map(|word| rest.find(word)).min().ok_or_else(invalid)?;
        let options: WriteOptions = rest[..start].parse().map_err(Failed)?;
        let outcome = self.instance.try_run(&rest[start..]).await.map_err(|failure| failed(&failure.error))?;
        self.instance.lake.write(path, &outcome.schema, &outcome.batches, &options).map_err(Failed)
    }

    fn lines(lines: impl IntoIterator<Item = String>) -> DBOutput<DefaultColumnType> {
        let rows = lines.into_iter().map(|line| vec![line]).collect();
        DBOutput::Rows { types: vec![DefaultColumnType::Text], rows }
    }

    /// The figures of the last statement that are not zero.
    fn usage(&self) -> Vec<String> {
        let Some(QueryReport { usage, .. }) = self.last else { return Vec::new() };
        let requests = usage.requests;
        let numbers = [
            ("data_scanned_bytes", usage.data_scanned_bytes),
            ("metadata_bytes", usage.metadata_bytes),
            ("fetched_bytes", usage.fetched_bytes),
            ("requests.get", requests.get),
            ("requests.head", requests.head),
            ("requests.list", requests.list),
            ("requests.put", requests.put),
            ("requests.delete", requests.delete),
        ];
        let mut lines: Vec<_> = numbers.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}")).collect();
        for (name, scanned) in [("partitions", usage.partitions), ("files", usage.files), ("row_groups", usage.row_groups)] {
            if scanned.total != Some(0) {
                let total = scanned.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
                lines.push(format!("{name} {}/{total}", scanned.scanned));
            }
        }
        lines
    }
}

fn failed(error: &glaux_engine::Error) -> Failed {
    let mut text = format!("{}: {error}", error.kind());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text += &format!(" (hint: {hint})");
    }
    Failed(text)
}

#[async_trait]
impl AsyncDB for EmbeddedDatabase {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failed> {
        let sql = sql.trim();
        let Some(command) = sql.strip_prefix('@') else { return self.statement(sql).await };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        let (path, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match name {
            "write" => self.write(rest).await?,
            "text" => self.instance.lake.put(path, text.as_bytes().to_vec()),
            "fixture" => {
                let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(text.trim());
                let bytes = std::fs::read(&fixture).map_err(|error| Failed(format!("{}: {error}", fixture.display())))?;
                self.instance.lake.put(path, bytes);
            }
            "remove" => self.instance.lake.remove(path),
            "requests" => return Ok(Self::lines(self.requests.clone())),
            "usage" => return Ok(Self::lines(self.usage())),
            "bill" => {
                let bill = self.last.map(|report| report.bill).unwrap_or_default();
                let state = self.last.map(|report| report.state.to_string()).unwrap_or_default();
                return Ok(Self::lines([format!("{state} {} bytes {} USD", bill.billed_bytes, bill.cost_usd())]));
            }
            other => return Err(Failed(format!("@{other} is not known"))),
        }
        Ok(DBOutput::StatementComplete(0))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "glaux"
    }
}
