//! The queries of this process that have not ended. While there are any, one task looks for what other processes spend and for kills that they
//! request, and records the current figures; otherwise nothing runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, task::AbortHandle, time::MissedTickBehavior};

use super::{
    admission::Slots,
    budget::Budgets,
    cancel::CancelReason,
    entry::Entry,
    history::{History, QueryRecord},
    observer::QueryObserver,
    report::{QueryId, QueryState},
};
use crate::clock::Clock;

/// How often the task looks for kills; it records figures every other time.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Registry {
    history: Arc<History>,
    slots: Arc<Slots>,
    budgets: Arc<Budgets>,
    running: Mutex<Running>,
    observer: OnceLock<Arc<dyn QueryObserver>>,
}

#[derive(Debug, Default)]
struct Running {
    /// By id, and so in the order in which they came in.
    entries: BTreeMap<QueryId, Arc<Entry>>,
    watcher: Option<AbortHandle>,
}

impl Registry {
    pub(super) fn new(history: Arc<History>, slots: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        let budgets = Budgets::new(Arc::clone(&history), clock);
        Arc::new(Self { history, slots: Slots::new(slots), budgets, running: Mutex::default(), observer: OnceLock::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn history(&self) -> &Arc<History> {
        &self.history
    }

    pub(super) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    pub(super) fn budgets(&self) -> &Arc<Budgets> {
        &self.budgets
    }

    /// `false` if there is one already.
    pub(super) fn observe(&self, observer: Arc<dyn QueryObserver>) -> bool {
        self.observer.set(observer).is_ok()
    }

    /// Reports a query that has ended to the observer, if there is one.
    pub(super) fn report_end(&self, record: &QueryRecord) {
        if let Some(observer) = self.observer.get() {
            observer.ended(record);
        }
    }

    pub(super) fn insert(self: &Arc<Self>, entry: Arc<Entry>) {
        self.history.begin(entry.record());
        let mut running = self.lock();
        running.entries.insert(entry.id, entry);
        if self.history.is_shared()
            && running.watcher.as_ref().is_none_or(AbortHandle::is_finished)
            && let Ok(runtime) = Handle::try_current()
        {
            running.watcher = Some(runtime.spawn(watch(Arc::downgrade(self))).abort_handle());
        }
    }

    pub(super) fn remove(&self, id: QueryId) {
        self.lock().entries.remove(&id);
    }

    pub(super) fn get(&self, id: QueryId) -> Option<Arc<Entry>> {
        self.lock().entries.get(&id).cloned()
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.lock().entries.values().cloned().collect()
    }

    /// One round of the task; `false` if there is nothing left to watch.
    async fn look(&self, note_figures: bool) -> bool {
        let entries = {
            let mut running = self.lock();
            if running.entries.is_empty() {
                running.watcher = None;
                return false;
            }
            running.entries.clone()
        };
        if note_figures {
            for entry in entries.values().filter(|entry| entry.report().state == QueryState::Running) {
                self.history.update_running(entry.record());
            }
        }
        self.budgets.look_again().await;
        match self.history.kill_requests().await {
            Ok(requests) => {
                for (id, by) in requests {
                    if let Some(entry) = entries.get(&id) {
                        entry.cancel(CancelReason::KilledBy(by));
                    }
                }
            }
            Err(error) => tracing::warn!(?error, "kills from other processes cannot be seen"),
        }
        true
    }
}

async fn watch(registry: Weak<Registry>) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut note_figures = false;
    loop {
        ticks.tick().await;
        let Some(registry) = registry.upgrade() else { return };
        if !registry.look(note_figures).await {
            return;
        }
        note_figures = !note_figures;
    }
}
