//! `ImportStream`: one bulk load through a server. Batches go out, each is answered, a commit loads them all.

use std::{collections::VecDeque, fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    Action, FlightClient, FlightData, FlightDescriptor, PutResult, encode::FlightDataEncoderBuilder,
    error::FlightError,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use hexflight_engine::{BadRow, OnBadRow, OnLoaded, SourceId, TableName, tasks};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

use super::{ClientError, MESSAGE_BYTES_MAX};
use crate::on_error::OnError;

/// Action that tells which sources were loaded.
const STATUS_ACTION: &str = "hexflight.ImportStatus";

/// Batches between the caller and the connection.
const QUEUE: usize = 1;

/// What a committed load has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ImportAnswer {
    /// Rows loaded.
    pub rows: u64,
    /// Data files made.
    pub files: usize,
    /// Size of the data files. **Units**: bytes.
    pub bytes: u64,
    /// The Delta version that holds them.
    pub version: i64,
}

/// What became of one batch.
#[derive(Debug, Deserialize)]
struct BatchAnswer {
    rejected: Vec<Rejected>,
}

#[derive(Debug, Deserialize)]
struct Rejected {
    row: usize,
    column: String,
    value: String,
    rule: String,
}

#[derive(Debug, Deserialize)]
struct StatusAnswer {
    loaded: Vec<String>,
}

type Outcome<T> = oneshot::Sender<Result<T, ClientError>>;

/// Who waits for the answers of a call, in their order.
#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Outcome<Vec<BadRow>>>,
    commit: Option<Outcome<ImportAnswer>>,
    /// Why the call has ended.
    ended: Option<ClientError>,
}

/// A bulk load under way; dropped without a commit, it loads nothing.
pub struct ImportStream {
    requests: tokio::sync::Mutex<mpsc::Sender<RecordBatch>>,
    commit: oneshot::Sender<Bytes>,
    waiting: Arc<Mutex<Waiting>>,
    _answers: AbortOnDropHandle<()>,
}

impl ImportStream {
    pub(super) fn open(
        mut client: FlightClient,
        table: &TableName,
        schema: &SchemaRef,
        on_bad_row: OnBadRow,
        on_loaded: OnLoaded,
    ) -> Self {
        let on_error = if on_bad_row == OnBadRow::Skip { OnError::Skip } else { OnError::Abort };
        let mut command = json!({ "table": table.as_str(), "on_error": on_error.name(), "acks": true });
        if on_loaded == OnLoaded::LoadAgain {
            command["force"] = true.into();
        }
        let command = json!({ "import": command });
        let (requests, batches) = mpsc::channel(QUEUE);
        let (commit, committed) = oneshot::channel::<Bytes>();
        let batches = FlightDataEncoderBuilder::new()
            .with_schema(SchemaRef::clone(schema))
            .with_flight_descriptor(Some(FlightDescriptor::new_cmd(command.to_string())))
            .with_max_flight_data_size(MESSAGE_BYTES_MAX)
            .build(ReceiverStream::new(batches).map(Ok));
        // Without a commit the call ends behind the batches, and the server drops them.
        let last = futures::stream::once(committed).filter_map(async |commit| {
            let app_metadata = commit.ok()?;
            Some(Ok(FlightData { app_metadata, ..FlightData::default() }))
        });
        let data = batches.chain(last);
        let answers = futures::stream::once(async move { client.do_put(data).await }).try_flatten().boxed();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let answers = tasks::spawn(dispatch(answers, Arc::clone(&waiting)));
        Self {
            requests: tokio::sync::Mutex::new(requests),
            commit,
            waiting,
            _answers: AbortOnDropHandle::new(answers),
        }
    }

    /// Sends a batch and waits for its answer: the rows that the server left out, or will not load.
    ///
    /// # Errors
    /// `Status` with the server's words when it refuses the batch as a whole, or the connection breaks.
    pub async fn push(&self, batch: RecordBatch) -> Result<Vec<BadRow>, ClientError> {
        let (outcome, answer) = oneshot::channel();
        {
            // Held over both, so that answers are waited for in the order in which batches are sent.
            let requests = self.requests.lock().await;
            self.waiting.lock().expect_batch(outcome)?;
            // Fails only when the call has ended; the reason comes as the answer.
            let _ended = requests.send(batch).await;
        }
        answer.await.unwrap_or_else(|_| Err(no_answer()))
    }

