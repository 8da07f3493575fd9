//! The template `SessionState`s: built once, cloned for each query.

use std::sync::Arc;

use datafusion::{
    common::config::Dialect,
    config::ConfigOptions,
    error::{DataFusionError, Result},
    execution::{
        FunctionRegistry, SessionState, SessionStateBuilder, TaskContext,
        cache::cache_manager::CacheManagerConfig,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        object_store::ObjectStoreUrl,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::SessionConfig,
};
use hexflight_engine::{Engine, TableSpec};

use super::shape::{self, Shape};
use crate::{
    admission::{Admission, Class},
    cache::{Caches, SegmentCache},
    catalog::{CATALOG_NAME, QueryCatalogs, SCHEMA_NAME},
    functions::{self, Bounds},
    memory::{BudgetPool, ClassPools, Exhausted, QueryMemory, QueryPool},
    options::QueryOptions,
    rules::{self, AnswerFromRollups, PlanHeld},
    scan::STORE_URL,
    sql::DerivedColumns,
    turn::Ended,
    watch::QueryLog,
    width::Widths,
};

/// A sort keeps memory for the merge of what it has spilled, one for each partition. **Units**: bytes.
const SORT_MERGE_BYTES_MIN: usize = 64 << 10;
const SORT_MERGE_BYTES_MAX: usize = 10 << 20;

/// Sorts of one query for whose merges an even share of the memory has room, and as much again for each.
const SORTS_AT_ONCE: usize = 16;

/// What the states of queries are cloned from, and the context that they run in.
#[derive(Debug)]
pub(crate) struct Templates {
    any: SessionState,
    plain: SessionState,
    caches: Caches,
    memory: ClassPools,
}

impl Templates {
    /// Builds the states.
    ///
    /// # Errors
    /// `Configuration` for options out of range.
    pub(crate) fn new(engine: &Arc<Engine>, options: &QueryOptions, log: &Arc<QueryLog>) -> Result<Self> {
        let caches = caches(engine, options);
        let memory = ClassPools::new(engine.budget(), options.memory_share);
        let any = template(engine, options, log, &caches, &memory)?;
        let caches = if options.rollups { caches } else { Caches::new() };
        Ok(Self { plain: shape::for_plain(&any), any, caches, memory })
    }

    /// A state for one query, with its own `now()`.
    pub(crate) fn state(&self, shape: Shape) -> SessionState {
        let mut state = match shape {
            Shape::Any => self.any.clone(),
            Shape::Plain => self.plain.clone(),
        };
        state.mark_start_execution();
        state
    }

    /// What is worth reading ahead of each table's files; nothing without rollups.
    pub(crate) fn caches(&self) -> &Caches {
        &self.caches
    }

    /// What the queries of each class hold.
    pub(crate) fn memory(&self) -> &ClassPools {
        &self.memory
    }

    /// What a query may take of the memory: its share of it, or all that is left.
    pub(crate) fn query_pool(
        &self,
        class: Class,
        memory: &Arc<QueryMemory>,
        admission: &Arc<Admission>,
        exhausted: &Exhausted,
        is_alone: bool,
    ) -> QueryPool {
        let (all, memory, admission) =
            (Arc::clone(self.memory.of(class)), Arc::clone(memory), Arc::clone(admission));
        // Large queries that run take nothing of the memory of small ones.
        let is_alone = is_alone || class == Class::Small;
        QueryPool::new(all, memory, admission, is_alone, exhausted.clone())
    }

    /// The context of a query: memory pool and settings, with batches of fewer `rows` if they are given, whether it has ended and how wide its
    /// rows are. A plan has its functions in it.
    pub(crate) fn context(
        &self,
        ended: &Ended,
        widths: &Widths,
        rows: Option<usize>,
        pool: QueryPool,
    ) -> Arc<TaskContext> {
        let config = self.any.config().clone();
        let config = config.with_extension(Arc::new(ended.clone())).with_extension(Arc::new(widths.clone()));
        let config = match rows {
            // Cross joins keep to it only then.
            Some(rows) => config.with_batch_size(rows).with_enforce_batch_size_in_joins(true),
            None => config,
        };
        let (task, session) = (None, self.any.session_id().to_owned());
        let runtime = RuntimeEnv::clone(self.any.runtime_env());
        let runtime = Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..runtime });
        let (scalar, higher_order, aggregate, window) = Default::default();
        Arc::new(TaskContext::new(task, session, config, scalar, higher_order, aggregate, window, runtime))
    }
}

