//! Graceful shutdown: the first SIGTERM or Ctrl-C refuses new work and lets running work finish; a second one, or the timeout, cancels it. A
//! thread of its own, started before everything else, waits for signals, so that a server whose threads are all busy also stops in time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use glaux_engine::{Error, ErrorKind, Result};
use tokio::{runtime::Runtime, sync::watch};

/// How long a server may go on once everything ends: clients get their errors within a second of that. Then its threads do not listen.
const STUCK: Duration = Duration::from_secs(2);

/// How long a server that has ended may take to send its traces.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// Until the configuration is read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the server is shutting down. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Drain(watch::Receiver<Phase>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No new work; what runs may end.
    Draining,
    /// Everything ends.
    Over,
}

/// How far the server has come by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Starting,
    Started,
    /// The last connection has gone.
    Served,
}

/// What the server and the thread that hears signals say to each other.
pub(crate) struct Shutdown {
    phase: watch::Receiver<Phase>,
    progress: watch::Sender<Progress>,
    orders: Arc<Mutex<Orders>>,
}

/// What to do at a signal.
struct Orders {
    /// How long what runs may take to its end.
    patience: Duration,
    /// At SIGHUP.
    reload: Option<Box<dyn Fn() + Send>>,
}

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shutdown").field("phase", &self.phase).field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Shutdown {
    /// Hears signals from now on.
    ///
    /// # Errors
    /// `LimitExceeded` if there is no thread to be had.
    pub(crate) fn listen() -> Result<Self> {
        let failed =
            |error| Error::new(ErrorKind::LimitExceeded, "cannot start the thread that hears signals").with_source(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let signals = {
            let _entered = runtime.enter();
            Signals::install().map_err(failed)?
        };
        let (phase, phases) = watch::channel(Phase::Serving);
        let (progress, progresses) = watch::channel(Progress::Starting);
        let orders = Arc::new(Mutex::new(Orders { patience: PATIENCE, reload: None }));
        let heard = Heard { phase, progress: progresses, orders: Arc::clone(&orders), signals };
        std::thread::Builder::new().name("glaux-signals".to_owned()).spawn(move || heard.run(&runtime)).map_err(failed)?;
        Ok(Self { phase: phases, progress, orders })
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long what runs may take to its end once a signal has come.
    pub(crate) fn set_patience(&self, patience: Duration) {
        self.orders().patience = patience;
    }

    /// What is done at SIGHUP.
    pub(crate) fn on_hangup(&self, reload: impl Fn() + Send + 'static) {
        self.orders().reload = Some(Box::new(reload));
    }

    pub(crate) fn drain(&self) -> Drain {
        Drain(self.phase.clone())
    }

    /// From now on the server ends in order by itself.
    pub(crate) fn started(&self) {
        self.progress.send_replace(Progress::Started);
    }

    /// Ready if a signal comes before the server has started.
    pub(crate) async fn stopped_while_starting(&self) {
        self.drain().draining().await;
        if *self.progress.borrow() > Progress::Starting {
            std::future::pending().await
        }
    }

    /// The last connection has gone.
    pub(crate) fn served(&self) {
        self.progress.send_replace(Progress::Served);
    }
}

/// The thread that hears signals.
struct Heard {
    phase: watch::Sender<Phase>,
    progress: watch::Receiver<Progress>,
    orders: Arc<Mutex<Orders>>,
    signals: Signals,
}

impl Heard {
    fn run(mut self, runtime: &Runtime) {
        runtime.block_on(async {
            self.end().await;
            // A server that ends by itself, before a signal, takes this thread with it.
            std::future::pending::<()>().await;
        });
    }

    async fn end(&mut self) {
        self.stop().await;
        let patience = self.orders.lock().unwrap_or_else(PoisonError::into_inner).patience;
        tracing::info!(?patience, "shutting down: no new work is accepted, and running queries may finish");
        self.phase.send_replace(Phase::Draining);
        let mut progress = self.progress.clone();
        tokio::select! {
            () = at_least(&mut progress, Progress::Served) => {}
            () = self.stop() => tracing::warn!("a second signal: running queries are ended"),
            () = tokio::time::sleep(patience) => tracing::warn!("the time to shut down is over: running queries are ended"),
        }
        self.phase.send_replace(Phase::Over);
        if tokio::time::timeout(STUCK, at_least(&mut progress, Progress::Served)).await.is_err() {
            tracing::error!("running queries do not end: the process ends without them");
            std::process::exit(0);
        }
        tokio::time::sleep(LAST_WORDS).await;
        tracing::error!("the server has ended, but its process has not: it ends now");
        std::process::exit(0);
    }

    /// The next signal to end. Those to reload are obeyed until then.
    async fn stop(&mut self) {
        while self.signals.next().await == Signal::Reload {
            match &self.orders.lock().unwrap_or_else(PoisonError::into_inner).reload {
                Some(reload) => reload(),
                None => tracing::info!("there is nothing to reload: the server has no certificate"),
            }
        }
    }
}

async fn at_least(progress: &mut watch::Receiver<Progress>, wanted: Progress) {
    if progress.wait_for(|progress| *progress >= wanted).await.is_err() {
        // The server is gone, and the process with it in a moment.
        std::future::pending().await
    }
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// Ready once no new work is taken.
    pub(crate) async fn draining(mut self) {
        // A sender that is gone takes no work either.
        let _ = self.0.wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Ready once everything must end.
    pub(crate) async fn over(mut self) {
        let _ = self.0.wait_for(|phase| *phase >= Phase::Over).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Stop,
    Reload,
}

/// SIGTERM, Ctrl-C and SIGHUP.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// What comes from now on is heard. Call it within a runtime.
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop
    }
}
