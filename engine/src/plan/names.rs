//! Replaces aliases of functions by their own names: DataFusion shows a call by an alias with all arguments written twice, at each level of nesting.

use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use sqlparser::ast::{Expr, Ident, ObjectNamePart, Query, VisitMut, VisitorMut};

/// Calls `row(...)` and its like by the names that DataFusion has for them.
pub(super) fn resolve(query: &mut Query, state: &SessionState) {
    // It never breaks off.
    let _ = query.visit(&mut Names(state));
}

struct Names<'a>(&'a SessionState);

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice()
            && let Some(called) = self.0.scalar_functions().get(&name.value)
            && called.name() != name.value
            && self.0.scalar_functions().get(called.name()).is_some_and(|own| own == called)
        {
            *name = Ident { value: called.name().to_owned(), ..name.clone() };
        }
        ControlFlow::Continue(())
    }
}
