//! `QueryOptions`: every limit of the read path, with its default.

use std::{num::NonZeroUsize, path::PathBuf, thread::available_parallelism, time::Duration};

/// Settings of a [`QueryEngine`](crate::QueryEngine); `QueryOptions::default()` is what `hexflight serve` uses.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// Threads that plan and run queries, and partitions of a large scan.
    pub target_partitions: usize,
    /// Rows of a batch between operators.
    pub batch_rows: usize,
    /// Share of the engine's memory budget that all queries together may hold, 0 to 1.
    pub memory_share: f64,
    /// Whether aggregates are answered from rollups; without, from rows alone, with the same answers.
    pub rollups: bool,
    /// Share of the engine's memory budget that rollups and decoded columns may take, 0 to 1; they give way to everything else.
    pub cache_share: f64,
    /// Limit on cached Parquet footers and page indexes. **Units**: bytes.
    pub metadata_cache_bytes: usize,
    /// Where sorts and aggregates spill; `None`: they do not, and fail when memory is used up.
    pub spill_directory: Option<PathBuf>,
    /// Limit on what is spilled at once. **Units**: bytes.
    pub spill_bytes_max: u64,
    /// Longest SQL text. **Units**: bytes.
    pub sql_bytes_max: usize,
    /// Most tokens of a SQL text.
    pub sql_tokens_max: usize,
    /// Brackets within brackets. Planning time can double with each.
    pub sql_depth_max: usize,
    /// Operators applied to the result of operators; a sum of n terms has n − 1. Planning time grows with the square.
    pub sql_operators_max: usize,
    /// Nodes of a logical plan, with every use of a WITH query counted.
    pub plan_nodes_max: usize,
    /// Joins of a logical plan. Planning time grows faster than with the square.
    pub plan_joins_max: usize,
    /// Stack of each query thread; the recursion of planning is bounded to fit. **Units**: bytes.
    pub stack_bytes: usize,
    /// Large queries that run at once: those that are not answered from rollups or few rows.
    pub queries_max: usize,
    /// Queries that wait for their turn at once, large ones and others.
    pub queue_max: usize,
    /// How long a query waits for its turn before it is refused.
    pub queue_wait_max: Duration,
    /// Memory of the whole process beyond which its largest query is ended; `None`: nobody looks. **Units**: bytes.
    pub process_bytes_max: Option<usize>,
    /// Gives memory that was freed back to the system, of an allocator that keeps it for a while; `None`: it has no such call.
    pub give_back: Option<fn()>,
    /// Called at the start of each thread for large queries, so that all others go first; `None`: they are like others.
    pub stand_back: Option<fn()>,
    /// Batches of a result that wait for the client.
    pub stream_batches_max: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            target_partitions: cores(),
            batch_rows: 8_192,
            memory_share: 0.6,
            rollups: true,
            cache_share: 0.4,
            metadata_cache_bytes: 64 << 20,
            spill_directory: None,
            spill_bytes_max: 4 << 30,
            sql_bytes_max: 1 << 20,
            sql_tokens_max: 20_000,
            sql_depth_max: 16,
            sql_operators_max: 1_000,
            plan_nodes_max: 2_000,
            plan_joins_max: 64,
            stack_bytes: 64 << 20,
            queries_max: default_queries_max(),
            queue_max: 1_000,
            queue_wait_max: Duration::from_secs(30),
            process_bytes_max: None,
            give_back: None,
            stand_back: None,
            stream_batches_max: 4,
        }
    }
}

/// Two large queries a core: one computes while the other reads.
#[must_use]
pub fn default_queries_max() -> usize {
    (2 * cores()).max(4)
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}
