//! `SegmentScanExec`: the physical node. Planned from one snapshot, it holds everything it reads by `Arc`.

use std::{fmt, sync::Arc};

use arrow::datatypes::SchemaRef;
use datafusion::{
    catalog::Session,
    common::{Statistics, assert_or_internal_err, tree_node::TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, utils::reassign_expr_columns},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        coop::cooperative,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, stream};
use hexflight_engine::{DataFile, Snapshot, TableSpec};

use super::{
    context::ScanContext,
    dynamic::{DynamicPruner, only_dynamic},
    files::{FilesRequest, plan_files, with_times},
    layout::{self, MemorySlice, files_rows},
    limit::take_rows,
    memory::MemoryScan,
    prune_sources::{Kept, KeptBatch, PruneCounts},
    scan_counts::ScanCounts,
    scan_metrics::{self, MemoryMetrics},
    scan_statistics,
    spec::{ScanSources, ScanSpec},
};
use crate::guard::{Role, guard};

/// What a query wants of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScanRequest {
    /// Columns by index, in the order wanted; `None`: all.
    pub(crate) projection: Option<Vec<usize>>,
    /// Over all columns of the table.
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows after which each partition may stop.
    pub(crate) limit: Option<usize>,
}

/// Reads a snapshot's memory batches and Parquet files behind one schema.
///
/// **Rows**: exactly those that satisfy the predicate; at most the limit per partition; in no promised order.
#[derive(Debug, Clone)]
pub struct SegmentScanExec {
    snapshot: Arc<Snapshot>,
    context: ScanContext,
    /// What pruning left. Held until the last row of a run has come, so that no vacuum deletes a file that is read.
    kept_files: Arc<[Arc<DataFile>]>,
    kept_memory: Arc<[KeptBatch]>,
    projection: Arc<[usize]>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// The predicate as rows in memory are asked: what can fail is asked of rows that all else lets through.
    guarded: Option<Arc<dyn PhysicalExpr>>,
    /// Filters of operators above that tighten while the query runs; over all columns of the table.
    dynamic: Vec<Arc<dyn PhysicalExpr>>,
    limit: Option<usize>,
    /// One list per partition.
    memory: Vec<Arc<[MemorySlice]>>,
    /// The Parquet reader's plan; its partition n is read in ours.
    files: Option<Arc<dyn ExecutionPlan>>,
    /// The same as it was before filters of operators above were pushed into it.
    plain_files: Option<Arc<dyn ExecutionPlan>>,
    file_counts: PruneCounts,
    memory_counts: PruneCounts,
    statistics: Arc<Statistics>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl SegmentScanExec {
    /// Prunes and spreads the work over partitions.
    ///
    /// # Errors
    /// `Internal` when a projection or predicate does not fit the table.
    pub(crate) fn plan(snapshot: Arc<Snapshot>, request: ScanRequest, context: ScanContext) -> Result<Self> {
        let kept = Kept::of(&snapshot, request.predicate.as_ref());
        let metrics = ExecutionPlanMetricsSet::new();
        scan_metrics::record_pruning(&metrics, &kept);
        Self::over(snapshot, kept, request, context, metrics)
    }

    /// Scans what `spec` names, as far as `snapshot` has it, in the session of `state`.
    ///
    /// # Errors
    /// `Execution` when the snapshot is of another version, or has not all that is named; `Internal` when it is of another table, or when
    /// the projection or the predicate does not fit it.
    pub fn of_spec(snapshot: Arc<Snapshot>, spec: ScanSpec, state: &dyn Session) -> Result<Self> {
        let ScanSpec { sources, projection, predicate, limit } = spec;
        let kept = sources.find(&snapshot, predicate.as_ref())?;
        let metrics = ExecutionPlanMetricsSet::new();
        scan_metrics::record_pruning(&metrics, &kept);
        let request = ScanRequest { projection: Some(projection), predicate, limit };
        Self::over(snapshot, kept, request, ScanContext::of(state), metrics)
    }

    /// What this scan reads, for a scan elsewhere. Filters of operators above are no part of it.
    #[must_use]
    pub fn to_spec(&self) -> ScanSpec {
        let memory = self.kept_memory.iter().map(|kept| &kept.batch);
        ScanSpec {
            sources: ScanSources::of(&self.snapshot, &self.kept_files, memory),
            projection: self.projection.to_vec(),
            predicate: self.predicate.clone(),
            limit: self.limit,
        }
    }

    /// Spreads over partitions what pruning has left.
    fn over(
        snapshot: Arc<Snapshot>,
        kept: Kept,
        request: ScanRequest,
        context: ScanContext,
        metrics: ExecutionPlanMetricsSet,
    ) -> Result<Self> {
        let schema = snapshot.spec().query_schema();
        let projection = request.projection.unwrap_or_else(|| (0..schema.fields().len()).collect());
        let projected = Arc::new(schema.project(&projection)?);
        let guarded = request.predicate.as_ref();
        let guarded = guarded.map(|predicate| guard(predicate, schema, Role::Filter)).transpose()?;
        let partitions = layout::partition_count(&kept.files, &kept.memory, context.partitions_max());
        let files = (!kept.files.is_empty())
            .then(|| {
                let request = FilesRequest {
                    table: snapshot.spec().name(),
                    schema,
                    files: &kept.files,
                    projection: &projection,
                    predicate: request.predicate.as_ref(),
                    limit: request.limit,
                    partitions,
                };
                plan_files(&request, &context)
            })
            .transpose()?;
        let file_partitions = files.as_ref().map_or(0, partition_count_of);
        Ok(Self {
            statistics: Arc::new(scan_statistics::of(&kept, &projected, request.predicate.is_some())),
            memory: layout::spread(
                &kept.memory,
                &kept.files,
                file_partitions,
                partitions.max(file_partitions),
            ),
            properties: properties(&projected, partitions.max(file_partitions)),
            projection: projection.into(),
            predicate: request.predicate,
            guarded,
            dynamic: Vec::new(),
            limit: request.limit,
            plain_files: files.clone(),
            files,
            file_counts: kept.file_counts,
            memory_counts: kept.memory_counts,
            kept_files: kept.files.into(),
            kept_memory: kept.memory.into(),
            context,
            metrics,
            snapshot,
        })
    }

    /// The same scan of all that is in memory and of `files` alone, which are some of those kept, with other columns. Counts
    /// on in the metrics of this one.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub(crate) fn narrowed(&self, files: Vec<Arc<DataFile>>, columns: &[&str]) -> Result<Self> {
        let schema = self.snapshot.spec().query_schema();
        let projection = columns.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?;
        let kept = Kept {
            files,
            memory: self.kept_memory.to_vec(),
            file_counts: self.file_counts.clone(),
            memory_counts: self.memory_counts.clone(),
        };
        let request =
            ScanRequest { projection: Some(projection), predicate: self.predicate.clone(), limit: None };
        Self::over(Arc::clone(&self.snapshot), kept, request, self.context.clone(), self.metrics.clone())
    }

