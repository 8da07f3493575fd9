//! `QueryEngine`: text to plan to stream. Planning and execution happen on the engine's own threads.

use std::{sync::Arc, time::Duration};

use arrow::datatypes::SchemaRef;
use datafusion::{
    catalog::TableProvider,
    common::ScalarValue,
    error::{DataFusionError, Result},
};
use hexflight_engine::{Engine, TableName};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::{PlanTimes, QueryStream, planner::Planner, pressure::Watch, run::Run, runtime::QueryRuntime};
use crate::{
    admission::Admission,
    catalog::{CATALOG_NAME, SCHEMA_NAME},
    options::QueryOptions,
    results::{WaitingMax, results},
    system::{QUERIES_TABLE, QueriesTable, SYSTEM_SCHEMA_NAME},
    turn::{Ended, StopReason, plan_in_turns},
    watch::{Asker, QueryLog, QueryProgress},
};

/// What a statement returns and what it must be given, known without running it.
#[derive(Debug, Clone)]
pub struct LogicalSchema {
    /// Columns of the result.
    pub result: SchemaRef,
    /// Parameters in order, named `$1`, `$2` …; of type `Null` where nothing tells the type.
    pub parameters: SchemaRef,
}

/// A table as a catalog lists it.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Its schema: `public` for events, `system` for what the process tells of itself.
    pub schema: &'static str,
    /// Its name in the schema.
    pub name: String,
    /// Its columns as queries see them.
    pub columns: SchemaRef,
}

/// What waits for the reader of one query, unless one batch alone has more: so much, or this part of the memory limit. **Units**: bytes.
const WAITING_BYTES_MAX: usize = 8 << 20;
const WAITING_PART: usize = 128;

/// Plans and runs SQL over the tables of one [`Engine`].
#[derive(Debug)]
pub struct QueryEngine {
    planner: Arc<Planner>,
    runtime: QueryRuntime,
    admission: Arc<Admission>,
    waiting_max: WaitingMax,
    log: Arc<QueryLog>,
}

impl QueryEngine {
    /// Builds the template session, the memory pool over the engine's budget and the query threads.
    ///
    /// # Errors
    /// `Configuration` for an option out of range, `IoError` when threads cannot be started.
    pub fn new(engine: Arc<Engine>, options: &QueryOptions) -> Result<Self> {
        let runtime = QueryRuntime::new(options)?;
        let log = Arc::new(QueryLog::default());
        let waiting_max = WaitingMax {
            batches: options.stream_batches_max,
            bytes: (engine.budget().limit() / WAITING_PART).min(WAITING_BYTES_MAX),
        };
        let planner = Arc::new(Planner::new(engine, options, &log)?);
        let admission =
            Arc::new(Admission::new(options.queries_max, options.queue_max, options.queue_wait_max));
        Watch::new(&log, &planner, &admission, options).start()?;
        Ok(Self { planner, runtime, admission, waiting_max, log })
    }

