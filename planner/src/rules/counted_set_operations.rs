//! `CountSetOperations`: INTERSECT ALL and EXCEPT ALL count how often a row is there. DataFusion makes semi and anti joins of them, for
//! which one row of the other side stands for any number.

use std::sync::Arc;

use datafusion::{
    common::{Column, NullEquality, tree_node::Transformed},
    config::ConfigOptions,
    error::Result,
    functions_window::row_number::row_number_udwf,
    logical_expr::{
        Distinct, Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Window, WindowFunctionDefinition,
        expr::WindowFunction,
    },
    optimizer::AnalyzerRule,
};

/// What the rows of each side are numbered by, among those that are equal.
const OCCURRENCES: [&str; 2] = ["__occurrence_left", "__occurrence_right"];

/// Joins the first of equal rows to the first, the second to the second, and so on.
#[derive(Debug)]
pub(crate) struct CountSetOperations;

impl AnalyzerRule for CountSetOperations {
    fn name(&self) -> &'static str {
        "count_set_operations"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let counted = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Join(join) if is_counting(&join) => counted(join).map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        });
        counted.map(|counted| counted.data)
    }
}

/// Whether a join stands for INTERSECT ALL or EXCEPT ALL: nothing else in SQL compares whole rows so that NULL equals NULL, and without
/// ALL the left side is distinct, which makes them the same.
fn is_counting(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
}

fn counted(mut join: Join) -> Result<LogicalPlan> {
    let columns = join.schema.columns().into_iter().map(Expr::Column);
    let [left, right] = OCCURRENCES;
    join.left = Arc::new(numbered(join.left, left)?);
    join.right = Arc::new(numbered(join.right, right)?);
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    join.on.push((column(left), column(right)));
    let Join { left, right, on, join_type, join_constraint, null_equality, .. } = join;
    let join = Join::try_new(left, right, on, None, join_type, join_constraint, null_equality, false)?;
    LogicalPlanBuilder::from(LogicalPlan::Join(join)).project(columns)?.build()
}

fn numbered(side: Arc<LogicalPlan>, name: &str) -> Result<LogicalPlan> {
    let mut number = WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]);
    number.params.partition_by = side.schema().columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Window(Window::try_new(vec![Expr::from(number).alias(name)], side)?))
}
