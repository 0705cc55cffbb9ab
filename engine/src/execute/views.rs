//! The columns of a view's query, found by planning it.

use std::sync::Arc;

use arrow::datatypes::Field;
use async_trait::async_trait;
use glaux_catalog::{HiveType, ident::fold, model::Column};

use super::planning;
use crate::{
    error::{Error, Result},
    failure::from_datafusion,
    lifecycle::Slots,
    plan::PlanContext,
    sql::{self, Statement, rewrite::label},
    statements::ViewPlanner,
};

/// Plans the queries of views as other statements are planned: on a planning thread.
#[derive(Debug)]
pub(super) struct Views<'a> {
    pub(super) plan: &'a PlanContext,
    pub(super) slots: &'a Arc<Slots>,
}

#[async_trait]
impl ViewPlanner for Views<'_> {
    async fn columns(&self, query_text: &str, database: &str) -> Result<Vec<Column>> {
        let (context, text, database) = (self.plan.clone(), query_text.to_owned(), database.to_owned());
        let planned = Box::pin(async move {
            let Statement::Query(query) = sql::parse(&text)? else {
                return Err(Error::invalid("a view is defined by a query").with_hint("Begin it with SELECT or WITH"));
            };
            let (state, plan) = context.logical(&query, &database).await?;
            // Types are the query's only after coercion.
            let plan = state.optimize(&plan).map_err(from_datafusion)?;
            let column =
                |field: &Arc<Field>| Ok(Column::new(fold(label(field.name())), HiveType::from_arrow(field.data_type())?));
            plan.schema().fields().iter().map(column).collect()
        });
        planning::apart(self.slots, &self.plan.session.user, planned).await
    }
}
