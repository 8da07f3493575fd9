//! `PutStream`: one DoPut call. Batches go out as fast as the bound on unacknowledged ones allows, acks come back in order.

use std::{collections::VecDeque, fmt, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    FlightClient, FlightDescriptor, PutResult, encode::FlightDataEncoderBuilder, error::FlightError,
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use hexflight_engine::{
    TableName,
    time::{self, Instant},
};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{ClientError, MESSAGE_BYTES_MAX};

/// The encoder splits what is larger than this, and a split batch would get two acks. Below the message limit by the room that
/// IPC framing and padding need.
const BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX - (4 << 20);

/// A batch that the server has made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAck {
    /// Rows of the batch.
    pub rows: usize,
    /// The stream that holds it; `None` for a batch without rows.
    pub stream: Option<String>,
    /// The group commit that holds it; `None` for a batch without rows.
    pub sequence: Option<u64>,
    /// From the hand-over of the batch to the arrival of its ack.
    pub latency: Duration,
}

/// A PutResult's `app_metadata`.
#[derive(Debug, Deserialize)]
struct AckBody {
    rows: usize,
    stream: Option<String>,
    sequence: Option<u64>,
}

/// One DoPut call with batches on the way.
pub struct PutStream {
    requests: Option<mpsc::Sender<RecordBatch>>,
    responses: BoxStream<'static, Result<PutResult, FlightError>>,
    in_flight: VecDeque<(Instant, usize)>,
    in_flight_max: usize,
}

impl PutStream {
    pub(super) fn open(
        mut client: FlightClient,
        table: &TableName,
        schema: &SchemaRef,
        in_flight_max: usize,
    ) -> Self {
        let in_flight_max = in_flight_max.max(1);
        let (requests, batches) = mpsc::channel(in_flight_max);
        let data = FlightDataEncoderBuilder::new()
            .with_schema(SchemaRef::clone(schema))
            .with_flight_descriptor(Some(FlightDescriptor::new_path(vec![table.to_string()])))
            .with_max_flight_data_size(MESSAGE_BYTES_MAX)
            .build(ReceiverStream::new(batches).map(Ok));
        // The call starts with the first poll: a server may answer only after the first batch, so awaiting it here could hang.
        let responses = futures::stream::once(async move { client.do_put(data).await }).try_flatten().boxed();
        Self { requests: Some(requests), responses, in_flight: VecDeque::new(), in_flight_max }
    }

    /// Whether another batch may be sent before an ack is awaited.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_flight.len() < self.in_flight_max
    }

    /// Batches that are sent and not yet acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Hands a batch over; [`Self::next_ack`] moves it to the server and says what became of it, also when the call has
    /// already failed.
    ///
    /// # Errors
    /// `TooLarge` when the batch does not fit one message; the call goes on without it.
    ///
    /// # Panics
    /// When there is no room: ask [`Self::has_room`] first.
    pub fn send(&mut self, batch: RecordBatch) -> Result<(), ClientError> {
        assert!(
            self.has_room(),
            "send with {} batches in flight of {}",
            self.in_flight(),
            self.in_flight_max
        );
        let bytes = batch.get_array_memory_size();
        if bytes > BATCH_BYTES_MAX {
            return Err(ClientError::TooLarge { bytes, limit: BATCH_BYTES_MAX });
        }
        self.in_flight.push_back((time::now(), batch.num_rows()));
        if let Some(requests) = &self.requests {
            // Fails only when the call has ended; the reason waits in `responses`.
            let _ = requests.try_send(batch);
        }
        Ok(())
    }

    /// Says that no more batches follow; the acks of those in flight can still be awaited.
    pub fn finish(&mut self) {
        self.requests = None;
    }

    /// Waits for the ack of the oldest batch in flight; `None` when the call has ended and nothing is left.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// # Errors
    /// `Status` when the call failed: what is still in flight then has no ack. `Protocol` when an answer is not an ack of the
    /// oldest batch.
    pub async fn next_ack(&mut self) -> Result<Option<PutAck>, ClientError> {
        let Some(response) = self.responses.next().await else {
            return match self.in_flight.len() {
                0 => Ok(None),
                left => Err(ClientError::Protocol {
                    reason: format!("call ended with {left} batches unacknowledged"),
                }),
            };
        };
        let body: AckBody = serde_json::from_slice(&response?.app_metadata).map_err(|error| {
            ClientError::Protocol { reason: format!("ack is not JSON as expected: {error}") }
        })?;
        let Some((sent, rows)) = self.in_flight.pop_front() else {
            return Err(ClientError::Protocol { reason: "ack without a batch in flight".to_owned() });
        };
        if rows != body.rows {
            let reason = format!("ack of {} rows for a batch of {rows}", body.rows);
            return Err(ClientError::Protocol { reason });
        }
        Ok(Some(PutAck { rows, stream: body.stream, sequence: body.sequence, latency: sent.elapsed() }))
    }
}

impl fmt::Debug for PutStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutStream")
            .field("in_flight", &self.in_flight.len())
            .field("in_flight_max", &self.in_flight_max)
            .finish_non_exhaustive()
    }
}
