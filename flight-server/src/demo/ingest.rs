//! The demo's ingest: the load run, its progress line, and counts that are asked while it runs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{tally::COUNT_SQL, verdict};
use crate::{
    client::Client,
    console::{CliError, ProgressLine},
    simulate::{Ledger, LoadStats, per_second, progress_text},
};

/// How often the running ingest is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What was seen while events streamed in.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Counts asked.
    pub(super) counts: usize,
    /// The first count that missed an acknowledged event, or had one that was never sent.
    pub(super) difference: Option<String>,
}

/// Runs `load`, and meanwhile asks again and again how many events there are.
///
/// # Errors
/// Those of the load, or of a query.
pub(super) async fn watch(
    load: impl Future<Output = Result<(), CliError>>,
    client: &Client,
    stats: &LoadStats,
    ledger: &Mutex<Ledger>,
) -> Result<Watched, CliError> {
    let mut watched = Watched::default();
    let mut line = ProgressLine::start();
    let started = Instant::now();
    let look_around = async {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            ticks.tick().await;
            let totals = stats.totals();
            line.update(progress_text(&totals, per_second(totals.acked_rows, started.elapsed())));
            watched.count(client, stats, ledger).await?;
        }
    };
    let ended = tokio::select! {
        ended = load => ended,
        failed = look_around => failed,
    };
    line.finish();
    ended.map(|()| watched)
}

impl Watched {
    async fn count(
        &mut self,
        client: &Client,
        stats: &LoadStats,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), CliError> {
        let acked_before = ledger.lock().unwrap_or_else(PoisonError::into_inner).row_count() as u64;
        let answer = client.query(COUNT_SQL).await?.collect().await?;
        let sent_after = stats.totals().sent_rows;
        self.counts += 1;
        let difference = match verdict::count_of(&answer) {
            Ok(found) if (acked_before..=sent_after).contains(&found) => None,
            Ok(found) => Some(format!(
                "while events streamed in, count(*) was {found}; acknowledged before {acked_before}, sent after {sent_after}"
            )),
            Err(difference) => Some(difference),
        };
        self.difference = self.difference.take().or(difference);
        Ok(())
    }
}

/// Takes the ledger back once nobody records into it any more.
///
/// # Errors
/// `Task` when somebody still does.
pub(super) fn take_back(ledger: Arc<Mutex<Ledger>>) -> Result<Ledger, CliError> {
    let ledger = Arc::try_unwrap(ledger).map_err(|_| CliError::Task {
        name: "load connection",
        reason: "still holds the ledger".to_owned(),
    })?;
    Ok(ledger.into_inner().unwrap_or_else(PoisonError::into_inner))
}