    /// The table.
    pub(crate) fn spec(&self) -> &TableSpec {
        self.snapshot.spec()
    }

    /// Over all columns of the table.
    pub(crate) fn predicate(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        self.predicate.as_ref()
    }

    /// Files that pruning left.
    pub(crate) fn files(&self) -> &[Arc<DataFile>] {
        &self.kept_files
    }

    /// Whether pruning left nothing in memory.
    pub(crate) fn memory_is_empty(&self) -> bool {
        self.kept_memory.is_empty()
    }

    /// Rows that are looked at, at most.
    pub(crate) fn rows_max(&self) -> usize {
        let memory: usize = self.kept_memory.iter().map(KeptBatch::row_count).sum();
        memory.saturating_add(files_rows(&self.kept_files))
    }

    /// What has been done so far; grows while the scan runs.
    pub(crate) fn counts(&self) -> ScanCounts {
        let reader = self.files.as_ref().and_then(|files| files.metrics());
        let own = self.metrics.clone_inner();
        ScanCounts::of(&self.file_counts, &self.memory_counts, &own, reader.as_ref())
    }

    fn memory_scan(&self, partition: usize, baseline: &BaselineMetrics, context: &TaskContext) -> MemoryScan {
        MemoryScan {
            slices: Arc::clone(&self.memory[partition]),
            predicate: self.guarded.clone(),
            dynamic: DynamicPruner::new(&self.dynamic, self.snapshot.spec()),
            projection: Arc::clone(&self.projection),
            schema: self.schema(),
            batch_rows: context.session_config().batch_size(),
            metrics: MemoryMetrics::new(&self.metrics, baseline, partition),
        }
    }

