//! Update commands: `executeUpdate` of JDBC, `executemany` of ADBC. SQL only reads, so a statement that would write is refused as it
//! is everywhere; one that reads is run, for each row of parameters, and answered with the number of rows it returned.

use std::sync::Arc;

use arrow_flight::{PutResult, sql::DoPutUpdateResult};
use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::{FlightContext, query, session::CallOptions, statement::Statement};

/// Runs the statement and counts its rows.
///
/// **Cancellation**: dropping the future stops the query.
pub(super) async fn update(
    context: &Arc<FlightContext>,
    statement: Statement,
    options: CallOptions,
) -> Result<PutResult, Status> {
    let rows = query::count_rows(context, statement, options).await?;
    let answer = DoPutUpdateResult { record_count: i64::try_from(rows).unwrap_or(i64::MAX) };
    Ok(PutResult { app_metadata: Bytes::from(answer.encode_to_vec()) })
}
