//! `FlightApi`: the methods of Flight. Each reads what is asked for and hands it on; nothing is decided here but which file answers.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    flight_service_server::FlightService, sql::Command,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tonic::{Request as Call, Response, Status, Streaming};

use super::{
    FlightContext, actions,
    advice::statement_status,
    handshake::handshake,
    import, ingest,
    message_status::unread,
    metadata, prepared, put, query,
    request::Request,
    session::{self, CallOptions},
    statement::{Statement, flight_info},
    update::update,
};
use crate::{
    arrival::Waits,
    auth::{Permission, forbidden},
    queries::client_schema,
    telemetry,
    timestamp_unit::TimestampUnit,
};
use hexflight_engine::{Ids as _, SystemIds};

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// The Flight service of one server.
#[derive(Debug, Clone)]
pub(crate) struct FlightApi {
    context: Arc<FlightContext>,
}

impl FlightApi {
    pub(crate) fn new(context: Arc<FlightContext>) -> Self {
        Self { context }
    }

    /// The options under which a call is made; a refusal counts as a failed request.
    fn options_of<T>(&self, call: &Call<T>) -> Result<CallOptions, Status> {
        session::options_of(&self.context.sessions, call).inspect_err(telemetry::request_failed)
    }

    async fn info(&self, descriptor: FlightDescriptor, unit: TimestampUnit) -> Result<FlightInfo, Status> {
        match Request::of_descriptor(&descriptor)? {
            Request::Path(path) => self.table_info(&path, descriptor, unit).await,
            Request::Sql(sql) => flight_info(&self.context, &Statement::new(sql, unit)?, descriptor).await,
            Request::Command(command) => match *command {
                Command::CommandStatementQuery(query) => {
                    refuse_transaction(query.transaction_id.as_ref())?;
                    flight_info(&self.context, &Statement::new(query.query, unit)?, descriptor).await
                }
                Command::CommandPreparedStatementQuery(command) => {
                    let mut statement =
                        prepared::statement(&self.context, &command.prepared_statement_handle)?;
                    // Each run is a query of its own: cancelling one must not reach the next.
                    statement.id = Bytes::copy_from_slice(SystemIds.random().as_bytes());
                    flight_info(&self.context, &statement, descriptor).await
                }
                command => self.metadata_info(&command, descriptor),
            },
        }
    }

    async fn table_info(
        &self,
        path: &[String],
        descriptor: FlightDescriptor,
        unit: TimestampUnit,
    ) -> Result<FlightInfo, Status> {
        let table = self.context.table_of_path(path)?;
        let statement = Statement::new(format!("SELECT * FROM \"{}\"", table.as_str()), unit)?;
        flight_info(&self.context, &statement, descriptor).await
    }

    fn metadata_info(&self, command: &Command, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let batch = metadata::answer(&self.context, command)
            .ok_or_else(|| unsupported("GetFlightInfo", command))??;
        let ticket = Ticket { ticket: descriptor.cmd.clone() };
        FlightInfo::new()
            .with_descriptor(descriptor)
            .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
            .try_with_schema(&batch.schema())
            .map_err(|error| Status::internal(format!("encoding the schema: {error}")))
    }

    async fn result(&self, ticket: &Ticket, options: CallOptions) -> Result<Answers<FlightData>, Status> {
        let unit = options.timestamp_unit;
        let statement = match Request::of_ticket(ticket)? {
            Request::Sql(sql) => Statement::new(sql, unit)?,
            // A ticket is bytes: it never parses as a path.
            Request::Path(_) => return Err(Status::invalid_argument("a ticket cannot be a path")),
            Request::Command(command) => match *command {
                Command::TicketStatementQuery(ticket) => Statement::of_handle(&ticket.statement_handle)?,
                Command::CommandStatementQuery(query) => Statement::new(query.query, unit)?,
                Command::CommandPreparedStatementQuery(command) => {
                    prepared::statement(&self.context, &command.prepared_statement_handle)?
                }
                command => {
                    let batch = metadata::answer(&self.context, &command);
                    return Ok(metadata::stream_of(batch.ok_or_else(|| unsupported("DoGet", &command))??));
                }
            },
        };
        query::run(&self.context, statement, options).await
    }

