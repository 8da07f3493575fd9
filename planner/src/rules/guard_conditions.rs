//! `GuardConditions`: what is computed above the scan, in filters, projections, joins and aggregates, gives an operand of AND or OR
//! that can fail only the rows that the other operands leave open. DataFusion computes both sides of most of them.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, aggregate::AggregateFunctionExpr, expressions::BinaryExpr, split_conjunction,
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, PhysicalGroupBy},
        filter::{FilterExec, FilterExecBuilder},
        joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
        projection::{ProjectionExec, ProjectionExpr},
    },
};

use crate::guard::{Role, can_fail, guard};

/// Runs after the rules that read conditions.
#[derive(Debug)]
pub(super) struct GuardConditions;

impl PhysicalOptimizerRule for GuardConditions {
    fn name(&self) -> &'static str {
        "GuardConditions"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match guarded(&node)? {
                Some(guarded) => Transformed::yes(guarded),
                None => Transformed::no(node),
            })
        })
        .map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// `None` where there is nothing to guard.
fn guarded(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        return guarded_filter(filter);
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        return guarded_projection(projection);
    }
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return guarded_aggregate(aggregate);
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let Some(filter) = join.filter().and_then(condition).transpose()? else { return Ok(None) };
        return join.builder().with_filter(Some(filter)).build_exec().map(Some);
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let Some(filter) = join.filter().and_then(condition).transpose()? else { return Ok(None) };
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?;
        return Ok(Some(Arc::new(join)));
    }
    Ok(None)
}

fn guarded_filter(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = filter.input().schema();
    if !can_fail(filter.predicate(), &schema) {
        return Ok(None);
    }
    let guarded = guard(filter.predicate(), &schema, Role::Filter)?;
    let predicate = sure_equalities(filter.predicate(), &schema)
        .fold(guarded, |all, equality| Arc::new(BinaryExpr::new(all, Operator::And, equality)));
    Ok(Some(Arc::new(FilterExecBuilder::from(filter).with_predicate(predicate).build()?)))
}

/// Conditions from which the nodes above conclude that a column is constant, or equal to another. A window sorts by no such column, and
/// refuses to run when it cannot see that any more.
fn sure_equalities<'a>(
    predicate: &'a Arc<dyn PhysicalExpr>,
    schema: &'a Schema,
) -> impl Iterator<Item = Arc<dyn PhysicalExpr>> + 'a {
    let is_equality = |part: &&Arc<dyn PhysicalExpr>| {
        let binary = part.downcast_ref::<BinaryExpr>();
        binary.is_some_and(|binary| matches!(binary.op(), Operator::Eq | Operator::IsNotDistinctFrom))
    };
    let conjuncts = split_conjunction(predicate).into_iter();
    conjuncts.filter(is_equality).filter(|part| !can_fail(part, schema)).map(Arc::clone)
}

fn guarded_projection(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = projection.input().schema();
    if !projection.expr().iter().any(|part| can_fail(&part.expr, &schema)) {
        return Ok(None);
    }
    let parts = projection.expr().iter().map(|part| {
        Ok(ProjectionExpr { expr: guard(&part.expr, &schema, Role::Value)?, alias: part.alias.clone() })
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let input = Arc::clone(projection.input());
    let guarded = ProjectionExec::try_new_with_schema_metadata(parts, input, &projection.schema())?;
    Ok(Some(Arc::new(guarded)))
}

/// Only what reads rows: a final aggregate reads states, of which nothing can fail.
fn guarded_aggregate(aggregate: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = aggregate.input().schema();
    let can_fail = |part: &Arc<dyn PhysicalExpr>| can_fail(part, &schema);
    let reads_rows = aggregate.input_schema().fields() == schema.fields();
    let any = aggregate.filter_expr().iter().flatten().any(can_fail)
        || aggregate.group_expr().expr().iter().any(|(key, _)| can_fail(key))
        || aggregate.aggr_expr().iter().any(|call| call.expressions().iter().any(can_fail));
    if !reads_rows || !any {
        return Ok(None);
    }
    let filters = aggregate
        .filter_expr()
        .iter()
        .map(|filter| filter.as_ref().map(|filter| guard(filter, &schema, Role::Filter)).transpose());
    let calls = aggregate.aggr_expr().iter().map(|call| guarded_call(call, &schema));
    let guarded = AggregateExec::try_new(
        *aggregate.mode(),
        guarded_keys(aggregate.group_expr(), &schema)?,
        calls.collect::<Result<_>>()?,
        filters.collect::<Result<_>>()?,
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?;
    Ok(Some(Arc::new(guarded.with_limit_options(aggregate.limit_options()))))
}

fn guarded_keys(keys: &PhysicalGroupBy, schema: &Schema) -> Result<PhysicalGroupBy> {
    let guarded = keys.expr().iter().map(|(key, name)| Ok((guard(key, schema, Role::Value)?, name.clone())));
    let guarded = guarded.collect::<Result<_>>()?;
    Ok(PhysicalGroupBy::new(
        guarded,
        keys.null_expr().to_vec(),
        keys.groups().to_vec(),
        keys.has_grouping_set(),
    ))
}

fn guarded_call(call: &Arc<AggregateFunctionExpr>, schema: &Schema) -> Result<Arc<AggregateFunctionExpr>> {
    let arguments = call.expressions();
    let arguments = arguments.iter().map(|argument| guard(argument, schema, Role::Value));
    let order = call.order_bys().iter().map(|part| Arc::clone(&part.expr)).collect();
    let guarded = call.with_new_expressions(arguments.collect::<Result<_>>()?, order);
    Ok(guarded.map_or_else(|| Arc::clone(call), Arc::new))
}

fn condition(filter: &JoinFilter) -> Option<Result<JoinFilter>> {
    if !can_fail(filter.expression(), filter.schema()) {
        return None;
    }
    let guarded = guard(filter.expression(), filter.schema(), Role::Filter).map(|expression| {
        JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    Some(guarded)
}
