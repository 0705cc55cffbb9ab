//! Our rules, which run before DataFusion coerces types. They are needed where DataFusion's semantics are not Trino's, or where what it derives from an
//! expression would lose rows:
//!
//! - `calls` refuses calls that DataFusion takes and then gives up on;
//! - `membership` gives `IN (SELECT ...)` its three truth values;
//! - `rows` compares rows and arrays;
//! - `align` gives decimals and floats, and dates and timestamps, a common type;
//! - `nan` compares floats as numbers, `extremes` ignores NaN in their `max` and `min`, `ties` treats equal ones as ties;
//! - `timestamps` compares exactly with finer constants;
//! - `zones` reads local times in the session's time zone;
//! - `arithmetic` makes integers fail instead of wrapping around;
//! - `guards` evaluates conditions before the subscripts that they protect;
//! - `lossy` hides casts that lose something behind a function (`cast`).
//!
//! `operands` has what several of them need to know about operators and operands.

mod align;
mod arithmetic;
mod calls;
mod cast;
mod extremes;
mod guards;
mod lossy;
mod membership;
mod nan;
mod operands;
mod rows;
mod ties;
mod timestamps;
mod zones;

use std::sync::Arc;

use datafusion::{
    common::{
        DFSchema, NullEquality, Result,
        tree_node::{
            Transformed, TreeNode,
            TreeNodeRecursion::{Continue, Stop},
        },
    },
    config::ConfigOptions,
    logical_expr::{Expr, GroupingSet, LogicalPlan, Operator, expr_rewriter::NamePreserver, utils::merge_schema},
    optimizer::{AnalyzerRule, analyzer::Analyzer},
};

pub(super) use operands::is_comparison;

/// DataFusion's rules in their order, with ours right before its coercion of types, and one that looks at what that has cast.
#[must_use]
pub(super) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    // GROUPING is resolved by comparing expressions as they are written, before any are changed.
    let at = rules.iter().position(|rule| rule.name() == "type_coercion").unwrap_or(0);
    let ours: [ExprRule; 11] = [
        ExprRule { name: "glaux_calls", rewrite: calls::rewrite, pair: None },
        ExprRule { name: "glaux_rows", rewrite: rows::rewrite, pair: None },
        ExprRule { name: "glaux_align", rewrite: align::rewrite, pair: Some(align::rewrite_pair) },
        ExprRule { name: "glaux_nan", rewrite: nan::rewrite, pair: Some(nan::rewrite_pair) },
        ExprRule { name: "glaux_extremes", rewrite: extremes::rewrite, pair: None },
        ExprRule { name: "glaux_ties", rewrite: ties::rewrite, pair: None },
        ExprRule { name: "glaux_zones", rewrite: zones::rewrite, pair: Some(zones::rewrite_pair) },
        ExprRule { name: "glaux_timestamps", rewrite: timestamps::rewrite, pair: None },
        ExprRule { name: "glaux_arithmetic", rewrite: arithmetic::rewrite, pair: None },
        ExprRule { name: "glaux_guards", rewrite: guards::rewrite, pair: None },
        ExprRule { name: "glaux_lossy_casts", rewrite: lossy::rewrite, pair: None },
    ];
    let after = ExprRule { name: "glaux_zoned_casts", rewrite: zones::rewrite_cast, pair: None };
    rules.insert((at + 1).min(rules.len()), Arc::new(after));
    let whole: [Arc<dyn AnalyzerRule + Send + Sync>; 3] =
        [Arc::new(align::UnionColumns), Arc::new(membership::Membership), Arc::new(ties::Rows)];
    rules.splice(at..at, whole.into_iter().chain(ours.map(|rule| Arc::new(rule) as Arc<dyn AnalyzerRule + Send + Sync>)));
    rules
}

/// Rewrites one expression whose parts are rewritten already.
type Rewrite = fn(Expr, &DFSchema, &ConfigOptions) -> Result<Transformed<Expr>>;

/// Rewrites two expressions that a join compares by an operator, with the schemas of its sides.
type RewritePair = fn((Expr, Expr), Operator, &DFSchema, &DFSchema) -> (Expr, Expr);

/// A rule that looks at each expression of a plan alone.
#[derive(Debug)]
struct ExprRule {
    name: &'static str,
    rewrite: Rewrite,
    pair: Option<RewritePair>,
}

impl AnalyzerRule for ExprRule {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut has_changed = false;
        let node = |plan: LogicalPlan| {
            let plan = self.node(plan, config)?;
            has_changed |= plan.transformed;
            // What is below came first: where something has changed, types above it may have, too.
            if has_changed { plan.map_data(LogicalPlan::recompute_schema) } else { Ok(plan) }
        };
        Ok(plan.transform_up_with_subqueries(node)?.data)
    }

    fn name(&self) -> &str {
        self.name
    }
}

impl ExprRule {
    fn node(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<Transformed<LogicalPlan>> {
        let is_column = |expr: &Expr| Ok(if matches!(expr, Expr::Column(_)) { Continue } else { Stop });
        if plan.apply_expressions(is_column)? == Continue && self.pair.is_none() {
            return Ok(Transformed::no(plan));
        }
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let named = |expr: Expr| {
            if matches!(expr, Expr::Column(_)) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| (self.rewrite)(expr, &schema, config))?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        };
        let mut plan = plan.map_expressions(|expr| match expr {
            // A set has no name of its own, its members do.
            Expr::GroupingSet(set) => grouping_set(set, named),
            expr => named(expr),
        })?;
        if let (Some(pair), LogicalPlan::Join(join)) = (self.pair, &mut plan.data) {
            let (left, right) = (join.left.schema(), join.right.schema());
            let op = match join.null_equality {
                NullEquality::NullEqualsNothing => Operator::Eq,
                NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
            };
            join.on = std::mem::take(&mut join.on).into_iter().map(|on| pair(on, op, left, right)).collect();
        }
        Ok(plan)
    }
}

fn grouping_set(set: GroupingSet, mut named: impl FnMut(Expr) -> Result<Transformed<Expr>>) -> Result<Transformed<Expr>> {
    let mut all = |exprs: Vec<Expr>| exprs.into_iter().map(|expr| Ok(named(expr)?.data)).collect::<Result<Vec<_>>>();
    let set = match set {
        GroupingSet::Rollup(exprs) => GroupingSet::Rollup(all(exprs)?),
        GroupingSet::Cube(exprs) => GroupingSet::Cube(all(exprs)?),
        GroupingSet::GroupingSets(sets) => GroupingSet::GroupingSets(sets.into_iter().map(all).collect::<Result<_>>()?),
    };
    Ok(Transformed::yes(Expr::GroupingSet(set)))
}