    /// Reads what the first queries will begin with, of the newest files first, for at most `time`. Optional.
    pub async fn warm_up(&self, time: Duration) {
        let planner = Arc::clone(&self.planner);
        let read = async move {
            planner.warm_up(time).await;
            Ok(())
        };
        if let Err(error) = self.runtime.run(read).await {
            tracing::warn!(%error, "reading ahead failed");
        }
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

    /// Every table of every schema, those of the process itself included.
    #[must_use]
    pub fn catalog_tables(&self) -> Vec<CatalogTable> {
        let events = self.tables().into_iter().map(|(name, columns)| CatalogTable {
            schema: SCHEMA_NAME,
            name: name.as_str().to_owned(),
            columns,
        });
        let queries = CatalogTable {
            schema: SYSTEM_SCHEMA_NAME,
            name: QUERIES_TABLE.to_owned(),
            columns: QueriesTable::new(Arc::clone(&self.log)).schema(),
        };
        events.chain([queries]).collect()
    }

    /// Every table of events with its columns as queries see them.
    #[must_use]
    pub fn tables(&self) -> Vec<(TableName, SchemaRef)> {
        let specs = self.planner.engine().tables();
        specs.iter().map(|spec| (spec.name().clone(), SchemaRef::clone(spec.query_schema()))).collect()
    }

    /// Result and parameters of a statement. Pins no snapshot and makes no physical plan.
    ///
    /// # Errors
    /// What [`classify`](crate::classify) calls `Invalid`: syntax, an unknown column, a statement that is not allowed.
    pub async fn schema(&self, sql: &str) -> Result<LogicalSchema> {
        if let Some(known) = self.planner.known_schema(sql) {
            return Ok(known);
        }
        let (planner, text) = (Arc::clone(&self.planner), sql.to_owned());
        let planning = async move { plan_in_turns(&Ended::default(), planner.schema(&text)).await };
        self.runtime.run(planning).await
    }

    /// Ends a query by its `query_id` in `system.queries`, if the asker may see it there; whether it had not ended yet.
    pub fn stop(&self, query_id: u64, asker: &Asker) -> bool {
        self.log.stop(query_id, asker)
    }

    /// Ends every query.
    pub fn stop_all(&self, reason: &StopReason) {
        self.log.running().iter().for_each(|query| query.stop.stop(reason.clone()));
    }

    /// Pins a snapshot of each table, plans and starts the query, when it is its turn. `params` are the values of `?` or `$1`, `$2` … in order.
    ///
    /// **Cancellation**: dropping the future before it is ready stops the planning; afterwards see [`QueryStream`].
    ///
    /// # Errors
    /// As [`QueryEngine::schema`], and what goes wrong while planning the scans. What fails later is in the stream.
    pub async fn execute(&self, sql: &str, params: Vec<ScalarValue>) -> Result<QueryStream> {
        self.execute_watched(sql, params, &QueryProgress::start()).await
    }

    /// [`QueryEngine::execute`] for a query that others watch and can end. Whoever made `progress` says when it is finished.
    ///
    /// # Errors
    /// As [`QueryEngine::execute`].
    pub async fn execute_watched(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
        progress: &Arc<QueryProgress>,
    ) -> Result<QueryStream> {
        let stop = progress.stop().clone();
        let logged = self.log.start(sql, progress.asker(), &stop);
        let (ended, (sender, reader)) = (stop.ended(), results(self.waiting_max));
        logged.query().read_by(sender.watch());
        let until_dropped = ended.guard();
        let run = Run {
            planner: Arc::clone(&self.planner),
            admission: Arc::clone(&self.admission),
            threads: self.runtime.handles().clone(),
            sql: sql.to_owned(),
            params,
            ended,
            stop: stop.clone(),
            progress: Arc::clone(progress),
            logged: Arc::clone(logged.query()),
        };
        let (started, schema) = oneshot::channel();
        let mut task = self.runtime.spawn(run.drive(started, sender));
        let schema = tokio::select! {
            biased;
            reason = stop.stopped() => Err(reason.into()),
            schema = schema => match schema {
                Ok(schema) => schema,
                Err(_) => Err(broken(&mut task).await),
            },
        };
        let schema = schema.inspect_err(|error| logged.failed(error))?;
        Ok(QueryStream::new(schema, reader, task, progress, stop).logged(logged).ending(until_dropped))
    }

    /// Plans a statement once and says what each stage took: for `hexflight-bench plan`.
    ///
    /// # Errors
    /// As [`QueryEngine::execute`].
    #[doc(hidden)]
    pub async fn plan_times(&self, sql: &str, params: Vec<ScalarValue>) -> Result<PlanTimes> {
        let (planner, sql) = (Arc::clone(&self.planner), sql.to_owned());
        let planning =
            async move { plan_in_turns(&Ended::default(), PlanTimes::of(&planner, &sql, params)).await };
        self.runtime.run(planning).await
    }
}

/// Why a task ended without a word.
async fn broken(task: &mut AbortOnDropHandle<()>) -> DataFusionError {
    match task.await {
        Err(error) => DataFusionError::ExecutionJoin(Box::new(error)),
        Ok(()) => StopReason::Cancelled.into(),
    }
}
