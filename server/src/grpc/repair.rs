//! Repairs for callers of the catalog service: each is a query of its caller, in the history with its requests, and can be killed like any other.

use arrow::array::{AsArray, RecordBatch};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::{
    TableName,
    discovery::RepairMode,
    grpc::{RepairStep, Repairer},
};
use glaux_engine::{
    Engine, Error, Result, Session,
    query::{Canceller, Parameters},
};
use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::progress::INTERVAL;

/// Repairs as one caller.
#[derive(Debug)]
pub(super) struct SessionRepairer {
    pub(super) engine: Engine,
    pub(super) session: Session,
}

/// A repair that goes on.
struct Repair {
    /// One task, which goes on whether the caller listens or not, and ends with the statement's answer. Dropping it cancels the query.
    running: JoinSet<Result<Vec<RecordBatch>>>,
    query: Canceller,
    ticks: Interval,
}

#[async_trait]
impl Repairer for SessionRepairer {
    async fn repair(&self, table: TableName, mode: RepairMode, tail: bool) -> Result<BoxStream<'static, Result<RepairStep>>> {
        let what = match mode {
            _ if tail => " TAIL",
            RepairMode::Add => "",
            RepairMode::Drop => " DROP PARTITIONS",
            RepairMode::Sync => " SYNC PARTITIONS",
        };
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let sql = format!("MSCK REPAIR TABLE {}.{}{what}", quoted(&table.database), quoted(&table.table));
        let planned = self.engine.plan(&self.session, &sql, &Parameters::default()).await.map_err(|failure| failure.error)?;
        let query = planned.canceller();
        let mut running = JoinSet::new();
        running.spawn(async move { planned.run().await.map_err(|failure| failure.error)?.try_collect().await });
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Ok(stream::try_unfold(Some(Repair { running, query, ticks }), steps).boxed())
    }
}

/// The next step: the last when the query has ended.
async fn steps(repair: Option<Repair>) -> Result<Option<(RepairStep, Option<Repair>)>> {
    let Some(mut repair) = repair else { return Ok(None) };
    tokio::select! {
        biased;
        ended = repair.running.join_next() => {
            let gone = || Error::internal("a repair ended without an answer");
            let batches = ended.ok_or_else(gone)?.map_err(|error| gone().with_source(error))??;
            let lines = Some(lines(&batches)?);
            Ok(Some((RepairStep { lines, ..step(&repair) }, None)))
        }
        _ = repair.ticks.tick() => Ok(Some((step(&repair), Some(repair)))),
    }
}

fn lines(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for batch in batches {
        let column = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| Error::internal("a repair returned something other than text"))?;
        lines.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(lines)
}

fn step(repair: &Repair) -> RepairStep {
    let report = repair.query.report();
    let figures = report.repair.unwrap_or_default();
    RepairStep {
        pages: report.usage.requests.list,
        found: figures.found,
        added: figures.added,
        dropped: figures.dropped,
        lines: None,
    }
}
