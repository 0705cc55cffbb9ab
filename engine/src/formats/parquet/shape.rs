//! What a file's schema makes of a scan's expressions. Files of one schema share it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::{
    common::{Result, ScalarValue},
    datasource::physical_plan::parquet::{Int96Coercer, PagePruningAccessPlanFilter},
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, PhysicalExprSimplifier, conjunction,
        expressions::{BinaryExpr, Column, DynamicFilterTracking, IsNullExpr, Literal, NotExpr},
        projection::ProjectionExprs,
        split_conjunction,
        utils::collect_columns,
    },
    physical_expr_adapter::{PhysicalExprAdapterFactory, replace_columns_with_literals},
    physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    },
    file::metadata::{KeyValue, ParquetMetaData},
    schema::types::SchemaDescPtr,
};

use super::{
    evolve::EvolveFactory,
    mask,
    metadata::{arrow_schema, decimals, unmarked},
};
use crate::scan::{PlannedFile, ScanSpec};

/// Shapes of files that are remembered.
const SHAPES: usize = 8;

/// The shapes of the files that a scan has met.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<Vec<Arc<Shape>>>);

impl Shapes {
    /// The shape of a file; made if it is the first of its schema.
    ///
    /// # Errors
    /// As [`Shape::new`].
    pub(super) fn of(
        &self,
        spec: &ScanSpec,
        evolve: &EvolveFactory,
        planned: &PlannedFile,
        metadata: &ParquetMetaData,
    ) -> Result<Arc<Shape>> {
        let find = |shapes: &[Arc<Shape>]| shapes.iter().rev().find(|shape| shape.fits(planned, metadata)).map(Arc::clone);
        if let Some(shape) = find(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(shape);
        }
        let shape = Arc::new(Shape::new(spec, evolve, planned, metadata)?);
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Values that differ from file to file make shapes that nobody asks for again.
        if shapes.len() >= SHAPES {
            shapes.remove(0);
        }
        shapes.push(Arc::clone(&shape));
        Ok(shape)
    }
}

/// A scan over files of one schema.
#[derive(Debug)]
pub(super) struct Shape {
    pub parquet: SchemaDescPtr,
    /// What `parquet` does not say.
    decimals: Vec<KeyValue>,
    /// What the decoder gives, before any column is left out.
    pub file: SchemaRef,
    /// The result's columns; those that are a file's own values are not filled in yet.
    projection: ProjectionExprs,
    /// Conjuncts that stay as they are, and those that change while the query runs.
    pub fixed: Option<Arc<dyn PhysicalExpr>>,
    pub moving: Option<Arc<dyn PhysicalExpr>>,
    /// Those of the latter that statistics can tell of: not of floats, since NaN passes them, and is in no statistics.
    pub told: Option<Arc<dyn PhysicalExpr>>,
    /// The sort keys of the rows wanted, if only the best are.
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Tells from statistics that `fixed` fails.
    pub pruning: Option<Arc<PruningPredicate>>,
    /// Tells from statistics that no row fails `fixed`: what it prunes holds none for which `fixed` is false or NULL.
    pub failing: Option<Arc<PruningPredicate>>,
    pub pages: Option<PagePruningAccessPlanFilter>,
    /// The columns of the result, of the filter and keys, and of both.
    pub output_mask: ProjectionMask,
    pub filter_mask: ProjectionMask,
    pub all_mask: ProjectionMask,
    /// Tells from statistics that `told` fails, as it was at some generation.
    moving_pruning: Mutex<Option<(u64, Option<Arc<PruningPredicate>>)>>,
    /// The partition and hidden values that the expressions have taken in, if they speak of them.
    values: Option<Vec<ScalarValue>>,
}

