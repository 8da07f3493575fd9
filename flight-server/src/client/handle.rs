//! `QueryHandle`: watches and stops a query from beside its stream, through calls of its own.

use std::time::Duration;

use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    sql::client::FlightSqlServiceClient,
};
use bytes::Bytes;
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, transport::Channel};

use super::ClientError;

/// The server's action that tells how far a query is.
const QUERY_PROGRESS: &str = "hexflight.QueryProgress";

/// The server's action that ends a query by its id in `system.queries`.
const CANCEL_BY_ID: &str = "hexflight.CancelQuery";

/// One query of one server; it need not have started.
#[derive(Debug, Clone)]
pub struct QueryHandle {
    client: FlightSqlServiceClient<Channel>,
    info: FlightInfo,
}

/// How far a query is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RemoteProgress {
    /// `planning`, `queued`, `running` or `done`.
    pub state: String,
    /// Since the query was registered. **Units**: ms.
    pub elapsed_ms: u64,
    /// Rows looked at, in memory and in files.
    pub rows_scanned: u64,
    /// Files of the tables read.
    pub files_total: u64,
    /// Files that statistics excluded.
    pub files_pruned: u64,
    /// Batches in memory of the tables read.
    pub memory_batches_total: u64,
    /// Batches in memory that zone maps excluded.
    pub memory_batches_pruned: u64,
}

impl RemoteProgress {
    /// Since the query was registered.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }
}

impl QueryHandle {
    pub(super) fn new(client: FlightSqlServiceClient<Channel>, info: FlightInfo) -> Self {
        Self { client, info }
    }

    /// How far the query is; `None` if it has not started, or the server cannot tell.
    ///
    /// # Errors
    /// `Status` when the call fails, `Protocol` when the answer cannot be read.
    pub async fn progress(&self) -> Result<Option<RemoteProgress>, ClientError> {
        let ticket = self.info.endpoint.iter().find_map(|endpoint| endpoint.ticket.as_ref());
        let Some(ticket) = ticket else { return Ok(None) };
        match self.act(Action::new(QUERY_PROGRESS, ticket.ticket.clone())).await {
            Ok(body) => Ok(Some(serde_json::from_slice(&body).map_err(|error| ClientError::Protocol {
                reason: format!("{QUERY_PROGRESS} did not answer with JSON as expected: {error}"),
            })?)),
            // Another server may not know the action.
            Err(error) if matches!(error.code(), Some(Code::NotFound | Code::Unimplemented)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stops the query on the server; whether it was running.
    ///
    /// # Errors
    /// `Status` when the call fails, `Protocol` when the answer cannot be read.
    pub async fn cancel(&self) -> Result<bool, ClientError> {
        let request = CancelFlightInfoRequest { info: Some(self.info.clone()) };
        let body = self.act(Action::new("CancelFlightInfo", request.encode_to_vec())).await?;
        let result =
            CancelFlightInfoResult::decode(body.as_ref()).map_err(|error| ClientError::Protocol {
                reason: format!("CancelFlightInfo answered with something else: {error}"),
            })?;
        Ok(result.status() == CancelStatus::Cancelled)
    }

    async fn act(&self, action: Action) -> Result<Bytes, ClientError> {
        act(self.client.clone(), action).await
    }
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    cancelled: bool,
}

/// Ends a query by its `query_id` in `system.queries`; whether one that the user may end had not ended yet.
pub(super) async fn cancel_by_id(
    client: FlightSqlServiceClient<Channel>,
    query_id: u64,
) -> Result<bool, ClientError> {
    let body = json!({ "query_id": query_id }).to_string();
    let answer = act(client, Action::new(CANCEL_BY_ID, body)).await?;
    let answer: Cancelled = serde_json::from_slice(&answer).map_err(|error| ClientError::Protocol {
        reason: format!("{CANCEL_BY_ID} did not answer with JSON as expected: {error}"),
    })?;
    Ok(answer.cancelled)
}

/// The first answer of an action that gives one.
async fn act(mut client: FlightSqlServiceClient<Channel>, action: Action) -> Result<Bytes, ClientError> {
    let name = action.r#type.clone();
    let mut answers = client.do_action(action).await?;
    let answer = answers.message().await?;
    answer
        .map(|answer| answer.body)
        .ok_or_else(|| ClientError::Protocol { reason: format!("{name} gave no answer") })
}
