//! Expressions that are a column of the table, by what the column is for.

use std::sync::Arc;

use datafusion::physical_expr::{PhysicalExpr, expressions::Column};
use hexflight_engine::TableRole;

/// The column that an expression is, whatever it is for.
pub(crate) fn role_of(expr: &Arc<dyn PhysicalExpr>) -> Option<TableRole> {
    TableRole::of(expr.downcast_ref::<Column>()?.name())
}

/// Whether an expression is the column of `role`.
pub(crate) fn is_role(expr: &Arc<dyn PhysicalExpr>, role: TableRole) -> bool {
    role_of(expr) == Some(role)
}
