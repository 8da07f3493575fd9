//! Flushes one table: close → seal → write files → commit → advance the view. The order is the handover rule.

use std::{collections::BTreeMap, sync::Arc};

use metrics::{counter, histogram};
use parking_lot::Mutex;

use super::files::write_files;
use crate::{
    budget::Budget,
    delta::{Change, DeltaLog, TableState, TxnStep},
    error::{EngineError, Result},
    memory::{Generation, GenerationState, Left},
    schema::{Sequence, StreamId},
    segment,
    tables::Table,
    tasks::blocking,
    time,
    view::TableView,
};

/// What one commit of a flush takes at most, unless a single generation holds more, and how many of its files are written at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion {
    pub(crate) rows_max: usize,
    /// What is sorted together is held twice meanwhile. **Units**: bytes.
    pub(crate) bytes_max: usize,
    pub(crate) concurrency: usize,
}

/// Flushes every generation that is closed by now, in commits of a `portion`; with `everything`, the active one as well.
///
/// # Errors
/// Whatever stopped it. The rows stay in memory and in the WAL; what of them was committed is not seen twice.
pub(crate) async fn flush_table(
    table: &Table,
    budget: &Arc<Budget>,
    portion: Portion,
    everything: bool,
) -> Result<()> {
    let Table { log, view, .. } = table;
    if everything {
        view.close_active();
    }
    loop {
        let snapshot = view.snapshot();
        let mut ready = ready(snapshot.generations(), portion);
        if ready.is_empty() {
            return Ok(());
        }
        let state = Arc::clone(&snapshot.table);
        // The snapshot would keep the flushed rows alive while the next ones are written.
        drop(snapshot);
        if let [closed] = ready.as_slice()
            && closed.state() == GenerationState::Closed
        {
            let unsorted = Left::of(&ready);
            ready = vec![seal(log, view, budget, closed).await?];
            unsorted.leave_to_queries();
        }
        let flushed = Left::of(&ready);
        match commit_generations(table, budget, &state, &ready, portion.concurrency).await {
            // Somebody flushed these rows, or our own commit of an earlier attempt landed after all: the view has learnt it.
            Err(EngineError::Conflict { .. }) if view.snapshot().version() > state.version() => continue,
            end => end?,
        }
        drop(ready);
        flushed.leave_to_queries();
    }
}

/// Seals a generation and lets queries read its sorted form while it is written.
async fn seal(
    log: &DeltaLog,
    view: &TableView,
    budget: &Arc<Budget>,
    closed: &Arc<Generation>,
) -> Result<Arc<Generation>> {
    let started = time::now();
    let (spec, budget, closed) = (Arc::clone(&log.spec), Arc::clone(budget), Arc::clone(closed));
    let sealed = blocking("seal", move || segment::seal(&spec, &budget, &closed)).await?;
    histogram!("hexflight_seal_seconds").record(started.elapsed());
    let sealed = Arc::new(sealed);
    view.replace(Arc::clone(&sealed));
    Ok(sealed)
}

/// The oldest generations that fit into one commit; a stream's rows are committed in order.
fn ready(generations: &[Arc<Generation>], portion: Portion) -> Vec<Arc<Generation>> {
    let (mut rows, mut bytes) = (0, 0);
    let waiting = generations.iter().take_while(|generation| generation.state() != GenerationState::Active);
    let fits = |generation: &&Arc<Generation>| {
        let is_first = rows == 0;
        rows += generation.row_count();
        bytes += generation.bytes();
        is_first || (rows <= portion.rows_max && bytes <= portion.bytes_max)
    };
    waiting.take_while(fits).map(Arc::clone).collect()
}

async fn commit_generations(
    table: &Table,
    budget: &Arc<Budget>,
    state: &TableState,
    generations: &[Arc<Generation>],
    concurrency: usize,
) -> Result<()> {
    let started = time::now();
    let log = table.log.with_reserve();
    let put = Mutex::default();
    let files = write_files(&log, budget, generations, concurrency, &put).await;
    let put = put.into_inner();
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            // On a full disk they would take the space that the next attempt needs.
            put.discard(&log).await;
            return Err(error);
        }
    };
    let committing = time::now();
    let steps = steps(state, generations);
    let committed = table.commit(&Change { files: &files, steps: &steps, ..Change::default() }).await;
    if committed.as_ref().is_err_and(EngineError::is_storage_full) {
        // The version was not put, and will not come to light: its files would only take the space that the next attempt needs.
        put.discard(&log).await;
    }
    let committed = committed?;
    histogram!("hexflight_flush_commit_seconds").record(committing.elapsed());
    histogram!("hexflight_flush_seconds").record(started.elapsed());
    let rows: usize = generations.iter().map(|generation| generation.row_count()).sum();
    counter!("hexflight_flush_rows_total").increment(rows as u64);
    counter!("hexflight_flush_files_total").increment(files.len() as u64);
    tracing::debug!(
        rows,
        files = files.len(),
        version = committed.version(),
        seconds = started.elapsed().as_secs_f64(),
        "flushed"
    );
    Ok(())
}

/// How far each stream gets with these generations.
fn steps(state: &TableState, generations: &[Arc<Generation>]) -> Vec<TxnStep> {
    let mut last: BTreeMap<StreamId, Sequence> = BTreeMap::new();
    for generation in generations {
        let before =
            last.get(&generation.stream).copied().unwrap_or_else(|| state.flushed(generation.stream));
        assert!(
            generation.first > before,
            "generation {} of stream {} starts before {before}",
            generation.first,
            generation.stream
        );
        last.insert(generation.stream, generation.last);
    }
    last.into_iter().map(|(stream, to)| TxnStep { stream, expected: state.flushed(stream), to }).collect()
}