    /// Loads everything that was pushed.
    ///
    /// # Errors
    /// `Status` with the server's words. When the connection breaks the load may or may not have become visible.
    pub async fn commit(self, sources: &[SourceId]) -> Result<ImportAnswer, ClientError> {
        let (outcome, answer) = oneshot::channel();
        self.waiting.lock().expect_commit(outcome)?;
        let sources: Vec<String> = sources.iter().map(SourceId::to_string).collect();
        let body = json!({ "commit": { "sources": sources } }).to_string();
        // As for batches.
        let _ended = self.commit.send(Bytes::from(body));
        drop(self.requests);
        answer.await.unwrap_or_else(|_| Err(no_answer()))
    }
}

/// Which of some sources were loaded.
pub(super) async fn loaded_sources(
    mut client: FlightClient,
    table: &TableName,
    sources: &[SourceId],
) -> Result<Vec<SourceId>, ClientError> {
    let sources: Vec<String> = sources.iter().map(SourceId::to_string).collect();
    let body = json!({ "table": table.as_str(), "sources": sources }).to_string();
    let answers = client.do_action(Action::new(STATUS_ACTION, body)).await?;
    let answers: Vec<Bytes> = answers.try_collect().await?;
    let [answer] = answers.as_slice() else {
        return Err(ClientError::Protocol { reason: format!("{} answers to one action", answers.len()) });
    };
    let answer: StatusAnswer = serde_json::from_slice(answer).map_err(|error| unexpected(&error))?;
    let parse = |text: &String| {
        text.parse().map_err(|_| ClientError::Protocol { reason: format!("'{text}' is not a source") })
    };
    answer.loaded.iter().map(parse).collect()
}

/// Hands answers to those who wait for them; when the call ends, its error to all of them.
async fn dispatch(
    mut answers: BoxStream<'static, Result<PutResult, FlightError>>,
    waiting: Arc<Mutex<Waiting>>,
) {
    let ended = loop {
        match answers.next().await {
            Some(Ok(answer)) => {
                if let Err(error) = waiting.lock().answered(&answer) {
                    break error;
                }
            }
            Some(Err(error)) => break error.into(),
            None => break no_answer(),
        }
    };
    waiting.lock().end(ended);
}

impl Waiting {
    fn expect_batch(&mut self, outcome: Outcome<Vec<BadRow>>) -> Result<(), ClientError> {
        self.check()?;
        self.batches.push_back(outcome);
        Ok(())
    }

    fn expect_commit(&mut self, outcome: Outcome<ImportAnswer>) -> Result<(), ClientError> {
        self.check()?;
        self.commit = Some(outcome);
        Ok(())
    }

    fn check(&self) -> Result<(), ClientError> {
        self.ended.as_ref().map_or(Ok(()), |ended| Err(again(ended)))
    }

    fn answered(&mut self, answer: &PutResult) -> Result<(), ClientError> {
        if let Some(outcome) = self.batches.pop_front() {
            let answer: BatchAnswer =
                serde_json::from_slice(&answer.app_metadata).map_err(|error| unexpected(&error))?;
            let bad = answer.rejected.into_iter().map(|bad| {
                let Rejected { row, column, value, rule } = bad;
                BadRow { row, column, value, rule }
            });
            // Who does not wait any more does not want to know.
            let _gone = outcome.send(Ok(bad.collect()));
        } else if let Some(outcome) = self.commit.take() {
            let answer = serde_json::from_slice(&answer.app_metadata).map_err(|error| unexpected(&error))?;
            let _gone = outcome.send(Ok(answer));
        } else {
            return Err(ClientError::Protocol { reason: "an answer that nobody waits for".to_owned() });
        }
        Ok(())
    }

    fn end(&mut self, ended: ClientError) {
        for outcome in self.batches.drain(..) {
            let _gone = outcome.send(Err(again(&ended)));
        }
        if let Some(outcome) = self.commit.take() {
            let _gone = outcome.send(Err(again(&ended)));
        }
        self.ended = Some(ended);
    }
}

/// The same error for another one who waits.
fn again(error: &ClientError) -> ClientError {
    match error {
        ClientError::Status(status) => ClientError::Status(status.clone()),
        other => ClientError::Protocol { reason: other.to_string() },
    }
}

fn no_answer() -> ClientError {
    ClientError::Protocol { reason: "the server ended the call without an answer".to_owned() }
}

fn unexpected(error: &serde_json::Error) -> ClientError {
    ClientError::Protocol { reason: format!("the answer is not JSON as expected: {error}") }
}

impl fmt::Debug for ImportStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportStream").finish_non_exhaustive()
    }
}
