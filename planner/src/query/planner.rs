//! `Planner`: from the text of a statement to the physical plan of one run. Works on the query threads.
//!
//! ```text
//!  text ─▶ parse, logical plan (remembered by text) ─▶ parameters ─▶ optimise (remembered if it is always the same)
//!       ─▶ pin: a snapshot of each table ─▶ physical plan ─▶ columns of the result
//! ```

use std::{sync::Arc, time::Duration};

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::ScalarValue,
    error::Result,
    execution::{SessionState, TaskContext, memory_pool::MemoryPool},
    logical_expr::LogicalPlan,
    physical_plan::ExecutionPlan,
};
use hexflight_engine::Engine;

use super::{
    LogicalSchema,
    alone::plan_alone,
    result_columns::{result_schema, with_result_columns},
    statements::{Statement, StatementCache},
    warm_up::warm_up,
};
use crate::{
    admission::{Admission, Class},
    catalog,
    memory::{ClassPools, Exhausted, QueryMemory},
    options::QueryOptions,
    session::{Shape, Templates},
    sql::{self, SqlLimits},
    turn::Ended,
    watch::{Asker, QueryLog},
    width::Widths,
};

/// How a query is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Beside all others, with the memory of small ones.
    Small,
    /// Beside other large ones, with its share of the memory.
    Large,
    /// Beside no other large one, with all the memory that is left, and with joins that can spill.
    Alone,
}

impl Way {
    /// Of a query that is tried for the first time.
    pub(super) fn of(class: Class) -> Self {
        match class {
            Class::Small => Self::Small,
            Class::Large => Self::Large,
        }
    }

    pub(super) fn class(self) -> Class {
        if self == Self::Small { Class::Small } else { Class::Large }
    }
}

/// One run of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) way: Way,
    /// Of a batch, where the usual ones were too large for the query's rows.
    pub(super) rows: Option<usize>,
}

impl Attempt {
    pub(super) fn first(way: Way) -> Self {
        Self { way, rows: None }
    }

    /// With more memory; `None` after the last way.
    pub(super) fn with_more_memory(self) -> Option<Self> {
        let way = match self.way {
            Way::Small => Way::Large,
            Way::Large => Way::Alone,
            Way::Alone => return None,
        };
        Some(Self { way, ..self })
    }

    pub(super) fn with_rows(self, rows: usize) -> Self {
        Self { rows: Some(rows), ..self }
    }
}

/// What a run finds out that the next one has to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) exhausted: Exhausted,
    pub(super) widths: Widths,
}

/// What planning needs; shared with the tasks that do it.
#[derive(Debug)]
pub(super) struct Planner {
    engine: Arc<Engine>,
    templates: Templates,
    limits: SqlLimits,
    statements: StatementCache,
}

impl Planner {
    pub(super) fn new(engine: Arc<Engine>, options: &QueryOptions, log: &Arc<QueryLog>) -> Result<Self> {
        let templates = Templates::new(&engine, options, log)?;
        let statements = StatementCache::default();
        Ok(Self { engine, templates, limits: SqlLimits::of(options), statements })
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(super) fn limits(&self) -> &SqlLimits {
        &self.limits
    }

    pub(super) fn state(&self, shape: Shape) -> SessionState {
        self.templates.state(shape)
    }

    /// What the queries of each class hold.
    pub(super) fn memory(&self) -> &ClassPools {
        self.templates.memory()
    }

    /// See [`warm_up`].
    pub(super) async fn warm_up(&self, time: Duration) {
        warm_up(&self.engine, self.templates.caches(), time).await;
    }

    /// Result and parameters of a statement that was asked for before.
    pub(super) fn known_schema(&self, sql: &str) -> Option<LogicalSchema> {
        self.statements.schema(sql)
    }

    /// Result and parameters of a statement.
    pub(super) async fn schema(&self, sql: &str) -> Result<LogicalSchema> {
        let statement = self.statement(sql, None).await?;
        let (plan, state) = (&statement.plan, self.state(Shape::Any));
        let result = result_schema(&analyzed_schema(&state, plan), statement.names.as_deref());
        let schema = LogicalSchema { parameters: sql::parameter_schema(plan, &statement.series)?, result };
        self.statements.insert_schema(sql, &schema);
        Ok(schema)
    }

    /// The plan of one run.
    pub(super) async fn plan(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
        asker: &Asker,
        way: Way,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statement = self.statement(sql, Some(&params)).await?;
        let state = self.state(statement.shape);
        let plan = sql::bind(statement.plan.clone(), &statement.series, params)?;
        let plan = match statement.optimised(|plan| state.optimize(plan))? {
            Some(optimised) => optimised.clone(),
            None => state.optimize(&plan)?,
        };
        let plan = catalog::pin(plan, &self.engine, asker)?;
        let plan = match way {
            Way::Alone => Box::pin(plan_alone(&plan, state)).await?,
            Way::Small | Way::Large => state.query_planner().create_physical_plan(&plan, &state).await?,
        };
        with_result_columns(plan, statement.names.as_deref())
    }

    /// What a plan runs in: until the query has `ended`, and with what it may take of the memory.
    pub(super) fn context(
        &self,
        attempt: Attempt,
        ended: &Ended,
        memory: &Arc<QueryMemory>,
        admission: &Arc<Admission>,
        findings: &Findings,
    ) -> Arc<TaskContext> {
        let (class, is_alone) = (attempt.way.class(), attempt.way == Way::Alone);
        let pool = self.templates.query_pool(class, memory, admission, &findings.exhausted, is_alone);
        self.templates.context(ended, &findings.widths, attempt.rows, pool)
    }

    /// Where results are counted that wait for their reader. A small query's are not in the memory of small ones, which slow readers would
    /// take from all.
    pub(super) fn results_pool(
        &self,
        memory: &Arc<QueryMemory>,
        admission: &Arc<Admission>,
    ) -> Arc<dyn MemoryPool> {
        let exhausted = Exhausted::default();
        Arc::new(self.templates.query_pool(Class::Large, memory, admission, &exhausted, false))
    }

    /// The statement of a text, planned now if it is not remembered.
    pub(super) async fn statement(
        &self,
        sql: &str,
        values: Option<&[ScalarValue]>,
    ) -> Result<Arc<Statement>> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known);
        }
        let plan = sql::logical_plan(&self.state(Shape::Any), sql, values, &self.limits).await?;
        let statement = Arc::new(Statement::new(plan)?);
        self.statements.insert(sql, &statement);
        Ok(statement)
    }
}

/// Coercion can change a type, so the analyzer runs where it can: with untyped parameters it cannot.
fn analyzed_schema(state: &SessionState, plan: &LogicalPlan) -> SchemaRef {
    let options = state.config_options();
    let analyzed = state.analyzer().execute_and_check(plan.clone(), options, |_, _| {});
    let schema = analyzed.as_ref().unwrap_or(plan).schema();
    SchemaRef::clone(schema.inner())
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
