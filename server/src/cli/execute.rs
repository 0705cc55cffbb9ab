//! Runs one statement: submits it, writes its rows as they come, shows its progress and its bill, and stops it on Ctrl-C.

use futures::StreamExt;
use glaux_engine::{
    Engine, Error, ErrorKind, Result, Session,
    query::{CancelReason, Parameters, Query, QueryReport},
};

use crate::{
    interrupt::Interrupt,
    output::{self, Results, Writing},
    progress::{self, Progress},
    stats::Stats,
    terminal,
};

/// How a front end on a terminal runs statements.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    pub(crate) results: Results,
    pub(crate) stats: Stats,
    /// Whether a line of progress is drawn.
    pub(crate) progress: bool,
    pub(crate) interrupt: Interrupt,
    /// Whether a press of Ctrl-C before a statement stops it, too.
    pub(crate) keeps_presses: bool,
}

/// What is to be done before the process ends in any other way than from `main`.
pub(super) fn before_end() {
    terminal::restore();
    output::discard_unfinished();
}

impl Executor {
    pub(crate) fn new(engine: Engine, session: Session, results: Results, stats: Stats, progress: bool) -> Self {
        Self { engine, session, results, stats, progress, interrupt: Interrupt::listen(before_end), keeps_presses: false }
    }

    /// Runs a statement to its end. Its figures are shown whether it succeeds or not.
    ///
    /// # Errors
    /// The statement's own; `Cancelled` after Ctrl-C; what writing the result meets.
    pub(crate) async fn run(&mut self, statement: &str) -> Result<()> {
        self.results.check_format()?;
        if !self.keeps_presses {
            self.interrupt.reset();
        }
        let mut progress = Progress::statement(self.progress);
        let parameters = Parameters::default();
        let planned = self.engine.plan(&self.session, statement, &parameters);
        let submitted = match Box::pin(self.attended(planned, || progress.planning())).await? {
            Ok(planned) => {
                let canceller = planned.canceller();
                Box::pin(self.attended(planned.run(), || progress.update(&canceller.report()))).await?
            }
            Err(failure) => Err(failure),
        };
        let query = match submitted {
            Ok(query) => query,
            Err(failure) => {
                progress.clear();
                self.stats.show(&failure.report, true)?;
                return Err(failure.error);
            }
        };
        let columns = !query.schema().fields().is_empty();
        let (result, report) = self.stream(query, &mut progress).await;
        progress.clear();
        match result {
            Err(error) if output::is_broken_pipe(&error) => Err(error),
            result => {
                let shown = self.stats.show(&report, columns);
                result.and(shown)
            }
        }
    }

    /// Waits for a piece of a statement's life, tells of it meanwhile, and gives it up on Ctrl-C, which cancels the statement.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C.
    async fn attended<T>(&self, piece: impl Future<Output = T>, tell: impl Fn()) -> Result<T> {
        tokio::pin!(piece);
        let mut ticks = tokio::time::interval(progress::INTERVAL);
        loop {
            tokio::select! {
                biased;
                done = &mut piece => return Ok(done),
                // Dropping it cancels it.
                () = self.interrupt.pressed() => return Err(interrupted()),
                _ = ticks.tick() => tell(),
            }
        }
    }

    /// Writes the rows of a query; gives its figures in any case.
    async fn stream(&mut self, mut query: Query, progress: &mut Progress) -> (Result<()>, QueryReport) {
        let canceller = query.canceller();
        let result = match self.results.begin(&query.schema()) {
            Ok(writing) => self.write(&mut query, writing, progress).await,
            Err(error) => Err(error),
        };
        self.interrupt.set_patient(false);
        // A query whose rows nobody takes is cancelled by dropping it.
        drop(query);
        (result, canceller.report())
    }

    async fn write(&mut self, query: &mut Query, mut writing: Writing, progress: &mut Progress) -> Result<()> {
        let mut ticks = tokio::time::interval(progress::INTERVAL);
        // Whether it is to end early: by Ctrl-C, or because nobody wants more rows.
        let (mut stopping, mut was_left) = (false, false);
        let mut has_rows = false;
        loop {
            if !was_left && writing.was_left() {
                (stopping, was_left) = (true, true);
                query.canceller().cancel(CancelReason::User);
            }
            let batch = tokio::select! {
                biased;
                () = self.interrupt.pressed(), if !stopping => {
                    stopping = true;
                    query.canceller().cancel(CancelReason::User);
                    continue;
                }
                batch = query.next() => batch,
                _ = ticks.tick() => {
                    progress.update(&query.report());
                    continue;
                }
            };
            match batch {
                Some(Ok(_)) if was_left => {}
                Some(Ok(batch)) => {
                    if writing.is_shown() {
                        progress.clear();
                    }
                    self.interrupt.set_patient(writing.has_pager());
                    writing.write(&batch)?;
                    self.interrupt.set_patient(writing.is_paged());
                    has_rows |= batch.num_rows() > 0;
                }
                Some(Err(error)) if was_left && error.kind() == ErrorKind::Cancelled => break,
                Some(Err(error)) => {
                    progress.clear();
                    // What came before the failure is shown; that it is not all, the error says.
                    if has_rows && !self.results.format.is_binary() {
                        self.close(writing)?;
                    }
                    return Err(error);
                }
                None => break,
            }
        }
        progress.clear();
        self.close(writing)
    }

    /// Ends a result, and waits for a pager. Ctrl-C in a pager is the pager's.
    fn close(&self, writing: Writing) -> Result<()> {
        let was_pressed = self.interrupt.was_pressed();
        self.interrupt.set_patient(writing.has_pager());
        let closed = writing.finish();
        if !was_pressed {
            self.interrupt.reset();
        }
        closed
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Cancelled, "the query was stopped by Ctrl-C")
}
