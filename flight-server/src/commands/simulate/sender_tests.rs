//! What a sender does when its server refuses or breaks: nothing is lost that it says is durable, nothing is sent twice.

use std::num::NonZeroUsize;

use hexflight_engine::{Clock, SystemClock};
use tokio_util::sync::DropGuard;
use tonic::Status;

use super::*;
use crate::{
    commands::simulate::{
        Fleet, LoadObservers, LoadPlan, LoadTotals, WorkloadConfig,
        fake_server::{FakeServer, Reply},
        run_load,
    },
    console::CliError,
};

const BATCH_ROWS: usize = 100;

#[tokio::test]
async fn every_batch_is_stored_once_and_recorded() {
    let run = send_to(vec![], true).await;

    run.ended.unwrap();
    assert_eq!(run.stored_rows, 20 * BATCH_ROWS);
    assert_eq!(run.recorded_rows, 20 * BATCH_ROWS);
    assert_eq!(run.totals.acked_batches, 20);
}

#[tokio::test]
async fn refused_batches_are_sent_again_and_stored_once() {
    // The third and, after it was sent again, the sixth batch find no memory.
    let refuse = || Reply::Refuse(refusal());
    let run = send_to(vec![Reply::Store, Reply::Store, refuse(), Reply::Store, refuse()], true).await;

    run.ended.unwrap();
    assert_eq!((run.stored_rows, run.recorded_rows), (20 * BATCH_ROWS, 20 * BATCH_ROWS));
    assert_eq!((run.totals.refusals, run.totals.unknown_rows), (2, 0));
}

#[tokio::test]
async fn a_refusal_without_a_hint_ends_the_run() {
    let bare = Status::resource_exhausted("message too large");

    let run = send_to(vec![Reply::Store, Reply::Refuse(bare)], true).await;

    assert_eq!(run.ended.unwrap_err().to_string(), "message too large (RESOURCE_EXHAUSTED)");
    assert_eq!(run.recorded_rows, BATCH_ROWS);
}

#[tokio::test]
async fn batches_of_a_broken_call_are_not_sent_again() {
    let broken = Reply::StoreAndBreak(Status::unavailable("gone"));

    let run = send_to(vec![Reply::Store, broken], true).await;

    run.ended.unwrap();
    assert_eq!(run.recorded_rows as u64 + run.totals.unknown_rows, 20 * BATCH_ROWS as u64);
    assert!(run.totals.unknown_rows >= BATCH_ROWS as u64);
    assert!(run.stored_rows >= run.recorded_rows && run.stored_rows <= 20 * BATCH_ROWS);
}

#[tokio::test]
async fn a_broken_call_is_an_error_where_nothing_may_be_unknown() {
    let run = send_to(vec![Reply::StoreAndBreak(Status::unavailable("gone"))], false).await;

    assert_eq!(run.ended.unwrap_err().to_string(), "gone (UNAVAILABLE)");
}

/// What a run of 20 batches came to.
struct Run {
    ended: Result<(), CliError>,
    totals: LoadTotals,
    recorded_rows: usize,
    stored_rows: usize,
}

async fn send_to(replies: Vec<Reply>, reconnect: bool) -> Run {
    let (server, url): (FakeServer, String) = FakeServer::start(replies).await;
    let stop = CancellationToken::new();
    let _stop_at_end: DropGuard = stop.clone().drop_guard();
    let plan = LoadPlan {
        target: url.into(),
        workload: WorkloadConfig { device_count: 10, batch_rows: BATCH_ROWS, ..WorkloadConfig::default() },
        connection_count: NonZeroUsize::MIN,
        rows_max: Some(20 * BATCH_ROWS),
        time_max: None,
        rate: None,
        time_span: Some(Duration::from_secs(60)),
        reconnect,
    };
    let fleet = Arc::new(Fleet::new(&plan.workload));
    let ledger = Arc::new(Mutex::new(Ledger::new(Arc::clone(&fleet))));
    let stats = Arc::new(LoadStats::default());
    let observers = LoadObservers { stats: Arc::clone(&stats), ledger: Some(Arc::clone(&ledger)), stop };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ended = run_load(plan, &fleet, &clock, clock.now_micros(), &observers).await;
    let recorded_rows = ledger.lock().row_count();
    Run { ended, totals: stats.totals(), recorded_rows, stored_rows: server.stored_rows() }
}

fn refusal() -> Status {
    let mut status = Status::resource_exhausted("no memory");
    status.metadata_mut().insert("grpc-retry-pushback-ms", 1.into());
    status
}
