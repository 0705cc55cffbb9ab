//! Statements of a `.slt` file over Flight SQL, on a server of the file's own.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use async_trait::async_trait;
use glaux_engine::clock::{Clock, SystemClock};

use tempfile::TempDir;

use super::{
    callers::Caller,
    database::{Answer, Executor, Failed, Refused},
};
use crate::{
    flight::{self, Client},
    lake::Lake,
    server::{Server, binary},
};

/// The administrator.
const TESTER: &str = "tester";
const PASSWORD: &str = "a password of tests";

/// A server and its lake.
#[derive(Debug)]
pub(super) struct Served {
    /// When the server was started, in seconds.
    started: i64,
    // Ends before its lake does.
    server: Server,
    lake: Lake,
    _users: TempDir,
}

impl Served {
    /// Starts a server over the lake. Where a file has callers of its own, it asks who they are.
    pub(super) fn start(lake: Lake, callers: &[Option<Caller>]) -> Self {
        let users = tempfile::tempdir().expect("a folder can be made");
        let mut config = String::new();
        if callers.iter().any(Option::is_some) {
            add_user(users.path(), TESTER, &["--admin"]);
            for Caller { user, groups } in callers.iter().flatten() {
                let groups: Vec<_> = groups.iter().flat_map(|group| ["--group", group.as_str()]).collect();
                add_user(users.path(), user, &groups);
            }
            config = format!("[auth]\nidentity = \"users\"\nusers_file = {:?}\n", users.path().join("users.toml"));
        }
        let started = SystemClock.now().timestamp();
        Self { started, server: Server::start(Some(&lake), &config), lake, _users: users }
    }
}

/// Adds a user to the file of users in a folder, with `glaux user`.
fn add_user(folder: &Path, name: &str, arguments: &[&str]) {
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(folder).args(["user", "add", name, "--password-stdin"]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("glaux can be started");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    writeln!(stdin, "{PASSWORD}").expect("the password is read");
    drop(stdin);
    assert!(child.wait().expect("glaux ends").success(), "user {name} was not added");
}

/// A client of a server.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    served: Arc<Served>,
}

impl Remote {
    /// Connects as one caller.
    pub(super) async fn connect(served: Arc<Served>, caller: Option<Caller>) -> Result<Self, Failed> {
        let user = caller.map_or_else(|| TESTER.to_owned(), |caller| caller.user);
        let client = Client::login(&served.server, &user, PASSWORD).await;
        Ok(Self { client: client.map_err(|refused| Failed(refused.to_string()))?, served })
    }
}

#[async_trait]
impl Executor for Remote {
    const NAME: &'static str = "flight";

    fn lake(&self) -> &Lake {
        &self.served.lake
    }

    fn was_at(&self, seconds: i64) -> bool {
        (self.served.started..=SystemClock.now().timestamp()).contains(&seconds)
    }

    async fn execute(&mut self, sql: &str) -> Result<Answer, Refused> {
        let sql = self.served.lake.expand(sql);
        match self.client.run(&sql).await {
            Ok(fetched) => {
                let schema = flight::plain(&fetched.schema).into();
                Ok(Answer { schema, batches: fetched.batches, figures: Some(fetched.figures) })
            }
            Err(refused) => Err(Refused { error: Failed(refused.to_string()), figures: refused.figures }),
        }
    }
}
