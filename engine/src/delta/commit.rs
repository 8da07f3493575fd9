//! The one commit function: puts the next version of a table's log, or finds out why it must not.
//!
//! ```text
//! HEAD every added file ─▶ txns as expected? ─▶ PUT version+1 if absent ─┬─ created ───────────────▶ done
//!                              ▲                                         └─ refused or failed: read version+1
//!                              └────────── apply it ◀── another's ◀──────────┤
//!                                          PUT again ◀── nothing there ◀─────┤
//!                                                                            └── ours ─────────────▶ done
//! ```

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{PutPayload, path::Path};
use uuid::Uuid;

use super::{
    DataFile, TableState,
    action::{Action, Add, ROLLUP_BYTES_TAG, ROLLUP_DIRECTORY_TAG, ROLLUP_TAG, Remove, Txn},
    log::DeltaLog,
    statistics,
    version::encode,
};
use crate::{
    error::{EngineError, Result},
    schema::{Sequence, StreamId, TableName},
    store::PutOutcome,
    time,
};

/// Files checked at once before a commit.
const HEAD_CONCURRENCY: usize = 16;
/// Attempts to put one version before the commit is given up; whatever was put is found by the next one.
const ATTEMPTS_MAX: u32 = 8;
/// Pause after the first failed attempt; doubles.
const BACKOFF: Duration = Duration::from_millis(20);

/// A step that a commit makes with the txn of a stream: from `expected` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TxnStep {
    pub(crate) stream: StreamId,
    pub(crate) expected: Sequence,
    pub(crate) to: Sequence,
}

/// What one version does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change<'a> {
    /// Files that join the table.
    pub(crate) files: &'a [DataFile],
    /// Streams whose rows are among them.
    pub(crate) steps: &'a [TxnStep],
    /// Sources of bulk loads whose rows are among them.
    pub(crate) sources: &'a [LoadedSource],
    /// What `files` replace, if their rows were in the table before.
    pub(crate) rewrite: Option<Rewrite<'a>>,
}

/// A source of a bulk load: its txn counts how often its rows were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadedSource {
    pub(crate) app_id: String,
    /// Application ids that must not be in the log: of two commits that refuse each other exactly one succeeds. None when the source
    /// is to be loaded in any case.
    pub(crate) refused_by: Vec<String>,
}

/// Files whose rows lie in others after the commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rewrite<'a> {
    /// Files that leave the table; each is active before.
    pub(crate) removes: &'a [Arc<DataFile>],
    /// Version of the table's rewrite txn before: a rewrite that another's overtook is not committed.
    pub(crate) expected: i64,
}

/// Application id of the txn that counts the rewrites of a table.
pub(crate) fn rewrite_app_id(table: &TableName) -> String {
    format!("rewrite:{table}")
}

/// Puts `change` as one version, starting from `state`. Returns the state after it.
///
/// # Errors
/// `Conflict` when a txn is not the expected one, or a file to be removed is not active: the rows were committed by another, the
/// files are to be discarded;
/// `Corrupt` when an added file is not there as written; `Unavailable` when the store fails: the version may be there or come.
pub(crate) async fn commit(log: &DeltaLog, state: &TableState, change: &Change<'_>) -> Result<TableState> {
    check_files(log, change.files).await?;
    let commit_id = log.store.ids().random();
    let mut state = state.clone();
    let (mut attempt, mut pause) = (0, BACKOFF);
    loop {
        check_steps(log, &state, change.steps)?;
        check_sources(log.spec.name(), &state, change.sources)?;
        check_rewrite(log, &state, change.rewrite)?;
        let version = state.version() + 1;
        let mut actions = actions(log, &state, commit_id, change);
        let payload = PutPayload::from(encode(&mut actions));
        let failure = match log.store.put_if_absent(&log.version_path(version), payload).await {
            Ok(PutOutcome::Created) => {
                state.apply(log, version, &actions)?;
                log.mark(version).await;
                return Ok(state);
            }
            Ok(PutOutcome::AlreadyExists) => None,
            Err(error) => Some(error),
        };
        // Refused or failed says nothing of who wrote the version: read it.
        let (_, found) = log.read(version).await?;
        if let Some(found) = found {
            let ours = is_ours(&found, commit_id);
            state.apply(log, version, &found)?;
            if ours {
                log.mark(version).await;
                return Ok(state);
            }
            continue;
        }
        attempt += 1;
        if let Some(error) = failure.filter(|_| attempt >= ATTEMPTS_MAX) {
            return Err(error);
        }
        time::sleep(pause).await;
        pause *= 2;
    }
}

/// A version that names a file which is not durable and whole would lose its rows when the WAL goes.
async fn check_files(log: &DeltaLog, files: &[DataFile]) -> Result<()> {
    let checks: Vec<_> = files.iter().map(|file| check_file(log, file)).collect();
    stream::iter(checks).buffer_unordered(HEAD_CONCURRENCY).try_collect().await
}

async fn check_file(log: &DeltaLog, file: &DataFile) -> Result<()> {
    let found = log.store.head(&file.location).await?.map(|meta| meta.size);
    if found == Some(file.size_bytes) {
        return Ok(());
    }
    let found = found.map_or_else(|| String::from("nothing"), |size| format!("{size} bytes"));
    Err(EngineError::Corrupt {
        path: file.location.to_string(),
        detail: format!("wrote {} bytes, found {found}", file.size_bytes),
    })
}