fn template(
    engine: &Arc<Engine>,
    options: &QueryOptions,
    log: &Arc<QueryLog>,
    caches: &Caches,
    pools: &ClassPools,
) -> Result<SessionState> {
    let memory = pools.of(Class::Large);
    let runtime = Arc::new(runtime_env(engine, options, memory)?);
    let bounds = Bounds::new(&runtime.memory_pool, &(Arc::clone(pools.of(Class::Small)) as _));
    let mut builder = SessionStateBuilder::new()
        .with_config(session_config(options, memory)?.with_extension(Arc::new(caches.clone())))
        .with_runtime_env(runtime)
        .with_catalog_list(Arc::new(QueryCatalogs::unpinned(engine, log)))
        .with_default_features()
        .with_analyzer_rules(rules::analyzer_rules(&bounds))
        .with_optimizer_rules(rules::logical_rules())
        .with_physical_optimizer_rules(rules::physical_rules())
        .with_query_planner(Arc::new(PlanHeld));
    if options.rollups {
        builder = builder.with_physical_optimizer_rule(Arc::new(AnswerFromRollups::new(caches.clone())));
    }
    for rule in rules::last_physical_rules(&bounds) {
        builder = builder.with_physical_optimizer_rule(rule);
    }
    let mut state = builder.with_relation_planners(vec![Arc::new(DerivedColumns)]).build();
    for planner in rules::expression_planners() {
        state.register_expr_planner(planner)?;
    }
    for rewrite in rules::function_rewrites() {
        state.register_function_rewrite(rewrite)?;
    }
    datafusion_functions_json::register_all(&mut state)?;
    functions::register_all(&mut state, &bounds)?;
    Ok(state)
}

fn caches(engine: &Engine, options: &QueryOptions) -> Caches {
    let budget = engine.budget();
    let tables = engine.tables();
    let limit = budget.share(options.cache_share) / tables.len().max(1);
    let cache = |spec: &TableSpec| {
        SegmentCache::new(engine.store().clone(), Arc::clone(spec.query_schema()), budget, limit)
    };
    tables.iter().map(|spec| (spec.name().clone(), Arc::new(cache(spec)))).collect()
}

fn session_config(options: &QueryOptions, memory: &BudgetPool) -> Result<SessionConfig> {
    if options.target_partitions == 0 || options.batch_rows == 0 {
        return Err(DataFusionError::Configuration(format!(
            "target_partitions {} and batch_rows {} must be at least 1",
            options.target_partitions, options.batch_rows
        )));
    }
    let mut config = SessionConfig::new()
        .with_target_partitions(options.target_partitions)
        .with_batch_size(options.batch_rows)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG_NAME, SCHEMA_NAME);
    set_engine_options(config.options_mut());
    let of_each_sort = memory.limit() / options.queries_max.max(1) / SORTS_AT_ONCE;
    let of_each_sort = of_each_sort.clamp(SORT_MERGE_BYTES_MIN, SORT_MERGE_BYTES_MAX);
    config.options_mut().execution.sort_spill_reservation_bytes = of_each_sort;
    Ok(config)
}

fn set_engine_options(config: &mut ConfigOptions) {
    config.sql_parser.dialect = Dialect::PostgreSQL;
    config.execution.time_zone = Some("UTC".to_owned());
    // Planned and computed columns may differ in whether they can be null, which changes no value; DataFusion calls it a bug.
    config.execution.skip_physical_aggregate_schema_check = true;
    config.execution.parquet.pushdown_filters = true;
    config.execution.parquet.reorder_filters = true;
    config.execution.parquet.enable_page_index = true;
    // Our scan spreads its work over the partitions by itself; a second spread would only copy.
    config.optimizer.enable_round_robin_repartition = false;
    // It moves fields of metadata below joins, and loses their names there: "No field named __datafusion_extracted_1".
    config.optimizer.enable_leaf_expression_pushdown = false;
}

fn runtime_env(engine: &Arc<Engine>, options: &QueryOptions, memory: &Arc<BudgetPool>) -> Result<RuntimeEnv> {
    let disk = |mode| {
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_bytes_max)
    };
    let spill = options.spill_directory.as_ref().map(|path| DiskManagerMode::Directories(vec![path.clone()]));
    // A disk that is full when the process starts must not keep it from answering.
    let disk = spill.map_or_else(
        || disk(DiskManagerMode::Disabled),
        |spill| match disk(spill.clone()).build() {
            Ok(_) => disk(spill),
            Err(error) => {
                tracing::warn!(%error, "queries cannot write to disk when memory is short");
                disk(DiskManagerMode::Disabled)
            }
        },
    );
    let caches = CacheManagerConfig::default()
        .with_list_files_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .with_metadata_cache_limit(options.metadata_cache_bytes);
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::<BudgetPool>::clone(memory))
        .with_disk_manager_builder(disk)
        .with_cache_manager(caches)
        .build()?;
    let url = ObjectStoreUrl::parse(STORE_URL)?;
    env.register_object_store(url.as_ref(), engine.store().object_store());
    Ok(env)
}
