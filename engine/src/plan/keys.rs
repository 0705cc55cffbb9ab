//! Computes conditions among the keys and arguments of sorts, windows and ordered aggregates below them, so that they see columns. Conditions are evaluated
//! in order there (`conditions`); and DataFusion does not recognise rows as sorted by `a + b > 3`, and would refuse its own plan.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, DFSchema, Result,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Aggregate, BinaryExpr, Expr, LogicalPlan, Operator, Projection, Sort, SortExpr, Window, expr::Alias,
        expr_rewriter::NamePreserver,
    },
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

/// The rule that computes them there.
#[derive(Debug)]
pub(super) struct KeysBelow;

impl OptimizerRule for KeysBelow {
    fn name(&self) -> &str {
        "glaux_keys_below"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut below = Below { config, computed: Vec::new() };
        match plan {
            LogicalPlan::Sort(sort) if sort.expr.iter().any(|key| has_condition(&key.expr)) => {
                let shown = Arc::clone(sort.input.schema());
                let expr = sort.expr.into_iter().map(|key| below.key(key)).collect();
                let sort = Sort { expr, input: below.over(sort.input)?, fetch: sort.fetch };
                only(&shown, LogicalPlan::Sort(sort)).map(Transformed::yes)
            }
            LogicalPlan::Window(window) if window.window_expr.iter().any(has_condition) => {
                let shown = Arc::clone(&window.schema);
                let exprs = window.window_expr.into_iter().map(|expr| below.named(expr, Below::window));
                let exprs = exprs.collect::<Result<Vec<_>>>()?;
                let window = Window::try_new(exprs, below.over(window.input)?)?;
                only(&shown, LogicalPlan::Window(window)).map(Transformed::yes)
            }
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(has_ordering_condition) => {
                let exprs = aggregate.aggr_expr.into_iter().map(|expr| below.named(expr, Below::aggregate));
                let exprs = exprs.collect::<Result<Vec<_>>>()?;
                let aggregate = Aggregate::try_new(below.over(aggregate.input)?, aggregate.group_expr, exprs)?;
                Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
            }
            plan => Ok(Transformed::no(plan)),
        }
    }
}

/// Whether an expression has a part that compares by size, or an `AND` or `OR`.
fn has_condition(expr: &Expr) -> bool {
    use Operator as O;
    let is_one = |part: &Expr| {
        let Expr::BinaryExpr(BinaryExpr { op, .. }) = part else { return Ok(false) };
        Ok(matches!(op, O::And | O::Or | O::Lt | O::LtEq | O::Gt | O::GtEq))
    };
    expr.exists(is_one).unwrap_or(false)
}

/// Whether an aggregate orders its rows by such an expression.
fn has_ordering_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => has_ordering_condition(&alias.expr),
        Expr::AggregateFunction(aggregate) => aggregate.params.order_by.iter().any(|key| has_condition(&key.expr)),
        _ => false,
    }
}

/// What is computed below a node, each by the name of its column.
struct Below<'a> {
    config: &'a dyn OptimizerConfig,
    computed: Vec<(Expr, String)>,
}

impl Below<'_> {
    /// The expression, or the column that has it.
    fn value(&mut self, expr: Expr) -> Transformed<Expr> {
        if !has_condition(&expr) {
            return Transformed::no(expr);
        }
        // Functions over the same windows stay so.
        let known = self.computed.iter().find(|(known, _)| *known == expr).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = self.config.alias_generator().next("__glaux_key");
            self.computed.push((expr, name.clone()));
            name
        });
        Transformed::yes(Expr::Column(Column::new_unqualified(name)))
    }

    fn key(&mut self, key: SortExpr) -> SortExpr {
        let SortExpr { expr, asc, nulls_first } = key;
        SortExpr { expr: self.value(expr).data, asc, nulls_first }
    }

    /// An expression under the name that it has.
    fn named(&mut self, expr: Expr, rewrite: fn(&mut Self, Expr) -> Result<Expr>) -> Result<Expr> {
        let name = NamePreserver::new_for_projection().save(&expr);
        Ok(name.restore(rewrite(self, expr)?))
    }

    /// A function of a window, with all that it computes with.
    fn window(&mut self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::Alias(Alias { expr, relation, name, metadata }) => {
                let expr = Box::new(self.window(*expr)?);
                Ok(Expr::Alias(Alias { expr, relation, name, metadata }))
            }
            window => Ok(window.map_children(|part| Ok(self.value(part)))?.data),
        }
    }

    /// An aggregate, with what it orders its rows by.
    fn aggregate(&mut self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::Alias(Alias { expr, relation, name, metadata }) => {
                let expr = Box::new(self.aggregate(*expr)?);
                Ok(Expr::Alias(Alias { expr, relation, name, metadata }))
            }
            Expr::AggregateFunction(mut aggregate) => {
                let keys = std::mem::take(&mut aggregate.params.order_by);
                aggregate.params.order_by = keys.into_iter().map(|key| self.key(key)).collect();
                Ok(Expr::AggregateFunction(aggregate))
            }
            other => Ok(other),
        }
    }

    /// The node's input with it.
    fn over(self, input: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        let columns = input.schema().columns().into_iter().map(Expr::Column);
        let exprs = columns.chain(self.computed.into_iter().map(|(expr, name)| expr.alias(name))).collect();
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, input)?)))
    }
}

/// The columns of a schema alone.
fn only(schema: &DFSchema, plan: LogicalPlan) -> Result<LogicalPlan> {
    let columns = schema.columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}