    async fn schema_of(
        &self,
        descriptor: &FlightDescriptor,
        unit: TimestampUnit,
    ) -> Result<SchemaResult, Status> {
        let schema = match Request::of_descriptor(descriptor)? {
            Request::Path(path) => {
                let table = self.context.table_of_path(&path)?;
                client_schema(self.context.table(table.as_str())?.query_schema(), unit)
            }
            Request::Sql(sql) => self.result_schema(&sql, unit).await?,
            Request::Command(command) => match *command {
                Command::CommandStatementQuery(query) => self.result_schema(&query.query, unit).await?,
                Command::CommandPreparedStatementQuery(command) => {
                    let statement = Statement::of_handle(&command.prepared_statement_handle)?;
                    self.result_schema(&statement.sql, statement.unit()).await?
                }
                command => {
                    let batch = metadata::answer(&self.context, &command);
                    batch.ok_or_else(|| unsupported("GetSchema", &command))??.schema()
                }
            },
        };
        Ok(SchemaResult { schema: prepared::schema_bytes(&schema)? })
    }

    async fn result_schema(&self, sql: &str, unit: TimestampUnit) -> Result<SchemaRef, Status> {
        let schema = self.context.queries.engine().schema(sql).await;
        let schema = schema.map_err(|error| statement_status(sql, &error))?;
        Ok(client_schema(&schema.result, unit))
    }

    async fn put(
        &self,
        mut messages: Streaming<FlightData>,
        waits: Waits,
        options: CallOptions,
    ) -> Result<Answers<PutResult>, Status> {
        let limit = self.context.max_message_bytes();
        let first = messages.message().await.map_err(|status| unread(&status, limit))?;
        let Some(mut first) = first else { return Ok(stream::iter([Ok(ingest::nothing())]).boxed()) };
        let descriptor = first.flight_descriptor.take().ok_or_else(|| {
            Status::invalid_argument(
                "the first message of DoPut has no descriptor; use the path [\"events\"]",
            )
        })?;
        if let Some(command) = import::command_of(&descriptor) {
            may(&options, Permission::Write)?;
            return import::put(&self.context, command?, first, messages).await;
        }
        let command = match Request::of_descriptor(&descriptor)? {
            Request::Path(path) => {
                may(&options, Permission::Write)?;
                let table = self.context.table_of_path(&path)?;
                return Ok(put::put(&self.context, table, first, messages, waits));
            }
            Request::Sql(_) => return Err(read_only("SQL text")),
            Request::Command(command) => *command,
        };
        let writes = matches!(command, Command::CommandStatementIngest(_));
        may(&options, if writes { Permission::Write } else { Permission::Read })?;
        let answer = match command {
            Command::CommandStatementIngest(command) => {
                ingest::ingest(&self.context, &command, first, messages, waits).await?
            }
            Command::CommandPreparedStatementQuery(command) => {
                prepared::bind(&self.context, &command, &options.caller, first, messages).await?
            }
            Command::CommandStatementUpdate(command) => {
                refuse_transaction(command.transaction_id.as_ref())?;
                update(&self.context, Statement::new(command.query, options.timestamp_unit)?, options).await?
            }
            Command::CommandPreparedStatementUpdate(command) => {
                let handle = &command.prepared_statement_handle;
                let statement = prepared::bound(&self.context, handle, first, messages).await?;
                update(&self.context, statement, options).await?
            }
            command => return Err(unsupported("DoPut", &command)),
        };
        Ok(stream::iter([Ok(answer)]).boxed())
    }
}

