//! `run_load`: a whole load run, several connections at once. The command and the demo start it; benchmarks may.

use std::{collections::VecDeque, num::NonZeroUsize, sync::Arc, time::Duration};

use hexflight_engine::{Clock, TableName};
use parking_lot::Mutex;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    Fleet, Ledger, LoadStats, Workload, WorkloadConfig,
    schedule::{Schedule, SchedulePlan},
    sender::{DueBatch, Sender},
};
use crate::{client::ServerAddress, console::CliError};

/// Batches made ahead of time per connection.
const BATCHES_AHEAD: usize = 2;

/// What to send, where to, and how fast.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Address of the server.
    pub target: ServerAddress,
    /// The events.
    pub workload: WorkloadConfig,
    /// Connections that send at once, each for its own part of the fleet.
    pub connection_count: NonZeroUsize,
    /// Rows in all; `None` = no limit.
    pub rows_max: Option<usize>,
    /// Time in all; `None` = no limit.
    pub time_max: Option<Duration>,
    /// Rows per second over all connections; `None` = as fast as possible.
    pub rate: Option<f64>,
    /// Event times are spread over this span before the start; `None` = events happen now.
    pub time_span: Option<Duration>,
    /// Whether to go on with a new connection when one breaks. What was in flight then counts as unknown.
    pub reconnect: bool,
}

/// Where a load run reports to.
#[derive(Debug, Clone)]
pub struct LoadObservers {
    /// Counters.
    pub stats: Arc<LoadStats>,
    /// Keeps every acknowledged event, if there is one.
    pub ledger: Option<Arc<Mutex<Ledger>>>,
    /// Ends the run early; what is in flight is still awaited.
    pub stop: CancellationToken,
}

/// Sends what `plan` says; `started_micros` is "now" for the events. Returns when the last ack has arrived.
///
/// # Errors
/// The first error of any connection; the others are ended then.
pub async fn run_load(
    plan: LoadPlan,
    fleet: &Arc<Fleet>,
    clock: &Arc<dyn Clock>,
    started_micros: i64,
    observers: &LoadObservers,
) -> Result<(), CliError> {
    let mut connections = JoinSet::new();
    for index in 0..plan.connection_count.get() {
        let schedule = Schedule::start(plan.part(index), Arc::clone(clock), started_micros);
        let config = plan.workload.clone();
        let workload = Workload::shard(Arc::clone(fleet), config, index, plan.connection_count.get());
        let (batches, source) = mpsc::channel(BATCHES_AHEAD);
        connections.spawn_blocking(move || {
            generate(workload, schedule, &batches);
            Ok(())
        });
        connections.spawn(plan.sender(source, observers).run());
    }
    while let Some(ended) = connections.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(error) => return Err(CliError::Task { name: "load connection", reason: error.to_string() }),
        }
    }
    Ok(())
}

impl LoadPlan {
    /// The share of connection `index`.
    fn part(&self, index: usize) -> SchedulePlan {
        let count = self.connection_count.get();
        SchedulePlan {
            batch_rows: self.workload.batch_rows,
            rate: self.rate.map(|rate| rate / count as f64),
            rows_max: self.rows_max.map(|rows| rows / count + usize::from(index < rows % count)),
            time_max: self.time_max,
            time_span: self.time_span,
        }
    }

    fn sender(&self, source: mpsc::Receiver<DueBatch>, observers: &LoadObservers) -> Sender {
        Sender {
            target: self.target.clone(),
            table: TableName::new("events"),
            source,
            stats: Arc::clone(&observers.stats),
            ledger: observers.ledger.clone(),
            reconnect: self.reconnect,
            stop: observers.stop.clone(),
            held: None,
            pending: VecDeque::new(),
            failures: 0,
        }
    }
}

/// Makes batches until the schedule ends or nobody takes them any more.
fn generate(mut workload: Workload, mut schedule: Schedule, batches: &mpsc::Sender<DueBatch>) {
    while let Some(turn) = schedule.next() {
        let batch = workload.batch_of(turn.rows, turn.slice);
        if batches.blocking_send(DueBatch { batch, due: turn.due }).is_err() {
            return;
        }
    }
}
