//! `Run`: one query from its text to its last batch, as one task on the query threads.
//!
//! ```text
//!  plan ─▶ admission ─▶ execute ─▶ batch ─▶ results
//!    ▲                     │
//!    ├─── as a large one, ◀┤ no memory, and nothing was sent yet
//!    │    then alone, without hash joins
//!    └─── with fewer rows ◀┘ rows too wide for a batch, and nothing was sent yet
//!         in a batch
//! ```

use std::{sync::Arc, time::Duration};

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    execution::{
        TaskContext,
        memory_pool::{MemoryConsumer, MemoryPool},
    },
    physical_plan::{ExecutionPlan, execute_stream},
};
use futures::StreamExt;
use tokio::sync::oneshot;

use super::{
    class::class_of,
    planner::{Attempt, Findings, Planner, Way},
    runtime::QueryHandles,
};
use crate::{
    admission::{Admission, Permit},
    memory::{ClassPools, QueryMemory},
    results::ResultSender,
    turn::{Ended, Stop, plan_in_turns},
    watch::{LoggedQuery, QueryProgress},
    width::batch_bytes,
};
use hexflight_engine::time::{self, timeout};

/// A query whose reader takes longer to make room gives its place to others meanwhile.
const PLACE_KEPT: Duration = Duration::from_millis(500);

/// How long the memory of a first try may take to come back before the second begins.
const MEMORY_BACK_MAX: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) planner: Arc<Planner>,
    pub(super) admission: Arc<Admission>,
    pub(super) threads: QueryHandles,
    pub(super) sql: String,
    pub(super) params: Vec<ScalarValue>,
    pub(super) ended: Ended,
    pub(super) stop: Stop,
    pub(super) progress: Arc<QueryProgress>,
    pub(super) logged: Arc<LoggedQuery>,
}

/// A plan, its place and what it runs in.
#[derive(Debug)]
struct Ready {
    plan: Arc<dyn ExecutionPlan>,
    attempt: Attempt,
    permit: Permit,
    context: Arc<TaskContext>,
    findings: Findings,
}

/// A query that failed on its way.
#[derive(Debug)]
struct Failure {
    error: DataFusionError,
    /// How it may run again: when the reader has seen nothing of it, and others ran beside it or it can do with less memory.
    next: Option<Attempt>,
}

impl Run {
    /// Tells the columns once the query has begun, then sends its batches.
    pub(super) async fn drive(self, started: oneshot::Sender<Result<SchemaRef>>, sender: ResultSender) {
        let sender = Arc::new(sender);
        tokio::select! {
            biased;
            reason = self.stop.stopped() => self.logged.stopped(&reason),
            () = self.to_its_end(started, &sender) => return,
        }
        self.let_go();
        sender.take_back();
    }

    /// What nobody has read yet can be taken back until then.
    async fn to_its_end(&self, started: oneshot::Sender<Result<SchemaRef>>, sender: &Arc<ResultSender>) {
        self.work(started, sender).await;
        self.let_go();
        sender.finish();
        sender.all_read().await;
    }

