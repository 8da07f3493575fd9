//! The background task: looks for a merge that is due, runs it, and pauses as long as its bytes are worth. Merges one after the other;
//! what fails is counted, logged and left alone for a while, and never stops anything else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use metrics::counter;
use object_store::path::Path;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{CompactSummary, Limits, policy::next_merge, rewrite::RewriteRun, tree::FileShape};
use crate::{
    budget::Admission,
    delta::{DataFile, ScalarBound},
    error::{EngineError, ErrorKind, Result},
    options::EngineOptions,
    schema::column,
    tables::{Table, Tables},
    tasks::blocking,
    time::{self, Instant},
};

/// Longest pause between two looks.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(10);
/// A node of time is quiet when nothing was added to it for so many flush intervals.
const QUIET_FLUSHES: u32 = 10;
/// Pause after the first failure; doubles up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// How long a file that cannot be rewritten is left alone.
const SET_ASIDE: Duration = Duration::from_hours(1);

/// Asks the task for something.
#[derive(Debug)]
pub(crate) enum CompactMessage {
    /// Merge all that can be merged, then answer.
    Everything(oneshot::Sender<Result<CompactSummary>>),
}

/// Runs until `stop` is cancelled or every sender of `inbox` is gone.
pub(crate) async fn run(
    parts: CompactParts,
    mut inbox: mpsc::Receiver<CompactMessage>,
    stop: CancellationToken,
) {
    let interval = parts.options.flush_interval.min(LOOK_INTERVAL_MAX);
    let is_on = parts.options.compact;
    let mut compactor = Compactor { parts, stop, set_aside: HashMap::new(), failures: 0 };
    let mut next = time::now() + interval;
    loop {
        tokio::select! {
            biased;
            () = compactor.stop.cancelled() => return,
            message = inbox.recv() => match message {
                Some(CompactMessage::Everything(waiter)) => {
                    // Whoever asked may have gone away.
                    let _ = waiter.send(Box::pin(compactor.everything()).await);
                }
                None => return,
            },
            () = time::sleep_until(next), if is_on => {
                let pause = Box::pin(compactor.one_due()).await;
                next = time::now() + pause.unwrap_or(interval);
            }
        }
    }
}

/// What merges work on.
#[derive(Debug)]
pub(crate) struct CompactParts {
    pub(crate) options: EngineOptions,
    pub(crate) tables: Arc<Tables>,
    pub(crate) admission: Arc<Admission>,
}

struct Compactor {
    parts: CompactParts,
    stop: CancellationToken,
    /// Files that could not be rewritten, and until when they are left alone.
    set_aside: HashMap<Path, Instant>,
    /// In a row.
    failures: u32,
}

