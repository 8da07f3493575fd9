//! Prepared statements. The handle holds the statement itself, so the server need not remember it; only what a client binds
//! without taking the new handle back is kept here, bounded and for a time.

use std::{collections::HashMap, sync::Arc, time::Duration};

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
use hexflight_engine::{
    Budget, Reservation,
    time::{self, Instant},
};
use parking_lot::{Mutex, MutexGuard};
use prost::Message;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    advice::statement_status,
    crowd::{Kept, gives_way},
    ipc::{BatchDecoder, Decoded, Limits, declares_no_columns, expanded_bytes},
    put::unread,
    statement::{PARAMETER_ROWS_MAX, Statement},
};
use crate::{auth::Caller, queries::client_schema, timestamp_unit::TimestampUnit};

/// Statements whose parameters are remembered.
const BOUND_MAX: usize = 256;

/// Part of the memory limit that remembered parameters may take together.
const BOUND_PART: usize = 32;

/// What the messages of parameters may have before they are encoded anew, under a limit of their own: clients send dictionaries and padding.
/// **Units**: bytes.
const SENT_BYTES_MAX: usize = 8 << 20;

/// How long parameters are remembered after their last use.
const BOUND_FOR: Duration = Duration::from_secs(15 * 60);

/// Parameters by statement id.
#[derive(Debug)]
pub(super) struct BoundParameters {
    by_id: Mutex<HashMap<Bytes, Remembered>>,
    share: Arc<Budget>,
    total: Arc<Budget>,
}

#[derive(Debug)]
struct Remembered {
    parameters: Vec<FlightData>,
    used: Instant,
    user: Option<Arc<str>>,
    weight: usize,
    /// Of the share, and of everything.
    _memory: [Reservation; 2],
}

impl BoundParameters {
    pub(super) fn new(total: &Arc<Budget>) -> Self {
        let share = Budget::new(total.limit() / BOUND_PART);
        Self { by_id: Mutex::default(), share, total: Arc::clone(total) }
    }

    /// Remembers parameters in place of the oldest ones of whoever has most; what is larger than the share is not remembered.
    fn remember(&self, id: Bytes, caller: &Caller, parameters: Vec<FlightData>, now: Instant) {
        let bytes = parameters.iter().map(Message::encoded_len).sum();
        // A share of the places, or of the bytes.
        let weight = bytes + self.share.limit() / BOUND_MAX;
        let mut bound = self.lock();
        bound.remove(&id);
        if bytes > self.share.limit() {
            return;
        }
        bound.retain(|_, known| now.saturating_duration_since(known.used) < BOUND_FOR);
        loop {
            if bound.len() < BOUND_MAX
                && let Ok(share) = self.share.try_reserve(bytes, 1.0)
            {
                let memory = [share, self.total.reserve_unchecked(bytes)];
                let user = caller.user.clone();
                bound.insert(id, Remembered { parameters, used: now, user, weight, _memory: memory });
                return;
            }
            let kept = bound.iter().map(|(key, known)| Kept {
                key,
                user: known.user.as_deref(),
                weight: known.weight,
                used: known.used,
            });
            let Some(oldest) = gives_way(kept, (caller.user.as_deref(), weight)).cloned() else { return };
            bound.remove(&oldest);
        }
    }

    fn recall(&self, id: &Bytes, now: Instant) -> Option<Vec<FlightData>> {
        let mut bound = self.lock();
        let known = bound.get_mut(id)?;
        known.used = now;
        Some(known.parameters.clone())
    }

    /// Forgets a statement that was closed.
    pub(super) fn forget(&self, id: &Bytes) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Remembered>> {
        self.by_id.lock()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_forgotten_after_a_time_and_when_closed() {
        let bound = BoundParameters::new(&Budget::new(64 << 20));
        let (start, id) = (time::now(), Bytes::from_static(b"a"));
        bound.remember(id.clone(), &Caller::default(), vec![FlightData::default()], start);
        assert!(bound.recall(&id, start).is_some());
        bound.remember(Bytes::from_static(b"b"), &Caller::default(), Vec::new(), start + BOUND_FOR);
        assert!(bound.recall(&id, start).is_none());
        bound.forget(&Bytes::from_static(b"b"));
        assert!(bound.recall(&Bytes::from_static(b"b"), start).is_none());
    }

    #[test]
    fn the_oldest_gives_way_when_memory_is_short() {
        let budget = Budget::new(BOUND_PART * 1_000);
        let bound = BoundParameters::new(&budget);
        let of =
            |bytes: usize| vec![FlightData { data_body: vec![0; bytes].into(), ..FlightData::default() }];
        let (start, [a, b, c]) = (time::now(), [b"a", b"b", b"c"].map(|id| Bytes::from_static(id)));
        bound.remember(a.clone(), &Caller::default(), of(400), start);
        bound.remember(b.clone(), &Caller::default(), of(400), start + Duration::from_secs(1));
        bound.remember(b.clone(), &Caller::default(), of(500), start + Duration::from_secs(2));
        assert!(bound.recall(&a, start).is_some());
        bound.remember(c.clone(), &Caller::default(), of(400), start + Duration::from_secs(3));
        assert!(bound.recall(&a, start).is_none() && bound.recall(&b, start).is_some());
        bound.remember(c.clone(), &Caller::default(), of(2_000), start + Duration::from_secs(4));
        assert!(bound.recall(&c, start).is_none() && bound.recall(&b, start).is_some());
        drop(bound);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_oldest_gives_way_at_the_limit() {
        let bound = BoundParameters::new(&Budget::new(64 << 20));
        let start = time::now();
        for index in 0..=BOUND_MAX {
            let used = start + Duration::from_millis(index as u64);
            bound.remember(Bytes::from(index.to_be_bytes().to_vec()), &Caller::default(), Vec::new(), used);
        }
        assert_eq!(bound.lock().len(), BOUND_MAX);
        assert!(bound.recall(&Bytes::from(0_usize.to_be_bytes().to_vec()), start).is_none());
    }
}
