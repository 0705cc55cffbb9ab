//! A statement that an embedding program asks for: its text, its values and its session, until it is awaited.

use arrow::array::RecordBatch;
use futures::future::BoxFuture;

use super::value::Value;
use crate::{
    error::Result,
    execute::{Parameters, PlannedQuery},
    lifecycle::Query,
    quote::Quote,
    runtime::Engine,
    scan::Basis,
    session::Session,
};

impl Engine {
    /// A statement, which runs when it is awaited: queries, definitions, whatever [`Engine::submit`] takes. It runs in [`Engine::session`] if no other
    /// session is named.
    ///
    /// ```
    /// # use glaux_engine::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let engine = Engine::in_memory().await?;
    /// let query = engine.query("SELECT upper(?) AS word, CAST(? AS bigint) AS n").bind("owl").bind(2).await?;
    /// let (batches, report) = query.collect_with_report().await?;
    /// assert_eq!((batches[0].num_rows(), report.bill.billed_bytes), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn query<'a>(&'a self, sql: &'a str) -> QueryRequest<'a> {
        QueryRequest { engine: self, session: self.session(), sql, values: Vec::new() }
    }
}

/// A statement that has not been taken in: await it to run it.
#[derive(Debug)]
#[must_use = "a statement runs when it is awaited"]
pub struct QueryRequest<'a> {
    engine: &'a Engine,
    session: &'a Session,
    sql: &'a str,
    values: Vec<Value>,
}

impl<'a> QueryRequest<'a> {
    /// The value of the next parameter (`?`).
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it in this session: for its user, in its database, within its limits.
    pub fn session(self, session: &'a Session) -> Self {
        Self { session, ..self }
    }

    /// Plans it. Its schema and an upper bound of what it will scan are known then; no table data has been read and nothing changed.
    ///
    /// # Errors
    /// The statement's, of parsing and planning it.
    pub async fn plan(self) -> Result<PlannedQuery> {
        let parameters = Parameters::from_values(self.values)?;
        Ok(self.engine.plan(self.session, self.sql, &parameters).await?)
    }

    /// What it takes at most, without running it: as [`Engine::quote`], from all metadata of its files.
    ///
    /// ```
    /// # use glaux_engine::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let engine = Engine::in_memory().await?;
    /// let quote = engine.query("SELECT n FROM (VALUES 1, 2) AS t (n) WHERE n > ?").bind(1).quote().await?;
    /// assert_eq!((quote.data_scanned_bytes(), quote.is_exact), (Some(0), true));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Engine::quote`].
    pub async fn quote(self) -> Result<Quote> {
        self.quote_by(Basis::Footers).await
    }

    /// The same from what is known of its files: nothing is read.
    ///
    /// # Errors
    /// As [`Engine::quote`].
    pub async fn estimate(self) -> Result<Quote> {
        self.quote_by(Basis::Known).await
    }

    async fn quote_by(self, basis: Basis) -> Result<Quote> {
        let parameters = Parameters::from_values(self.values)?;
        Ok(self.engine.quote(self.session, self.sql, &parameters, basis).await?)
    }

    /// Runs it and reads the result to its end, into memory.
    ///
    /// # Errors
    /// The statement's.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.await?.collect().await
    }
}

impl<'a> IntoFuture for QueryRequest<'a> {
    type Output = Result<Query>;
    type IntoFuture = BoxFuture<'a, Result<Query>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.plan().await?.run().await?) })
    }
}
