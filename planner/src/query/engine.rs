//! `QueryEngine`: text to plan to stream. Planning and execution happen on the engine's own threads.

use std::{sync::Arc, time::Instant};

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::ScalarValue,
    error::Result,
    execution::{SessionState, TaskContext},
    logical_expr::LogicalPlan,
    physical_plan::ExecutionPlan,
};
use hexflight_engine::{Engine, TableName};

use super::{QueryOptions, QueryProgress, QueryStream, runtime::QueryRuntime, schema_cache::SchemaCache};
use crate::{
    catalog::QueryCatalogs,
    session::{self, CATALOG_NAME, SCHEMA_NAME},
    sql::{self, SqlLimits},
};

/// What a statement returns and what it must be given, known without running it.
#[derive(Debug, Clone)]
pub struct LogicalSchema {
    /// Columns of the result.
    pub result: SchemaRef,
    /// Parameters in order, named `$1`, `$2` …; of type `Null` where nothing tells the type.
    pub parameters: SchemaRef,
}

/// Plans and runs SQL over the tables of one [`Engine`].
#[derive(Debug)]
pub struct QueryEngine {
    planner: Arc<Planner>,
    runtime: QueryRuntime,
    schemas: SchemaCache,
}

/// What planning needs; shared with the tasks that do it.
#[derive(Debug)]
struct Planner {
    engine: Arc<Engine>,
    template: SessionState,
    limits: SqlLimits,
}

impl QueryEngine {
    /// Builds the template session, the memory pool over the engine's budget and the query threads.
    ///
    /// # Errors
    /// `Configuration` for an option out of range, `IoError` when threads cannot be started.
    pub fn new(engine: Arc<Engine>, options: &QueryOptions) -> Result<Self> {
        let template = session::template(&engine, options)?;
        let limits = SqlLimits::of(options);
        let runtime = QueryRuntime::new(options)?;
        let planner = Arc::new(Planner { engine, template, limits });
        Ok(Self { planner, runtime, schemas: SchemaCache::default() })
    }

    /// Name of the one catalog.
    #[must_use]
    pub fn catalog_name(&self) -> &'static str {
        CATALOG_NAME
    }

    /// Name of the one schema that holds tables.
    #[must_use]
    pub fn schema_name(&self) -> &'static str {
        SCHEMA_NAME
    }

    /// Every table with its columns as queries see them.
    #[must_use]
    pub fn tables(&self) -> Vec<(TableName, SchemaRef)> {
        let specs = self.planner.engine.tables();
        specs.iter().map(|spec| (spec.name().clone(), SchemaRef::clone(spec.query_schema()))).collect()
    }

    /// Result and parameters of a statement. Pins no snapshot and makes no physical plan.
    ///
    /// # Errors
    /// What [`classify`](crate::classify) calls `Invalid`: syntax, an unknown column, a statement that is not allowed.
    pub async fn schema(&self, sql: &str) -> Result<LogicalSchema> {
        if let Some(known) = self.schemas.get(sql) {
            return Ok(known);
        }
        let (planner, text) = (Arc::clone(&self.planner), sql.to_owned());
        let schema = self.runtime.run(async move { planner.schema(&text).await }).await?;
        self.schemas.insert(sql, &schema);
        Ok(schema)
    }

    /// Pins a snapshot of each table, plans and starts the query. `params` are the values of `?` or `$1`, `$2` … in order.
    ///
    /// **Cancellation**: dropping the future before it is ready stops the planning; afterwards see [`QueryStream`].
    ///
    /// # Errors
    /// As [`QueryEngine::schema`], and what goes wrong while planning the scans. What fails later is in the stream.
    pub async fn execute(&self, sql: &str, params: Vec<ScalarValue>) -> Result<QueryStream> {
        self.execute_watched(sql, params, &QueryProgress::start()).await
    }

    /// [`QueryEngine::execute`] for a query that others watch. Whoever made `progress` says when it is finished.
    ///
    /// # Errors
    /// As [`QueryEngine::execute`].
    pub async fn execute_watched(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
        progress: &Arc<QueryProgress>,
    ) -> Result<QueryStream> {
        let started = Instant::now();
        let planner = Arc::clone(&self.planner);
        let sql = sql.to_owned();
        let (plan, context) = self.runtime.run(async move { planner.plan(&sql, params).await }).await?;
        metrics::histogram!("hexflight_query_plan_seconds").record(started.elapsed().as_secs_f64());
        Ok(self.runtime.start(plan, context, progress))
    }
}

impl Planner {
    async fn schema(&self, sql: &str) -> Result<LogicalSchema> {
        let catalogs = QueryCatalogs::schema_only(&self.engine);
        let state = session::query_state(&self.template, Arc::new(catalogs));
        let plan = sql::logical_plan(&state, sql, &self.limits).await?;
        Ok(LogicalSchema { parameters: sql::parameter_schema(&plan)?, result: result_schema(&state, &plan) })
    }

    async fn plan(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let catalogs = QueryCatalogs::pinned(&self.engine)?;
        let state = session::query_state(&self.template, Arc::new(catalogs));
        let plan = sql::logical_plan(&state, sql, &self.limits).await?;
        let plan = sql::bind(plan, params)?;
        let plan = state.create_physical_plan(&plan).await?;
        Ok((plan, state.task_ctx()))
    }
}

/// Coercion can change a type, so the analyzer runs where it can: with untyped parameters it cannot.
fn result_schema(state: &SessionState, plan: &LogicalPlan) -> SchemaRef {
    let options = state.config_options();
    let analyzed = state.analyzer().execute_and_check(plan.clone(), options, |_, _| {});
    let schema = analyzed.as_ref().unwrap_or(plan).schema();
    SchemaRef::clone(schema.inner())
}
