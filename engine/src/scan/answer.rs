//! `count`, `min` and `max` over whole files, answered from footers where these are exact: no table data is read, and none is billed, whether or
//! not a footer was cached. If it is not exact for one file, all are read.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use datafusion::{
    common::{Result as DataFusionResult, ScalarValue, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, Literal},
    },
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        aggregates::{AggregateExec, AggregateMode},
        repartition::RepartitionExec,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{
    exec::LakeScan,
    format::{Asked, Format},
    io::ScanIo,
    quote,
    quoted::{Basis, Reads, ScanQuote},
    spec::ScanSpec,
};
use crate::error::{Result, to_datafusion};

/// The scan whose rows would be read.
#[derive(Debug, Clone)]
struct Scan {
    spec: Arc<ScanSpec>,
    io: ScanIo,
    format: Arc<dyn Format>,
}

/// Answers an aggregation without groups, or its share of one.
#[derive(Debug)]
pub(crate) struct FooterAggregate {
    /// What answers where footers do not.
    aggregate: Arc<dyn ExecutionPlan>,
    scan: Scan,
    asked: Vec<Asked>,
    run: Mutex<Arc<OnceCell<Option<RecordBatch>>>>,
}

impl FooterAggregate {
    /// The node for an aggregation that asks a scan for nothing else.
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let aggregate = plan.downcast_ref::<AggregateExec>()?;
        // A scan of few streams is spread over more; that changes nothing of what is asked of it.
        let input = match aggregate.input().downcast_ref::<RepartitionExec>() {
            Some(spread) => spread.input(),
            None => aggregate.input(),
        };
        let scan = input.downcast_ref::<LakeScan>()?;
        let is_first = matches!(aggregate.mode(), AggregateMode::Partial | AggregateMode::Single);
        let is_plain = aggregate.group_expr().is_empty() && aggregate.filter_expr().iter().all(Option::is_none);
        let (spec, summaries) = (scan.spec(), scan.format().summaries()?);
        if !is_first || !is_plain || !spec.is_unfiltered() || spec.limit.is_some() {
            return None;
        }
        let asked = aggregate.aggr_expr().iter().map(|function| {
            let [of] = function.expressions().try_into().ok()?;
            if function.is_distinct() {
                return None;
            }
            Some(match function.fun().name() {
                "count" if of.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null()) => Asked::Count(None),
                "count" => Asked::Count(Some(output_column(spec, &of)?)),
                // Of some types no footer tells: then none is asked first.
                "min" | "max"
                    if !spec.is_value(&output_column(spec, &of)?)
                        && !summaries.has_exact_bounds(&of.data_type(&spec.output).ok()?) =>
                {
                    return None;
                }
                "min" => Asked::Min(output_column(spec, &of)?),
                "max" => Asked::Max(output_column(spec, &of)?),
                _ => return None,
            })
        });
        let asked: Vec<_> = asked.collect::<Option<_>>()?;
        // A partial count's and extreme's state is the value itself.
        (asked.len() == plan.schema().fields().len()).then(|| Self {
            aggregate: Arc::clone(plan),
            scan: Scan { spec: Arc::clone(spec), io: scan.io().clone(), format: Arc::clone(scan.format()) },
            asked,
            run: Mutex::default(),
        })
    }

    /// What answering from footers takes at most; `None` if they do not answer, or may not be read for it.
    ///
    /// # Errors
    /// Those of reading and decoding footers, naming the file.
    pub(crate) async fn quote(&self, basis: Basis) -> Result<Option<ScanQuote>> {
        if answer(&self.scan, &self.asked, self.aggregate.schema(), Some(basis)).await?.is_none() {
            return Ok(None);
        }
        let Scan { spec, io, format } = &self.scan;
        quote::of_scan(spec, io, format, basis, Reads::Metadata).await.map(Some)
    }

    /// The answer of this run, which its streams share; `None` if the rows have to be read.
    fn run(&self) -> Arc<OnceCell<Option<RecordBatch>>> {
        Arc::clone(&self.run.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The expression behind a column of a scan's output.
fn output_column(spec: &ScanSpec, expr: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    spec.projection.expr_iter().nth(expr.downcast_ref::<Column>()?.index())
}

impl DisplayAs for FooterAggregate {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.iter().map(|asked| match asked {
            Asked::Count(None) => "count(*)".to_owned(),
            Asked::Count(Some(of)) => format!("count({of})"),
            Asked::Min(of) => format!("min({of})"),
            Asked::Max(of) => format!("max({of})"),
        });
        write!(f, "FooterAggregate: [{}], where footers are exact", asked.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for FooterAggregate {
    fn name(&self) -> &str {
        "FooterAggregate"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.aggregate]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let aggregate = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.aggregate));
        Ok(Arc::new(Self { aggregate, scan: self.scan.clone(), asked: self.asked.clone(), run: Mutex::default() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let (run, aggregate, scan, asked) = (self.run(), Arc::clone(&self.aggregate), self.scan.clone(), self.asked.clone());
        let schema = self.schema();
        let batches = async move {
            let answer = run.get_or_try_init(|| answer(&scan, &asked, aggregate.schema(), None)).await.map_err(to_datafusion)?;
            Ok::<_, datafusion::error::DataFusionError>(match answer {
                None => aggregate.execute(partition, context)?,
                Some(batch) => {
                    let rows = stream::iter((partition == 0).then(|| Ok(batch.clone())));
                    Box::pin(RecordBatchStreamAdapter::new(batch.schema(), rows))
                }
            })
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(batches).try_flatten())))
    }
}

/// The answer, or what it would be where it is only `quoted`.
async fn answer(scan: &Scan, asked: &[Asked], schema: SchemaRef, quoted: Option<Basis>) -> Result<Option<RecordBatch>> {
    let Some(summaries) = scan.format.summaries() else { return Ok(None) };
    if quoted != Some(Basis::Known) {
        summaries.prepare(&scan.spec, &scan.io).await?;
    }
    let files: Vec<_> = scan.spec.files().cloned().collect();
    let mut files = stream::iter(files)
        .map(|file| {
            let (scan, asked) = (scan.clone(), asked.to_vec());
            async move {
                let Some(summaries) = scan.format.summaries() else { return Ok(None) };
                summaries.of_file(&scan.spec, &scan.io, &file, &asked, quoted).await
            }
        })
        .buffer_unordered(scan.io.fetch.fetcher().requests());
    let mut total: Option<Vec<ScalarValue>> = None;
    while let Some(of_file) = files.try_next().await? {
        let Some(of_file) = of_file else { return Ok(None) };
        total = Some(match total {
            None => of_file,
            Some(total) => {
                let merged = asked.iter().zip(total).zip(of_file).map(|((asked, one), other)| merge(asked, one, other));
                let Some(merged) = merged.collect() else { return Ok(None) };
                merged
            }
        });
    }
    let Some(total) = total else { return Ok(None) };
    let columns: Option<Vec<ArrayRef>> = total.iter().map(|value| value.to_array().ok()).collect();
    Ok(columns.and_then(|columns| RecordBatch::try_new(schema, columns).ok()))
}

/// What two parts answer together; `None` for a count that is too large.
pub(crate) fn merge(asked: &Asked, one: ScalarValue, other: ScalarValue) -> Option<ScalarValue> {
    match (asked, &one, &other) {
        (Asked::Count(_), ScalarValue::Int64(Some(one)), ScalarValue::Int64(Some(other))) => {
            Some(ScalarValue::Int64(Some(one.checked_add(*other)?)))
        }
        (_, one, other) if one.is_null() => Some(other.clone()),
        (_, one, other) if other.is_null() => Some(one.clone()),
        (Asked::Min(_), ..) => Some(if one.partial_cmp(&other)?.is_le() { one } else { other }),
        (Asked::Max(_), ..) => Some(if one.partial_cmp(&other)?.is_ge() { one } else { other }),
        (Asked::Count(_), ..) => None,
    }
}
