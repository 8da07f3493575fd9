//! `RollupAggregateExec`: the physical node. Takes the place of an aggregate and the scan below it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use datafusion::{
    common::{assert_or_internal_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        coop::cooperative,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{context::Work, counters::Counters, output, question::Question, run::Run, top::Top};
use crate::{
    cache::SegmentCache,
    scan::{ScanCounts, SegmentScanExec},
};

/// Answers a question over one snapshot.
///
/// **Rows**: one per group, in no promised order, in one partition; with a top, at least the groups that can be in it.
#[derive(Debug, Clone)]
pub(crate) struct RollupAggregateExec {
    question: Arc<Question>,
    scan: Arc<SegmentScanExec>,
    cache: Arc<SegmentCache>,
    top: Option<Top>,
    /// The scan of what rollups cannot answer, once it runs.
    scanned: Arc<OnceLock<Arc<SegmentScanExec>>>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl RollupAggregateExec {
    /// Answers with the groups' keys, then the measures. `known` is what is known of these columns: a node above that counts on a constant
    /// one asks again when it runs.
    pub(crate) fn new(
        question: Question,
        scan: Arc<SegmentScanExec>,
        cache: Arc<SegmentCache>,
        top: Option<Top>,
        known: EquivalenceProperties,
    ) -> Self {
        let properties = PlanProperties::new(
            known,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            question: Arc::new(question),
            scan,
            cache,
            top,
            scanned: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative)),
        }
    }

    /// What has been done so far; grows while it runs.
    pub(crate) fn counts(&self) -> ScanCounts {
        let mut counts = self.running_scan().counts();
        counts.add_aggregate(&self.metrics.clone_inner());
        counts
    }

    /// The scan that runs; before, the one that was planned. Both count in the same metrics, but for what is read of files.
    fn running_scan(&self) -> &Arc<SegmentScanExec> {
        self.scanned.get().unwrap_or(&self.scan)
    }

    fn run(&self, context: &Arc<TaskContext>) -> Run {
        let names = self.cache.names();
        let devices = self.question.facts.devices.as_ref().map(|wanted| {
            let mut names = names.write();
            let mut numbers: Vec<u32> = wanted.iter().map(|name| names.number(name)).collect();
            numbers.sort_unstable();
            numbers.into()
        });
        let leaders = self.top.filter(|top| top.wants_leaders(&self.question));
        let work = Work {
            question: Arc::clone(&self.question),
            cache: Arc::clone(&self.cache),
            names,
            devices,
            leaders_only: leaders.is_some(),
            fingerprint: self.question.fingerprint(),
            counters: Counters::new(&self.metrics),
        };
        let reservation = MemoryConsumer::new("RollupAggregateExec").register(context.memory_pool());
        Run { work, leaders, scan: Arc::clone(&self.scan), scanned: Arc::clone(&self.scanned), reservation }
    }

    /// What is known before it runs: files wholly in the window, at its edges, and without a rollup.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = self.question.facts.window;
        let (mut inside, mut edge, mut without) = (0, 0, 0);
        for file in self.scan.files() {
            match (&file.rollup, file.time()) {
                (None, _) => without += 1,
                (Some(_), Some(time)) if window.holds(time) => inside += 1,
                (Some(_), _) => edge += 1,
            }
        }
        write!(f, "RollupAggregateExec: {}", self.question)?;
        if let Some(Top { measure, descending, count }) = self.top {
            let order = if descending { "largest" } else { "smallest" };
            write!(f, ", top={count} {order} {}", format!("{measure:?}").to_lowercase())?;
        }
        write!(f, ", files: inside={inside} edge={edge} without_rollup={without}, ")?;
        self.scan.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for RollupAggregateExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => self.describe(f),
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.question),
        }
    }
}

impl ExecutionPlan for RollupAggregateExec {
    fn name(&self) -> &'static str {
        "RollupAggregateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// The scan is no child: what of it is read is decided file by file.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        assert_or_internal_err!(
            children.is_empty(),
            "RollupAggregateExec is a leaf, got {} children",
            children.len()
        );
        Ok(self)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.scan.apply_expressions(f)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { scanned: Arc::default(), ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        assert_or_internal_err!(partition == 0, "partition {partition} of 1 asked for");
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let run = self.run(&context);
        let (question, names, top) = (Arc::clone(&self.question), Arc::clone(&run.work.names), self.top);
        let schema = self.schema();
        let answer = async move {
            let batch_rows = context.session_config().batch_size();
            let groups = run.answer(context).await?;
            let batches = output::batches(&question, &groups, &names, top.as_ref(), &schema, batch_rows)?;
            Ok::<_, DataFusionError>(stream::iter(batches.into_iter().map(Ok)))
        };
        let batches = stream::once(answer).try_flatten().map(move |batch| batch.record_output(&baseline));
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), batches.boxed()))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut own = self.metrics.clone_inner();
        for metric in self.running_scan().metrics().iter().flat_map(MetricsSet::iter) {
            own.push(Arc::clone(metric));
        }
        Some(own)
    }
}
