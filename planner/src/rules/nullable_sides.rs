//! `NullableSides`: what is known of the values of columns ends where rows get NULLs in their place. DataFusion carries a constant of the inner side
//! of an outer join above the join, and a constant of its input through ROLLUP and CUBE, so that nothing sorts by such a column any more,
//! although it is NULL in some rows. (datafusion-physical-expr 55.2, `EquivalenceGroup::join`, and `AggregateExec` with grouping sets.)

use std::{fmt, sync::Arc};

use datafusion::{
    common::{
        JoinType, Statistics,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    config::ConfigOptions,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        EquivalenceProperties, PhysicalExpr,
        equivalence::{EquivalenceClass, EquivalenceGroup},
        expressions::Column,
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        aggregates::AggregateExec,
        execution_plan::{CardinalityEffect, replace_children_if_necessary},
        filter_pushdown::{
            ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
        },
        joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec},
        statistics::{ChildStats, StatisticsArgs},
    },
};

/// The rule of DataFusion that sorts and distributes by what is known.
pub(super) const BEFORE: &str = "EnsureRequirements";

/// Puts a [`ForgetExec`] below such joins and aggregates, where there is something to forget.
#[derive(Debug)]
pub(super) struct NullableSides;

impl PhysicalOptimizerRule for NullableSides {
    fn name(&self) -> &'static str {
        "NullableSides"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let inputs = nullable_inputs(node.as_ref());
            let mut children: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
            let mut is_changed = false;
            for (child, kept) in children.iter_mut().zip(inputs) {
                let Some(kept) = kept else { continue };
                if child.properties().equivalence_properties().eq_group().iter().next().is_some() {
                    *child = Arc::new(ForgetExec::new(Arc::clone(child), kept));
                    is_changed = true;
                }
            }
            Ok(if is_changed {
                Transformed::yes(replace_children_if_necessary(node, children)?)
            } else {
                Transformed::no(node)
            })
        })
        .map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What stays true of the values of each input of a node; `None` where all does.
fn nullable_inputs(node: &dyn ExecutionPlan) -> [Option<Kept>; 2] {
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return [aggregate.group_expr().has_grouping_set().then_some(Kept::Nothing), None];
    }
    let join_type = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        *join.join_type()
    } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        *join.join_type()
    } else if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
        join.join_type()
    } else {
        return [None; 2];
    };
    let columns = Some(Kept::EqualColumns);
    match join_type {
        JoinType::Left => [None, columns],
        JoinType::Right => [columns, None],
        JoinType::Full => [columns, columns],
        _ => [None; 2],
    }
}

/// What stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Columns that are equal: they become NULL together.
    EqualColumns,
    /// Nothing: each column becomes NULL alone.
    Nothing,
}

/// Passes rows on, and of what is known of their values what is [`Kept`].
#[derive(Debug)]
struct ForgetExec {
    input: Arc<dyn ExecutionPlan>,
    kept: Kept,
    properties: Arc<PlanProperties>,
}

impl ForgetExec {
    fn new(input: Arc<dyn ExecutionPlan>, kept: Kept) -> Self {
        let known = input.properties().equivalence_properties();
        let mut left = EquivalenceProperties::new(Arc::clone(known.schema()));
        if kept == Kept::EqualColumns {
            let added = left.add_equivalence_group(equal_columns(known.eq_group()));
            debug_assert!(added.is_ok(), "classes of one schema fit together");
            left.add_orderings(known.oeq_class().iter().cloned());
        }
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(left);
        Self { input, kept, properties: Arc::new(properties) }
    }
}

fn equal_columns(group: &EquivalenceGroup) -> EquivalenceGroup {
    let is_column = |part: &&Arc<dyn PhysicalExpr>| part.downcast_ref::<Column>().is_some();
    let columns =
        group.iter().map(|class| EquivalenceClass::new(class.iter().filter(is_column).map(Arc::clone)));
    EquivalenceGroup::new(columns.filter(|class| !class.is_trivial()))
}

impl DisplayAs for ForgetExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForgetExec")
    }
}

impl ExecutionPlan for ForgetExec {
    fn name(&self) -> &'static str {
        "ForgetExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![self.kept == Kept::EqualColumns]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::new(input, self.kept)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::clone(&input_stats[0]))
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(child_pushdown_result))
    }
}