fn check_steps(log: &DeltaLog, state: &TableState, steps: &[TxnStep]) -> Result<()> {
    for step in steps {
        assert!(
            step.to > step.expected,
            "txn of stream {} moves from {} to {}",
            step.stream,
            step.expected,
            step.to
        );
        let found = state.flushed(step.stream);
        if found != step.expected {
            return Err(EngineError::Conflict {
                table: log.spec.name().to_string(),
                detail: format!("txn of stream {}: expected {}, found {found}", step.stream, step.expected),
            });
        }
    }
    Ok(())
}

/// Refuses sources that were loaded before.
///
/// # Errors
/// `Conflict`, naming the first of them.
pub(crate) fn check_sources(table: &TableName, state: &TableState, sources: &[LoadedSource]) -> Result<()> {
    let mut refused_by = sources.iter().flat_map(|source| &source.refused_by);
    let Some(loaded) = refused_by.find(|app_id| state.txn(app_id).is_some()) else { return Ok(()) };
    Err(EngineError::Conflict {
        table: table.to_string(),
        detail: format!("source {loaded} was loaded before"),
    })
}

fn check_rewrite(log: &DeltaLog, state: &TableState, rewrite: Option<Rewrite<'_>>) -> Result<()> {
    let Some(Rewrite { removes, expected }) = rewrite else { return Ok(()) };
    let conflict = |detail| Err(EngineError::Conflict { table: log.spec.name().to_string(), detail });
    let found = state.txn(&rewrite_app_id(log.spec.name())).unwrap_or(0);
    if found != expected {
        return conflict(format!("rewrites: expected {expected}, found {found}"));
    }
    if let Some(gone) = state.inactive(removes).first() {
        return conflict(format!("file {gone} was removed by another"));
    }
    Ok(())
}

fn actions(log: &DeltaLog, state: &TableState, commit_id: Uuid, change: &Change<'_>) -> Vec<Action> {
    let now = log.now_ms();
    let operation = if change.rewrite.is_some() { "OPTIMIZE" } else { "WRITE" };
    let mut actions =
        vec![Action { commit_info: Some(log.commit_info(operation, Some(commit_id))), ..Action::default() }];
    let streams = change
        .steps
        .iter()
        .map(|step| (step.stream.to_string(), i64::try_from(step.to.0).unwrap_or(i64::MAX)));
    let sources = change.sources.iter().map(|LoadedSource { app_id, .. }| {
        let times = state.txn(app_id).unwrap_or(0);
        (app_id.clone(), times.saturating_add(1))
    });
    let rewrites =
        change.rewrite.iter().map(|rewrite| (rewrite_app_id(log.spec.name()), rewrite.expected + 1));
    actions.extend(streams.chain(sources).chain(rewrites).map(|(app_id, version)| Action {
        txn: Some(Txn { app_id, version, last_updated: Some(now) }),
        ..Action::default()
    }));
    let removes = change.rewrite.iter().flat_map(|rewrite| rewrite.removes);
    actions.extend(removes.map(|file| Action {
        remove: Some(Remove {
            path: relative(log, &file.location),
            deletion_timestamp: Some(now),
            data_change: false,
        }),
        ..Action::default()
    }));
    let data_change = change.rewrite.is_none();
    actions.extend(
        change
            .files
            .iter()
            .map(|file| Action { add: Some(add(log, file, data_change)), ..Action::default() }),
    );
    actions
}

fn add(log: &DeltaLog, file: &DataFile, data_change: bool) -> Add {
    Add {
        path: relative(log, &file.location),
        partition_values: BTreeMap::new(),
        size: i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
        modification_time: file.modified_ms,
        data_change,
        stats: Some(statistics::to_json(file.row_count.unwrap_or(0), &file.columns)),
        tags: tags(log, file),
        deletion_vector: None,
    }
}

fn tags(log: &DeltaLog, file: &DataFile) -> Option<BTreeMap<String, Option<String>>> {
    let mut tags = BTreeMap::new();
    if let Some(rollup) = &file.rollup {
        tags.insert(ROLLUP_TAG.to_owned(), Some(relative(log, &rollup.location)));
        tags.insert(ROLLUP_BYTES_TAG.to_owned(), Some(rollup.size_bytes.to_string()));
        if let Some(checksum) = rollup.directory_crc32c {
            tags.insert(ROLLUP_DIRECTORY_TAG.to_owned(), Some(format!("{checksum:08x}")));
        }
    }
    if let Some(checksums) = &file.checksums {
        checksums.add_tags(&mut tags);
    }
    (!tags.is_empty()).then_some(tags)
}

fn relative(log: &DeltaLog, location: &Path) -> String {
    let prefix = format!("{}/", log.root());
    let relative = location.as_ref().strip_prefix(&prefix);
    assert!(relative.is_some(), "object {location} is not below {prefix}");
    relative.unwrap_or_default().to_owned()
}

fn is_ours(actions: &[Action], commit_id: Uuid) -> bool {
    let id = commit_id.to_string();
    actions.iter().any(|action| {
        action.commit_info.as_ref().and_then(|info| info.commit_id.as_ref()).is_some_and(|found| *found == id)
    })
}
