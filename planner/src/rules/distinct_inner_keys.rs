//! `DistinctInnerKeys`: makes the inner side of IN, NOT IN and EXISTS distinct before the join. Such a join only asks whether there
//! is a row, but DataFusion's pairs every outer row with every inner one of its key first: over a column of few values that is
//! the square of the table. What a semi, anti or mark join gives depends on the set of its inner keys alone, NULL included; where it
//! asks besides whether a row is greater (less) than something, on the greatest (least) of each key.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::{Column, Dependency, tree_node::Transformed},
    error::Result,
    functions_aggregate::min_max::{max, min},
    logical_expr::{BinaryExpr, Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator},
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder},
};

/// Puts a GROUP BY of the keys, or LIMIT 1 where there are none, over the inner side. Runs last: by then the inner side is
/// reduced to the columns that the join compares.
#[derive(Debug)]
pub(crate) struct DistinctInnerKeys;

impl OptimizerRule for DistinctInnerKeys {
    fn name(&self) -> &'static str {
        "distinct_inner_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
        let Some(inner) = inner_side(&join) else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
        let Some(distinct) = distinct(&join, inner)? else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => join.left = Arc::new(distinct),
            _ => join.right = Arc::new(distinct),
        }
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

/// The side of which no column leaves the join.
fn inner_side(join: &Join) -> Option<&Arc<LogicalPlan>> {
    match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => Some(&join.right),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => Some(&join.left),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => None,
    }
}

/// The inner side with each combination of its keys once; `None` if it has that already, or no way to tell rows apart.
fn distinct(join: &Join, inner: &Arc<LogicalPlan>) -> Result<Option<LogicalPlan>> {
    let keys = columns_of(join.on.iter().flat_map(|(left, right)| [left, right]), inner);
    let compared = columns_of(&join.filter, inner);
    let all: Vec<usize> =
        keys.iter().chain(compared.iter().filter(|index| !keys.contains(index))).copied().collect();
    if inner.max_rows().is_some_and(|rows| rows <= 1) || has_each_once(inner, &all) {
        return Ok(None);
    }
    let builder = LogicalPlanBuilder::new_from_arc(Arc::clone(inner));
    if all.is_empty() {
        return builder.limit(0, Some(1))?.build().map(Some);
    }
    if all.iter().any(|index| matches!(inner.schema().field(*index).data_type(), DataType::Union(..))) {
        return Ok(None);
    }
    let column = |index: &usize| Column::from(inner.schema().qualified_field(*index));
    let columns =
        |indexes: &[usize]| indexes.iter().map(|index| Expr::Column(column(index))).collect::<Vec<_>>();
    if let [one] = compared.as_slice()
        && !keys.contains(one)
        && let Some(extreme) = extreme(join, inner, &column(one))
    {
        let Column { relation, name, .. } = column(one);
        return builder
            .aggregate(columns(&keys), [extreme.alias_qualified(relation, name)])?
            .build()
            .map(Some);
    }
    builder.aggregate(columns(&all), Vec::<Expr>::new())?.build().map(Some)
}

/// Which of a plan's columns some expressions name, as indexes in order.
fn columns_of<'a>(expressions: impl IntoIterator<Item = &'a Expr>, plan: &LogicalPlan) -> Vec<usize> {
    let columns = expressions.into_iter().flat_map(Expr::column_refs);
    let mut indexes: Vec<usize> =
        columns.filter_map(|column| plan.schema().maybe_index_of_column(column)).collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// The value of a column that decides the join's condition for all rows of a key, if the condition is one inequality about it.
fn extreme(join: &Join, inner: &LogicalPlan, column: &Column) -> Option<Expr> {
    let Some(Expr::BinaryExpr(BinaryExpr { left, op, right })) = &join.filter else { return None };
    let is_it = |side: &Expr| matches!(side, Expr::Column(named) if named == column);
    // What it is compared with must be the same for all rows of a key: `inner.x > outer.x * inner.x` may hold for any of them.
    let is_apart = |side: &Expr| !side.column_refs().contains(column);
    let op = match (is_it(left), is_it(right)) {
        (true, false) if is_apart(right) => *op,
        (false, true) if is_apart(left) => op.swap()?,
        _ => return None,
    };
    // A NaN is greater than all numbers for a comparison, and nothing at all for `max`.
    let is_float = inner
        .schema()
        .qualified_field_from_column(column)
        .is_ok_and(|(_, field)| field.data_type().is_floating());
    if is_float && !is_stored(inner, column) {
        return None;
    }
    match op {
        Operator::Gt | Operator::GtEq => Some(max(Expr::Column(column.clone()))),
        Operator::Lt | Operator::LtEq => Some(min(Expr::Column(column.clone()))),
        _ => None,
    }
}

/// Whether a column is one of a table's, which hold finite numbers.
fn is_stored(plan: &LogicalPlan, column: &Column) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Filter(filter) => is_stored(&filter.input, column),
        LogicalPlan::SubqueryAlias(alias) => {
            let index = plan.schema().maybe_index_of_column(column);
            index.is_some_and(|index| {
                is_stored(&alias.input, &Column::from(alias.input.schema().qualified_field(index)))
            })
        }
        LogicalPlan::Projection(projection) => {
            let index = plan.schema().maybe_index_of_column(column);
            matches!(
                index.and_then(|index| projection.expr.get(index)),
                Some(Expr::Column(below)) if is_stored(&projection.input, below)
            )
        }
        _ => false,
    }
}

/// Whether no two rows of a plan agree in all the columns.
fn has_each_once(plan: &LogicalPlan, columns: &[usize]) -> bool {
    plan.schema().functional_dependencies().iter().any(|known| {
        known.mode == Dependency::Single
            && !known.source_indices.is_empty()
            && known.source_indices.iter().all(|index| columns.contains(index))
    })
}
