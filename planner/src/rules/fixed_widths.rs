//! `FixedWidths`: refuses casts to types whose values all have the same large size, null among them: `NULL::INT[1000000000]` is four
//! gigabytes, and a batch has thousands of values.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, plan_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{Cast, Expr, TryCast},
};

use super::mend::Mend;
use crate::functions::Bounds;

/// See the module.
#[derive(Debug)]
pub(super) struct FixedWidths {
    bytes_max: u64,
}

impl FixedWidths {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { bytes_max: bounds.folded_bytes() }
    }
}

impl Mend for FixedWidths {
    fn concerns(&self, part: &Expr) -> bool {
        width_of(part).is_some_and(|(_, width)| width > self.bytes_max)
    }

    fn mend(&self, expression: Expr, _: &DFSchema) -> Result<Transformed<Expr>> {
        expression.apply(|part| match width_of(part) {
            Some((data_type, width)) if width > self.bytes_max => plan_err!(
                "{data_type}: each value has {width} bytes, null too; values of one size have at most {} bytes",
                self.bytes_max
            ),
            _ => Ok(TreeNodeRecursion::Continue),
        })?;
        Ok(Transformed::no(expression))
    }
}

/// The type that something is cast to, and what each of its values takes.
fn width_of(part: &Expr) -> Option<(DataType, u64)> {
    let data_type = match part {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => field.data_type().clone(),
        Expr::ScalarFunction(call) if matches!(call.func.name(), "arrow_cast" | "arrow_try_cast") => {
            let Some(Expr::Literal(name, _)) = call.args.get(1) else { return None };
            name.try_as_str()??.parse().ok()?
        }
        _ => return None,
    };
    let width = fixed_bytes(&data_type);
    Some((data_type, width))
}

/// What a null takes.
fn fixed_bytes(data_type: &DataType) -> u64 {
    let positive = |number: i32| u64::try_from(number).unwrap_or_default();
    match data_type {
        DataType::FixedSizeBinary(width) => positive(*width),
        DataType::FixedSizeList(item, size) => {
            positive(*size).saturating_mul(fixed_bytes(item.data_type()).max(1))
        }
        DataType::Struct(fields) => {
            fields.iter().fold(0, |sum, field| sum.saturating_add(fixed_bytes(field.data_type())))
        }
        other => other.primitive_width().map_or(16, |width| u64::try_from(width).unwrap_or(u64::MAX)),
    }
}
