//! Statements of a `.slt` file on an engine in process.

use std::sync::Arc;

use async_trait::async_trait;
use glaux_engine::{
    Error, Role, Session, SessionOptions,
    query::{Failure, QueryReport},
};
use serde_json::json;

use super::{
    callers::Caller,
    database::{Answer, Executor, Failed, Refused},
};
use crate::{
    instance::{Instance, NOW, Outcome},
    lake::Lake,
};

/// One caller's session on an engine.
#[derive(Debug)]
pub(super) struct Embedded {
    instance: Arc<Instance>,
    session: Session,
}

impl Embedded {
    pub(super) fn new(instance: &Arc<Instance>, caller: Option<Caller>) -> Self {
        let session = match caller {
            None => instance.session.clone(),
            Some(Caller { user, groups }) => {
                Session::new(SessionOptions { user, groups, role: Role::User, ..SessionOptions::default() })
            }
        };
        Self { instance: Arc::clone(instance), session }
    }
}

#[async_trait]
impl Executor for Embedded {
    const NAME: &'static str = "glaux";

    fn lake(&self) -> &Lake {
        &self.instance.lake
    }

    fn was_at(&self, seconds: i64) -> bool {
        seconds == NOW
    }

    async fn execute(&mut self, sql: &str) -> Result<Answer, Refused> {
        let figures = |report: QueryReport| Some(json!(report));
        match self.instance.try_run_as(&self.session, sql).await {
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
