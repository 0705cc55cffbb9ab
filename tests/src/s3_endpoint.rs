//! An S3-compatible server on loopback, for tests and benches: what it holds costs next to nothing, what it is asked is written down
//! in order, and what it does wrong is scripted.
//!
//! It speaks as much of S3 as a query engine needs: objects with ranges and conditions, uploads in parts, listings of both versions,
//! deletions. Signatures are not verified, only the access key is, if one is asked for.

mod body;
mod fault;
mod listing;
mod log;
mod object;
mod operation;
mod serve;
mod space;
mod xml;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
pub use fault::{Action, Fault, Gate};
use glaux_engine::{
    accounting::RequestKind,
    storage::{BucketOptions, Environment, Secret, StorageOptions, Stores},
};
pub use log::Request;
pub use space::{Content, Fill, TagSpelling};
use tokio::{net::TcpListener, task::JoinHandle};

/// The access key that [`S3Endpoint::storage_options`] gives.
pub const ACCESS_KEY_ID: &str = "glaux-test";

/// Its secret, which is not checked.
pub const SECRET_ACCESS_KEY: &str = "secret";

/// The region that requests are signed for.
pub const REGION: &str = "us-east-1";

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct S3Endpoint {
    state: Arc<State>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// What the connections share.
#[derive(Debug, Default)]
struct State {
    space: Mutex<space::Space>,
    log: log::Log,
    depth: Arc<log::Depth>,
    faults: Mutex<Vec<Fault>>,
    latency: Mutex<HashMap<RequestKind, Duration>>,
    access_key: Mutex<Option<String>>,
    ignores_conditions: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings with which an engine, be it in another process, takes every `s3://` bucket from an endpoint's URL.
#[must_use]
pub fn storage_options_for(url: String) -> StorageOptions {
    let defaults = BucketOptions {
        endpoint: Some(url),
        allow_http: Some(true),
        region: Some(REGION.to_owned()),
        access_key_id: Some(ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
        ..BucketOptions::default()
    };
    StorageOptions { defaults, ..StorageOptions::default() }
}

impl S3Endpoint {
    /// Starts a server on a free port of this machine, on the current Tokio runtime.
    ///
    /// # Panics
    /// If no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
        let address = listener.local_addr().expect("the port's number");
        let state = Arc::<State>::default();
        let server = tokio::spawn(serve::accept(listener, Arc::clone(&state)));
        Self { state, address, server }
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings with which the engine takes every `s3://` bucket from here.
    #[must_use]
    pub fn storage_options(&self) -> StorageOptions {
        storage_options_for(self.url())
    }

    /// Stores by these settings, whatever the environment says.
    #[must_use]
    pub fn stores(&self) -> Arc<Stores> {
        Stores::with_environment(self.storage_options(), Environment::default())
    }

    /// Makes a bucket; putting an object makes one too.
    pub fn create_bucket(&self, bucket: &str) {
        lock(&self.state.space).create_bucket(bucket);
    }

    /// Puts an object, without a request.
    pub fn put(&self, bucket: &str, key: impl Into<String>, content: impl Into<Content>) {
        lock(&self.state.space).put(bucket, key.into(), content.into());
    }

    /// Puts many objects with the same content, which is held once.
    pub fn put_many(&self, bucket: &str, keys: impl IntoIterator<Item = String>, content: impl Into<Content>) {
        let content = content.into();
        let mut space = lock(&self.state.space);
        keys.into_iter().for_each(|key| space.put(bucket, key, content.clone()));
    }

    /// Puts every file below a directory, with its relative path after `prefix`.
    ///
    /// # Errors
    /// What reading the directory gives.
    pub fn put_dir(&self, bucket: &str, prefix: &str, directory: impl AsRef<Path>) -> io::Result<()> {
        self.create_bucket(bucket);
        let prefix = if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") };
        let mut waiting = vec![(directory.as_ref().to_owned(), prefix)];
        while let Some((directory, prefix)) = waiting.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    waiting.push((entry.path(), format!("{key}/")));
                } else {
                    self.put(bucket, key, std::fs::read(entry.path())?);
                }
            }
        }
        Ok(())
    }

    /// The bytes of an object that is held whole, without a request.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        lock(&self.state.space).object(bucket, key).map(|object| object.content.read(0..object.content.size()))
    }

    /// Removes an object, without a request.
    pub fn remove(&self, bucket: &str, key: &str) {
        lock(&self.state.space).remove(bucket, key);
    }

    /// The keys of a bucket in order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        lock(&self.state.space).keys(bucket)
    }

    /// Uploads that were begun and neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        lock(&self.state.space).open_uploads()
    }

    /// Refuses requests that are not signed with this access key.
    pub fn require_access_key(&self, id: &str) {
        *lock(&self.state.access_key) = Some(id.to_owned());
    }

    /// Answers every request of a kind only after this long.
    pub fn set_latency(&self, kind: RequestKind, latency: Duration) {
        lock(&self.state.latency).insert(kind, latency);
    }

    /// From now on `If-Match` and `If-None-Match` mean nothing, as to some servers.
    pub fn ignore_conditions(&self, ignores: bool) {
        self.state.ignores_conditions.store(ignores, SeqCst);
    }

    /// From now on entity tags are written so in listings, and so in the headers of answers.
    pub fn spell_tags(&self, listed: TagSpelling, answered: TagSpelling) {
        lock(&self.state.space).spellings = (listed, answered);
    }

    /// Adds a fault to the script. The first that matches a request applies.
    pub fn fail(&self, fault: Fault) {
        lock(&self.state.faults).push(fault);
    }

    /// Lets the requests that match wait until the gate is released.
    #[must_use]
    pub fn hang(&self, fault: Fault) -> Gate {
        let gate = Gate::default();
        self.fail(fault.action(Action::Hang(gate.clone())));
        gate
    }

    /// Takes the script back.
    pub fn clear_faults(&self) {
        lock(&self.state.faults).clear();
    }

    /// Everything that was asked since the last call, in the order of arrival.
    #[must_use]
    pub fn take_log(&self) -> Vec<Request> {
        self.state.log.take()
    }

    /// Requests that are being answered: they have arrived, and their bodies are not yet handed over.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.depth.now()
    }

    /// The most requests that were being answered at the same time since the last call.
    #[must_use]
    pub fn take_most_in_flight(&self) -> usize {
        self.state.depth.take_most()
    }
}

impl Drop for S3Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}
