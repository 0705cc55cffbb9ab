//! Output columns of the same name: Trino gives them out, the planner refuses them. Those after the first get a mark behind their name,
//! which [`label`] takes off again when the result leaves.

use std::collections::HashMap;

use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr};

/// What no name of a user's holds.
const MARK: char = '\u{1}';

/// An output column's name as the user knows it.
#[must_use]
pub fn label(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Marks what the outermost select list names again. What a `*` brings is not known here.
pub(super) fn apply(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &mut select.projection {
        let name = match &*item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.value.clone(),
            _ => continue,
        };
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 {
            continue;
        }
        let alias = Ident::with_quote('"', format!("{name}{MARK}{times}"));
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item else { continue };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}