impl Compactor {
    /// Runs rewrites until none is due. A damaged file does not keep the others from being merged; it is the error in the end.
    async fn everything(&mut self) -> Result<CompactSummary> {
        self.set_aside.clear();
        let tables = Arc::clone(&self.parts.tables);
        let (mut sum, mut damage) = (CompactSummary::default(), None);
        for table in tables.iter() {
            loop {
                let left_alone = self.set_aside.len();
                match self.rewrite_next(table, i64::MAX).await {
                    Ok(Some(summary)) => sum.add(&summary),
                    Ok(None) => break,
                    // What is left alone is not planned again, so this ends.
                    Err(error) if self.set_aside.len() > left_alone => {
                        damage.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        damage.map_or(Ok(sum), Err)
    }

    /// Runs one rewrite if one is due. Returns how long to pause before the next; `None`: there was none.
    async fn one_due(&mut self) -> Option<Duration> {
        if self.parts.admission.is_short() {
            return None;
        }
        let now = time::now();
        self.set_aside.retain(|_, until| *until > now);
        let tables = Arc::clone(&self.parts.tables);
        let quiet = self.parts.options.flush_interval.saturating_mul(QUIET_FLUSHES);
        for table in tables.iter() {
            let quiet_ms = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
            let quiet_since_ms = table.log.now_ms().saturating_sub(quiet_ms);
            match self.rewrite_next(table, quiet_since_ms).await {
                Ok(Some(summary)) => {
                    self.failures = 0;
                    return Some(self.pause_after(&summary));
                }
                Ok(None) => {}
                Err(EngineError::Closed) => return None,
                Err(error) => return Some(self.failed(&error)),
            }
        }
        None
    }

    /// As long as the bytes that were moved take at the rate that is allowed.
    fn pause_after(&self, summary: &CompactSummary) -> Duration {
        let bytes = (summary.bytes_in + summary.bytes_out) as f64;
        Duration::from_secs_f64(bytes / self.parts.options.compact_bytes_per_second as f64)
    }

    fn failed(&mut self, error: &EngineError) -> Duration {
        // Memory is for others now, or another was first.
        if matches!(error.kind(), ErrorKind::Exhausted | ErrorKind::Conflict) {
            tracing::debug!(%error, "a rewrite was put off");
        } else {
            counter!("hexflight_compact_failures_total").increment(1);
            tracing::warn!(%error, "a rewrite failed; its rows stay where they are");
        }
        let (first, longest) = BACKOFF;
        let pause = first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(longest);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Runs the next rewrite of a table; `None` when there is none.
    async fn rewrite_next(&mut self, table: &Table, quiet_since_ms: i64) -> Result<Option<CompactSummary>> {
        let state = Arc::clone(&table.view.snapshot().table);
        let candidates: Vec<Arc<DataFile>> =
            state.files().iter().filter(|file| self.can_rewrite(file)).map(Arc::clone).collect();
        let limits = Limits::of(&self.parts.options, table.spec.bucket_micros());
        let planned = blocking("compact plan", move || {
            let known: Vec<(Arc<DataFile>, FileShape)> = candidates
                .into_iter()
                .filter_map(|file| shape_of(&file).map(|shape| (file, shape)))
                .collect();
            let shapes: Vec<FileShape> = known.iter().map(|(_, shape)| *shape).collect();
            Ok(next_merge(&shapes, &limits, quiet_since_ms).map(|plan| {
                let inputs = plan.files.iter().map(|place| Arc::clone(&known[*place].0)).collect();
                (inputs, plan.cuts)
            }))
        });
        let Some((inputs, cuts)): Option<(Vec<Arc<DataFile>>, _)> = planned.await? else { return Ok(None) };
        let run = RewriteRun::new(&self.parts.admission, table, &state, inputs.clone(), cuts, &self.stop);
        // An old state must not keep removed files alive.
        drop(state);
        let end = Box::pin(run.run()).await;
        if let Err(error) = &end {
            self.set_aside(error, &inputs);
        }
        end.map(Some)
    }

    /// A file that is not what it should be is left alone; where none is named, all of them are.
    fn set_aside(&mut self, error: &EngineError, inputs: &[Arc<DataFile>]) {
        let is_theirs = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Internal);
        let named = |file: &&Arc<DataFile>| match error {
            EngineError::Corrupt { path, .. } => file.location.as_ref() == path,
            _ => true,
        };
        let until = time::now() + SET_ASIDE;
        let files = inputs.iter().filter(named).filter(|_| is_theirs);
        self.set_aside.extend(files.map(|file| (file.location.clone(), until)));
    }

    fn can_rewrite(&self, file: &DataFile) -> bool {
        // A name that the log writes in another way than it is was not made by us.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=".contains(&byte);
        file.location.as_ref().bytes().all(is_plain) && !self.set_aside.contains_key(&file.location)
    }
}

/// `None` when the log does not say enough of a file.
fn shape_of(file: &DataFile) -> Option<FileShape> {
    let range = file.columns.get(column::TIMESTAMP)?;
    let (Some(ScalarBound::Micros(min)), Some(ScalarBound::Micros(max))) = (&range.min, &range.max) else {
        return None;
    };
    let rows = file.row_count.filter(|rows| *rows > 0)?;
    Some(FileShape { min: *min, max: *max, rows, bytes: file.size_bytes, added_ms: file.modified_ms })
}