    /// Everything but the rows: two scans are alike if this text is.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "SegmentScanExec: table={}", self.snapshot.spec().name())?;
        write!(f, ", projection=[{}]", columns.join(", "))?;
        if let Some(predicate) = &self.predicate {
            write!(f, ", predicate={predicate}")?;
        }
        for filter in &self.dynamic {
            write!(f, ", dynamic={filter}")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        write!(f, ", files={}, memory_batches={}", self.file_counts, self.memory_counts)?;
        write!(f, ", partitions={}", self.memory.len())
    }
}

fn partition_count_of(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.properties().partitioning.partition_count()
}

fn properties(schema: &SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    let properties = PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
}

impl DisplayAs for SegmentScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => self.describe(f),
            DisplayFormatType::TreeRender => {
                writeln!(f, "table={}", self.snapshot.spec().name())?;
                writeln!(f, "files={}", self.file_counts)?;
                writeln!(f, "memory_batches={}", self.memory_counts)
            }
        }
    }
}

impl ExecutionPlan for SegmentScanExec {
    fn name(&self) -> &'static str {
        "SegmentScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        assert_or_internal_err!(
            children.is_empty(),
            "SegmentScanExec is a leaf, got {} children",
            children.len()
        );
        Ok(self)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expression in self.predicate.iter().chain(&self.dynamic) {
            if f(expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        self.files.as_ref().map_or(Ok(TreeNodeRecursion::Continue), |files| files.apply_expressions(f))
    }

    /// The Parquet reader hands out its files once per run; a plan that runs again needs them again. Operators above make new filters, and what
    /// the old ones found is not true of this run.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.plain_files.clone().map(ExecutionPlan::reset_state).transpose()?;
        Ok(Arc::new(Self { dynamic: Vec::new(), plain_files: files.clone(), files, ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.memory.len();
        assert_or_internal_err!(partition < partitions, "partition {partition} of {partitions} asked for");
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let memory = self.memory_scan(partition, &baseline, &context).into_stream();
        self.context.decode_memory.count_with(context.memory_pool());
        let files = match &self.files {
            Some(files) if partition < partition_count_of(files) => {
                files.execute(partition, context)?.boxed()
            }
            _ => stream::empty().boxed(),
        };
        let read = Arc::clone(&self.kept_files);
        let rows = take_rows(memory.chain(files), self.limit).map(move |batch| {
            // The plan may be gone while its rows still come: a file that is named is not deleted.
            let _named = &read;
            batch.record_output(&baseline)
        });
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), rows))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let reader = self.files.as_ref().and_then(|files| files.metrics());
        Some(scan_metrics::with_reader_metrics(self.metrics.clone_inner(), reader))
    }

    /// Of all partitions together; how the rows lie in one of them is only guessed.
    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(match (args.partition(), self.limit) {
            (None, None) => Arc::clone(&self.statistics),
            (None, Some(limit)) => {
                Arc::new(scan_statistics::at_most(&self.statistics, limit * self.memory.len()))
            }
            (Some(_), _) => Arc::new(scan_statistics::share(&self.statistics, self.memory.len())),
        })
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let with_limit = |files: &Option<Arc<dyn ExecutionPlan>>| match files {
            Some(files) => files.with_fetch(limit).map(Some),
            None => Some(None),
        };
        let (files, plain_files) = (with_limit(&self.files)?, with_limit(&self.plain_files)?);
        Some(Arc::new(Self { limit, files, plain_files, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    /// Dynamic filters only ever skip what their operator would drop, so it is not told that they are applied.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        filters: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let dynamic = only_dynamic(&filters, &self.schema());
        // Below a limit a filter would change which rows the limit takes.
        let useless = dynamic.parent_filters.is_empty() || self.limit.is_some();
        if matches!(phase, FilterPushdownPhase::Pre) || useless {
            return Ok(FilterPushdownPropagation::all_unsupported(filters));
        }
        let mut updated = self.clone();
        updated.statistics = Arc::new(Statistics::clone(&self.statistics).to_inexact());
        for parent in &dynamic.parent_filters {
            let schema = self.snapshot.spec().query_schema();
            updated.dynamic.push(reassign_expr_columns(Arc::clone(&parent.filter), schema)?);
        }
        if let Some(files) = &self.files {
            let files = with_times(files, self.snapshot.spec().query_schema());
            let pushed = files.handle_child_pushdown_result(phase, dynamic, config)?;
            updated.files = Some(pushed.updated_node.unwrap_or(files));
        }
        Ok(FilterPushdownPropagation::all_unsupported(filters).with_updated_node(Arc::new(updated)))
    }
}
