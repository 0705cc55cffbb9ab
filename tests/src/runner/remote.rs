//! Statements of a `.slt` file over Flight SQL, on a server of the file's own.

use async_trait::async_trait;
use glaux_engine::clock::{Clock, SystemClock};

use super::database::{Answer, Executor, Failed, Refused};
use crate::{
    flight::{self, Client},
    lake::Lake,
    server::Server,
};

/// A server, its lake, and a client.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    /// When the server was started, in seconds.
    started: i64,
    // Ends before its lake does.
    _server: Server,
    lake: Lake,
}

impl Remote {
    /// Starts a server over the lake.
    pub(super) async fn start(lake: Lake) -> Self {
        let started = SystemClock.now().timestamp();
        let server = Server::start(Some(&lake), "");
        let client = Client::login(&server, "tester", "").await.expect("nobody is asked who they are");
        Self { client, started, _server: server, lake }
    }
}

#[async_trait]
impl Executor for Remote {
    const NAME: &'static str = "flight";

    fn lake(&self) -> &Lake {
        &self.lake
    }

    fn was_at(&self, seconds: i64) -> bool {
        (self.started..=SystemClock.now().timestamp()).contains(&seconds)
    }

    async fn execute(&mut self, sql: &str) -> Result<Answer, Refused> {
        let sql = self.lake.expand(sql);
        match self.client.run(&sql).await {
            Ok(fetched) => {
                let schema = flight::plain(&fetched.schema).into();
                Ok(Answer { schema, batches: fetched.batches, figures: Some(fetched.figures) })
            }
            Err(refused) => Err(Refused { error: Failed(refused.to_string()), figures: refused.figures }),
        }
    }
}
