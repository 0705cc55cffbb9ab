//! `sum`, `avg`, and `max` and `min` of floats with Trino's results. A sum of integers fails where it is no BIGINT, where DataFusion's wraps around; an
//! average of decimals has their precision and scale, where DataFusion's has more digits; to the extremes of floats NaN is nothing unless there is
//! nothing else. All are DataFusion's own with another type within: what goes in and what comes out is converted. As DataFusion's, a sum of different
//! values in a window that slides is not checked.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, i256},
    util::display::array_value_to_string,
};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    functions_aggregate::{
        average::avg_udaf,
        min_max::{max_udaf, min_udaf},
        sum::sum_udaf,
    },
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

use super::float_order::{Extreme, number_type};

/// What integers are added up as: it holds the sum of any table's.
const WIDE: DataType = DataType::Decimal128(38, 0);

const MOST_DIGITS: u8 = 38;

/// By how many digits DataFusion's average is longer than what it is of.
const MORE_DIGITS: u8 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Average,
    /// Of floats only.
    Extreme(Extreme),
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Aggregate {
    kind: Kind,
    plain: Arc<AggregateUDF>,
}

pub(super) fn functions() -> [AggregateUDF; 2] {
    [(Kind::Sum, sum_udaf()), (Kind::Average, avg_udaf())]
        .map(|(kind, plain)| AggregateUDF::new_from_impl(Aggregate { kind, plain }))
}

/// `max` or `min` of floats, which planning puts in the place of DataFusion's; of other types that is right, and can do more.
pub(crate) fn extreme_of_floats(extreme: Extreme) -> Arc<AggregateUDF> {
    static GREATEST: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| extreme_udaf(Extreme::Greatest, max_udaf()));
    static LEAST: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| extreme_udaf(Extreme::Least, min_udaf()));
    match extreme {
        Extreme::Greatest => Arc::clone(LazyLock::force(&GREATEST)),
        Extreme::Least => Arc::clone(LazyLock::force(&LEAST)),
    }
}

fn extreme_udaf(extreme: Extreme, plain: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Aggregate { kind: Kind::Extreme(extreme), plain }))
}

impl Aggregate {
    /// The result's type and, where it differs, DataFusion's within.
    fn types(&self, result: &DataType) -> Result<Option<Conversion>> {
        let within = match (self.kind, result) {
            (Kind::Sum, DataType::Int64) => WIDE,
            // Of 28 digits or more; a sum of fewer holds those of any table.
            (Kind::Sum, DataType::Decimal128(MOST_DIGITS, scale)) => DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale),
            (Kind::Average, DataType::Decimal128(precision, scale)) => {
                let input =
                    if precision + MORE_DIGITS > MOST_DIGITS { DataType::Decimal256(*precision, *scale) } else { result.clone() };
                self.plain.return_type(&[input])?
            }
            (Kind::Extreme(_), floats) => match number_type(floats) {
                Some(numbers) => numbers,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(Conversion { kind: self.kind, within, result: result.clone() }))
    }
}

/// From the type of a result within to that of the result.
#[derive(Debug, Clone)]
struct Conversion {
    kind: Kind,
    within: DataType,
    result: DataType,
}

impl Conversion {
    fn field_within(&self, field: &FieldRef) -> FieldRef {
        Arc::new(Field::clone(field).with_data_type(self.within.clone()))
    }

    /// The type of what goes in; but for averages, DataFusion's look at that of the result alone.
    fn input_within(&self, field: &FieldRef) -> FieldRef {
        match (self.kind, &self.within, field.data_type()) {
            (Kind::Average, DataType::Decimal256(..), DataType::Decimal128(precision, scale)) => {
                Arc::new(Field::clone(field).with_data_type(DataType::Decimal256(*precision, *scale)))
            }
            _ => Arc::clone(field),
        }
    }

