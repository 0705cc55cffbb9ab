//! Streams what a catalog holds and then its changes: those made through this service at once, those made elsewhere within a second.
//!
//! It compares versions, so it works over any metastore. Each caller gets the changes of what that caller may see at the moment.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures::{StreamExt, stream};
use glaux_proto::catalog::v1::{CatalogChange, WatchResponse, catalog_change::Kind};
use tokio::sync::watch as signal;
use tonic::{Extensions, Status, metadata::MetadataMap};

use super::state::{Messages, Service};
use crate::{
    error::Result,
    grpc::status::status_of,
    ident::TableName,
    metastore::{Definitions, TableVersion},
    model::Database,
};

/// The interval at which changes of other processes are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Changes in one message.
const GROUP: usize = 1_000;

/// What the catalog held at the last look.
#[derive(Debug, Default)]
struct Snapshot {
    databases: BTreeMap<String, Database>,
    /// By id.
    tables: BTreeMap<i64, (TableName, i64)>,
}

struct Watcher {
    service: Service,
    headers: MetadataMap,
    extensions: Extensions,
    made_here: signal::Receiver<u64>,
    last: Option<Snapshot>,
    /// Messages to send.
    waiting: VecDeque<WatchResponse>,
}

/// What there is and every change of it, until the server shuts down or the caller is not admitted any more.
pub(super) fn changes(service: Service, headers: MetadataMap, extensions: Extensions) -> Messages<WatchResponse> {
    let made_here = service.changes.subscribe();
    let watcher = Watcher { service, headers, extensions, made_here, last: None, waiting: VecDeque::new() };
    let messages = stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        let gate = std::sync::Arc::clone(&watcher.service.gate);
        let next = tokio::select! {
            next = watcher.next() => next,
            () = gate.closing() => return None,
        };
        match next {
            Ok(message) => Some((Ok(message), Some(watcher))),
            Err(status) => Some((Err(status), None)),
        }
    });
    messages.boxed()
}

impl Watcher {
    async fn next(&mut self) -> Result<WatchResponse, Status> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            if self.last.is_some() {
                _ = tokio::time::timeout(LOOK, self.made_here.changed()).await;
            }
            self.made_here.borrow_and_update();
            let admitted = self.service.admit_caller(&self.headers, &self.extensions).await?;
            let now = Snapshot::take(&*admitted.metastore).await.map_err(|error| status_of(&error))?;
            let (changes, first) = match &self.last {
                None => (now.changes(Kind::Present, &Snapshot::default()), true),
                Some(last) => (now.changes(Kind::Created, last), false),
            };
            self.last = Some(now);
            self.waiting = grouped(&changes, first);
        }
    }
}

/// Changes in messages. The last of the first ones of a watch is marked as complete; there is at least one.
fn grouped(changes: &[CatalogChange], first: bool) -> VecDeque<WatchResponse> {
    let message = |changes: &[CatalogChange]| WatchResponse { changes: changes.to_vec(), complete: !first };
    let mut messages: VecDeque<_> = changes.chunks(GROUP).map(message).collect();
    if first {
        match messages.back_mut() {
            Some(last) => last.complete = true,
            None => messages.push_back(WatchResponse { changes: Vec::new(), complete: true }),
        }
    }
    messages
}

impl Snapshot {
    async fn take(definitions: &dyn Definitions) -> Result<Self> {
        let databases = definitions.databases().await?.into_iter().map(|database| (database.name.clone(), database)).collect();
        let versions = definitions.table_versions().await?;
        let tables = versions.into_iter().map(|TableVersion { name, id, version }| (id, (name, version))).collect();
        Ok(Self { databases, tables })
    }

    /// What is new (reported as `new`), what has changed, and what was dropped since another snapshot.
    fn changes(&self, new: Kind, last: &Self) -> Vec<CatalogChange> {
        let of_database =
            |kind: Kind, name: &str| CatalogChange { kind: kind.into(), database: name.to_owned(), ..Default::default() };
        let of_table = |kind: Kind, id: i64, (name, version): &(TableName, i64)| CatalogChange {
            kind: kind.into(),
            database: name.database.clone(),
            table: name.table.clone(),
            id,
            version: *version,
        };
        let mut changes = Vec::new();
        for (id, entry) in last.tables.iter().filter(|(id, _)| !self.tables.contains_key(id)) {
            changes.push(of_table(Kind::Dropped, *id, entry));
        }
        for name in last.databases.keys().filter(|name| !self.databases.contains_key(*name)) {
            changes.push(of_database(Kind::Dropped, name));
        }
        for (name, database) in &self.databases {
            match last.databases.get(name) {
                None => changes.push(of_database(new, name)),
                Some(before) if before != database => changes.push(of_database(Kind::Changed, name)),
                Some(_) => {}
            }
        }
        for (id, entry) in &self.tables {
            match last.tables.get(id) {
                None => changes.push(of_table(new, *id, entry)),
                Some(before) if before != entry => changes.push(of_table(Kind::Changed, *id, entry)),
                Some(_) => {}
            }
        }
        changes
    }
}
