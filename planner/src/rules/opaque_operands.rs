//! `OpaqueOperands`: keeps DataFusion from turning conditions about computed values into conditions about columns. For `CAST(x AS BIGINT) = 3`
//! it casts the 3 back and holds x for constant, so that nothing sorts by it any more; but x may be 3.5. The same goes for `n / 2 = 3` in
//! whole numbers. (datafusion-physical-expr 55.2, `intervals/cp_solver.rs`.)

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    logical_expr::{ColumnarValue, Operator},
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, CastExpr, NegativeExpr},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        filter::{FilterExec, FilterExecBuilder},
    },
};

/// Runs before the rules that ask what is sorted.
#[derive(Debug)]
pub(super) struct OpaqueOperands;

impl PhysicalOptimizerRule for OpaqueOperands {
    fn name(&self) -> &'static str {
        "OpaqueOperands"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(filter) = node.downcast_ref::<FilterExec>() else { return Ok(Transformed::no(node)) };
            let predicate = opaque(filter.predicate())?;
            if !predicate.transformed {
                return Ok(Transformed::no(node));
            }
            let filter = FilterExecBuilder::from(filter).with_predicate(predicate.data).build()?;
            Ok(Transformed::yes(Arc::new(filter) as _))
        })
        .map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same condition with its computed operands wrapped.
fn opaque(predicate: &Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(predicate).transform_down(|part| {
        if part.downcast_ref::<Opaque>().is_some() {
            return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
        }
        if !is_computed(&part) {
            return Ok(Transformed::no(part));
        }
        Ok(Transformed::new(Arc::new(Opaque { inner: part }), true, TreeNodeRecursion::Jump))
    })
}

/// Whether intervals are computed backwards through it.
fn is_computed(part: &Arc<dyn PhysicalExpr>) -> bool {
    part.downcast_ref::<CastExpr>().is_some()
        || part.downcast_ref::<NegativeExpr>().is_some()
        || part.downcast_ref::<BinaryExpr>().is_some_and(|binary| {
            matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide)
        })
}

/// A value of which nothing follows for what it is computed from.
#[derive(Debug, Eq)]
struct Opaque {
    inner: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Hash for Opaque {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl PhysicalExpr for Opaque {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
