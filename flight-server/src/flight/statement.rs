//! `Statement`: SQL and its parameters, as they travel in tickets and handles. Nothing of a query is kept on the server between
//! calls: a ticket works after a restart, on another node, and twice.

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::Schema};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket,
    sql::{ProstMessageExt, TicketStatementQuery},
    utils::batches_to_flight_data,
};
use bytes::Bytes;
use prost::Message;
use tonic::Status;
use uuid::Uuid;

use super::{
    FlightContext,
    advice::statement_status,
    ipc::{BatchDecoder, Decoded, Limits},
    parameters::{fits, fitted},
};
use crate::{queries::client_schema, timestamp_unit::TimestampUnit};
use hexflight_engine::{Ids as _, SystemIds};

/// Longest statement. A ticket holds it, and must fit a message of 4 MiB. **Units**: bytes.
const SQL_BYTES_MAX: usize = 1 << 20;

/// Parameters of a statement, encoded. **Units**: bytes.
const PARAMETERS_BYTES_MAX: usize = 1 << 20;

/// Rows of parameters: the statement runs once for each.
pub(super) const PARAMETER_ROWS_MAX: usize = 1_000;

/// A statement with what is bound to it; the content of tickets and of prepared-statement handles.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Statement {
    /// The text.
    #[prost(string, tag = "1")]
    pub(super) sql: String,
    /// Names the query, so that it can be cancelled, or the prepared statement.
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) id: Bytes,
    /// Schema and batch of the parameters; empty when none are bound.
    #[prost(message, repeated, tag = "3")]
    pub(super) parameters: Vec<FlightData>,
    /// The unit in which the timestamps of its result were announced, by name; empty stands for microseconds.
    #[prost(string, tag = "4")]
    timestamp_unit: String,
}

impl Statement {
    /// A statement with a new id and no parameters, whose result has timestamps in `unit`.
    pub(super) fn new(sql: String, unit: TimestampUnit) -> Result<Self, Status> {
        if sql.len() > SQL_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "the statement has {} bytes, the limit is {SQL_BYTES_MAX}",
                sql.len()
            )));
        }
        let id = Bytes::copy_from_slice(SystemIds.random().as_bytes());
        let timestamp_unit = match unit {
            TimestampUnit::Micros => String::new(),
            TimestampUnit::Nanos => unit.name().to_owned(),
        };
        Ok(Self { sql, id, parameters: Vec::new(), timestamp_unit })
    }

    /// The unit in which the timestamps of its result leave, whatever call fetches it.
    pub(super) fn unit(&self) -> TimestampUnit {
        TimestampUnit::of_name(&self.timestamp_unit).unwrap_or_default()
    }

    /// Reads a handle that [`Statement::handle`] made.
    pub(super) fn of_handle(handle: &[u8]) -> Result<Self, Status> {
        Self::decode(handle)
            .ok()
            .filter(|statement| !statement.sql.is_empty() && statement.id.len() == size_of::<Uuid>())
            .ok_or_else(|| Status::invalid_argument("the statement handle was not made by this service"))
    }

    /// The statement as bytes, for a ticket or a client's prepared statement.
    pub(super) fn handle(&self) -> Bytes {
        Bytes::from(self.encode_to_vec())
    }

    /// The ticket that runs the statement.
    pub(super) fn ticket(&self) -> Ticket {
        let ticket = TicketStatementQuery { statement_handle: self.handle() };
        Ticket { ticket: Bytes::from(ticket.as_any().encode_to_vec()) }
    }

    /// Binds parameters in the types that the statement expects, replacing earlier ones.
    pub(super) fn bind(&mut self, batches: &[RecordBatch], expected: &Schema) -> Result<(), Status> {
        self.parameters = encode_parameters(batches, expected)?;
        Ok(())
    }

    /// The bound parameters. They come from a client, so they are checked like any other message.
    pub(super) fn bound_parameters(&self) -> Result<Option<RecordBatch>, Status> {
        let mut decoder = BatchDecoder::new(Limits::of_message(PARAMETERS_BYTES_MAX));
        for message in &self.parameters {
            let decoded = decoder
                .decode_here(message)
                .map_err(|error| Status::invalid_argument(format!("parameters: {error}")))?;
            if let Decoded::Batch(batch) = decoded {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

fn encode_parameters(batches: &[RecordBatch], expected: &Schema) -> Result<Vec<FlightData>, Status> {
    let invalid = |detail: String| Status::invalid_argument(format!("parameters: {detail}"));
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    if first.num_columns() == 0 && expected.fields().is_empty() {
        return Ok(Vec::new());
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows > PARAMETER_ROWS_MAX {
        return Err(invalid(format!(
            "{rows} rows are bound, the limit is {PARAMETER_ROWS_MAX}: the statement runs once for each"
        )));
    }
    let batch = concat_batches(&first.schema(), batches).map_err(|error| invalid(error.to_string()))?;
    let batch = fitted(&batch, expected)?;
    let encoded =
        batches_to_flight_data(&batch.schema(), vec![batch]).map_err(|error| invalid(error.to_string()))?;
    let bytes: usize = encoded.iter().map(Message::encoded_len).sum();
    if bytes > PARAMETERS_BYTES_MAX {
        return Err(invalid(format!("{bytes} bytes are bound, the limit is {PARAMETERS_BYTES_MAX}")));
    }
    Ok(encoded)
}

/// Plans as far as the schema and returns one endpoint whose ticket runs the statement.
pub(super) async fn flight_info(
    context: &FlightContext,
    statement: &Statement,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let info = FlightInfo::new()
        .with_descriptor(descriptor)
        .with_endpoint(FlightEndpoint::new().with_ticket(statement.ticket()));
    let schema = context.queries.engine().schema(&statement.sql).await;
    let schema = schema.map_err(|error| statement_status(&statement.sql, &error))?;
    let bound = statement.bound_parameters()?;
    if bound.as_ref().is_some_and(|bound| !fits(bound, &schema.parameters)) {
        // Such values can change a type (SELECT $1): the stream alone knows, and some clients insist that both agree.
        return Ok(info);
    }
    if bound.is_none()
        && let Some(parameter) = schema.parameters.fields().first()
    {
        return Err(Status::invalid_argument(format!(
            "the statement has {} parameters and none are bound, the first is {}; prepare it and bind values",
            schema.parameters.fields().len(),
            parameter.name()
        )));
    }
    info.try_with_schema(&client_schema(&schema.result, statement.unit()))
        .map_err(|error| Status::internal(format!("encoding the schema: {error}")))
}
