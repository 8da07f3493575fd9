//! `DoPut` of a bulk load. The descriptor's command is JSON, `{"import": {"table": "events"}}`; batches follow; a last message with
//! the app_metadata `{"commit": {"sources": ["…64 hex digits…"]}}` loads them all at once. A stream that ends without it loads nothing.
//! A source is the hash of its bytes; where they can become rows in several ways, a colon and the hash of the recipe follow. The command
//! `{"import": {"table": "events", "force": true}}` loads sources again that were loaded before.
//!
//! ```text
//!  messages ─▶ decode ─▶ at most 2 in Import::push ─▶ (acks, if asked for) ─▶ commit message ─▶ Import::commit ─▶ one PutResult
//! ```
//! A push waits for memory; while two wait nothing is read, and gRPC's flow control holds the client back.

use std::{sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use arrow_flight::{FlightData, FlightDescriptor, PutResult, flight_descriptor::DescriptorType};
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use hexflight_engine::{BadRow, EngineError, Import, OnLoaded, SourceId, time::timeout};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    ipc::{BatchDecoder, Decoded},
    message_status::{at_batch, unread},
};
use crate::{arrival::Arrived, on_error::OnError, status::engine_status, telemetry};

/// Batches in the engine at once: one is normalised while another is spilled.
const PUSHES: usize = 2;

/// Answers that wait for a client that does not read them.
const ANSWERS_WAITING_MAX: usize = 64;

/// How long the next one waits for room: the import holds memory meanwhile, and its place among those who wait for more.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Sources of one load, and of one question about them.
const SOURCES_MAX: usize = 1 << 16;

