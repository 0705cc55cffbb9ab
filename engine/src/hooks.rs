//! Hooks: what is called when a budget runs low, by the name that the configuration gives it. A statement only names one; where it leads, the
//! configuration alone says.
//!
//! They are called on a thread of their own, a few at a time, so that a query never waits for one. A hook that hangs is ended by its timeout.

mod call;
mod options;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::{runtime::Builder, sync::mpsc::UnboundedSender};

pub(crate) use self::call::HookCall;
pub use self::options::HookOptions;
use crate::error::Result;

/// Jobs that run at a time.
const AT_ONCE: usize = 4;
/// Jobs that wait or run; more are dropped.
const MOST: usize = 64;
/// How long the end of the process waits for jobs that run.
const DRAIN: Duration = Duration::from_secs(5);

/// The hooks of an engine. Dropping them waits a moment for those that are being called.
pub(crate) struct Hooks {
    hooks: BTreeMap<String, HookOptions>,
    /// Started with the first job.
    runner: Mutex<Option<Runner>>,
}

type Job = BoxFuture<'static, ()>;

/// The thread that jobs run on.
struct Runner {
    jobs: UnboundedSender<Job>,
    unfinished: Arc<AtomicUsize>,
    /// Disconnected when the thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Hooks {
    /// # Errors
    /// `Invalid` for a hook that cannot be called.
    pub(crate) fn new(hooks: BTreeMap<String, HookOptions>) -> Result<Arc<Self>> {
        hooks.iter().try_for_each(|(name, hook)| hook.check(name))?;
        Ok(Arc::new(Self { hooks, runner: Mutex::default() }))
    }

    /// No hooks.
    pub(crate) fn none() -> Self {
        Self { hooks: BTreeMap::new(), runner: Mutex::default() }
    }

    /// The hook of that name, to be called by a job.
    pub(crate) fn find(&self, name: &str) -> Option<HookCall> {
        self.hooks.get(name).map(|options| HookCall::new(name, options))
    }

    /// Does a job apart from everything else. It is dropped, with a line in the log, if too many are unfinished. The job must not hold the hooks.
    pub(crate) fn apart(&self, job: impl Future<Output = ()> + Send + 'static) {
        let mut runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        if runner.is_none() {
            *runner = Runner::start();
        }
        let Some(runner) = runner.as_ref() else { return };
        if runner.unfinished.load(Relaxed) >= MOST {
            tracing::warn!("a hook was not called: {MOST} calls have not ended");
            return;
        }
        runner.unfinished.fetch_add(1, Relaxed);
        // The receiver is there as long as this is.
        let _ = runner.jobs.send(job.boxed());
    }
}

