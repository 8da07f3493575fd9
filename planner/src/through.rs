//! `ThroughExec`: a node that hands its input's rows on, partition by partition and in their order, with something done on the way.

use std::{fmt, sync::Arc};

use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::CardinalityEffect,
    },
};

/// What is done on the way.
pub(crate) trait Through: fmt::Debug + Send + Sync + 'static {
    /// Of the node.
    const NAME: &'static str;

    /// For an input that was changed; as if nothing had run.
    fn anew(&self) -> Self;

    /// # Errors
    /// Those of the input, and what goes wrong on the way.
    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// Those of the input but for what is changed.
    fn properties(input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
        Arc::clone(input.properties())
    }
}

/// See the module. Made after DataFusion's rules: none of them has to look through it.
#[derive(Debug)]
pub(crate) struct ThroughExec<T> {
    input: Arc<dyn ExecutionPlan>,
    way: T,
    properties: Arc<PlanProperties>,
}

impl<T: Through> ThroughExec<T> {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, way: T) -> Self {
        let properties = T::properties(&input);
        Self { input, way, properties }
    }
}

impl<T: Through> DisplayAs for ThroughExec<T> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }
}

impl<T: Through> ExecutionPlan for ThroughExec<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
        Ok(Arc::new(Self::new(input, self.way.anew())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.way.execute(&self.input, partition, context)
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
