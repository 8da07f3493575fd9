//! Prepared statements. The handle holds the statement itself, so the server need not remember it; only what a client binds
//! without taking the new handle back is kept, in `bound_parameters`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::{datatypes::Schema, ipc::writer::IpcWriteOptions};
use arrow_flight::{
    FlightData, IpcMessage, PutResult, SchemaAsIpc,
    sql::{
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
        CommandPreparedStatementQuery, DoPutPreparedStatementResult,
    },
};
use bytes::Bytes;
use hexflight_engine::time;
use prost::Message;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    advice::statement_status,
    ipc::{BatchDecoder, Decoded, Limits, declares_no_columns, expanded_bytes},
    message_status::unread,
    statement::{PARAMETER_ROWS_MAX, Statement},
};
use crate::{auth::Caller, queries::client_schema, timestamp_unit::TimestampUnit};

/// What the messages of parameters may have before they are encoded anew, under a limit of their own: clients send dictionaries and padding.
/// **Units**: bytes.
const SENT_BYTES_MAX: usize = 8 << 20;

/// Makes a handle and says what the statement returns and takes.
pub(super) async fn create(
    context: &FlightContext,
    request: ActionCreatePreparedStatementRequest,
    unit: TimestampUnit,
) -> Result<ActionCreatePreparedStatementResult, Status> {
    if request.transaction_id.is_some_and(|id| !id.is_empty()) {
        return Err(Status::unimplemented("transactions are not supported"));
    }
    let statement = Statement::new(request.query, unit)?;
    let schema = context.queries.engine().schema(&statement.sql).await;
    let schema = schema.map_err(|error| statement_status(&statement.sql, &error))?;
    Ok(ActionCreatePreparedStatementResult {
        prepared_statement_handle: statement.handle(),
        dataset_schema: schema_bytes(&client_schema(&schema.result, unit))?,
        parameter_schema: schema_bytes(&client_schema(&schema.parameters, TimestampUnit::Micros))?,
    })
}

/// The schema as an IPC message; nothing where there are no columns.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    if schema.fields().is_empty() {
        return Ok(Bytes::new());
    }
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(|error| Status::internal(format!("encoding the schema: {error}")))?;
    Ok(bytes)
}

/// The statement of a handle, with the parameters it holds or those remembered for it.
pub(super) fn statement(context: &FlightContext, handle: &[u8]) -> Result<Statement, Status> {
    let mut statement = Statement::of_handle(handle)?;
    if statement.parameters.is_empty()
        && let Some(parameters) = context.bound.recall(&statement.id, time::now())
    {
        statement.parameters = parameters;
    }
    Ok(statement)
}

/// `DoPut` of parameters: answers with the handle that holds them.
pub(super) async fn bind(
    context: &Arc<FlightContext>,
    command: &CommandPreparedStatementQuery,
    caller: &Caller,
    first: FlightData,
    messages: Streaming<FlightData>,
) -> Result<PutResult, Status> {
    let statement = bound(context, &command.prepared_statement_handle, first, messages).await?;
    context.bound.remember(statement.id.clone(), caller, statement.parameters.clone(), time::now());
    let answer = DoPutPreparedStatementResult { prepared_statement_handle: Some(statement.handle()) };
    Ok(PutResult { app_metadata: Bytes::from(answer.encode_to_vec()) })
}

/// The statement of a handle with the parameters of a stream.
pub(super) async fn bound(
    context: &FlightContext,
    handle: &[u8],
    first: FlightData,
    messages: Streaming<FlightData>,
) -> Result<Statement, Status> {
    let mut statement = Statement::of_handle(handle)?;
    let schema = context.queries.engine().schema(&statement.sql).await;
    let schema = schema.map_err(|error| statement_status(&statement.sql, &error))?;
    statement.bind(&read_all(context, first, messages).await?, &schema.parameters)?;
    Ok(statement)
}

async fn read_all(
    context: &FlightContext,
    first: FlightData,
    mut messages: Streaming<FlightData>,
) -> Result<Vec<RecordBatch>, Status> {
    if declares_no_columns(&first) {
        // What follows brings nothing; it is read so that the client can end its side.
        for _ in 0..PARAMETER_ROWS_MAX {
            if messages.message().await?.is_none() {
                break;
            }
        }
        return Ok(Vec::new());
    }
    let mut decoder = BatchDecoder::new(Limits::of_message(SENT_BYTES_MAX)).taking_unions();
    let mut batches = Vec::new();
    let (mut next, mut rows, mut bytes) = (Some(first), 0, 0);
    while let Some(message) = next {
        bytes += message.data_body.len().max(expanded_bytes(&message));
        if bytes > SENT_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "parameters: {bytes} bytes are sent, the limit is {SENT_BYTES_MAX}"
            )));
        }
        let decoded = decoder.decode(message).await;
        let decoded = decoded.map_err(|error| Status::invalid_argument(format!("parameters: {error}")))?;
        if let Decoded::Batch(batch) = decoded {
            rows += batch.num_rows();
            batches.push(batch);
        }
        // `bind` states the rule; this only keeps an endless stream from being collected first.
        if rows > PARAMETER_ROWS_MAX {
            break;
        }
        next = messages.message().await.map_err(|status| unread(&status, context.limits.body_bytes_max))?;
    }
    Ok(batches)
}
