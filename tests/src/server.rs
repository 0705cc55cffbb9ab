//! A `glaux serve` process of a test's own: a data directory in a temporary folder, ports that were free, an end with the test.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tempfile::TempDir;

use crate::{
    PATIENCE,
    lake::Lake,
    s3_endpoint::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY},
};

const FLIGHT: &str = "glaux: Flight SQL on grpc://";
const HTTP: &str = "glaux: HTTP on http://";

/// A server that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    flight: String,
    http: String,
    /// What it has written on standard error.
    log: Arc<Mutex<String>>,
    /// Removed when the server goes.
    data: TempDir,
}

/// The program that was built beside this one.
///
/// # Panics
/// If there is none.
#[must_use]
#[expect(clippy::panic, reason = "a test that cannot go on fails")]
pub fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("a program knows its own path");
    let name = format!("glaux{}", std::env::consts::EXE_SUFFIX);
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "there is no {name} beside {}; `cargo build --workspace` builds it, as `cargo test --workspace` does",
            here.display()
        )
    })
}

impl Server {
    /// Starts a server that can read the lake. `config` is put behind the configuration that this takes.
    ///
    /// # Panics
    /// If it does not start; the message has what it said.
    #[must_use]
    pub fn start(lake: Option<&Lake>, config: &str) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let file = data.path().join("config.toml");
        std::fs::write(&file, format!("{}{config}", configuration(lake))).expect("a file can be written");
        Self::start_with(data, &file)
    }

    /// Starts a server as it is configured by default, which defines no tables over files and plain HTTP, but for this.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn strict(config: &str) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let file = data.path().join("config.toml");
        let text = format!("[engine]\nparallelism = 2\nmemory_limit = 1073741824\n{config}");
        std::fs::write(&file, text).expect("a file can be written");
        Self::start_with(data, &file)
    }

    /// Ends a server and starts another on its data directory.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn restart(mut self) -> Self {
        self.kill();
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().expect("a folder can be made"));
        let file = data.path().join("config.toml");
        Self::start_with(data, &file)
    }

    #[expect(clippy::panic, reason = "a test that cannot go on fails")]
    fn start_with(data: TempDir, config: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"]);
        command.arg(data.path().join("data")).arg("--config").arg(config);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GLAUX")) {
            command.env_remove(name);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("glaux can be started");
        let log = Arc::<Mutex<String>>::default();
        let (said, addresses) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        let written = Arc::clone(&log);
        // Reads to the end, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                for (at, what) in [FLIGHT, HTTP].into_iter().enumerate() {
                    if let Some(address) = line.strip_prefix(what) {
                        said.send((at, address.to_owned())).ok();
                    }
                }
                let mut log = written.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut server = Self { child, flight: String::new(), http: String::new(), log, data };
        for _ in 0..2 {
            match addresses.recv_timeout(PATIENCE) {
                Ok((0, address)) => server.flight = address,
                Ok((_, address)) => server.http = address,
                Err(_) => panic!("glaux serve did not say where it listens, but:\n{}", server.log()),
            }
        }
        server
    }

    /// Where Flight SQL is spoken: address and port.
    #[must_use]
    pub fn flight(&self) -> &str {
        &self.flight
    }

    /// Where health and metrics are served: address and port.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// What it has written on standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Asks it to end in order (SIGTERM).
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn terminate(&self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal was sent");
    }

    /// Lets no file of the server grow beyond so many bytes; `None` is no limit. Linux only.
    ///
    /// # Panics
    /// If the limit cannot be set.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let set = Command::new("prlimit").arg("--pid").arg(self.child.id().to_string()).arg(format!("--fsize={limit}:")).status();
        assert!(set.is_ok_and(|status| status.success()), "the limit was set");
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// If that cannot be found out.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    fn kill(&mut self) {
        // One that has ended is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As an [`crate::instance::Instance`] has it: two streams, a gigabyte, and the lake's store, below which everybody may define tables.
fn configuration(lake: Option<&Lake>) -> String {
    let allowed: Vec<String> = lake.map(Lake::url).into_iter().collect();
    let mut config = format!(
        "[engine]\nlocations = {{ file = true, http = true, allowed = {allowed:?} }}\nparallelism = 2\nmemory_limit = 1073741824\n"
    );
    if let Some(Lake::S3(endpoint)) = lake {
        config += &format!(
            "[storage.defaults]\nallow_http = true\nendpoint = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY_ID:?}\n\
             secret_access_key = {SECRET_ACCESS_KEY:?}\n",
            endpoint.url()
        );
    }
    config
}
