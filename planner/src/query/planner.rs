//! `Planner`: a statement's text to its physical plan. Runs on the query threads; pins a snapshot, keeps none.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    error::Result,
    execution::{SessionState, TaskContext},
    logical_expr::LogicalPlan,
    physical_plan::ExecutionPlan,
};
use hexflight_engine::Engine;

use super::{LogicalSchema, QueryOptions};
use arrow::datatypes::SchemaRef;

use crate::{
    catalog::QueryCatalogs,
    session,
    sql::{self, SqlLimits},
};

/// What planning needs; shared with the tasks that do it.
#[derive(Debug)]
pub(super) struct Planner {
    engine: Arc<Engine>,
    template: SessionState,
    limits: SqlLimits,
}

impl Planner {
    pub(super) fn new(engine: Arc<Engine>, options: &QueryOptions) -> Result<Self> {
        let template = session::template(&engine, options)?;
        Ok(Self { template, limits: SqlLimits::of(options), engine })
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(super) fn limits(&self) -> &SqlLimits {
        &self.limits
    }

    /// Result and parameters of a statement.
    pub(super) async fn schema(&self, sql: &str) -> Result<LogicalSchema> {
        let catalogs = QueryCatalogs::schema_only(&self.engine);
        let state = session::query_state(&self.template, Arc::new(catalogs));
        let plan = sql::logical_plan(&state, sql, &self.limits).await?;
        Ok(LogicalSchema { parameters: sql::parameter_schema(&plan)?, result: result_schema(&state, &plan) })
    }

    /// The plan of one run.
    pub(super) async fn plan(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let state = self.pinned_state()?;
        let plan = sql::logical_plan(&state, sql, &self.limits).await?;
        let plan = sql::bind(plan, params)?;
        let plan = state.create_physical_plan(&plan).await?;
        Ok((plan, state.task_ctx()))
    }

    pub(super) fn pinned_state(&self) -> Result<SessionState> {
        let catalogs = QueryCatalogs::pinned(&self.engine)?;
        Ok(session::query_state(&self.template, Arc::new(catalogs)))
    }
}

/// Coercion can change a type, so the analyzer runs where it can: with untyped parameters it cannot.
fn result_schema(state: &SessionState, plan: &LogicalPlan) -> SchemaRef {
    let options = state.config_options();
    let analyzed = state.analyzer().execute_and_check(plan.clone(), options, |_, _| {});
    let schema = analyzed.as_ref().unwrap_or(plan).schema();
    SchemaRef::clone(schema.inner())
}
