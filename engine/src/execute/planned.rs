//! A statement between planning and running: the schema of its result and an upper bound of what it will read are known, nothing has been read
//! or changed.
//!
//! A front end that announces a result before it runs it holds one of these. Dropping it ends the query as cancelled, with the cost of planning.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{execution::TaskContext, physical_plan::ExecutionPlan};

use super::{explain, limits, output::Output, quoting, shared::Shared};
use crate::{
    access::Guarded,
    error::Result,
    lifecycle::{Canceller, Planned, QueryGuard, QueryId, QueryReport},
    quote::{Estimate, Quote},
    scan::Basis,
    session::{Session, SessionOptions},
    sql::Statement,
    statements,
};

/// What is left to do.
pub(super) enum Work {
    /// `EXPLAIN`: the answer itself.
    Answer(RecordBatch),
    /// A statement that is no query: carried out when it is run.
    Statement(Box<Statement>),
    /// A query, or one for each row of its parameters, whose rows follow one another.
    Run { plans: Vec<Arc<dyn ExecutionPlan>>, context: Arc<TaskContext>, output: Output },
    /// `EXPLAIN ANALYZE`: runs the query and reports its figures.
    Analyze { plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext> },
}

impl Work {
    /// The plans that scan, if any do.
    pub(super) fn plans(&self) -> Option<&[Arc<dyn ExecutionPlan>]> {
        match self {
            Self::Run { plans, .. } => Some(plans),
            Self::Analyze { plan, .. } => Some(std::slice::from_ref(plan)),
            Self::Answer(_) | Self::Statement(_) => None,
        }
    }
}

/// A statement that has been planned and not been run.
pub struct PlannedQuery {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) guard: QueryGuard<Planned>,
    pub(super) work: Work,
    /// The catalog that it was planned on.
    pub(super) access: Option<Arc<Guarded>>,
    /// Bytes of table data that it scans at most, if it was judged by that.
    pub(super) quoted_bytes: Option<u64>,
    pub(super) planned_at: Instant,
}

/// How long what a workgroup allowed is taken to hold.
const FRESH: Duration = Duration::from_secs(1);

impl PlannedQuery {
    /// Says who asks for its result: groups and roles may have changed since it was planned, and the same user may fetch it in another session.
    pub fn asked_by(&self, session: &Session) {
        let SessionOptions { user, groups, role, workgroup, workgroup_bound, .. } = session.options();
        self.session.identify(&user, &groups, role, workgroup_bound.then_some(workgroup.as_str()));
    }

    /// Whether the session's user may still read everything that it was planned on; grants may have changed since.
    ///
    /// # Errors
    /// `Denied`; those of the catalog.
    pub async fn check_access(&self) -> Result<()> {
        match &self.access {
            Some(access) => access.renew(self.shared.caller(&self.session.options())).await,
            None => Ok(()),
        }
    }

    /// Whether it may still run, and within which limits, as it is run now.
    ///
    /// # Errors
    /// As [`PlannedQuery::check_access`]; `NotFound` and `Denied` for its workgroup.
    pub(super) async fn check_again(&self) -> Result<()> {
        self.check_access().await?;
        if self.work.plans().is_none() || self.planned_at.elapsed() < FRESH {
            return Ok(());
        }
        let SessionOptions { user, groups, role, .. } = self.session.options();
        let asked = SessionOptions { user, groups, role, ..self.guard.options().clone() };
        self.guard.enforce(limits::in_force(&self.shared, &asked).await?);
        Ok(())
    }

    /// Bytes of table data that it scans at most, where it pays out of a budget and that is known.
    pub(super) fn most_scanned(&self) -> Option<u64> {
        if !self.guard.entry().limits().budget.is_set() {
            return None;
        }
        let estimated = || self.estimate().filter(|estimate| !estimate.is_unbounded).map(|estimate| estimate.bytes);
        self.quoted_bytes.or_else(estimated)
    }

    #[must_use]
    pub fn id(&self) -> QueryId {
        self.guard.id()
    }

    /// The schema of the result; without columns for statements that return none.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        match &self.work {
            Work::Answer(batch) => batch.schema(),
            Work::Statement(statement) => statements::schema(statement),
            Work::Run { output, .. } => output.schema(),
            Work::Analyze { .. } => explain::schema(),
        }
    }

    /// Whether running it can wait until its rows are wanted, and changes nothing.
    #[must_use]
    pub fn is_query(&self) -> bool {
        match &self.work {
            Work::Answer(_) | Work::Run { .. } | Work::Analyze { .. } => true,
            Work::Statement(statement) => statement.nature().waits(),
        }
    }

    /// An upper bound of what it will read, by the sizes of its files alone; `None` for statements that scan nothing. A [`PlannedQuery::quote`] is
    /// nearer.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let entry = self.guard.entry();
        self.work.plans().map(|plans| Estimate::of(plans, &entry.meter.detail(), &entry.tariff()))
    }

    /// What it takes at most. Metadata that are read for it are read by this query, and not again when it runs.
    ///
    /// # Errors
    /// Those of reading and decoding the metadata of files, naming the file; those of being stopped.
    pub async fn quote(&self, basis: Basis) -> Result<Quote> {
        let entry = self.guard.entry();
        let tariff = entry.tariff();
        let Some(plans) = self.work.plans() else { return Ok(Quote::nothing(basis, tariff.id())) };
        self.guard.run(quoting::of_plans(&self.shared, plans.to_vec(), entry.meter.detail(), tariff, basis)).await
    }

    /// Whether the order of the rows is part of the result.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        match &self.work {
            Work::Run { plans, .. } => match plans.as_slice() {
                [plan] => plan.properties().output_ordering().is_some(),
                _ => true,
            },
            Work::Answer(_) | Work::Statement(_) | Work::Analyze { .. } => true,
        }
    }

    /// The figures so far: those of planning.
    #[must_use]
    pub fn report(&self) -> QueryReport {
        self.guard.report()
    }

    /// A handle that stops the query from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.guard.canceller()
    }
}

impl fmt::Debug for PlannedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedQuery").field("id", &self.id()).field("schema", &self.schema()).finish_non_exhaustive()
    }
}