/// Refuses a caller who lacks a permission.
fn may(options: &CallOptions, needed: Permission) -> Result<(), Status> {
    options.caller.require(needed).map_err(|refused| forbidden(&refused))
}

fn refuse_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(Status::unimplemented("transactions are not supported")),
        _ => Ok(()),
    }
}

fn read_only(what: &str) -> Status {
    Status::invalid_argument(format!(
        "{what}: SQL only reads (SELECT, EXPLAIN, SHOW, DESCRIBE); send events with DoPut to [\"events\"] or with adbc_ingest"
    ))
}

fn unsupported(method: &str, command: &Command) -> Status {
    let name = command.type_url().rsplit('.').next().unwrap_or_default();
    Status::unimplemented(format!("{method}: {name} is not supported"))
}

/// Counts the errors of a call, at its start and along its stream.
fn observed<T: Send + 'static>(answers: Result<Answers<T>, Status>) -> Result<Response<Answers<T>>, Status> {
    let answers = answers.inspect_err(telemetry::request_failed)?;
    Ok(Response::new(answers.inspect_err(telemetry::request_failed).boxed()))
}

fn counted<T>(answer: Result<T, Status>) -> Result<Response<T>, Status> {
    answer.inspect_err(telemetry::request_failed).map(Response::new)
}

#[async_trait]
impl FlightService for FlightApi {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn handshake(
        &self,
        call: Call<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        handshake(&self.context.auth, call).await
    }

    async fn list_flights(&self, call: Call<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let unit = self.options_of(&call)?.timestamp_unit;
        let mut infos = Vec::new();
        for spec in self.context.engine.tables() {
            let path = vec![spec.name().as_str().to_owned()];
            infos.push(self.info(FlightDescriptor::new_path(path), unit).await);
        }
        observed(Ok(stream::iter(infos).boxed()))
    }

    async fn get_flight_info(&self, call: Call<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let unit = self.options_of(&call)?.timestamp_unit;
        counted(self.info(call.into_inner(), unit).await)
    }

    /// A query starts when its ticket is fetched, so its info is complete at once and there is nothing to poll for.
    async fn poll_flight_info(&self, call: Call<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let unit = self.options_of(&call)?.timestamp_unit;
        let info = self.info(call.into_inner(), unit).await;
        counted(info.map(|info| PollInfo { info: Some(info), progress: Some(1.0), ..PollInfo::default() }))
    }

    async fn get_schema(&self, call: Call<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let unit = self.options_of(&call)?.timestamp_unit;
        counted(self.schema_of(call.get_ref(), unit).await)
    }

    async fn do_get(&self, call: Call<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let options = self.options_of(&call)?;
        observed(self.result(call.get_ref(), options).await)
    }

    async fn do_put(&self, call: Call<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let options = self.options_of(&call)?;
        let waits = Waits::of(call.extensions());
        let answers =
            self.put(call.into_inner(), waits, options).await.inspect_err(telemetry::request_failed)?;
        Ok(Response::new(answers))
    }

    async fn do_exchange(
        &self,
        _call: Call<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        counted(Err(Status::unimplemented(
            "DoExchange is not supported; use DoPut to send and DoGet to read",
        )))
    }

    async fn do_action(&self, call: Call<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        if session::answers(call.get_ref()) {
            return session::act(&self.context.sessions, &call).inspect_err(telemetry::request_failed);
        }
        let options = self.options_of(&call)?;
        if let Some(needed) = actions::needed(&call.get_ref().r#type) {
            may(&options, needed).inspect_err(telemetry::request_failed)?;
        }
        let answer = actions::act(&self.context, call.get_ref(), &options).await;
        observed(answer.map(|body| stream::iter(body.map(|body| Ok(arrow_flight::Result { body }))).boxed()))
    }

    async fn list_actions(&self, _call: Call<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let all = actions::action_types().into_iter().chain(session::action_types());
        Ok(Response::new(stream::iter(all.map(Ok)).boxed()))
    }
}
