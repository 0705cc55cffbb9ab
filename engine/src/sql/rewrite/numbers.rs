//! Numbers with an exponent (`5e-1`, `1E300`) are doubles, as in Trino; the planner would make decimals of them.

use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, Query, Value, ValueWithSpan, VisitMut, VisitorMut};

pub(super) fn apply(query: &mut Query) {
    let _: ControlFlow<()> = query.visit(&mut Numbers);
}

struct Numbers;

impl VisitorMut for Numbers {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(ValueWithSpan { value: Value::Number(text, _), span }) = expr
            && text.contains(['e', 'E'])
            && let Ok(number) = text.parse::<f64>()
        {
            // In the form that every reader of numbers reads.
            let text = Value::SingleQuotedString(format!("{number:?}"));
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(ValueWithSpan { value: text, span: *span })),
                data_type: DataType::Double(ExactNumberInfo::None),
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}