    async fn work(&self, started: oneshot::Sender<Result<SchemaRef>>, sender: &Arc<ResultSender>) {
        let ready = match self.first().await {
            Ok(ready) => ready,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(Ok(ready.plan.schema())).is_err() {
            return;
        }
        if let Err(error) = self.all_tries(ready, sender).await
            && sender.room_for(0).await
        {
            sender.push(Err(error), None);
        }
    }

    async fn all_tries(&self, first: Ready, sender: &Arc<ResultSender>) -> Result<()> {
        let (schema, mut ready) = (first.plan.schema(), first);
        loop {
            let failure = match self.forward(ready, sender).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let Some(next) = failure.next else { return Err(failure.error) };
            tracing::debug!(error = %failure.error, "a query found no memory and runs again: {next:?}");
            metrics::counter!("hexflight_query_repeats_total", "way" => name_of(next)).increment(1);
            ready = self.again(next, &schema, failure.error).await?;
        }
    }

    async fn first(&self) -> Result<Ready> {
        let began = time::now();
        let plan = self.plan(Way::Large).await?;
        metrics::histogram!("hexflight_query_plan_seconds").record(began.elapsed().as_secs_f64());
        let class = class_of(&plan);
        if let Some(permit) = self.admission.try_admit(class) {
            return Ok(self.ready(plan, Attempt::first(Way::of(class)), permit));
        }
        // A plan holds a snapshot with its memory: none is kept in the queue.
        drop(plan);
        self.queued(true);
        let permit = self.admission.admit(class).await;
        self.queued(false);
        let permit = permit?;
        let plan = self.plan(Way::Large).await?;
        Ok(self.ready(plan, Attempt::first(Way::of(class)), permit))
    }

    /// Another try of a query that found no memory; alone: when no other large query runs.
    async fn again(&self, attempt: Attempt, schema: &SchemaRef, error: DataFusionError) -> Result<Ready> {
        let way = attempt.way;
        self.let_go();
        self.queued(true);
        // Before the place that keeps all others waiting.
        self.memory_is_back().await;
        let permit = match way {
            Way::Alone => self.admission.admit_alone().await,
            Way::Small | Way::Large => self.admission.admit(way.class()).await,
        };
        self.queued(false);
        let permit = permit?;
        let plan = self.plan(way).await?;
        if plan.schema() != *schema {
            return Err(error);
        }
        Ok(self.ready(plan, attempt, permit))
    }

    async fn memory_is_back(&self) {
        let is_back = async {
            while self.memory().used() > 0 {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _late = timeout(MEMORY_BACK_MAX, is_back).await;
    }

    async fn plan(&self, way: Way) -> Result<Arc<dyn ExecutionPlan>> {
        let (params, asker) = (self.params.clone(), self.progress.asker());
        plan_in_turns(&self.ended, self.planner.plan(&self.sql, params, asker, way)).await
    }

    fn ready(&self, plan: Arc<dyn ExecutionPlan>, attempt: Attempt, permit: Permit) -> Ready {
        self.logged.planned(&plan);
        self.progress.plan_starts(&plan);
        let findings = Findings::default();
        let context = self.planner.context(attempt, &self.ended, self.memory(), &self.admission, &findings);
        Ready { plan, attempt, permit, context, findings }
    }

    fn queued(&self, is_queued: bool) {
        self.logged.queued(is_queued);
        self.progress.queued(is_queued);
    }

    /// Those who watch the query hold its plan, and so its snapshot.
    fn let_go(&self) {
        self.logged.plan_ended();
        self.progress.plan_ended();
    }

    fn memory(&self) -> &Arc<QueryMemory> {
        self.logged.memory()
    }

    /// Sends every batch, from the threads of its class.
    async fn forward(&self, ready: Ready, sender: &Arc<ResultSender>) -> Result<(), Failure> {
        let (class, sender) = (ready.attempt.way.class(), Arc::clone(sender));
        let (pools, admission) = (self.planner.memory().clone(), Arc::clone(&self.admission));
        let results = self.planner.results_pool(self.memory(), &admission);
        let work = async move { ready.forward(&pools, &admission, &results, &sender).await };
        let done = self.threads.run(class, work).await;
        done.unwrap_or_else(|error| Err(Failure { error, next: None }))
    }
}

impl Ready {
    async fn forward(
        self,
        pools: &ClassPools,
        admission: &Admission,
        results: &Arc<dyn MemoryPool>,
        sender: &ResultSender,
    ) -> Result<(), Failure> {
        let Self { plan, attempt, permit, context, findings } = self;
        let class = attempt.way.class();
        // Alone it has no more memory than it had, unless it can do with less.
        let could_repeat = attempt.way == Way::Small || !permit.is_alone || has_hash_join(&plan);
        let failure = |error: DataFusionError, sent: bool| {
            let next = match findings.widths.shorter() {
                _ if sent => None,
                Some(rows) => Some(attempt.with_rows(rows)),
                None if could_repeat && is_short_of_memory(&error) => attempt.with_more_memory(),
                None => None,
            };
            Failure { error, next }
        };
        let mut permit = Some(permit);
        let mut stream = execute_stream(plan, context).map_err(|error| failure(error, false))?;
        let mut sent = false;
        loop {
            let next = tokio::select! {
                biased;
                error = findings.exhausted.told() => Some(Err(error)),
                next = stream.next() => next,
            };
            let Some(batch) = next else { return Ok(()) };
            let batch = batch.map_err(|error| failure(error, sent))?;
            let bytes = batch_bytes(&batch);
            let memory = MemoryConsumer::new("result").register(results);
            // It is there already, and what may wait is bounded.
            memory.grow(bytes);
            if !read_on(sender, bytes, &mut permit, || pools.is_short(class)).await {
                return Ok(());
            }
            if batch.num_rows() > 0 {
                sent = true;
                findings.widths.no_other_run();
            }
            sender.push(Ok(batch), Some(memory));
            if permit.is_none() {
                permit = Some(admission.admit_again(class).await);
            }
        }
    }
}

/// Waits until there is room for a batch; whether anybody still reads. A query whose reader takes long gives its place to others. While memory
/// is short it keeps it, since what nobody reads takes memory, and no other query should begin beside it.
async fn read_on(
    sender: &ResultSender,
    bytes: usize,
    permit: &mut Option<Permit>,
    is_short: impl Fn() -> bool,
) -> bool {
    while permit.is_some() {
        match timeout(PLACE_KEPT, sender.room_for(bytes)).await {
            Ok(is_read) => return is_read,
            Err(_) if !is_short() => *permit = None,
            Err(_) => {}
        }
    }
    sender.room_for(bytes).await
}

fn name_of(attempt: Attempt) -> &'static str {
    match attempt {
        Attempt { rows: Some(_), .. } => "shorter",
        Attempt { way: Way::Alone, .. } => "alone",
        Attempt { .. } => "large",
    }
}

fn is_short_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// Walks without recursion: a plan may be deep.
fn has_hash_join(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut waiting = vec![plan];
    while let Some(node) = waiting.pop() {
        if node.name() == "HashJoinExec" {
            return true;
        }
        waiting.extend(node.children());
    }
    false
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use arrow::{array::RecordBatch, datatypes::Schema};

    use super::*;
    use crate::{
        admission::Class,
        results::{WaitingMax, results},
    };

    #[tokio::test]
    async fn a_place_kept_while_memory_is_short_is_given_up_once_it_is_not() {
        let (sender, _reader) = results(WaitingMax { batches: 1, bytes: 1 });
        sender.push(Ok(RecordBatch::new_empty(Arc::new(Schema::empty()))), None);
        let admission = Admission::new(1, 1, PLACE_KEPT);
        let mut permit = admission.try_admit(Class::Large);
        let looks = Cell::new(0);
        let is_short = || looks.replace(looks.get() + 1) < 2;
        let unread = timeout(4 * PLACE_KEPT, read_on(&sender, 1, &mut permit, is_short)).await;
        assert!(unread.is_err(), "nobody has read");
        assert!(permit.is_none() && admission.try_admit(Class::Large).is_some());
    }
}
