//! `count`, `min` and `max` over whole files, answered from their footers where these are exact: no table data is read, and none is billed. Whether
//! a footer was known before makes no difference to that. Where it is not exact for one file, all are read.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use datafusion::{
    common::{Result as DataFusionResult, ScalarValue, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, Literal},
        projection::ProjectionExprs,
    },
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        aggregates::{AggregateExec, AggregateMode},
        repartition::RepartitionExec,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::{arrow::arrow_reader::statistics::StatisticsConverter, file::metadata::ParquetMetaData};
use tokio::sync::OnceCell;

use super::{
    exec::LakeScan,
    fault, footer,
    shape::{Shape, is_value},
    spec::ScanSpec,
};
use crate::{
    error::{Error, Result, to_datafusion},
    scan::belief::{self, has_exact_bounds},
};

/// What is asked of all rows.
#[derive(Debug, Clone)]
enum Asked {
    /// How many there are; of a column, how many are not NULL.
    Count(Option<Arc<dyn PhysicalExpr>>),
    Min(Arc<dyn PhysicalExpr>),
    Max(Arc<dyn PhysicalExpr>),
}

/// Answers an aggregation without groups, or its share of one.
#[derive(Debug)]
pub(crate) struct FooterAggregate {
    /// What answers where footers do not.
    aggregate: Arc<dyn ExecutionPlan>,
    spec: Arc<ScanSpec>,
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
        let spec = scan.spec();
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
                    if !is_value(spec, &output_column(spec, &of)?) && !has_exact_bounds(&of.data_type(&spec.output).ok()?) =>
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
            spec: Arc::clone(spec),
            asked,
            run: Mutex::default(),
        })
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
        let (spec, asked) = (Arc::clone(&self.spec), self.asked.clone());
        Ok(Arc::new(Self { aggregate, spec, asked, run: Mutex::default() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let (run, aggregate, spec, asked) = (self.run(), Arc::clone(&self.aggregate), Arc::clone(&self.spec), self.asked.clone());
        let schema = self.schema();
        let batches = async move {
            let answer = run.get_or_try_init(|| answer(&spec, &asked, aggregate.schema())).await.map_err(to_datafusion)?;
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

async fn answer(spec: &Arc<ScanSpec>, asked: &[Asked], schema: SchemaRef) -> Result<Option<RecordBatch>> {
    let depth = spec.table.context.fetch.fetcher().requests();
    footer::learn(spec, false).await?;
    let mut files = stream::iter(spec.files.clone())
        .map(|planned| {
            let (spec, asked) = (Arc::clone(spec), asked.to_vec());
            async move {
                let opened = footer::footer(&spec.table, &planned, false).await?;
                if !opened.metadata.row_groups().iter().all(belief::is_sound) {
                    return Ok(None);
                }
                let shape = Shape::new(&spec, &planned, &opened.metadata).map_err(|error| fault::named(error, &planned.file))?;
                let projection = shape.projection_of(&spec, &planned).map_err(|error| fault::named(error, &planned.file))?;
                let one = |asked| of_file(&spec, &projection, &shape, &opened.metadata, asked);
                let of_file = asked.iter().map(one).collect::<Option<Vec<_>>>();
                Ok::<_, Error>(of_file)
            }
        })
        .buffer_unordered(depth);
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

fn merge(asked: &Asked, one: ScalarValue, other: ScalarValue) -> Option<ScalarValue> {
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

/// What one file answers; `None` if its footer is not exact.
fn of_file(
    spec: &ScanSpec,
    projection: &ProjectionExprs,
    shape: &Shape,
    metadata: &ParquetMetaData,
    asked: &Asked,
) -> Option<ScalarValue> {
    let rows = metadata.row_groups().iter().try_fold(0_i64, |rows, group| rows.checked_add(group.num_rows()))?;
    let of = match asked {
        Asked::Count(None) => return Some(ScalarValue::Int64(Some(rows))),
        Asked::Count(Some(of)) | Asked::Min(of) | Asked::Max(of) => of,
    };
    // The same expression as this file has it: a column, a value that all its rows share, or something that has to be computed.
    let at = spec.projection.expr_iter().position(|expr| expr.eq(of))?;
    let in_file = projection.expr_iter().nth(at)?;
    if let Some(literal) = in_file.downcast_ref::<Literal>() {
        let value = literal.value();
        return Some(match asked {
            Asked::Count(_) => ScalarValue::Int64(Some(if value.is_null() { 0 } else { rows })),
            _ if rows == 0 => ScalarValue::try_new_null(&value.data_type()).ok()?,
            _ => value.clone(),
        });
    }
    let column = in_file.downcast_ref::<Column>()?;
    let converter = StatisticsConverter::try_new(column.name(), &shape.file, &shape.parquet).ok()?;
    let converter = converter.with_missing_null_counts_as_zero(false);
    let groups = || metadata.row_groups();
    let nulls = converter.row_group_null_counts(groups()).ok()?;
    if let Asked::Count(_) = asked {
        if nulls.null_count() > 0 {
            return None;
        }
        let nulls = nulls.values().iter().try_fold(0_u64, |sum, nulls| sum.checked_add(*nulls))?;
        return Some(ScalarValue::Int64(Some(rows.checked_sub(i64::try_from(nulls).ok()?)?)));
    }
    let data_type = shape.file.field_with_name(column.name()).ok()?.data_type().clone();
    let is_min = matches!(asked, Asked::Min(_));
    let values = if is_min { converter.row_group_mins(groups()) } else { converter.row_group_maxes(groups()) }.ok()?;
    if !has_exact_bounds(&data_type) {
        return None;
    }
    let is_exact = match is_min {
        true => converter.row_group_is_min_value_exact(groups()),
        false => converter.row_group_is_max_value_exact(groups()),
    };
    let is_exact = is_exact.ok()?;
    let mut best = ScalarValue::try_new_null(&data_type).ok()?;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        if values.is_null(at) {
            // Without a value, it must be known that there is none.
            let all_null = nulls.is_valid(at) && i64::try_from(nulls.value(at)).ok()? == group.num_rows();
            if all_null { continue } else { return None }
        }
        if is_exact.is_null(at) || !is_exact.value(at) {
            return None;
        }
        best = merge(asked, best, ScalarValue::try_from_array(&values, at).ok()?)?;
    }
    Some(best)
}
