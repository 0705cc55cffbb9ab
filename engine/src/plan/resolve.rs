//! The tables and views that a query names, found in the metastore as DataFusion asks for them; nothing else is loaded.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider, view::ViewTable},
    error::Result as DataFusionResult,
    execution::{
        context::SessionState,
        memory_pool::MemoryPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
        session_state::SessionStateBuilder,
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
    sql::parser::Statement as PlannedStatement,
};
use glaux_catalog::{
    Metastore, TableName,
    ident::{CATALOG_NAME, fold},
    model::Table,
    partition::{PartitionIndex, Projection},
};
use sqlparser::ast;

use super::{limits, memory::QueryMemory, names, wide, wildcards};
use crate::{
    access::{Guarded, view_denied},
    clock::Clock,
    error::{Error, ErrorKind, Result, to_datafusion},
    failure::from_datafusion,
    reserved::{PARTITIONS_SUFFIX, is_system_schema},
    session::SessionOptions,
    sql::{self, Query, Statement, rewrite::HIDDEN_SUFFIX},
    system::{self, SystemContext},
    table::{LakeTable, RegisteredTables, ScanContext},
};

/// Views within views beyond this are taken for a circle.
const MAX_VIEW_DEPTH: usize = 32;

/// Everything that planning one query needs: made for each by `execute::context`.
#[derive(Debug, Clone)]
pub(crate) struct PlanContext {
    pub base: Arc<SessionState>,
    /// The query's own memory.
    pub memory: Arc<QueryMemory>,
    /// The catalog as the session's user may see and change it, with what it decides about locations.
    pub guard: Arc<Guarded>,
    /// The same catalog.
    pub metastore: Arc<dyn Metastore>,
    pub scan: ScanContext,
    /// Tables that the embedding program registered.
    pub registered: Arc<RegisteredTables>,
    pub system: Arc<SystemContext>,
    pub session: SessionOptions,
    pub clock: Arc<dyn Clock>,
}

impl PlanContext {
    /// DataFusion's state for this query, with `database` current.
    fn state(&self, database: &str, view_depth: usize) -> Result<SessionState> {
        let stores: Arc<dyn datafusion::execution::object_store::ObjectStoreRegistry> = Arc::clone(&self.scan.stores) as _;
        let runtime: Arc<RuntimeEnv> = RuntimeEnvBuilder::from_runtime_env(self.base.runtime_env())
            .with_object_store_registry(stores)
            .with_memory_pool(Arc::clone(&self.memory) as Arc<dyn MemoryPool>)
            .build_arc()
            .map_err(from_datafusion)?;
        let mut config = self.base.config().clone().with_default_catalog_and_schema(CATALOG_NAME, database);
        config.options_mut().execution.time_zone = Some(self.session.time_zone.clone());
        let catalogs = Catalogs { context: self.clone(), view_depth };
        let mut state = SessionStateBuilder::new_from_existing(self.base.as_ref().clone())
            .with_config(config)
            .with_runtime_env(runtime)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        let settings = Arc::clone(state.config().options());
        let props = state.execution_props_mut();
        props.query_execution_start_time = Some(self.clock.now());
        // What functions see when they run, such as the session's time zone.
        props.config_options = Some(settings);
        Ok(state)
    }

    /// The logical plan of a query whose unqualified names belong to `database`.
    ///
    /// # Errors
    /// `NotFound` with near names, `Invalid`, `Unsupported`.
    pub(crate) async fn logical(&self, query: &Query, database: &str) -> Result<(SessionState, LogicalPlan)> {
        self.logical_at(query, database, 0).await
    }

    async fn logical_at(&self, query: &Query, database: &str, view_depth: usize) -> Result<(SessionState, LogicalPlan)> {
        let state = self.state(database, view_depth)?;
        let mut ast = query.ast.clone();
        names::resolve(&mut ast, &state);
        let plan = match wide::plan(&ast, &state).await.map_err(from_datafusion)? {
            Some(plan) => plan,
            None => planned(ast, query, &state).await?,
        };
        limits::check(&plan)?;
        Ok((state, plan))
    }
}

/// The plan of a query, which `original` was before its names were resolved.
async fn planned(query: Box<ast::Query>, original: &Query, state: &SessionState) -> Result<LogicalPlan> {
    let statement = |query| PlannedStatement::Statement(Box::new(ast::Statement::Query(query)));
    match state.statement_to_plan(statement(query)).await {
        Err(error) if wildcards::is_twice(&error) => {
            let mut again = original.ast.clone();
            names::resolve(&mut again, state);
            match Box::pin(wildcards::written_out(&again, state)).await? {
                Some(written) => state.statement_to_plan(statement(Box::new(written))).await.map_err(from_datafusion),
                None => Err(from_datafusion(error)),
            }
        }
        planned => planned.map_err(from_datafusion),
    }
}

/// The catalogs of one query.
struct Catalogs {
    context: PlanContext,
    view_depth: usize,
}

impl fmt::Debug for Catalogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogs").field("view_depth", &self.view_depth).finish_non_exhaustive()
    }
}

impl CatalogProviderList for Catalogs {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG_NAME.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let provider: Arc<dyn CatalogProvider> = match sql::check_catalog(name) {
            Ok(()) => Arc::new(Lake { context: self.context.clone(), view_depth: self.view_depth }),
            Err(error) => Arc::new(Elsewhere(error)),
        };
        Some(provider)
    }
}

/// A catalog that does not exist. Only a table can be answered with an error.
#[derive(Debug, Clone)]
struct Elsewhere(Error);