    /// What DataFusion's makes of arguments with the types within.
    fn make<T>(&self, args: &AccumulatorArgs<'_>, make: impl FnOnce(AccumulatorArgs<'_>) -> Result<T>) -> Result<T> {
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(|field| self.input_within(field)).collect();
        let return_field = self.field_within(&args.return_field);
        make(AccumulatorArgs { return_field, expr_fields: &fields, ..*args })
    }

    fn before(&self, values: &[ArrayRef]) -> Vec<ArrayRef> {
        if let Kind::Extreme(extreme) = self.kind {
            return values.iter().map(|values| extreme.numbers(values)).collect();
        }
        let widened = |array: &ArrayRef| -> ArrayRef {
            match (array.data_type(), &self.within) {
                (DataType::Int64, _) => {
                    let integers = array.as_primitive::<Int64Type>();
                    Arc::new(integers.unary::<_, Decimal128Type>(i128::from).with_data_type(WIDE))
                }
                (DataType::Decimal128(precision, scale), DataType::Decimal256(..)) => {
                    let decimals = array.as_primitive::<Decimal128Type>().unary::<_, Decimal256Type>(i256::from_i128);
                    Arc::new(decimals.with_data_type(DataType::Decimal256(*precision, *scale)))
                }
                _ => Arc::clone(array),
            }
        };
        values.iter().map(widened).collect()
    }

    fn after(&self, results: &ArrayRef) -> Result<ArrayRef> {
        if let Kind::Extreme(extreme) = self.kind {
            return Ok(extreme.floats(results));
        }
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let converted = cast_with_options(results, &self.result, &options)?;
        if converted.null_count() > results.null_count() {
            let beyond = (0..results.len()).find(|&row| converted.is_null(row) && results.is_valid(row)).unwrap_or(0);
            let word = if self.result == DataType::Int64 { "bigint" } else { "decimal" };
            return exec_err!("{word} sum overflow: {}", array_value_to_string(results, beyond)?);
        }
        Ok(converted)
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn aliases(&self) -> &[String] {
        self.plain.aliases()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.plain.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.kind, types) {
            (Kind::Average, [decimal @ DataType::Decimal128(..)]) => Ok(decimal.clone()),
            _ => self.plain.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let Some(conversion) = self.types(args.return_field.data_type())? else { return self.plain.accumulator(args) };
        let plain = conversion.make(&args, |args| self.plain.accumulator(args))?;
        Ok(Box::new(Converted { plain, conversion }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let Some(conversion) = self.types(args.return_field.data_type())? else { return self.plain.state_fields(args) };
        let fields: Vec<FieldRef> = args.input_fields.iter().map(|field| conversion.input_within(field)).collect();
        let return_field = conversion.field_within(&args.return_field);
        self.plain.state_fields(StateFieldsArgs { return_field, input_fields: &fields, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        // Of floats as of the numbers that stand for them.
        self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let Some(conversion) = self.types(args.return_field.data_type())? else {
            return self.plain.create_groups_accumulator(args);
        };
        let plain = conversion.make(&args, |args| self.plain.create_groups_accumulator(args))?;
        Ok(Box::new(ConvertedGroups { plain, conversion }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let Some(conversion) = self.types(args.return_field.data_type())? else {
            return self.plain.create_sliding_accumulator(args);
        };
        if self.kind == Kind::Sum && args.is_distinct {
            // DataFusion's takes nothing but integers.
            return self.plain.create_sliding_accumulator(args);
        }
        let plain = conversion.make(&args, |args| self.plain.create_sliding_accumulator(args))?;
        Ok(Box::new(Converted { plain, conversion }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.plain.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        match self.kind {
            // A number takes the place of NaN, which is greater in the order of rows.
            Kind::Extreme(_) => SetMonotonicity::NotMonotonic,
            _ => self.plain.inner().set_monotonicity(data_type),
        }
    }
}

#[derive(Debug)]
struct Converted {
    plain: Box<dyn Accumulator>,
    conversion: Conversion,
}

impl Accumulator for Converted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.plain.update_batch(&self.conversion.before(values))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.plain.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.conversion.after(&result)?, 0)
    }

    fn size(&self) -> usize {
        self.plain.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.plain.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.plain.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.plain.retract_batch(&self.conversion.before(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.plain.supports_retract_batch()
    }
}

struct ConvertedGroups {
    plain: Box<dyn GroupsAccumulator>,
    conversion: Conversion,
}

impl GroupsAccumulator for ConvertedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.plain.update_batch(&self.conversion.before(values), groups, filter, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.conversion.after(&self.plain.evaluate(emit_to)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.plain.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.plain.merge_batch(states, groups, total_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.plain.convert_to_state(&self.conversion.before(values), filter)
    }

    fn size(&self) -> usize {
        self.plain.size()
    }
}
