//! `QueryStream`: the answer to one SQL statement, batch by batch.

use std::fmt;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{Ticket, sql::client::FlightSqlServiceClient};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tonic::transport::Channel;

use super::{ClientError, QueryHandle};

/// A whole answer in memory.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Columns, also when there are no rows.
    pub schema: SchemaRef,
    /// Rows in the server's order.
    pub batches: Vec<RecordBatch>,
}

/// A running query.
pub struct QueryStream {
    schema: SchemaRef,
    handle: QueryHandle,
    batches: BoxStream<'static, Result<RecordBatch, ClientError>>,
}

impl Answer {
    /// Rows of all batches.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl QueryStream {
    pub(super) async fn open(
        mut client: FlightSqlServiceClient<Channel>,
        sql: &str,
    ) -> Result<Self, ClientError> {
        let info = client.execute(sql.to_owned(), None).await?;
        let tickets: Vec<Ticket> =
            info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.clone()).collect();
        let handle = QueryHandle::new(client.clone(), info.clone());
        let schema = SchemaRef::new(info.try_decode_schema()?);
        let batches = futures::stream::iter(tickets.into_iter().map(Ok))
            .and_then(move |ticket| {
                let mut client = client.clone();
                async move { client.do_get(ticket).await }
            })
            .try_flatten()
            .map_err(ClientError::from)
            .boxed();
        Ok(Self { schema, handle, batches })
    }

    /// Columns of the answer.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Watches and stops the query from elsewhere. It starts with the first call of [`Self::next`].
    #[must_use]
    pub fn handle(&self) -> &QueryHandle {
        &self.handle
    }

    /// The next batch; `None` after the last.
    ///
    /// **Cancellation**: dropping the stream stops the query.
    ///
    /// # Errors
    /// `Status` when the query fails on the way; what came before is not a whole answer then.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        self.batches.try_next().await
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn collect(self) -> Result<Answer, ClientError> {
        Ok(Answer { schema: self.schema, batches: self.batches.try_collect().await? })
    }
}

impl fmt::Debug for QueryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStream").field("schema", &self.schema).finish_non_exhaustive()
    }
}
