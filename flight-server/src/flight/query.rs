//! `DoGet` of a statement: plan, run, convert, encode. The query stops when the client goes, when it is cancelled by its id, or
//! when its time is up; the latter two end the stream with an error, never with a short answer.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
};
use arrow_flight::{FlightData, encode::FlightDataEncoderBuilder, error::FlightError};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use hexflight_planner::{DataFusionError, QueryStream, ScalarValue, params_of_row};
use tonic::{Code, Status};

use super::{
    FlightContext,
    advice::statement_status,
    parameters::{fits, misfits},
    session::{CallOptions, QUERY_TIMEOUT},
    statement::{PARAMETER_ROWS_MAX, Statement},
};
use crate::{
    queries::{
        Asked, agreed, client_batch, client_schema, message_rows_max, slices, split_for_messages,
        union_column,
    },
    status::query_status,
    timestamp_unit::TimestampUnit,
};

/// Starts the statement and returns its encoded result.
///
/// **Cancellation**: dropping the future or the stream stops the query.
pub(super) async fn run(
    context: &Arc<FlightContext>,
    statement: Statement,
    options: CallOptions,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
    let (schema, batches) = start(context, statement, options).await?;
    let rows_max = message_rows_max(context.engine.budget().limit());
    let batches = converted(batches, Arc::clone(&schema), rows_max);
    let encoded = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_max_flight_data_size(usize::MAX)
        .build(batches.map_err(|status| FlightError::Tonic(Box::new(status))));
    Ok(encoded.map_err(Status::from).boxed())
}

/// Runs the statement to its end and counts its rows.
///
/// **Cancellation**: dropping the future stops the query.
pub(super) async fn count_rows(
    context: &Arc<FlightContext>,
    statement: Statement,
    options: CallOptions,
) -> Result<usize, Status> {
    let (_, batches) = start(context, statement, options).await?;
    batches.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await
}

/// Starts the statement; its batches as they are computed, in the order of the rows of parameters.
async fn start(
    context: &Arc<FlightContext>,
    statement: Statement,
    options: CallOptions,
) -> Result<(SchemaRef, BoxStream<'static, Result<RecordBatch, Status>>), Status> {
    let own = options.session.query_timeout.map(|limit| (limit, QUERY_TIMEOUT));
    let asked = context.queries.begin_named(statement.id.clone(), options.caller.asker(), own);
    let mut rows = parameter_rows(&statement)?;
    let first = match asked.run(&statement.sql, rows.next().unwrap_or_default()).await {
        Ok(first) => first,
        Err(error) => return Err(refused(context, &statement, &error).await),
    };
    let schema = sent_schema(context, &statement, &first).await?;
    Ok((schema, all_rows(asked, statement.sql, first, rows.collect()).boxed()))
}

/// The status of a statement that did not start; names the parameters that are of another type than it expects.
async fn refused(context: &FlightContext, statement: &Statement, error: &DataFusionError) -> Status {
    let status = statement_status(&statement.sql, error);
    let expected = context.queries.engine().schema(&statement.sql).await.map(|schema| schema.parameters);
    let (Ok(expected), Ok(Some(bound))) = (expected, statement.bound_parameters()) else { return status };
    match misfits(&bound, &expected) {
        Some(misfits) if status.code() == Code::InvalidArgument => {
            Status::invalid_argument(format!("{}; {misfits}", status.message()))
        }
        _ => status,
    }
}

/// The schema of the stream: the one that was announced, or the result's own where nothing could be.
async fn sent_schema(
    context: &FlightContext,
    statement: &Statement,
    first: &QueryStream,
) -> Result<SchemaRef, Status> {
    let found = client_schema(&first.schema(), statement.unit());
    if let Some(name) = union_column(&found) {
        return Err(Status::invalid_argument(format!(
            "column '{name}' has values of several types, which results do not have; cast it, for example to VARCHAR"
        )));
    }
    let Ok(announced) = context.queries.engine().schema(&statement.sql).await else { return Ok(found) };
    if statement.bound_parameters()?.is_some_and(|bound| !fits(&bound, &announced.parameters)) {
        return Ok(found);
    }
    agreed(client_schema(&announced.result, statement.unit()), &found).map_err(|detail| {
        let status = Status::internal(format!("the result is not what was announced: {detail}"));
        tracing::error!(sql = statement.sql, "{}", status.message());
        status
    })
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
    asked: Asked,
    sql: String,
    first: QueryStream,
    rest: Vec<Vec<ScalarValue>>,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send {
    let schema = first.schema();
    let asked = Arc::new(asked);
    let again = Arc::clone(&asked);
    let rest = stream::iter(rest).then(move |values| {
        let (asked, sql, schema) = (Arc::clone(&again), sql.clone(), Arc::clone(&schema));
        async move {
            let result = asked.run(&sql, values).await?;
            let plain = |schema: &Schema| client_schema(schema, TimestampUnit::Micros);
            if plain(&result.schema()) != plain(&schema) {
                let text =
                    "parameters: their rows lead to results of different types; bind them one at a time";
                return Err(DataFusionError::Plan(text.to_owned()));
            }
            Ok(result)
        }
    });
    let batches = first.chain(rest.try_flatten()).map_err(|error| query_status(&error));
    batches.inspect_ok(move |batch| asked.rows_sent(batch.num_rows()))
}

/// Converted when the client takes them: of a result of which nobody reads on, one message is ready.
fn converted(
    batches: impl Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
    schema: SchemaRef,
    rows_max: usize,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send {
    batches
        .map_ok(move |batch| {
            let schema = Arc::clone(&schema);
            // Cut before it is converted: views of one text become as many texts.
            let slices = slices(batch, rows_max).flat_map(split_for_messages);
            stream::iter(slices.flat_map(move |slice| messages(&slice, &schema)))
        })
        .try_flatten()
}

fn messages(batch: &RecordBatch, schema: &SchemaRef) -> Vec<Result<RecordBatch, Status>> {
    match client_batch(batch, schema) {
        Ok(batch) => split_for_messages(batch).into_iter().map(Ok).collect(),
        Err(ArrowError::CastError(detail)) => vec![Err(Status::invalid_argument(detail))],
        Err(error) => vec![Err(Status::internal(format!("converting the result: {error}")))],
    }
}
