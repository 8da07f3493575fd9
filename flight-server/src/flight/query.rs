//! `DoGet` of a statement: plan, run, convert, encode. The query stops when the client goes, when it is cancelled by its id, or
//! when its time is up; the latter two end the stream with an error, never with a short answer.

use std::{future, sync::Arc, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{FlightData, encode::FlightDataEncoderBuilder, error::FlightError};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use hexflight_planner::{DataFusionError, QueryProgress, QueryStream, ScalarValue, params_of_row};
use tonic::Status;

use super::{
    FlightContext,
    results::{client_batch, client_schema, split_for_messages},
    running::RunningQuery,
    statement::{PARAMETER_ROWS_MAX, Statement},
};
use crate::{error::query_status, telemetry::QueryTimer};

/// Starts the statement and returns its encoded result.
///
/// **Cancellation**: dropping the future or the stream stops the query.
pub(super) async fn run(
    context: &Arc<FlightContext>,
    statement: Statement,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
    let running = context.running.start(statement.id.clone());
    let timer = QueryTimer::start();
    let deadline = Deadline::after(context.query_timeout);
    let mut rows = parameter_rows(&statement)?;
    let first = rows.next().unwrap_or_default();
    let first = tokio::select! {
        biased;
        stopped = stopped(&running, &deadline) => return Err(stopped),
        started = context.queries.execute_watched(&statement.sql, first, running.progress()) => started.map_err(|error| query_status(&error))?,
    };
    let schema = client_schema(&first.schema());
    let watched = Arc::clone(running.progress());
    let batches = all_rows(Arc::clone(context), statement.sql, first, rows.collect(), watched);
    let batches = guarded(batches, running, deadline);
    let batches = converted(batches, Arc::clone(&schema), timer);
    let encoded = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_max_flight_data_size(usize::MAX)
        .build(batches.map_err(|status| FlightError::Tonic(Box::new(status))));
    Ok(encoded.map_err(Status::from).boxed())
}

/// One set of values for each run of the statement.
fn parameter_rows(statement: &Statement) -> Result<std::vec::IntoIter<Vec<ScalarValue>>, Status> {
    let Some(batch) = statement.bound_parameters()? else { return Ok(vec![Vec::new()].into_iter()) };
    if batch.num_rows() == 0 || batch.num_rows() > PARAMETER_ROWS_MAX {
        return Err(Status::invalid_argument(format!(
            "parameters: {} rows are bound; bind 1 to {PARAMETER_ROWS_MAX}, the statement runs once for each",
            batch.num_rows()
        )));
    }
    let rows: Result<Vec<_>, _> = (0..batch.num_rows()).map(|row| params_of_row(&batch, row)).collect();
    Ok(rows.map_err(|error| query_status(&error))?.into_iter())
}

/// The first result, then the statement again for each further row of parameters.
fn all_rows(
    context: Arc<FlightContext>,
    sql: String,
    first: QueryStream,
    rest: Vec<Vec<ScalarValue>>,
    progress: Arc<QueryProgress>,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send {
    let schema = first.schema();
    let rest = stream::iter(rest).then(move |values| {
        let (context, sql, schema) = (Arc::clone(&context), sql.clone(), Arc::clone(&schema));
        let progress = Arc::clone(&progress);
        async move {
            let result = context.queries.execute_watched(&sql, values, &progress).await?;
            if result.schema().fields() != schema.fields() {
                let text =
                    "parameters: their rows lead to results of different types; bind them one at a time";
                return Err(DataFusionError::Plan(text.to_owned()));
            }
            Ok(result)
        }
    });
    first.chain(rest.try_flatten()).map_err(|error| query_status(&error))
}

/// Ends the stream with an error when the query is cancelled or out of time.
fn guarded<S>(
    batches: S,
    running: RunningQuery,
    deadline: Deadline,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send
where
    S: Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
{
    let state = Some((batches.boxed(), running, deadline));
    stream::unfold(state, |state| async move {
        let (mut batches, running, deadline) = state?;
        let next = tokio::select! {
            biased;
            stopped = stopped(&running, &deadline) => Some(Err(stopped)),
            next = batches.next() => next,
        };
        match next {
            Some(Ok(batch)) => Some((Ok(batch), Some((batches, running, deadline)))),
            Some(Err(status)) => Some((Err(status), None)),
            None => None,
        }
    })
}

fn converted(
    batches: impl Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
    schema: SchemaRef,
    timer: QueryTimer,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send {
    batches
        .map_ok(move |batch| {
            timer.rows_sent(batch.num_rows());
            let pieces = match client_batch(&batch, &schema) {
                Ok(batch) => split_for_messages(batch).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(Status::internal(format!("converting the result: {error}")))],
            };
            stream::iter(pieces)
        })
        .try_flatten()
}

/// When a query must have ended.
struct Deadline(Option<(tokio::time::Instant, Duration)>);

impl Deadline {
    fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.map(|timeout| (tokio::time::Instant::now() + timeout, timeout)))
    }

    async fn passed(&self) -> Duration {
        match self.0 {
            Some((at, timeout)) => {
                tokio::time::sleep_until(at).await;
                timeout
            }
            None => future::pending().await,
        }
    }
}

async fn stopped(running: &RunningQuery, deadline: &Deadline) -> Status {
    tokio::select! {
        () = running.token().cancelled() => Status::cancelled("the query was cancelled"),
        timeout = deadline.passed() => Status::deadline_exceeded(format!(
            "the query took longer than the limit of {timeout:?} (query_timeout)"
        )),
    }
}
