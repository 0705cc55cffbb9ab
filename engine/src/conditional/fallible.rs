//! Which expressions may fail for some row. What is not known is said to: it is evaluated for fewer rows then, with the same result.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{
            BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
            Literal, NegativeExpr, NotExpr, TryCastExpr,
        },
        scalar_subquery::ScalarSubqueryExpr,
    },
};

/// Functions that have a value for all arguments of their types.
const INFALLIBLE: [&str; 92] = [
    "acos",
    "acosh",
    "array_compact",
    "array_distinct",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_length",
    "array_max",
    "array_min",
    "array_position",
    "array_sort",
    "array_to_string",
    "arrow_typeof",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "btrim",
    "cardinality",
    "cbrt",
    "ceil",
    "char_length",
    "character_length",
    "coalesce",
    "comparable",
    "comparable_nan_first",
    "concat",
    "concat_ws",
    "contains",
    "cos",
    "cosh",
    "cot",
    "cut_texts",
    "degrees",
    "element_at",
    "empty",
    "ends_with",
    "equal",
    "exp",
    "find_in_set",
    "floor",
    "get_field",
    "greatest",
    "initcap",
    "isnan",
    "iszero",
    "least",
    "left",
    "length",
    "levenshtein",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "make_array",
    "map_keys",
    "map_values",
    "md5",
    "named_struct",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "radians",
    "replace",
    "reverse",
    "right",
    "round",
    "row",
    "rtrim",
    "sha256",
    "sha512",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "starts_with",
    "strpos",
    "struct",
    "substr",
    "tan",
    "tanh",
    "to_hex",
    "upper",
];

/// Functions that have one if all of their arguments but one are constants: patterns, units, zones and lengths are wrong for all rows, or for none.
const INFALLIBLE_OF_ONE: [&str; 12] = [
    "at_timezone",
    "date_format",
    "date_part",
    "date_trunc",
    "lpad",
    "regexp_count",
    "regexp_like",
    "regexp_replace",
    "repeat",
    "rpad",
    "split_part",
    "with_timezone",
];

/// Whether an expression over such columns may fail.
pub(crate) fn may_fail(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    may_fail_itself(expr, schema) || expr.children().into_iter().any(|child| may_fail(child, schema))
}

fn may_fail_itself(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let is_float = |expr: &Arc<dyn PhysicalExpr>| expr.data_type(schema).is_ok_and(|of| of.is_floating());
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::Plus | Operator::Minus | Operator::Multiply => !is_float(expr),
            Operator::Divide | Operator::Modulo => !is_float(expr) && !is_positive(binary.right()),
            // A pattern is wrong for all rows, or for none.
            op if is_match(*op) => !binary.right().is::<Literal>(),
            op => !matches!(op, Operator::And | Operator::Or | Operator::StringConcat) && !is_comparison(*op),
        };
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        let widens = || cast.expr().data_type(schema).is_ok_and(|from| widens(&from, cast.cast_type()));
        return !cast.cast_options().safe && !widens();
    }
    if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() {
        return call_may_fail(call, schema);
    }
    if expr.is::<NegativeExpr>() {
        return !is_float(expr);
    }
    let is_known = expr.is::<Column>()
        || expr.is::<Literal>()
        || expr.is::<NotExpr>()
        || expr.is::<IsNullExpr>()
        || expr.is::<IsNotNullExpr>()
        || expr.is::<InListExpr>()
        || expr.is::<LikeExpr>()
        || expr.is::<CaseExpr>()
        || expr.is::<TryCastExpr>()
        || expr.is::<DynamicFilterPhysicalExpr>()
        || expr.is::<ScalarSubqueryExpr>();
    !is_known
}

fn call_may_fail(call: &ScalarFunctionExpr, schema: &Schema) -> bool {
    let (name, args) = (call.fun().name(), call.args());
    if INFALLIBLE.contains(&name) || name.starts_with("try_cast_as_") {
        return false;
    }
    let is_constant = |arg: &&Arc<dyn PhysicalExpr>| arg.is::<Literal>();
    if INFALLIBLE_OF_ONE.contains(&name) {
        return args.len() - args.iter().filter(is_constant).count() > 1;
    }
    match args {
        // Casts that `plan/rules` has made functions of.
        [of] if name.starts_with("cast_as_") => {
            !of.data_type(schema).is_ok_and(|from| widens(&from, call.return_type()) || rounds(&from, call.return_type()))
        }
        // Longer texts are cut to the length.
        [of, _] if name.starts_with("cast_as_") => !of.data_type(schema).is_ok_and(|from| from.is_string()),
        _ => true,
    }
}

/// Whether each time of a type is one of another, though perhaps less exactly.
fn rounds(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Timestamp(from, _), T::Timestamp(to, _)) => to <= from,
        (T::Timestamp(..), T::Time32(_) | T::Time64(_) | T::Utf8) => true,
        (T::Time32(from) | T::Time64(from), T::Time32(to) | T::Time64(to)) => to <= from,
        (from, T::Boolean) => from.is_numeric(),
        _ => false,
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

fn is_match(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::RegexMatch | O::RegexIMatch | O::RegexNotMatch | O::RegexNotIMatch)
        || matches!(op, O::LikeMatch | O::ILikeMatch | O::NotLikeMatch | O::NotILikeMatch)
}

/// Whether it is an integer above zero that is written down: everything can be divided by it.
fn is_positive(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let Some(literal) = expr.downcast_ref::<Literal>() else { return false };
    match literal.value() {
        ScalarValue::Int8(Some(value)) => *value > 0,
        ScalarValue::Int16(Some(value)) => *value > 0,
        ScalarValue::Int32(Some(value)) => *value > 0,
        ScalarValue::Int64(Some(value)) => *value > 0,
        _ => false,
    }
}

/// Whether each value of a type is one of another.
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Null, _) => true,
        (T::Dictionary(_, values), to) => widens(values, to),
        (from, to) if from == to => true,
        (from, to) if to.is_string() => from.is_string() || from.is_numeric() || *from == T::Boolean,
        (from, to) if to.is_floating() => {
            from.is_integer() || (from.is_floating() && from.primitive_width() <= to.primitive_width())
        }
        (from, to) if from.is_signed_integer() && to.is_signed_integer() => from.primitive_width() <= to.primitive_width(),
        (from, T::Decimal128(precision, scale)) => match from {
            T::Decimal128(of, digits) => digits <= scale && whole(*of, *digits) <= whole(*precision, *scale),
            T::Int8 => whole(*precision, *scale) >= 3,
            T::Int16 => whole(*precision, *scale) >= 5,
            T::Int32 => whole(*precision, *scale) >= 10,
            T::Int64 => whole(*precision, *scale) >= 19,
            _ => false,
        },
        (T::Date32, T::Timestamp(unit, None)) => matches!(unit, TimeUnit::Second | TimeUnit::Millisecond),
        (T::Timestamp(_, None), T::Date32) => true,
        _ => false,
    }
}

/// Digits before the point.
fn whole(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}
