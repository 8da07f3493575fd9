//! `BitwiseSigns`: keeps DataFusion's simplification away from `-x` in `x & -x`: it takes the sign for a bitwise NOT, and makes 0 of what
//! is the lowest bit. And from `x # x`, which it makes 0 where `x` is null.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, lit},
};

use super::{mend::Mend, set_apart::set_apart};

/// Writes `0 - x` for `-x`. Runs once types are known.
#[derive(Debug)]
pub(super) struct BitwiseSigns;

impl Mend for BitwiseSigns {
    fn concerns(&self, part: &Expr) -> bool {
        matches!(part, Expr::BinaryExpr(BinaryExpr { op, .. }) if is_bitwise(*op))
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if !expression.exists(|part| Ok(self.concerns(part)))? {
            return Ok(Transformed::no(expression));
        }
        expression.transform_up(|part| match part {
            Expr::Negative(value) => match value.get_type(schema)? {
                whole if whole.is_integer() => Ok(Transformed::yes(difference(*value, &whole)?)),
                _ => Ok(Transformed::no(Expr::Negative(value))),
            },
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::BitwiseXor, right }) => {
                let left = Box::new(set_apart(*left, "left of #"));
                let xor = BinaryExpr::new(left, Operator::BitwiseXor, right);
                Ok(Transformed::yes(Expr::BinaryExpr(xor)))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn difference(value: Expr, data_type: &DataType) -> Result<Expr> {
    let zero = Box::new(lit(ScalarValue::new_zero(data_type)?));
    Ok(Expr::BinaryExpr(BinaryExpr::new(zero, Operator::Minus, Box::new(value))))
}

fn is_bitwise(op: Operator) -> bool {
    matches!(op, Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor)
}