impl CatalogProvider for Elsewhere {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, _name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl SchemaProvider for Elsewhere {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn table_exist(&self, _name: &str) -> bool {
        true
    }

    async fn table(&self, _name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        Err(to_datafusion(self.0.clone()))
    }
}

#[derive(Debug)]
struct Lake {
    context: PlanContext,
    view_depth: usize,
}

impl CatalogProvider for Lake {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(LakeDatabase { context: self.context.clone(), view_depth: self.view_depth, name: fold(name) }))
    }
}

#[derive(Debug)]
struct LakeDatabase {
    context: PlanContext,
    view_depth: usize,
    name: String,
}

#[async_trait]
impl SchemaProvider for LakeDatabase {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn table_exist(&self, _name: &str) -> bool {
        true
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        match self.resolve(name).await {
            Ok(provider) => Ok(Some(provider)),
            // A table function in FROM is asked for as a table first.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied)
                    && self.context.base.table_functions().contains_key(name) =>
            {
                Ok(None)
            }
            Err(error) => Err(to_datafusion(error)),
        }
    }
}

impl LakeDatabase {
    async fn resolve(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        if let Some(provider) = system::provider(&self.name, name, &self.context.system) {
            return Ok(provider);
        }
        if is_system_schema(&self.name) {
            let names = system::table_names(&self.name).join(", ");
            return Err(Error::not_found(format!("table \"{}.{name}\" does not exist", self.name))
                .with_hint(format!("Schema \"{}\" has {names}", self.name)));
        }
        if let Some(plain) = name.strip_suffix(PARTITIONS_SUFFIX) {
            let table = self.context.metastore.table(&TableName::new(&self.name, plain)).await?;
            return system::partitions_of(table, &self.context.system);
        }
        let (plain, has_hidden) = match name.strip_suffix(HIDDEN_SUFFIX) {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let full_name = TableName::new(&self.name, plain);
        if let Some(registered) = self.context.registered.get(&full_name) {
            return self.registered(registered, &full_name, has_hidden).await;
        }
        let table = self.context.metastore.table(&full_name).await?;
        if table.is_view() {
            return self.view(table, has_hidden).await;
        }
        let index = match table.is_partitioned() {
            // Partitions in the catalog are passed over where they are computed.
            true if Projection::of(&table)?.is_some() => Arc::new(PartitionIndex::empty(&table.partition_keys)?),
            true => self.context.metastore.partition_index(&table).await?,
            false => Arc::new(PartitionIndex::empty(&[])?),
        };
        Ok(Arc::new(LakeTable::try_new(table, index, self.context.scan.clone(), has_hidden)?))
    }

    /// A registered table, for whoever may read a table of that name. It never stands in front of one of the catalog.
    async fn registered(
        &self,
        registered: Arc<dyn TableProvider>,
        name: &TableName,
        has_hidden: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        self.context.guard.look_up(name).await?;
        if has_hidden {
            return Err(Error::invalid(format!("registered table \"{name}\" has no hidden columns"))
                .with_hint("Only tables over files have \"$path\" and its like"));
        }
        match self.context.metastore.table(name).await {
            Ok(_) => Err(Error::already_exists(format!("table \"{name}\" is both registered and in the catalog"))
                .with_hint("Deregister the table, or drop that of the catalog")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(registered),
            Err(error) => Err(error),
        }
    }

    /// A view's plan, under the names its definition gave the columns.
    async fn view(&self, view: Table, has_hidden: bool) -> Result<Arc<dyn TableProvider>> {
        if has_hidden {
            return Err(Error::invalid(format!("view \"{}\" has no hidden columns", view.name))
                .with_hint("Select \"$path\" in the view's query, and give it an alias"));
        }
        if self.view_depth >= MAX_VIEW_DEPTH {
            return Err(Error::invalid(format!("view \"{}\" refers to itself, or views are nested too deeply", view.name)));
        }
        let Some(text) = view.view_text.clone() else { return Err(view_denied(&view.name)) };
        let stale = |error: Error| {
            // Who asks needs access to what the view reads; that they lack it does not make the view stale. The error does not name what it reads.
            if error.kind() == ErrorKind::Denied {
                return view_denied(&view.name);
            }
            let kind = if error.kind() == ErrorKind::Internal { ErrorKind::Internal } else { ErrorKind::Invalid };
            Error::new(kind, format!("view \"{}\" is stale: {error}", view.name))
                .with_hint(format!("Match it to the tables it reads with CREATE OR REPLACE VIEW {}", view.name))
        };
        let Statement::Query(query) = sql::parse(&text).map_err(stale)? else {
            return Err(stale(Error::invalid("its definition is not a query")));
        };
        let database = view.view_database.as_deref().unwrap_or(&view.name.database);
        // A view's plan is boxed: views nest.
        let planned = Box::pin(self.context.logical_at(&query, database, self.view_depth + 1));
        let (_, plan) = planned.await.map_err(stale)?;
        let (now, then) = (plan.schema().fields().len(), view.storage.columns.len());
        if now != then {
            return Err(stale(Error::invalid(format!("its query returns {now} columns, but its definition has {then}"))));
        }
        let columns = plan.schema().columns();
        let named = columns.into_iter().zip(&view.storage.columns).map(|(from, to)| Expr::Column(from).alias(&to.name));
        let named = named.collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(plan).project(named).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?;
        Ok(Arc::new(ViewTable::new(plan, Some(text))))
    }
}
