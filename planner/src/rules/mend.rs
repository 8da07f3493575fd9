//! `MendExpressions`: an analyzer rule that walks a plan once for several mends of expressions, subqueries included. A mend says
//! which expressions concern it, so that a plan without any is neither walked nor copied.

use std::fmt;

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan, utils::merge_schema},
    optimizer::{AnalyzerRule, utils::NamePreserver},
};

/// Rewrites expressions that DataFusion would answer wrongly.
pub(super) trait Mend: fmt::Debug + Send + Sync {
    /// Whether a plan with this expression may have something to mend. Looks at the expression alone, not into it.
    fn concerns(&self, part: &Expr) -> bool;

    /// Mends an expression of a node whose inputs have `schema`. The value of the expression keeps its name.
    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>>;

    /// Mends a node as a whole, once its expressions are.
    fn mend_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        Ok(Transformed::no(node))
    }
}

/// Runs some mends one after the other at each node, from the leaves up.
#[derive(Debug)]
pub(super) struct MendExpressions {
    name: &'static str,
    mends: Vec<Box<dyn Mend>>,
}

impl MendExpressions {
    pub(super) fn new(name: &'static str, mends: Vec<Box<dyn Mend>>) -> Self {
        Self { name, mends }
    }

    /// The mends that a plan needs.
    fn wanted(&self, plan: &LogicalPlan) -> Result<Vec<&dyn Mend>> {
        let mut wanted = vec![false; self.mends.len()];
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                expression.apply(|part| {
                    for (mend, wanted) in self.mends.iter().zip(&mut wanted) {
                        *wanted = *wanted || mend.concerns(part);
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(self.mends.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(mend, _)| &**mend).collect())
    }
}

impl AnalyzerRule for MendExpressions {
    fn name(&self) -> &str {
        self.name
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let wanted = self.wanted(&plan)?;
        if wanted.is_empty() {
            return Ok(plan);
        }
        // A column whose type a mend changes has another type in all nodes above.
        let mut changed = false;
        let mended = plan.transform_up_with_subqueries(|node| {
            let node = mend_node(node, &wanted)?;
            changed |= node.transformed;
            if !changed {
                return Ok(node);
            }
            Ok(Transformed::yes(node.data.recompute_schema()?))
        })?;
        Ok(mended.data)
    }
}

fn mend_node(node: LogicalPlan, mends: &[&dyn Mend]) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&node.inputs());
    if let LogicalPlan::TableScan(scan) = &node {
        schema.merge(&scan.projected_schema);
    }
    let names = NamePreserver::new(&node);
    let mended = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let mut mended = Transformed::no(expression);
        for mend in mends {
            mended = mended.transform_data(|expression| mend.mend(expression, &schema))?;
        }
        Ok(mended.update_data(|expression| name.restore(expression)))
    })?;
    mends.iter().try_fold(mended, |node, mend| node.transform_data(|node| mend.mend_node(node)))
}
