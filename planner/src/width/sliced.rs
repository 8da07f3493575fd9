//! `Sliced`: rows that come in batches as short as the session says, or shorter, also from a scan that hands on what is in memory as it lies there.
//! For the right side of a nested loop join, which makes a batch of each of its batches and a left row, and for what makes many columns of
//! each row before it asks for memory.

use std::sync::Arc;

use datafusion::{
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        ExecutionPlan,
        metrics::{ExecutionPlanMetricsSet, SplitMetrics},
        stream::BatchSplitStream,
    },
};

use crate::through::{Through, ThroughExec};

/// See the module.
#[derive(Debug)]
pub(crate) struct Sliced {
    rows_max: usize,
}

impl Sliced {
    /// The node above `input`.
    pub(crate) fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Self::to(input, usize::MAX)
    }

    /// The node above `input` whose batches have at most so many rows.
    pub(crate) fn to(input: Arc<dyn ExecutionPlan>, rows_max: usize) -> Arc<dyn ExecutionPlan> {
        Arc::new(ThroughExec::new(input, Self { rows_max }))
    }
}

impl Through for Sliced {
    const NAME: &'static str = "SlicedExec";

    fn anew(&self) -> Self {
        Self { rows_max: self.rows_max }
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size().min(self.rows_max);
        let metrics = SplitMetrics::new(&ExecutionPlanMetricsSet::new(), partition);
        Ok(Box::pin(BatchSplitStream::new(input.execute(partition, context)?, rows, metrics)))
    }
}
