//! `Held`: a node of a logical plan through which no filter is pushed. What stands above it sees only the rows that come out of what
//! stands below. In a physical plan nothing is left of it.

use std::{cmp::Ordering, fmt, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::{DFSchemaRef, internal_err},
    error::Result,
    execution::context::QueryPlanner,
    logical_expr::{
        Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
        physical_planning_context::PhysicalPlanningContext,
    },
    physical_plan::ExecutionPlan,
    physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner},
};

/// See the module. That no filter passes is DataFusion's default for nodes that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Held {
    input: LogicalPlan,
}

impl Held {
    /// A plan that filters stay above.
    pub(super) fn over(input: LogicalPlan) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(Self { input }) })
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Held {
    fn name(&self) -> &str {
        "Held"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => Ok(Self { input }),
            Err(inputs) => internal_err!("Held has one input, got {}", inputs.len()),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}

/// DataFusion's planner, which leaves [`Held`] out.
#[derive(Debug)]
pub(crate) struct PlanHeld;

#[async_trait]
impl QueryPlanner for PlanHeld {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(LeaveOut)]);
        planner.create_physical_plan(plan, session).await
    }
}

struct LeaveOut;

#[async_trait]
impl ExtensionPlanner for LeaveOut {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let is_held = node.as_any().is::<Held>();
        Ok(physical_inputs.first().filter(|_| is_held).map(Arc::clone))
    }
}