impl Shape {
    /// # Errors
    /// `CorruptData` for columns whose types do not go together, by name.
    pub(super) fn new(
        spec: &ScanSpec,
        evolve: &EvolveFactory,
        planned: &PlannedFile,
        metadata: &ParquetMetaData,
    ) -> Result<Self> {
        let parquet = metadata.file_metadata().schema_descr_ptr();
        let file = file_schema(spec, metadata)?;
        let uses_values = uses_values(spec);
        let literals = if uses_values { spec.literals(planned) } else { HashMap::new() };
        let adapter = evolve.create(Arc::clone(spec.schema.file_schema()), Arc::clone(&file))?;
        let simplifier = PhysicalExprSimplifier::new(&file);
        let adapt = |expr: Arc<dyn PhysicalExpr>| {
            let expr = if uses_values { replace_columns_with_literals(expr, &literals)? } else { expr };
            simplifier.simplify(adapter.rewrite(expr)?)
        };
        let projection =
            spec.projection.clone().try_map_exprs(|expr| if spec.is_value(&expr) { Ok(expr) } else { adapt(expr) })?;
        let predicate = spec.predicate.clone().map(adapt).transpose()?;
        let (mut fixed, mut moving) = (Vec::new(), Vec::new());
        for conjunct in predicate.iter().flat_map(split_conjunction) {
            let is_moving = DynamicFilterTracking::classify(conjunct).contains_dynamic_filter();
            if is_moving { &mut moving } else { &mut fixed }.push(Arc::clone(conjunct));
        }
        fixed.retain(|conjunct| !is_true(conjunct));
        let told = moving.iter().filter(|conjunct| !speaks_of_floats(conjunct, &file)).cloned().collect();
        let all = |conjuncts: Vec<_>| (!conjuncts.is_empty()).then(|| conjunction(conjuncts));
        let (fixed, moving, told) = (all(fixed), all(moving), all(told));
        let own = || spec.literals(planned);
        let keys = spec.top.iter().flat_map(|top| &top.keys).map(|(key, _)| {
            let key = key_of(&projection, key)?;
            if spec.is_value(&key) { replace_columns_with_literals(key, &own()).ok() } else { Some(key) }
        });
        let keys: Vec<_> = keys.collect::<Option<_>>().unwrap_or_default();
        let pruning = fixed
            .as_ref()
            .and_then(|fixed| PruningPredicateBuilder::new().with_file_schema(Arc::clone(&file)).build(Arc::clone(fixed)));
        let failing = fixed.as_ref().and_then(|fixed| failing(fixed, &file));
        let pages = fixed.as_ref().map(|fixed| PagePruningAccessPlanFilter::new(fixed, Arc::clone(&file)));
        let outputs: Vec<_> = projection.expr_iter().filter(|expr| !spec.is_value(expr)).collect();
        let filters: Vec<_> = fixed.iter().chain(&moving).chain(&keys).cloned().collect();
        let output_mask = mask::needed(&outputs, &file, &parquet);
        let filter_mask = mask::needed(&filters, &file, &parquet);
        let all_mask = mask::needed(outputs.iter().chain(&filters), &file, &parquet);
        Ok(Self {
            parquet,
            decimals: decimals(metadata).cloned().collect(),
            projection,
            fixed,
            moving,
            told,
            keys,
            pruning,
            failing,
            pages: pages.filter(|pages| pages.filter_number() > 0),
            output_mask,
            filter_mask,
            all_mask,
            moving_pruning: Mutex::default(),
            values: (uses_values || keys_use_values(spec)).then(|| planned.values.clone()),
            file,
        })
    }

    /// Whether it is that of this file, too.
    pub(super) fn fits(&self, planned: &PlannedFile, metadata: &ParquetMetaData) -> bool {
        let parquet = metadata.file_metadata().schema_descr_ptr();
        let is_same = Arc::ptr_eq(&parquet, &self.parquet) || parquet.root_schema() == self.parquet.root_schema();
        is_same && decimals(metadata).eq(&self.decimals) && self.values.as_ref().is_none_or(|values| *values == planned.values)
    }

    /// The result's columns for one file.
    pub(super) fn projection_of(&self, spec: &ScanSpec, planned: &PlannedFile) -> Result<ProjectionExprs> {
        let literals = spec.literals(planned);
        self.projection
            .clone()
            .try_map_exprs(|expr| if spec.is_value(&expr) { replace_columns_with_literals(expr, &literals) } else { Ok(expr) })
    }

    /// How the decoder is to read a file of this schema.
    pub(super) fn reader(&self, metadata: &Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(unmarked(&self.file));
        Ok(ArrowReaderMetadata::try_new(Arc::clone(metadata), options)?)
    }

    /// The columns that are read of a row group; those of the filter, too, if its rows have to pass any (`is_sieved`).
    pub(super) fn mask(&self, is_sieved: bool) -> &ProjectionMask {
        if is_sieved { &self.all_mask } else { &self.output_mask }
    }

