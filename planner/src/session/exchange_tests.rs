//! Exchanges whose inputs find no memory: in DataFusion 55 they spill, and can then wait for each other for ever. Here the query ends.
//!
//! **Source**: <https://github.com/apache/datafusion/issues/24883>

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt64Array},
    error::ArrowError,
};
use datafusion::{
    datasource::memory::MemorySourceConfig,
    error::Result,
    execution::{
        memory_pool::{MemoryConsumer, MemoryPool},
        runtime_env::RuntimeEnvBuilder,
    },
    physical_expr::{Partitioning, expressions::col},
    physical_plan::{execute_stream_partitioned, repartition::RepartitionExec},
    prelude::{SessionConfig, SessionContext},
};
use futures::{StreamExt, TryStreamExt, stream};
use hexflight_engine::{Budget, time};

use crate::{
    admission::Admission,
    memory::{BudgetPool, Exhausted, QueryMemory, QueryPool},
};

const BATCHES: usize = 200;
const BATCH_ROWS: usize = 64;
/// Half a batch, which is what each side gets of one, is more than an operator may have where nothing is left. **Units**: bytes.
const TEXT_BYTES: usize = 4 << 10;
const ATTEMPTS: usize = 12;
/// All attempts together take less than a second.
const WAIT: Duration = Duration::from_secs(20);

fn batch() -> Result<RecordBatch, ArrowError> {
    let (rows, text) = (0..BATCH_ROWS, "x".repeat(TEXT_BYTES));
    let keys = UInt64Array::from_iter_values(rows.clone().map(|row| row as u64));
    let texts = StringArray::from_iter_values(rows.map(|_| &text));
    let columns: [(&str, ArrayRef); 2] = [("key", Arc::new(keys)), ("text", Arc::new(texts))];
    RecordBatch::try_from_iter(columns)
}

/// Exchanges the rows of two partitions beside queries that have all memory; returns how many came.
async fn exchanged() -> Result<usize> {
    let all = Arc::new(BudgetPool::new(Budget::new(10_000_000), 1.0));
    let shared: Arc<dyn MemoryPool> = Arc::clone(&all) as _;
    let others = MemoryConsumer::new("other queries").register(&shared);
    others.try_grow(all.limit())?;
    let (memory, exhausted) = (Arc::<QueryMemory>::default(), Exhausted::default());
    let admission = Arc::new(Admission::new(4, 10, Duration::ZERO));
    let pool: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(all, memory, admission, true, exhausted.clone()));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
    let config = SessionConfig::new().with_batch_size(BATCH_ROWS);
    let context = SessionContext::new_with_config_rt(config, runtime).task_ctx();
    let batch = batch()?;
    let partitions = vec![vec![batch.clone(); BATCHES]; 2];
    let rows = MemorySourceConfig::try_new_exec(&partitions, batch.schema(), None)?;
    let by_key = Partitioning::Hash(vec![col("key", &batch.schema())?], 2);
    let exchange = Arc::new(RepartitionExec::try_new(rows, by_key)?);
    let outputs = execute_stream_partitioned(exchange, context)?;
    // One after the other, as a merge may: while the first waits, nobody takes what is there for the second.
    let batches = stream::iter(outputs).flatten();
    let count = batches.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows()));
    tokio::select! {
        rows = count => rows,
        error = exhausted.told() => Err(error),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_of_an_exchange_that_find_no_memory_do_not_wait_for_each_other() {
    for _ in 0..ATTEMPTS {
        let end = time::timeout(WAIT, exchanged()).await;
        assert!(end.is_ok(), "no answer and no error within {WAIT:?}");
    }
}
