//! `DoAction`: prepare and close statements, cancel queries. The actions that Flight SQL knows and we do not are refused by name.

use std::sync::Arc;

use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    RenewFlightEndpointRequest,
    sql::{
        ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
        ActionCreatePreparedStatementRequest, Any, Command, ProstMessageExt,
    },
};
use bytes::Bytes;
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use tonic::Status;

use super::{
    FlightContext, import, prepared, progress, request::Request, session::CallOptions, statement::Statement,
};
use crate::auth::Permission;

const CREATE_PREPARED: &str = "CreatePreparedStatement";
const CLOSE_PREPARED: &str = "ClosePreparedStatement";
const CANCEL_FLIGHT_INFO: &str = "CancelFlightInfo";
const CANCEL_QUERY: &str = "CancelQuery";
const STOP_QUERY: &str = "hexflight.CancelQuery";
const IMPORT_STATUS: &str = "hexflight.ImportStatus";
const RENEW: &str = "RenewFlightEndpoint";

/// `ActionCancelQueryResult.CancelResult`, which arrow-flight does not export. **Source**: `FlightSql.proto`.
const CANCEL_RESULT_CANCELLED: i32 = 1;
const CANCEL_RESULT_NOT_CANCELLABLE: i32 = 3;

/// The actions there are.
pub(super) fn action_types() -> Vec<ActionType> {
    [
        (
            CREATE_PREPARED,
            "Prepares a statement: ActionCreatePreparedStatementRequest in, handle and schemas out.",
        ),
        (CLOSE_PREPARED, "Closes a prepared statement: ActionClosePreparedStatementRequest in, nothing out."),
        (
            CANCEL_FLIGHT_INFO,
            "Cancels the query of a FlightInfo: CancelFlightInfoRequest in, its status out.",
        ),
        (CANCEL_QUERY, "Cancels a query, for older clients: ActionCancelQueryRequest in, its status out."),
        (
            IMPORT_STATUS,
            "Tells which sources were bulk-loaded: JSON {\"table\", \"sources\"} in, {\"loaded\"} out.",
        ),
        (
            RENEW,
            "Answers with the endpoint as it is, because endpoints do not expire: RenewFlightEndpointRequest in.",
        ),
        (STOP_QUERY, "Cancels a query by its query_id in system.queries: JSON {\"query_id\"} in, {\"cancelled\"} out."),
        (progress::QUERY_PROGRESS, "How far a running query is: the ticket of its FlightInfo in, JSON out."),
    ]
    .map(|(name, text)| ActionType { r#type: name.to_owned(), description: text.to_owned() })
    .into()
}

/// What an action needs; one that only refuses needs nothing.
pub(super) fn needed(action: &str) -> Option<Permission> {
    match action {
        IMPORT_STATUS => Some(Permission::Write),
        CREATE_PREPARED
        | CLOSE_PREPARED
        | CANCEL_FLIGHT_INFO
        | CANCEL_QUERY
        | RENEW
        | STOP_QUERY
        | progress::QUERY_PROGRESS => Some(Permission::Read),
        "BeginTransaction"
        | "EndTransaction"
        | "BeginSavepoint"
        | "EndSavepoint"
        | "CreatePreparedSubstraitPlan" => None,
        // One that was added and forgotten here.
        _ => Some(Permission::Admin),
    }
}

/// Does the action; what it answers with, if anything.
pub(super) async fn act(
    context: &Arc<FlightContext>,
    action: &Action,
    options: &CallOptions,
) -> Result<Option<Bytes>, Status> {
    match action.r#type.as_str() {
        CREATE_PREPARED => {
            let request: ActionCreatePreparedStatementRequest = unpack(action)?;
            let created = prepared::create(context, request, options.timestamp_unit).await?;
            Ok(Some(packed(&created)))
        }
        CLOSE_PREPARED => {
            let request: ActionClosePreparedStatementRequest = unpack(action)?;
            context.bound.forget(&Statement::of_handle(&request.prepared_statement_handle)?.id);
            Ok(None)
        }
        CANCEL_FLIGHT_INFO => {
            let request = CancelFlightInfoRequest::decode(action.body.clone())
                .map_err(|error| malformed(action, &error))?;
            let info = request
                .info
                .ok_or_else(|| Status::invalid_argument("CancelFlightInfo without a FlightInfo"))?;
            let status = if cancel(context, &info, options)? {
                CancelStatus::Cancelled
            } else {
                CancelStatus::NotCancellable
            };
            let answer = CancelFlightInfoResult { status: status.into() };
            Ok(Some(Bytes::from(answer.encode_to_vec())))
        }
        CANCEL_QUERY => {
            let request: ActionCancelQueryRequest = unpack(action)?;
            let info = FlightInfo::decode(request.info).map_err(|error| malformed(action, &error))?;
            let cancelled = cancel(context, &info, options)?;
            let result = if cancelled { CANCEL_RESULT_CANCELLED } else { CANCEL_RESULT_NOT_CANCELLABLE };
            Ok(Some(packed(&ActionCancelQueryResult { result })))
        }
        IMPORT_STATUS => Ok(Some(import::status(context, &action.body)?)),
        RENEW => renew(action).map(Some),
        STOP_QUERY => stop(context, action, options).map(Some),
        progress::QUERY_PROGRESS => {
            progress::answer(context, &action.body, &options.caller.asker()).map(Some)
        }
        "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
            Err(Status::unimplemented(format!(
                "{}: transactions are not supported; every batch is durable by itself",
                action.r#type
            )))
        }
        "CreatePreparedSubstraitPlan" => {
            Err(Status::unimplemented("Substrait plans are not supported; send SQL"))
        }
        other => Err(Status::unimplemented(format!(
            "action '{other}' is unknown; ListActions names those there are"
        ))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRequest {
    query_id: u64,
}

/// Ends a query by its id in `system.queries`; whether one of the caller's had not ended yet.
fn stop(context: &FlightContext, action: &Action, options: &CallOptions) -> Result<Bytes, Status> {
    let request: StopRequest = serde_json::from_slice(&action.body).map_err(|error| {
        Status::invalid_argument(format!("{STOP_QUERY}: the body must be {{\"query_id\": N}}: {error}"))
    })?;
    let cancelled = context.queries.stop(request.query_id, &options.caller.asker());
    Ok(Bytes::from(json!({ "cancelled": cancelled }).to_string()))
}

/// A ticket is good at any time, so an endpoint comes back as it is; one that is not ours is refused.
fn renew(action: &Action) -> Result<Bytes, Status> {
    let request =
        RenewFlightEndpointRequest::decode(action.body.clone()).map_err(|error| malformed(action, &error))?;
    let endpoint = request
        .endpoint
        .ok_or_else(|| Status::invalid_argument(format!("{RENEW} without a FlightEndpoint")))?;
    Request::of_ticket(&endpoint.ticket.clone().unwrap_or_default())?;
    Ok(Bytes::from(endpoint.encode_to_vec()))
}

/// Stops the caller's queries behind the tickets of an info; whether one was running.
fn cancel(context: &FlightContext, info: &FlightInfo, options: &CallOptions) -> Result<bool, Status> {
    let asker = options.caller.asker();
    let mut cancelled = false;
    for ticket in info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref()) {
        if let Request::Command(command) = Request::of_ticket(ticket)?
            && let Command::TicketStatementQuery(ticket) = *command
        {
            let id = Statement::of_handle(&ticket.statement_handle)?.id;
            cancelled |= context.queries.stop_named(&id, &asker);
        }
    }
    Ok(cancelled)
}

fn unpack<M: ProstMessageExt>(action: &Action) -> Result<M, Status> {
    let any = Any::decode(action.body.clone()).map_err(|error| malformed(action, &error))?;
    any.unpack().ok().flatten().ok_or_else(|| {
        Status::invalid_argument(format!("{}: the body is not {}", action.r#type, M::type_url()))
    })
}

fn packed<M: ProstMessageExt>(message: &M) -> Bytes {
    Bytes::from(message.as_any().encode_to_vec())
}

fn malformed(action: &Action, error: &prost::DecodeError) -> Status {
    Status::invalid_argument(format!("{}: the body cannot be read: {error}", action.r#type))
}
