//! `sum` of integers: it fails where the sum is no BIGINT, as in Trino; DataFusion's wraps around. It is DataFusion's sum of decimals, which holds
//! what any table's integers add up to, with the integers made decimals before and a BIGINT after it. Of other types it is DataFusion's.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    functions_aggregate::sum::sum_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

/// What the integers are added up as.
const WIDE: DataType = DataType::Decimal128(38, 0);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    plain: Arc<AggregateUDF>,
}

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sum { plain: sum_udaf() })
}

fn is_widened(return_field: &FieldRef) -> bool {
    *return_field.data_type() == DataType::Int64
}

fn widened(field: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(WIDE))
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.plain.return_type(types)
    }

    fn accumulator(&self, mut args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !is_widened(&args.return_field) {
            return self.plain.accumulator(args);
        }
        args.return_field = widened(&args.return_field);
        Ok(Box::new(Widened(self.plain.accumulator(args)?)))
    }

    fn state_fields(&self, mut args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if is_widened(&args.return_field) {
            args.return_field = widened(&args.return_field);
        }
        self.plain.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, mut args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_widened(&args.return_field) {
            return self.plain.create_groups_accumulator(args);
        }
        args.return_field = widened(&args.return_field);
        Ok(Box::new(WidenedGroups(self.plain.create_groups_accumulator(args)?)))
    }

    fn create_sliding_accumulator(&self, mut args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        // DataFusion's sliding sum of different values takes nothing but integers.
        if !is_widened(&args.return_field) || args.is_distinct {
            return self.plain.create_sliding_accumulator(args);
        }
        args.return_field = widened(&args.return_field);
        Ok(Box::new(Widened(self.plain.create_sliding_accumulator(args)?)))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.plain.inner().set_monotonicity(data_type)
    }
}

/// Integers as decimals.
fn wide(values: &[ArrayRef]) -> Vec<ArrayRef> {
    let wide = |array: &ArrayRef| -> ArrayRef {
        let wide = array.as_primitive::<Int64Type>().unary::<_, Decimal128Type>(i128::from);
        Arc::new(wide.with_data_type(WIDE))
    };
    values.iter().map(wide).collect()
}

/// Sums as integers, if they are.
fn narrow(sums: &ArrayRef) -> Result<ArrayRef> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let narrow = cast_with_options(sums, &DataType::Int64, &options)?;
    if narrow.null_count() > sums.null_count() {
        let beyond = (0..sums.len()).find(|&row| narrow.is_null(row) && sums.is_valid(row)).unwrap_or(0);
        return exec_err!("bigint sum overflow: {}", sums.as_primitive::<Decimal128Type>().value_as_string(beyond));
    }
    Ok(narrow)
}

#[derive(Debug)]
struct Widened(Box<dyn Accumulator>);

impl Accumulator for Widened {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&wide(values))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.0.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&narrow(&sum)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&wide(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

struct WidenedGroups(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for WidenedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.0.update_batch(&wide(values), groups, filter, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        narrow(&self.0.evaluate(emit_to)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.0.merge_batch(states, groups, total_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&wide(values), filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