/// What the descriptor's command says.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportCommand {
    table: String,
    #[serde(default)]
    on_error: OnError,
    /// Answer each batch, with the rows that were left out.
    #[serde(default)]
    acks: bool,
    /// Load sources again that were loaded before.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandBody {
    import: ImportCommand,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitBody {
    commit: Commit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    sources: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusBody {
    table: String,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct BatchAnswer<'a> {
    batch: usize,
    rows: usize,
    rejected: Vec<Rejected<'a>>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    row: usize,
    column: &'a str,
    value: &'a str,
    rule: &'a str,
}

/// The import that a descriptor asks for; `None` when it asks for something else. Neither SQL nor a Flight SQL command begins with
/// a brace.
pub(super) fn command_of(descriptor: &FlightDescriptor) -> Option<Result<ImportCommand, Status>> {
    let is_json =
        descriptor.r#type() == DescriptorType::Cmd && descriptor.cmd.trim_ascii_start().starts_with(b"{");
    is_json.then(|| {
        let body: CommandBody = serde_json::from_slice(&descriptor.cmd).map_err(|error| {
            Status::invalid_argument(format!(
                "the descriptor's command is JSON but no import: {error}; send {{\"import\": {{\"table\": \"events\"}}}}"
            ))
        })?;
        Ok(body.import)
    })
}

/// Which of some sources were loaded: the action `hexflight.ImportStatus`.
pub(super) fn status(context: &FlightContext, body: &[u8]) -> Result<Bytes, Status> {
    let body: StatusBody = serde_json::from_slice(body).map_err(|error| {
        let example = r#"{"table": "events", "sources": ["64 hex digits"]}"#;
        Status::invalid_argument(format!("the body of ImportStatus: {error}; send {example}"))
    })?;
    let table = context.table(&body.table)?;
    let mut loaded = Vec::new();
    for (text, source) in body.sources.iter().zip(sources(&body.sources)?) {
        if context.engine.is_imported(table.name(), &source).map_err(|error| engine_status(&error))? {
            loaded.push(text);
        }
    }
    Ok(Bytes::from(json!({ "loaded": loaded }).to_string()))
}

fn sources(texts: &[String]) -> Result<Vec<SourceId>, Status> {
    if texts.len() > SOURCES_MAX {
        let count = texts.len();
        return Err(Status::invalid_argument(format!("{count} sources, at most {SOURCES_MAX} at once")));
    }
    let parse = |text: &String| {
        text.parse().map_err(|error: EngineError| Status::invalid_argument(error.to_string()))
    };
    texts.iter().map(parse).collect()
}

/// Answers one stream. `first` is the message that carried the descriptor.
pub(super) async fn put(
    context: &Arc<FlightContext>,
    command: ImportCommand,
    first: FlightData,
    messages: Streaming<FlightData>,
) -> Result<BoxStream<'static, Result<PutResult, Status>>, Status> {
    let table = context.table(&command.table)?;
    let import = context.engine.begin_import(table.name()).await.map_err(|error| engine_status(&error))?;
    let source = Source {
        context: Arc::clone(context),
        decoder: BatchDecoder::new(context.limits).with_memory(&context.decode_memory),
        first: Some(first),
        messages,
        batches: 0,
    };
    let (answers, receiver) = mpsc::channel(ANSWERS_WAITING_MAX);
    // On a task of its own: a commit that has begun ends, also when the client leaves.
    context.puts.spawn(async move {
        let outcome = Box::pin(load(import, &command, source, &answers)).await;
        let answer = outcome.inspect_err(telemetry::request_failed);
        let _gone = answers.send(answer).await;
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

type Answers = mpsc::Sender<Result<PutResult, Status>>;

/// Takes batches up to the commit message, then commits; the last answer.
async fn load(
    import: Import,
    command: &ImportCommand,
    source: Source,
    answers: &Answers,
) -> Result<PutResult, Status> {
    let mut rejected = 0;
    let sources = {
        let steps = stream::try_unfold(source, Source::next);
        let pushes = steps.map_ok(|step| push(&import, command.on_error, step)).try_buffered(PUSHES);
        let mut pushes = std::pin::pin!(pushes);
        loop {
            let done = tokio::select! {
                biased;
                () = answers.closed() => return Err(Status::cancelled("the client has gone")),
                done = pushes.try_next() => done?,
            };
            let done = done.ok_or_else(|| {
                Status::invalid_argument("the stream ended without a commit message; nothing was loaded")
            })?;
            match done {
                Done::Commit(sources) => break sources,
                Done::Batch { index, rows, bad, refusal } => {
                    rejected += bad.len();
                    if command.acks {
                        answer(answers, batch_answer(index, rows, &bad)).await?;
                    }
                    if let Some(refusal) = refusal {
                        return Err(at_batch(index, &refusal));
                    }
                }
            }
        }
    };
    let on_loaded = if command.force { OnLoaded::LoadAgain } else { OnLoaded::Refuse };
    let summary = import.commit(&sources, on_loaded).await.map_err(|error| engine_status(&error))?;
    let body = json!({
        "rows": summary.rows,
        "rejected": rejected,
        "files": summary.files,
        "bytes": summary.bytes,
        "version": summary.version,
    });
    Ok(PutResult { app_metadata: Bytes::from(body.to_string()) })
}

/// Tells the client of a batch.
async fn answer(answers: &Answers, answer: PutResult) -> Result<(), Status> {
    match timeout(ANSWER_WAIT, answers.send(Ok(answer))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Status::cancelled("the client has gone")),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "nobody read the answers to the batches for {ANSWER_WAIT:?}; nothing was loaded"
        ))),
    }
}

/// What became of a step.
enum Done {
    Batch { index: usize, rows: usize, bad: Vec<BadRow>, refusal: Option<Status> },
    Commit(Vec<SourceId>),
}

