//! `Sliced`: rows on their way into the right side of a nested loop join, which makes a batch of each of its batches and a left row, however
//! long that is. They come as the session says, also from a scan that hands on what is in memory as it lies there.

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
pub(crate) struct Sliced;

impl Sliced {
    /// The node above `input`.
    pub(crate) fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(ThroughExec::new(input, Self))
    }
}

impl Through for Sliced {
    const NAME: &'static str = "SlicedExec";

    fn anew(&self) -> Self {
        Self
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        let metrics = SplitMetrics::new(&ExecutionPlanMetricsSet::new(), partition);
        Ok(Box::pin(BatchSplitStream::new(input.execute(partition, context)?, rows, metrics)))
    }
}
