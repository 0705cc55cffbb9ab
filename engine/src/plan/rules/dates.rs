//! `date_trunc` of a date is a date, as in Trino; DataFusion's is a timestamp.

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    logical_expr::{Cast, Expr, ExprSchemable},
};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_of_date = match &expr {
        Expr::ScalarFunction(call) if call.func.name() == "date_trunc" => {
            call.args.get(1).is_some_and(|date| date.get_type(schema).is_ok_and(|of| of == DataType::Date32))
        }
        _ => false,
    };
    if !is_of_date {
        return Ok(Transformed::no(expr));
    }
    Ok(Transformed::yes(Expr::Cast(Cast::new(Box::new(expr), DataType::Date32))))
}