impl Runner {
    /// `None` if there is no thread, which is logged.
    fn start() -> Option<Self> {
        let (jobs, mut received) = tokio::sync::mpsc::unbounded_channel::<Job>();
        let (running, ended) = mpsc::channel::<()>();
        let unfinished = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&unfinished);
        let run = move || {
            let _running = running;
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::warn!(%error, "hooks cannot be called");
                    return;
                }
            };
            let jobs = stream::poll_fn(|context| received.poll_recv(context));
            runtime.block_on(jobs.for_each_concurrent(AT_ONCE, |job| {
                let counted = &counted;
                async move {
                    job.await;
                    counted.fetch_sub(1, Relaxed);
                }
            }));
        };
        match thread::Builder::new().name("glaux-hooks".to_owned()).spawn(run) {
            Ok(_) => Some(Self { jobs, unfinished, ended }),
            Err(error) => {
                tracing::warn!(%error, "hooks cannot be called");
                None
            }
        }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        let runner = self.runner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Runner { jobs, unfinished, ended }) = runner else { return };
        drop(jobs);
        if unfinished.load(Relaxed) > 0 && ended.recv_timeout(DRAIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the process ended before its hooks did");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a secret.
        f.debug_struct("Hooks").field("names", &self.hooks.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        time::Instant,
    };

    use super::*;
    use crate::error::Error;

    fn hooks(name: &str, options: HookOptions) -> Arc<Hooks> {
        Hooks::new([(name.to_owned(), options)].into()).unwrap()
    }

    fn of_url(url: String, timeout: Duration) -> HookOptions {
        HookOptions { url: Some(url), command: Vec::new(), timeout }
    }

    fn of_command(command: &[&str], timeout: Duration) -> HookOptions {
        HookOptions { url: None, command: command.iter().map(|&part| part.to_owned()).collect(), timeout }
    }

    /// Calls the hook, and waits until it has ended.
    fn call(hooks: &Hooks, name: &str) -> Result<()> {
        let hook = hooks.find(name).unwrap();
        let (sender, outcome) = mpsc::channel();
        let document = serde_json::json!({ "event": "budget_warning", "level": 80 });
        hooks.apart(async move { sender.send(hook.call(&document).await).unwrap() });
        outcome.recv().unwrap()
    }

    #[test]
    fn what_cannot_be_called_is_refused_by_name() {
        let second = Duration::from_secs(1);
        let both = HookOptions { url: Some("http://h/".to_owned()), ..of_command(&["x"], second) };
        let neither = of_command(&[], second);
        for (options, fault) in [
            (both, "has a URL and a command"),
            (neither, "has neither"),
            (of_command(&[""], second), "has neither"),
            (of_url("ftp://h/".to_owned(), second), "no valid URL"),
            (of_url("http://".to_owned(), second), "no valid URL"),
            (of_command(&["x"], Duration::ZERO), "timeout of 0"),
        ] {
            let error = Hooks::new([("ops".to_owned(), options)].into()).unwrap_err();
            assert!(error.message().contains("hook \"ops\"") && error.message().contains(fault), "{error}");
        }
    }

    #[test]
    fn a_document_is_posted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/budget", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.ends_with(b"}") {
                let read = connection.read(&mut buffer).unwrap();
                assert!(read > 0, "the request ends early");
                request.extend_from_slice(&buffer[..read]);
            }
            connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8(request).unwrap()
        });
        call(&hooks("ops", of_url(url, Duration::from_secs(60))), "ops").unwrap();
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /budget HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with(r#"{"event":"budget_warning","level":80}"#), "{request}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gets_the_document_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("document");
        let script = format!("cat > '{}'", file.display());
        let options = of_command(&["sh", "-c", &script], Duration::from_secs(60));
        call(&hooks("ops", options), "ops").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), r#"{"event":"budget_warning","level":80}"#);
        let failing: [(&[&str], &str); 2] =
            [(&["sh", "-c", "exit 3"], "exit status: 3"), (&["/nowhere/x"], "could not be started")];
        for (command, fault) in failing {
            let error = call(&hooks("ops", of_command(command, Duration::from_secs(60))), "ops").unwrap_err();
            assert!(format!("{error:?}").contains(fault), "{error:?}");
        }
    }

    #[test]
    fn one_that_hangs_is_ended_and_holds_up_nobody() {
        // Connections are taken in by the system, and never answered.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let hooks = hooks("hangs", of_url(url, Duration::from_millis(200)));
        let started = Instant::now();
        for _ in 0..2 * MOST {
            let hook = hooks.find("hangs").unwrap();
            hooks.apart(async move { _ = hook.call(&serde_json::Value::Null).await });
        }
        assert!(started.elapsed() < Duration::from_secs(10), "nobody waits");
        assert!(hooks.runner.lock().unwrap().as_ref().unwrap().unfinished.load(Relaxed) <= MOST);
        assert!(hooks.find("other").is_none());
        let error = call_alone(&hooks, "hangs");
        assert!(error.message().contains("did not answer within 200ms"), "{error}");
    }

    /// Calls the hook beside those that wait.
    fn call_alone(hooks: &Hooks, name: &str) -> Error {
        let hook = hooks.find(name).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { hook.call(&serde_json::Value::Null).await.unwrap_err() })
    }
}