    /// The filter's conjuncts; without the fixed ones where they are known to hold.
    pub(super) fn filter(&self, fixed_holds: bool) -> Option<Arc<dyn PhysicalExpr>> {
        let fixed = self.fixed.iter().filter(|_| !fixed_holds);
        let conjuncts: Vec<_> = fixed.chain(&self.moving).cloned().collect();
        (!conjuncts.is_empty()).then(|| conjunction(conjuncts))
    }

    /// What tells that the moving part fails, as it is now: `generation` says how often it has changed.
    pub(super) fn moving_pruning(&self, generation: u64, told: &Arc<dyn PhysicalExpr>) -> Option<Arc<PruningPredicate>> {
        let mut cached = self.moving_pruning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pruning)) = cached.as_ref().filter(|(of, _)| *of == generation) {
            return pruning.clone();
        }
        let pruning = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.file)).build(Arc::clone(told));
        *cached = Some((generation, pruning.clone()));
        pruning
    }

    /// The column that is the leading key of the rows wanted, if it is one.
    pub(super) fn leading_key(&self) -> Option<&Column> {
        self.keys.first()?.downcast_ref::<Column>()
    }
}

/// Whether an expression speaks of columns of floats, or of nested ones, which may hold some.
fn speaks_of_floats(expr: &Arc<dyn PhysicalExpr>, file: &SchemaRef) -> bool {
    let is_one = |column: &Column| {
        file.field_with_name(column.name()).map_or(true, |field| field.data_type().is_nested() || field.data_type().is_floating())
    };
    collect_columns(expr).iter().any(is_one)
}

/// What tells that no row fails a predicate; `None` where statistics cannot: they leave NaN out, which passes or fails by rules of its own.
fn failing(fixed: &Arc<dyn PhysicalExpr>, file: &SchemaRef) -> Option<Arc<PruningPredicate>> {
    if speaks_of_floats(fixed, file) {
        return None;
    }
    let mut fails: Arc<dyn PhysicalExpr> = Arc::new(NotExpr::new(Arc::clone(fixed)));
    let mut columns: Vec<Column> = collect_columns(fixed).into_iter().collect();
    columns.sort_by_key(Column::index);
    for column in columns {
        let field = file.field_with_name(column.name()).ok()?;
        // A predicate that is NULL lets no row pass.
        if field.is_nullable() {
            fails = Arc::new(BinaryExpr::new(fails, Operator::Or, Arc::new(IsNullExpr::new(Arc::new(column)))));
        }
    }
    let fails = PhysicalExprSimplifier::new(file).simplify(fails).ok()?;
    PruningPredicateBuilder::new().with_file_schema(Arc::clone(file)).build(fails)
}

fn is_true(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Literal>().is_some_and(|literal| matches!(literal.value(), ScalarValue::Boolean(Some(true))))
}

/// A key over the output as the expression behind it; `None` if it is something else than a column of the output.
fn key_of(projection: &ProjectionExprs, key: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let column = key.downcast_ref::<Column>()?;
    projection.expr_iter().nth(column.index())
}

/// Whether rows are wanted by a file's own values.
fn keys_use_values(spec: &ScanSpec) -> bool {
    let keys = spec.top.iter().flat_map(|top| &top.keys).filter_map(|(key, _)| key_of(&spec.projection, key));
    keys.into_iter().any(|key| spec.is_value(&key))
}

/// Whether what files share speaks of partition or hidden columns.
fn uses_values(spec: &ScanSpec) -> bool {
    let mut computed = spec.projection.expr_iter().filter(|expr| !spec.is_value(expr));
    spec.predicate.iter().any(|predicate| spec.speaks_of_values(predicate)) || computed.any(|expr| spec.speaks_of_values(&expr))
}

/// The Arrow schema in which a file is decoded: its own types, but text as the table has it, in views or not. Bytes never become text here: the decoder
/// would take their word for it.
fn file_schema(spec: &ScanSpec, metadata: &ParquetMetaData) -> Result<SchemaRef> {
    let parquet = metadata.file_metadata().schema_descr();
    let own = arrow_schema(metadata)?;
    let table = spec.schema.file_schema();
    let fields = own.fields().iter().map(|field| match (field.data_type(), table.field_with_name(field.name())) {
        (DataType::Utf8, Ok(wanted)) if *wanted.data_type() == DataType::Utf8View => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        _ => Arc::clone(field),
    });
    let mut schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), own.metadata().clone());
    if let Some(coerced) = Int96Coercer::new(parquet, &schema, &arrow::datatypes::TimeUnit::Microsecond).coerce() {
        schema = coerced;
    }
    Ok(Arc::new(schema))
}
