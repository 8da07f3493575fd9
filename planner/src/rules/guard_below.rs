//! `GuardBelow`: an AND or OR with an operand that can fail is computed in a projection below windows, sorts and ordered aggregates, as
//! `type = 'pump' AND (metadata->>'level')::int > 2` in `sum(CASE WHEN … THEN 1 END) OVER ()`. Those nodes compute their arguments, filters
//! and keys themselves, over whole batches; in a projection `GuardConditions` finds them.

use std::sync::Arc;

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        Expr, LogicalPlan, Operator, Projection,
        expr::{WindowFunction, WindowFunctionParams},
    },
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder, utils::NamePreserver},
};

use crate::guard::logical_can_fail;

/// See the module. What it has rewritten are columns, which it leaves alone.
#[derive(Debug)]
pub(super) struct GuardBelow;

impl OptimizerRule for GuardBelow {
    fn name(&self) -> &'static str {
        "guard_below"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let input = match &plan {
            LogicalPlan::Window(window) => Arc::clone(&window.input),
            LogicalPlan::Sort(sort) => Arc::clone(&sort.input),
            LogicalPlan::Aggregate(aggregate) => Arc::clone(&aggregate.input),
            _ => return Ok(Transformed::no(plan)),
        };
        if !has_junction(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let mut below = Below { schema: Arc::clone(input.schema()), computed: vec![] };
        let names = NamePreserver::new(&plan);
        let is_sort = matches!(plan, LogicalPlan::Sort(_));
        let node = plan.map_expressions(|mut expression| {
            if is_sort {
                let any = below.move_out(&mut expression)?;
                return Ok(Transformed::new_transformed(expression, any));
            }
            let name = names.save(&expression);
            Ok(below.moved_of_calls(expression)?.update_data(|expression| name.restore(expression)))
        })?;
        if below.computed.is_empty() {
            return Ok(node);
        }
        over_projection(node.data, below.computed, &input).map(Transformed::yes)
    }
}

fn has_junction(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expression| {
        found |= expression.exists(|part| Ok(is_junction(part)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn is_junction(part: &Expr) -> bool {
    matches!(part, Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or))
}

/// The node over a projection that has the computed columns besides those of the input, and the node's own columns above.
fn over_projection(node: LogicalPlan, computed: Vec<Expr>, input: &Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let columns = |plan: &LogicalPlan| plan.schema().iter().map(Expr::from).collect::<Vec<_>>();
    let kept = columns(&node);
    let below = [columns(input), computed].concat();
    let below = LogicalPlan::Projection(Projection::try_new(below, Arc::clone(input))?);
    let node = node.with_new_exprs(node.expressions(), vec![below])?;
    Ok(match &node {
        LogicalPlan::Aggregate(_) => node,
        _ => LogicalPlan::Projection(Projection::try_new(kept, Arc::new(node))?),
    })
}

/// What is to be computed below a node.
struct Below {
    schema: Arc<DFSchema>,
    computed: Vec<Expr>,
}

impl Below {
    /// Moves the arguments and keys of window functions, and the keys of aggregates; other parts of aggregates are guarded in place.
    fn moved_of_calls(&mut self, expression: Expr) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| match part {
            Expr::WindowFunction(call) => self.moved_of_window(*call),
            Expr::AggregateFunction(mut call) => {
                let mut any = false;
                for key in &mut call.params.order_by {
                    any |= self.move_out(&mut key.expr)?;
                }
                Ok(Transformed::new_transformed(Expr::AggregateFunction(call), any))
            }
            other => Ok(Transformed::no(other)),
        })
    }

    fn moved_of_window(&mut self, mut call: WindowFunction) -> Result<Transformed<Expr>> {
        let WindowFunctionParams { args, partition_by, order_by, filter, .. } = &mut call.params;
        let mut any = false;
        for part in args.iter_mut().chain(partition_by).chain(order_by.iter_mut().map(|key| &mut key.expr)) {
            any |= self.move_out(part)?;
        }
        if let Some(filter) = filter
            && self.needs_guard(filter)?
        {
            // As in any filter, null is as good as false.
            let mut kept = filter.as_ref().clone().is_true();
            any |= self.move_out(&mut kept)?;
            **filter = kept;
        }
        Ok(Transformed::new_transformed(Expr::from(call), any))
    }

    /// Puts a column in the place of an expression that needs guards.
    fn move_out(&mut self, expression: &mut Expr) -> Result<bool> {
        if !self.needs_guard(expression)? {
            return Ok(false);
        }
        let name = self.fresh_name();
        let column = Expr::Column(name.as_str().into());
        self.computed.push(std::mem::replace(expression, column).alias(name));
        Ok(true)
    }

    /// A name that no column below has: what an earlier pass has moved may be among them.
    fn fresh_name(&self) -> String {
        let mut number = self.computed.len();
        loop {
            let name = format!("__guarded_{number}");
            let is_taken = self.schema.fields().iter().any(|field| *field.name() == name)
                || self.computed.iter().any(|column| column.schema_name().to_string() == name);
            if !is_taken {
                return name;
            }
            number += 1;
        }
    }

    fn needs_guard(&self, expression: &Expr) -> Result<bool> {
        Ok(expression.exists(|part| Ok(is_junction(part)))?
            && !expression.contains_outer()
            && logical_can_fail(expression, &self.schema)?)
    }
}
