//! What runs statements behind the `.slt` runner, with the statements that begin with `@`.

use std::fmt;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use chrono::NaiveDateTime;
use serde_json::Value;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};

use super::{
    render,
    text::{bytes, gzip},
};
use crate::lake::{Lake, WriteOptions};

/// What carries statements out, over a lake.
#[async_trait]
pub(super) trait Executor: Send {
    /// What `skipif` and `onlyif` of a `.slt` file call it.
    const NAME: &'static str;

    fn lake(&self) -> &Lake;

    /// Whether statements were carried out at a time, in seconds.
    fn was_at(&self, seconds: i64) -> bool;

    /// Runs a statement to its end; `{lake}` and `{http}` in it stand for the lake's URLs.
    async fn execute(&mut self, sql: &str) -> Result<Answer, Refused>;
}

/// What a statement gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    /// The object that `--stats json` prints.
    pub(super) figures: Option<Value>,
}

/// A statement's error, and what it cost all the same.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: Failed,
    pub(super) figures: Option<Value>,
}

/// What runs a file, and what is remembered of the statement before.
#[derive(Debug)]
pub(super) struct Database<E> {
    executor: E,
    figures: Option<Value>,
    requests: Vec<String>,
}

/// A statement's error as a test sees it: kind, message and hint on one line.
#[derive(Debug)]
pub(super) struct Failed(pub(super) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl<E: Executor> Database<E> {
    pub(super) fn new(executor: E) -> Self {
        Self { executor, figures: None, requests: Vec::new() }
    }

    async fn statement(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failed> {
        self.executor.lake().take_requests();
        let answer = self.executor.execute(sql).await;
        self.requests = self.executor.lake().take_requests();
        let Answer { schema, batches, figures } = answer.map_err(|Refused { error, figures }| {
            self.figures = figures;
            error
        })?;
        self.figures = figures;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = schema.fields().iter().map(|field| render::letter(field.data_type())).collect();
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(render::rows(batch).map_err(Failed)?);
        }
        rows.iter_mut().flatten().for_each(|value| self.generalise(value));
        Ok(DBOutput::Rows { types, rows })
    }

    /// What differs from run to run by its name: the lake's URL, and the time of statements.
    fn generalise(&self, value: &mut String) {
        let url = self.executor.lake().url();
        if value.contains(&url) {
            *value = value.replace(&url, "{lake}");
        }
        if NaiveDateTime::parse_from_str(value, HIVE_TIME).is_ok_and(|time| self.executor.was_at(time.and_utc().timestamp())) {
            "{now}".clone_into(value);
        }
        let times = value.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == SECONDS_DIGITS);
        let time = times.filter(|digits| digits.parse().is_ok_and(|seconds| self.executor.was_at(seconds))).max();
        if let Some(time) = time.map(str::to_owned) {
            *value = value.replace(&time, "{now}");
        }
    }

    /// `@write PATH [OPTIONS] SELECT ...`
    async fn write(&mut self, rest: &str) -> Result<(), Failed> {
        let invalid = || Failed(format!("@write PATH [OPTIONS] SELECT ..., not {rest}"));
        let (path, rest) = rest.split_once(char::is_whitespace).ok_or_else(invalid)?;
        let start = ["SELECT", "VALUES", "WITH"].iter().filter_map(|word| rest.find(word)).min().ok_or_else(invalid)?;
        let options: WriteOptions = rest[..start].parse().map_err(Failed)?;
        let answer = self.executor.execute(&rest[start..]).await.map_err(|refused| refused.error)?;
        self.executor.lake().write(path, &answer.schema, &answer.batches, &options).map_err(Failed)
    }

    fn lines(lines: impl IntoIterator<Item = String>) -> DBOutput<DefaultColumnType> {
        let rows = lines.into_iter().map(|line| vec![line]).collect();
        DBOutput::Rows { types: vec![DefaultColumnType::Text], rows }
    }

    /// The figures of the last statement that are not zero.
    fn usage(&self) -> Vec<String> {
        let Some(figures) = &self.figures else { return Vec::new() };
        let number = |name: &str| figures.pointer(&format!("/{}", name.replace('.', "/"))).and_then(Value::as_u64);
        let mut lines: Vec<_> = NUMBERS
            .iter()
            .filter_map(|name| number(name).filter(|number| *number > 0).map(|number| format!("{name} {number}")))
            .collect();
        for name in ["partitions", "files", "row_groups"] {
            let total = number(&format!("{name}.total"));
            if total != Some(0) {
                let total = total.map_or_else(|| "?".to_owned(), |total| total.to_string());
                lines.push(format!("{name} {}/{total}", number(&format!("{name}.scanned")).unwrap_or_default()));
            }
        }
        lines
    }

    /// What the last statement costs.
    fn bill(&self) -> String {
        let figures = self.figures.as_ref();
        let text = |name: &str| figures.and_then(|figures| figures[name].as_str()).unwrap_or_default();
        let billed = figures.and_then(|figures| figures["billed_bytes"].as_u64()).unwrap_or_default();
        format!("{} {billed} bytes {} USD", text("state"), text("cost_usd"))
    }
}

/// How `DESCRIBE FORMATTED` writes a time.
const HIVE_TIME: &str = "%a %b %d %H:%M:%S UTC %Y";

/// Digits of a time in seconds since 1970, in this age.
const SECONDS_DIGITS: usize = 10;

/// The figures that are numbers.
const NUMBERS: [&str; 8] = [
    "data_scanned_bytes",
    "metadata_bytes",
    "fetched_bytes",
    "requests.get",
    "requests.head",
    "requests.list",
    "requests.put",
    "requests.delete",
];

#[async_trait]
impl<E: Executor> AsyncDB for Database<E> {
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
            "text" => self.executor.lake().put(path, text.as_bytes().to_vec()),
            "bytes" => self.executor.lake().put(path, bytes(text).map_err(Failed)?),
            "gzip" => self.executor.lake().put(path, gzip(&bytes(text).map_err(Failed)?)),
            "footer" => self.executor.lake().edit_footer(path, text).map_err(Failed)?,
            "fixture" => {
                let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(text.trim());
                let bytes = std::fs::read(&fixture).map_err(|error| Failed(format!("{}: {error}", fixture.display())))?;
                self.executor.lake().put(path, bytes);
            }
            "remove" => self.executor.lake().remove(path),
            "requests" => return Ok(Self::lines(self.requests.clone())),
            "usage" => return Ok(Self::lines(self.usage())),
            "bill" => return Ok(Self::lines([self.bill()])),
            other => return Err(Failed(format!("@{other} is not known"))),
        }
        Ok(DBOutput::StatementComplete(0))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        E::NAME
    }
}
