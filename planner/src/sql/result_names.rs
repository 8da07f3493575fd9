//! The names of a result's columns, where the plan has others because two are alike.

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, LogicalPlan},
};

use super::column_id::ColumnId;

/// The names to give a result in the place of the plan's; `None` if those are right.
///
/// # Errors
/// Propagates the errors of DataFusion's tree walk; none is expected.
pub(crate) fn result_names(plan: &LogicalPlan) -> Result<Option<Vec<String>>> {
    let fields = plan.schema().fields();
    if !fields.iter().any(|field| ColumnId::of(field.name()).is_some()) {
        return Ok(None);
    }
    fields.iter().map(|field| result_name(plan, field.name())).collect::<Result<_>>().map(Some)
}

fn result_name(plan: &LogicalPlan, column: &str) -> Result<String> {
    Ok(match ColumnId::of(column) {
        None => column.to_owned(),
        Some(ColumnId { name: "", .. }) => {
            let name = named_expression(plan, column)?.unwrap_or_else(|| column.to_owned());
            // A subquery has the name of its column, which may be one of ours, too.
            ColumnId::of(&name).map_or_else(|| name.clone(), |id| id.name.to_owned())
        }
        Some(id) => id.name.to_owned(),
    })
}

/// What DataFusion calls the expression that was given a name.
fn named_expression(plan: &LogicalPlan, column: &str) -> Result<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::Alias(alias) = part
                    && alias.name == column
                    && !matches!(alias.expr.as_ref(), Expr::Column(inner) if inner.name == column)
                {
                    found = Some(alias.expr.qualified_name().1);
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
