//! `ANALYZE` and `CALL system.crawl`, which look at the files of a lake.

use arrow::array::RecordBatch;

use super::context::StatementContext;
use crate::{
    error::Result,
    location::normalise_location,
    probe::{ProbeContext, analyze::analyze as analyze_table, crawl::crawl as crawl_url},
    sql::{Analyze, Crawl},
};

pub(super) async fn analyze(what: &Analyze, context: &StatementContext<'_>) -> Result<RecordBatch> {
    let database = context.session.database();
    analyze_table(what, &probing(context, &database)).await
}

pub(super) async fn crawl(what: &Crawl, context: &StatementContext<'_>) -> Result<RecordBatch> {
    let database = context.session.database();
    let tables_of = what.database.as_deref().unwrap_or(&database);
    context.plan.guard.check_location(&normalise_location(&what.url)?, tables_of).await?;
    crawl_url(what, &probing(context, &database)).await
}

fn probing<'a>(context: &StatementContext<'a>, database: &'a str) -> ProbeContext<'a> {
    let plan = context.plan;
    ProbeContext { metastore: &plan.metastore, scan: &plan.scan, database, clock: plan.clock.as_ref() }
}
