//! DataFusion's state: built once for each engine, and made a query's own with its catalogs, stores, clock and time zone (in `resolve`).

use std::sync::Arc;

use datafusion::{
    execution::{
        context::SessionState,
        memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
        session_state::SessionStateBuilder,
    },
    optimizer::{Optimizer, OptimizerRule},
    prelude::SessionConfig,
};
use glaux_catalog::ident::{CATALOG_NAME, DEFAULT_DATABASE};

use super::{
    conditions::Conditions, filters::FiltersInOrder, keys::KeysBelow, operators::Operators, rules::analyzer_rules, types::Types,
    using::UsingJoins,
};
use crate::{
    config::EngineOptions,
    data_dir::SPILL_DIRECTORY,
    error::{Error, Result},
    failure::from_datafusion,
    functions,
    scan::UseLakeScan,
};

/// Consumers that an out-of-memory error names.
const NAMED_CONSUMERS: usize = 3;

/// The state that every query's is made from.
///
/// # Errors
/// `Invalid` if the spill directory cannot be made.
pub(crate) fn base_state(options: &EngineOptions) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG_NAME, DEFAULT_DATABASE)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_collect_statistics(false);
    if let Some(streams) = options.parallelism {
        config = config.with_target_partitions(streams.max(1));
    }
    let settings = config.options_mut();
    // Trino's semantics where DataFusion has a switch for them.
    "nulls_last".clone_into(&mut settings.sql_parser.default_null_ordering);
    settings.sql_parser.parse_float_as_decimal = true;
    settings.sql_parser.enable_ident_normalization = false;
    settings.sql_parser.map_string_types_to_utf8view = false;
    settings.sql_parser.support_varchar_with_length = true;
    settings.execution.parquet.schema_force_view_types = false;
    settings.execution.parquet.coerce_int96 = Some("us".to_owned());
    // Scans decide by themselves when a filter's columns are read first; rows that fail it are theirs to leave out.
    settings.execution.parquet.pushdown_filters = true;
    // A scan's streams share its row groups, so that there is nothing to split.
    settings.optimizer.repartition_file_scans = false;
    // With several aggregates, it forgets those that have met NULLs alone so far, and loses their rows.
    settings.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // A table's definition says what its strings are; a file's annotation does not decide.
    settings.execution.parquet.binary_as_string = false;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(base_runtime(options)?)
        // Ours are asked before DataFusion's.
        .with_expr_planners(vec![Arc::new(Operators)])
        .with_type_planner(Arc::new(Types))
        .with_relation_planners(vec![Arc::new(UsingJoins)])
        .with_default_features()
        .with_analyzer_rules(analyzer_rules())
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rule(Arc::new(UseLakeScan))
        .with_physical_optimizer_rule(Arc::new(Conditions))
        .build();
    functions::register(&mut state).map_err(from_datafusion)?;
    Ok(state)
}

/// DataFusion's rules in their order, with ours right behind the one that moves filters.
fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let at = rules.iter().position(|rule| rule.name() == "push_down_filter").map_or(rules.len(), |at| at + 1);
    let ours: [Arc<dyn OptimizerRule + Send + Sync>; 2] = [Arc::new(FiltersInOrder), Arc::new(KeysBelow)];
    rules.splice(at..at, ours);
    rules
}

/// Memory and disk that all queries of an engine share.
fn base_runtime(options: &EngineOptions) -> Result<Arc<RuntimeEnv>> {
    let limit = options.memory_limit.unwrap_or_else(default_memory_limit);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let consumers = std::num::NonZeroUsize::new(NAMED_CONSUMERS).unwrap_or(std::num::NonZeroUsize::MIN);
    let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(limit), consumers));
    let spill = options.data_dir.join(SPILL_DIRECTORY);
    glaux_catalog::private::create_folder(&spill).map_err(|error| {
        Error::invalid(format!("directory \"{}\" could not be created", spill.display()))
            .with_hint("Choose a data directory that is writable")
            .with_setting("engine.data_dir")
            .with_source(error)
    })?;
    RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_temp_file_path(spill)
        .with_max_temp_directory_size(options.spill_limit)
        .build_arc()
        .map_err(from_datafusion)
}

/// The memory limit where the machine does not tell its memory.
const UNKNOWN_MACHINE: u64 = 2 << 30;

/// 70 % of the machine's memory, or of the container's.
fn default_memory_limit() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return UNKNOWN_MACHINE };
    system.refresh_memory();
    let machine = system.total_memory();
    let total = system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine));
    total / 10 * 7
}
