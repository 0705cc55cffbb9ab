//! Statements of a `.slt` file on an engine in process.

use async_trait::async_trait;
use glaux_engine::{
    Error,
    query::{Failure, QueryReport},
};
use serde_json::json;

use super::database::{Answer, Executor, Failed, Refused};
use crate::{
    instance::{Instance, NOW, Outcome},
    lake::Lake,
};

#[async_trait]
impl Executor for Instance {
    const NAME: &'static str = "glaux";

    fn lake(&self) -> &Lake {
        &self.lake
    }

    fn was_at(&self, seconds: i64) -> bool {
        seconds == NOW
    }

    async fn execute(&mut self, sql: &str) -> Result<Answer, Refused> {
        let figures = |report: QueryReport| Some(json!(report));
        match self.try_run(sql).await {
            Ok(Outcome { schema, batches, report }) => Ok(Answer { schema, batches, figures: figures(report) }),
            Err(Failure { error, report }) => Err(Refused { error: failed(&error), figures: figures(report) }),
        }
    }
}

fn failed(error: &Error) -> Failed {
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
