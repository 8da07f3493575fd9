//! `CommandStatementIngest`: `adbc_ingest`. Appends to a table that exists; tables are neither created nor replaced this way.

use std::{collections::VecDeque, sync::Arc};

use arrow_flight::{
    FlightData, PutResult,
    sql::{CommandStatementIngest, DoPutUpdateResult, TableExistsOption, TableNotExistOption},
};
use bytes::Bytes;
use hexflight_engine::TableName;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    batch_source::{BatchSource, PendingBatch},
    put::PENDING_MAX,
};
use crate::arrival::Waits;

/// Appends the stream and answers once with the number of rows, when all of them are durable.
pub(super) async fn ingest(
    context: &Arc<FlightContext>,
    command: &CommandStatementIngest,
    first: FlightData,
    messages: Streaming<FlightData>,
    waits: Waits,
) -> Result<PutResult, Status> {
    let table = target(context, command)?;
    let source = BatchSource::new(context, table, first, messages, waits);
    // On a task of its own: batches that the engine took become durable also when the client leaves, and those behind them are dropped.
    let gone = CancellationToken::new();
    let _until_dropped = gone.clone().drop_guard();
    let work = context.puts.spawn(append_all(source, gone));
    let rows = work.await.map_err(|error| Status::internal(format!("ingest: {error}")))??;
    Ok(count(rows))
}

/// The answer to a call without a message: of a table without rows the Go driver of ADBC sends not even the schema, and then
/// waits for the number of rows.
pub(super) fn nothing() -> PutResult {
    count(0)
}

fn count(rows: usize) -> PutResult {
    let answer = DoPutUpdateResult { record_count: i64::try_from(rows).unwrap_or(i64::MAX) };
    PutResult { app_metadata: Bytes::from(answer.encode_to_vec()) }
}

async fn append_all(mut source: BatchSource, gone: CancellationToken) -> Result<usize, Status> {
    let mut pending: VecDeque<PendingBatch> = VecDeque::new();
    let mut rows = 0;
    let failed = loop {
        let next = tokio::select! {
            biased;
            () = gone.cancelled() => Err(Status::cancelled("the client has gone")),
            next = source.next() => next,
        };
        match next {
            Ok(Some(batch)) => pending.push_back(batch),
            Ok(None) => break None,
            Err(status) => break Some(status),
        }
        if pending.len() >= PENDING_MAX {
            rows += wait_for_oldest(&mut pending).await.map_err(|status| after(rows, &status))?;
        }
    };
    while !pending.is_empty() {
        rows += wait_for_oldest(&mut pending).await.map_err(|status| after(rows, &status))?;
    }
    failed.map_or(Ok(rows), |status| Err(after(rows, &status)))
}

async fn wait_for_oldest(pending: &mut VecDeque<PendingBatch>) -> Result<usize, Status> {
    match pending.pop_front() {
        Some(batch) => batch.acknowledged().await,
        None => Ok(0),
    }
}

/// There are no transactions: say what is stored, so that the caller does not send it twice.
fn after(rows: usize, status: &Status) -> Status {
    if rows == 0 {
        return status.clone();
    }
    let message = format!("{}; the {rows} rows of the batches before it are stored", status.message());
    let details = Bytes::copy_from_slice(status.details());
    Status::with_details_and_metadata(status.code(), message, details, status.metadata().clone())
}

/// The table to append to, if the command asks for nothing else.
fn target(context: &FlightContext, command: &CommandStatementIngest) -> Result<TableName, Status> {
    if command.temporary {
        return Err(Status::unimplemented("temporary tables are not supported"));
    }
    if command.transaction_id.as_ref().is_some_and(|id| !id.is_empty()) {
        return Err(Status::unimplemented("transactions are not supported"));
    }
    check_name("catalog", command.catalog.as_deref(), context.queries.engine().catalog_name())?;
    check_name("schema", command.schema.as_deref(), context.queries.engine().schema_name())?;
    let options = command.table_definition_options.unwrap_or_default();
    let table = match context.table(&command.table) {
        Ok(spec) => spec.name().clone(),
        Err(status) if options.if_not_exist() == TableNotExistOption::Create => {
            return Err(Status::unimplemented(format!(
                "{}; tables cannot be created by ingest, use mode 'append'",
                status.message()
            )));
        }
        Err(status) => return Err(status),
    };
    match options.if_exists() {
        TableExistsOption::Append | TableExistsOption::Unspecified => Ok(table),
        TableExistsOption::Fail => Err(Status::already_exists(format!(
            "table '{table}' exists and cannot be created; use mode 'append'"
        ))),
        TableExistsOption::Replace => Err(Status::invalid_argument(format!(
            "table '{table}' cannot be replaced, events are only ever added; use mode 'append'"
        ))),
    }
}

fn check_name(what: &str, asked: Option<&str>, known: &str) -> Result<(), Status> {
    match asked {
        None | Some("") => Ok(()),
        Some(name) if name == known => Ok(()),
        Some(name) => {
            Err(Status::not_found(format!("{what} '{name}' does not exist; the only {what} is '{known}'")))
        }
    }
}
