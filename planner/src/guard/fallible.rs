//! Which expressions can fail for some rows: casts of text, divisions of integers, functions that refuse a value.

use arrow::datatypes::{DataType, Schema};
use datafusion::{
    common::{
        DFSchema,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{Cast, Expr, ExprSchemable, Operator},
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, CastExpr, Literal},
    },
};
use std::sync::Arc;

/// Functions that give a value, or null, for whatever they are given. That they refuse to build a value beyond all bounds is not meant here.
const TOTAL: [&str; 33] = [
    "abs",
    "btrim",
    "ceil",
    "character_length",
    "coalesce",
    "concat",
    "contains",
    "date_bin",
    "date_part",
    "date_trunc",
    "ends_with",
    "floor",
    "get_field",
    "greatest",
    "isnan",
    "least",
    "left",
    "lower",
    "ltrim",
    "md5",
    "nullif",
    "nvl",
    "octet_length",
    "random",
    "regexp_like",
    "replace",
    "right",
    "round",
    "rtrim",
    "starts_with",
    "strpos",
    "upper",
    "||",
];

/// Families of such functions.
const TOTAL_PREFIXES: [&str; 2] = ["json_", "geo_"];

/// Whether any part of an expression can fail. What cannot be told can.
pub(crate) fn can_fail(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let mut found = false;
    let walked = expression.apply(|part| {
        found = part_can_fail(part, schema);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found || walked.is_err()
}

fn part_can_fail(part: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    if let Some(cast) = part.downcast_ref::<CastExpr>() {
        return cast.expr().data_type(schema).map_or(true, |from| cast_can_fail(&from, cast.cast_type()));
    }
    if let Some(binary) = part.downcast_ref::<BinaryExpr>() {
        let is_constant = binary.right().downcast_ref::<Literal>().is_some_and(|literal| !is_zero(literal));
        return divides(binary.op())
            && !is_constant
            && !binary.left().data_type(schema).is_ok_and(|data_type| data_type.is_floating());
    }
    part.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| !is_total(call.name()))
}

fn is_zero(literal: &Literal) -> bool {
    let value = literal.value();
    value.is_null()
        || datafusion::common::ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero == *value)
}

/// Whether any part of an expression that is not planned yet can fail.
///
/// # Errors
/// `Plan` when the expression does not fit the schema.
pub(crate) fn logical_can_fail(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    expression.exists(|part| {
        Ok(match part {
            Expr::Cast(Cast { expr, field }) => cast_can_fail(&expr.get_type(schema)?, field.data_type()),
            Expr::BinaryExpr(binary) => divides(&binary.op) && !binary.left.get_type(schema)?.is_floating(),
            Expr::ScalarFunction(call) => !is_total(call.name()),
            _ => false,
        })
    })
}

fn divides(operator: &Operator) -> bool {
    matches!(operator, Operator::Divide | Operator::Modulo)
}

fn is_total(function: &str) -> bool {
    TOTAL.binary_search(&function).is_ok() || TOTAL_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// Text may not be what it is taken for, and a number may be too large.
fn cast_can_fail(from: &DataType, to: &DataType) -> bool {
    if from == to || to.is_string() || from.is_null() {
        return false;
    }
    let widens = from.is_temporal() && to.is_temporal()
        || from.is_numeric() && to.is_floating()
        || CastExpr::check_bigger_cast(to, from);
    !widens
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn text_and_large_numbers_can_fail_to_be_cast() {
        use DataType::{Boolean, Date32, Float32, Float64, Int32, Int64, Timestamp, Utf8, Utf8View};
        let time = Timestamp(TimeUnit::Microsecond, None);
        for (from, to) in
            [(Utf8View, Int32), (Utf8, Boolean), (Utf8, time.clone()), (Float64, Int64), (Int64, Int32)]
        {
            assert!(cast_can_fail(&from, &to), "{from} to {to}");
        }
        for (from, to) in
            [(Int32, Int64), (Int64, Float64), (Float64, Float32), (time, Date32), (Int64, Utf8)]
        {
            assert!(!cast_can_fail(&from, &to), "{from} to {to}");
        }
    }

    #[test]
    fn functions_that_never_fail_are_in_order() {
        assert!(TOTAL.is_sorted());
        assert!(is_total("lower") && is_total("json_as_text") && !is_total("to_timestamp"));
    }
}
