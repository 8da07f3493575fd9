//! `JsonCasts`: casts of what `->` gives that `datafusion-functions-json` makes by way of a double or not at all. It runs before that
//! crate's own rewriter, which reads the other types out of the JSON.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, tree_node::Transformed},
    config::ConfigOptions,
    error::Result,
    logical_expr::{Cast, Expr, TryCast, cast, expr::ScalarFunction, expr_rewriter::FunctionRewrite},
};
use datafusion_functions_json::udfs::{json_as_text_udf, json_get_int_udf, json_get_json_udf};

use crate::functions::json_number_text;

/// Reads decimals by their digits, small integers as integers and moments as text.
#[derive(Debug)]
pub(crate) struct JsonCasts;

impl FunctionRewrite for JsonCasts {
    fn name(&self) -> &'static str {
        "json_casts"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let rewritten = match &expr {
            Expr::Cast(Cast { expr, field }) => readable(expr, field.data_type())
                .map(|value| Expr::Cast(Cast { expr: Box::new(value), field: Arc::clone(field) })),
            Expr::TryCast(TryCast { expr, field }) => readable(expr, field.data_type())
                .map(|value| Expr::TryCast(TryCast { expr: Box::new(value), field: Arc::clone(field) })),
            _ => None,
        };
        Ok(rewritten.map_or_else(|| Transformed::no(expr), Transformed::yes))
    }
}

/// What to cast to `data_type` instead of the union; `None` for what is left to the crate.
fn readable(value: &Expr, data_type: &DataType) -> Option<Expr> {
    use DataType::{
        Date32, Date64, Decimal128, Decimal256, Int8, Int16, Interval, Time32, Time64, Timestamp, UInt8,
        UInt16, UInt32, UInt64,
    };
    let call = look(value)?;
    let args = || call.args.clone();
    Some(match data_type {
        Decimal128(..) | Decimal256(..) => json_number_text(json_get_json_udf().call(args())),
        UInt64 => cast(json_number_text(json_get_json_udf().call(args())), Decimal128(20, 0)),
        Int8 | Int16 | UInt8 | UInt16 | UInt32 => json_get_int_udf().call(args()),
        Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_) | Interval(_) => {
            json_as_text_udf().call(args())
        }
        _ => return None,
    })
}

fn look(value: &Expr) -> Option<&ScalarFunction> {
    match value {
        Expr::Alias(alias) => look(&alias.expr),
        Expr::ScalarFunction(call) if call.func.name() == "json_get" => Some(call),
        _ => None,
    }
}
