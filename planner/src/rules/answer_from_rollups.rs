//! `AnswerFromRollups`: replaces an aggregate over the scan by a leaf that answers it, where the question is one that it can.

use std::sync::Arc;

use datafusion::{
    config::ConfigOptions,
    error::Result,
    physical_expr::expressions::Column,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateMode},
        coalesce_partitions::CoalescePartitionsExec,
        filter::FilterExec,
        limit::{GlobalLimitExec, LocalLimitExec},
        projection::ProjectionExec,
        repartition::RepartitionExec,
        replace_children_if_necessary,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
    },
};

use crate::{
    aggregate::{Question, RollupAggregateExec, Top},
    cache::Caches,
    predicate::Facts,
    scan::SegmentScanExec,
};

/// Runs after DataFusion's own rules, on plans as they would be run.
#[derive(Debug)]
pub(crate) struct AnswerFromRollups {
    caches: Caches,
}

/// What the nodes above want of an aggregate.
#[derive(Debug, Clone, Default)]
struct Wanted {
    /// Whether they do not mind in how many partitions it comes.
    any_partitions: bool,
    /// Column of the aggregate's output by which only the first are wanted.
    top: Option<TopColumn>,
}

#[derive(Debug, Clone, Copy)]
struct TopColumn {
    index: usize,
    descending: bool,
    count: usize,
}

impl AnswerFromRollups {
    /// Reads files of each table through its cache.
    pub(crate) fn new(caches: Caches) -> Self {
        Self { caches }
    }

    fn rewrite(&self, plan: Arc<dyn ExecutionPlan>, wanted: &Wanted) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(answered) = self.answer(&plan, wanted)? {
            return Ok(answered);
        }
        let of_child = wanted_of_child(&plan, wanted);
        let children = plan.children();
        let rewritten = children.into_iter().map(|child| self.rewrite(Arc::clone(child), &of_child));
        let rewritten = rewritten.collect::<Result<Vec<_>>>()?;
        replace_children_if_necessary(plan, rewritten)
    }

    /// The leaf that answers a whole aggregate, if `plan` is one of the right kind.
    fn answer(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        wanted: &Wanted,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(last) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
        let Some((first, scan)) = first_stage(last) else { return Ok(None) };
        let Some(cache) = self.caches.get(scan.spec().name()) else { return Ok(None) };
        let facts = Facts::of(scan.predicate());
        let Some(question) = Question::of(first, facts, scan.spec().h3_resolution()) else { return Ok(None) };
        let top = wanted.top.and_then(|top| Top::of(&question, top.index, top.descending, top.count));
        let mut known = plan.properties().eq_properties.clone();
        known.clear_orderings();
        let leaf = RollupAggregateExec::new(question, Arc::new(scan.clone()), Arc::clone(cache), top, known);
        let leaf: Arc<dyn ExecutionPlan> = Arc::new(leaf);
        let partitioning = &plan.properties().partitioning;
        if wanted.any_partitions || partitioning.partition_count() == 1 {
            return Ok(Some(leaf));
        }
        Ok(Some(Arc::new(RepartitionExec::try_new(leaf, partitioning.clone())?)))
    }
}

impl PhysicalOptimizerRule for AnswerFromRollups {
    fn name(&self) -> &'static str {
        "AnswerFromRollups"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rewrite(plan, &Wanted { any_partitions: true, top: None })
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The stage of an aggregate that reads the scan, and the scan: the aggregate itself, or the partial one below it.
fn first_stage(last: &AggregateExec) -> Option<(&AggregateExec, &SegmentScanExec)> {
    let first = match last.mode() {
        AggregateMode::Single | AggregateMode::SinglePartitioned => last,
        AggregateMode::Final | AggregateMode::FinalPartitioned => {
            let mut below = last.input();
            while below.is::<CoalescePartitionsExec>() || below.is::<RepartitionExec>() {
                below = *below.children().first()?;
            }
            below.downcast_ref::<AggregateExec>().filter(|first| *first.mode() == AggregateMode::Partial)?
        }
        _ => return None,
    };
    let scan = first.input().downcast_ref::<SegmentScanExec>()?;
    // A limit below an aggregate chooses rows.
    scan.fetch().is_none().then_some((first, scan))
}

/// What a node's children may give it: nodes that handle any number of partitions hand that on.
fn wanted_of_child(plan: &Arc<dyn ExecutionPlan>, wanted: &Wanted) -> Wanted {
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        return Wanted { any_partitions: wanted.any_partitions, top: top_of(sort) };
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let top = wanted.top.and_then(|top| {
            let expr = &projection.expr().get(top.index)?.expr;
            Some(TopColumn { index: expr.downcast_ref::<Column>()?.index(), ..top })
        });
        return Wanted { any_partitions: wanted.any_partitions, top };
    }
    let merges = plan.is::<SortPreservingMergeExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<GlobalLimitExec>();
    let passes = plan.is::<FilterExec>() || plan.is::<LocalLimitExec>();
    Wanted { any_partitions: merges || (passes && wanted.any_partitions), top: None }
}

fn top_of(sort: &SortExec) -> Option<TopColumn> {
    let first = sort.expr().iter().next()?;
    let index = first.expr.downcast_ref::<Column>()?.index();
    Some(TopColumn { index, descending: first.options.descending, count: sort.fetch()? })
}
