//! The action `hexflight.QueryProgress`: a ticket or query id in, JSON out. Any client can call it while another of its calls
//! waits for the query's first rows.

use arrow_flight::{Ticket, sql::Command};
use bytes::Bytes;
use hexflight_planner::{Asker, ProgressReport, QueryState};
use serde::Serialize;
use tonic::Status;
use uuid::Uuid;

use super::{FlightContext, request::Request, statement::Statement};

/// Name of the action.
pub(super) const QUERY_PROGRESS: &str = "hexflight.QueryProgress";

/// The answer. Counts are of all scans of the query together.
#[derive(Debug, Serialize)]
struct Answer {
    state: &'static str,
    elapsed_ms: u64,
    rows_scanned: u64,
    bytes_scanned: u64,
    files_total: u64,
    files_pruned: u64,
    memory_batches_total: u64,
    memory_batches_pruned: u64,
    row_groups_pruned: u64,
    spilled_bytes: u64,
}

/// Answers with the progress of the query that `body` names: the ticket of its FlightInfo, the 16 bytes of its id, or the
/// id as hyphenated text.
pub(super) fn answer(context: &FlightContext, body: &Bytes, asker: &Asker) -> Result<Bytes, Status> {
    let id = query_id(body)?;
    let report = context.queries.report(&id, asker).ok_or_else(|| {
        Status::not_found(format!(
            "{QUERY_PROGRESS}: no query {} runs or ended lately; a query starts when its ticket is fetched",
            Uuid::from_slice(&id).unwrap_or_default()
        ))
    })?;
    let text = serde_json::to_vec(&Answer::of(&report))
        .map_err(|error| Status::internal(format!("{QUERY_PROGRESS}: {error}")))?;
    Ok(Bytes::from(text))
}

fn query_id(body: &Bytes) -> Result<Bytes, Status> {
    let invalid = || {
        Status::invalid_argument(format!(
            "{QUERY_PROGRESS}: the body of {} bytes is neither the ticket of a statement's FlightInfo nor a query id",
            body.len()
        ))
    };
    if body.len() == size_of::<Uuid>() {
        return Ok(body.clone());
    }
    if let Ok(id) = Uuid::try_parse_ascii(body) {
        return Ok(Bytes::copy_from_slice(id.as_bytes()));
    }
    let request = Request::of_ticket(&Ticket { ticket: body.clone() }).map_err(|_| invalid())?;
    match request {
        Request::Command(command) => match *command {
            Command::TicketStatementQuery(ticket) => Ok(Statement::of_handle(&ticket.statement_handle)?.id),
            _ => Err(invalid()),
        },
        Request::Sql(_) | Request::Path(_) => Err(invalid()),
    }
}

impl Answer {
    fn of(report: &ProgressReport) -> Self {
        let scanned = report.scanned;
        Self {
            state: match report.state {
                QueryState::Planning => "planning",
                QueryState::Queued => "queued",
                QueryState::Running => "running",
                QueryState::Done => "done",
            },
            elapsed_ms: u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
            rows_scanned: scanned.rows,
            bytes_scanned: scanned.bytes,
            files_total: scanned.files,
            files_pruned: scanned.files_pruned,
            memory_batches_total: scanned.memory_batches,
            memory_batches_pruned: scanned.memory_batches_pruned,
            row_groups_pruned: scanned.row_groups_pruned,
            spilled_bytes: report.spilled_bytes,
        }
    }
}
