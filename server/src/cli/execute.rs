//! Runs one statement: submits it, writes its rows as they come, shows its progress and its bill, and stops it on Ctrl-C.

use std::io::{self, IsTerminal};

use futures::StreamExt;
use glaux_engine::{
    Engine, Error, ErrorKind, Result, Session,
    query::{CancelReason, Parameters, Query, QueryReport},
};

use crate::{
    interrupt::Interrupt,
    output::{self, Format},
    progress::{self, Progress},
    stats::Stats,
};

/// How a front end on a terminal runs statements.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    pub(crate) format: Format,
    pub(crate) stats: Stats,
    /// Whether a line of progress is drawn.
    pub(crate) progress: bool,
    pub(crate) interrupt: Interrupt,
    /// Whether a result that only one file can hold has been written.
    written: bool,
}

impl Executor {
    pub(crate) fn new(engine: Engine, session: Session, format: Format, stats: Stats, progress: bool) -> Self {
        Self { engine, session, format, stats, progress, interrupt: Interrupt::listen(), written: false }
    }

    /// Runs a statement to its end. Its figures are shown whether it succeeds or not.
    ///
    /// # Errors
    /// The statement's own; `Cancelled` after Ctrl-C; what writing the result meets.
    pub(crate) async fn run(&mut self, statement: &str) -> Result<()> {
        self.interrupt.reset();
        let mut progress = Progress::statement(self.progress);
        let parameters = Parameters::default();
        let planned = self.engine.plan(&self.session, statement, &parameters);
        let submitted = match Box::pin(self.attended(planned, || progress.planning())).await? {
            Ok(planned) => {
                let canceller = planned.canceller();
                self.attended(planned.run(), || progress.update(&canceller.report())).await?
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
        let result = self.write(&mut query, progress).await;
        // A query whose rows nobody takes is cancelled by dropping it.
        drop(query);
        (result, canceller.report())
    }

    async fn write(&mut self, query: &mut Query, progress: &mut Progress) -> Result<()> {
        let schema = query.schema();
        if self.format.is_binary() && !schema.fields().is_empty() && std::mem::replace(&mut self.written, true) {
            return Err(Error::invalid(format!(
                "the format \"{}\" holds one result, and this is the second",
                self.format.name()
            ))
            .with_hint("Run the statements one by one, or use --format csv or json"));
        }
        let mut writer = output::begin(self.format, &schema)?;
        let to_terminal = io::stdout().is_terminal();
        let mut ticks = tokio::time::interval(progress::INTERVAL);
        let mut stopping = false;
        let mut has_rows = false;
        loop {
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
                Some(Ok(batch)) => {
                    if to_terminal {
                        progress.clear();
                    }
                    writer.write(&batch)?;
                    has_rows |= batch.num_rows() > 0;
                }
                Some(Err(error)) => {
                    progress.clear();
                    // What came before the failure is shown; that it is not all, the error says.
                    if has_rows && !self.format.is_binary() {
                        writer.finish()?;
                    }
                    return Err(error);
                }
                None => break,
            }
        }
        progress.clear();
        writer.finish()
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Cancelled, "the query was stopped by Ctrl-C")
}