async fn push(import: &Import, on_error: OnError, step: Step) -> Result<Done, Status> {
    let (index, batch, _held) = match step {
        Step::Batch(index, batch, held) => (index, batch, held),
        Step::Commit(sources) => return Ok(Done::Commit(sources)),
    };
    let rows = batch.num_rows();
    match import.push(batch, on_error.into()).await {
        Ok(bad) => Ok(Done::Batch { index, rows: rows - bad.len(), bad, refusal: None }),
        Err(error) => {
            let refusal = Some(engine_status(&error));
            match error {
                EngineError::InvalidRows(bad) => Ok(Done::Batch { index, rows: 0, bad: bad.rows, refusal }),
                _ => Err(at_batch(index, &engine_status(&error))),
            }
        }
    }
}

fn batch_answer(index: usize, rows: usize, bad: &[BadRow]) -> PutResult {
    let rejected = bad.iter().map(|bad| Rejected {
        row: bad.row,
        column: &bad.column,
        value: &bad.value,
        rule: &bad.rule,
    });
    let answer = BatchAnswer { batch: index, rows, rejected: rejected.collect() };
    // Text and numbers always have a JSON form.
    PutResult { app_metadata: Bytes::from(serde_json::to_vec(&answer).unwrap_or_default()) }
}

/// What a message asks for.
enum Step {
    /// Its number, its rows, and the memory for what was decompressed.
    Batch(usize, RecordBatch, Option<Arrived>),
    Commit(Vec<SourceId>),
}

/// The messages of one stream.
struct Source {
    context: Arc<FlightContext>,
    decoder: BatchDecoder,
    first: Option<FlightData>,
    messages: Streaming<FlightData>,
    /// Batches seen; the first is 1.
    batches: usize,
}

impl Source {
    async fn next(mut self) -> Result<Option<(Step, Self)>, Status> {
        while let Some(message) = self.message().await? {
            if message.data_header.is_empty() && !message.app_metadata.is_empty() {
                let step = commit_of(&message.app_metadata)?;
                return Ok(Some((step, self)));
            }
            let index = self.batches + 1;
            let decoded = self.decoder.decode(message).await;
            let decoded = decoded.map_err(|error| at_batch(index, &error.into()))?;
            if let Decoded::Batch(batch) = decoded {
                self.batches = index;
                if batch.num_rows() > 0 {
                    let held = self.decoder.take_held();
                    return Ok(Some((Step::Batch(index, batch, held), self)));
                }
            }
        }
        Ok(None)
    }

    async fn message(&mut self) -> Result<Option<FlightData>, Status> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let limit = self.context.max_message_bytes();
        tokio::select! {
            biased;
            () = self.context.draining.cancelled() => {
                Err(Status::unavailable("the server is shutting down; nothing of this import was loaded"))
            }
            message = self.messages.message() => message.map_err(|status| unread(&status, limit)),
        }
    }
}

fn commit_of(metadata: &[u8]) -> Result<Step, Status> {
    let body: CommitBody = serde_json::from_slice(metadata).map_err(|error| {
        Status::invalid_argument(format!(
            "a message without a batch must commit, its app_metadata does not: {error}; send {{\"commit\": {{\"sources\": []}}}}"
        ))
    })?;
    Ok(Step::Commit(sources(&body.commit.sources)?))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn an_import_is_told_from_other_commands() {
        let command = |text: &str| command_of(&FlightDescriptor::new_cmd(text.to_owned()));
        assert!(command("SELECT 1").is_none());
        assert!(command_of(&FlightDescriptor::new_path(vec!["events".to_owned()])).is_none());
        let import = command(r#"{"import": {"table": "events", "on_error": "skip", "force": true}}"#)
            .unwrap()
            .unwrap();
        assert_eq!(
            import,
            ImportCommand { table: "events".to_owned(), on_error: OnError::Skip, acks: false, force: true }
        );
        for text in ["{", "{}", r#"{"import": {}}"#, r#"{"import": {"table": "events", "x": 1}}"#] {
            let error = command(text).unwrap().unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{text}");
            assert!(error.message().contains(r#"{"import": {"table": "events"}}"#), "{}", error.message());
        }
    }
}
