//! The demo's ingest: the load run, its progress line, and counts that are asked while it runs.

use std::{sync::Arc, time::Duration};

use hexflight_engine::{Clock, SystemClock, time};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    DemoArgs,
    tally::{COUNT_SQL, Tally},
    verdict,
};
use crate::{
    client::Client,
    commands::simulate::{
        Fleet, Ledger, LoadObservers, LoadStats, LoadTotals, per_second, progress_text, run_load,
    },
    console::{self, CliError, ProgressLine, grouped, millis},
};

/// How often the running ingest is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Streams the events in; returns what was acknowledged and how fast.
///
/// # Errors
/// Those of the load, or of a query.
pub(super) async fn ingest_events(
    args: &DemoArgs,
    client: &Client,
    fleet: &Arc<Fleet>,
    tally: &mut Tally,
) -> Result<(Ledger, Ingested), CliError> {
    console::say(&format!(
        "\nIngest: {} events of {} devices in real cities, some moving, some late, seed {}",
        grouped(args.rows as u64),
        grouped(args.devices as u64),
        args.seed
    ))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stats = Arc::new(LoadStats::default());
    let ledger = Arc::new(Mutex::new(Ledger::new(Arc::clone(fleet))));
    let observers = LoadObservers {
        stats: Arc::clone(&stats),
        ledger: Some(Arc::clone(&ledger)),
        stop: CancellationToken::new(),
    };
    let started = time::now();
    let load =
        run_load(args.load_plan(client.url().to_owned()), fleet, &clock, clock.now_micros(), &observers);
    let watched = watch(load, client, &stats, &ledger).await?;
    let elapsed = started.elapsed();
    drop(observers);
    let ledger = take_back(ledger)?;
    let ingested = Ingested { totals: stats.totals(), elapsed };
    console::say(&format!("  {}", ingested.text()))?;
    let praise = format!(
        "{} counts asked meanwhile: each held every event acknowledged before it was asked",
        watched.counts
    );
    tally.say_verdict(watched.difference.map_or(Ok(()), Err), &praise)?;
    tally.ask_for_all(client, &ledger).await?;
    Ok((ledger, ingested))
}

/// How the ingest went.
#[derive(Debug)]
pub(super) struct Ingested {
    pub(super) totals: LoadTotals,
    elapsed: Duration,
}

impl Ingested {
    /// In words.
    pub(super) fn text(&self) -> String {
        format!(
            "{} events durable in {:.1} s: {} events/s, acks p50 {} p99 {}",
            grouped(self.totals.acked_rows),
            self.elapsed.as_secs_f64(),
            grouped(per_second(self.totals.acked_rows, self.elapsed)),
            millis(self.totals.ack_p50),
            millis(self.totals.ack_p99)
        )
    }
}

/// What was seen while events streamed in.
#[derive(Debug, Default)]
struct Watched {
    /// Counts asked.
    counts: usize,
    /// The first count that missed an acknowledged event, or had one that was never sent.
    difference: Option<String>,
}

/// Runs `load`, and meanwhile asks again and again how many events there are.
///
/// # Errors
/// Those of the load, or of a query.
async fn watch(
    load: impl Future<Output = Result<(), CliError>>,
    client: &Client,
    stats: &LoadStats,
    ledger: &Mutex<Ledger>,
) -> Result<Watched, CliError> {
    let mut watched = Watched::default();
    let mut line = ProgressLine::start();
    let started = time::now();
    let look_around = async {
        let mut ticks = time::interval(LOOK_INTERVAL);
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
        let acked_before = ledger.lock().row_count() as u64;
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
fn take_back(ledger: Arc<Mutex<Ledger>>) -> Result<Ledger, CliError> {
    let ledger = Arc::try_unwrap(ledger).map_err(|_| CliError::Task {
        name: "load connection",
        reason: "still holds the ledger".to_owned(),
    })?;
    Ok(ledger.into_inner())
}
