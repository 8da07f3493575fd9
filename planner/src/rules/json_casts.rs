//! `JsonCasts`: casts of what `->` gives that `datafusion-functions-json` makes by way of a double or not at all. It runs before that
//! crate's own rewriter, which reads the other types out of the JSON. That one makes NULL of a number that does not fit the integer
//! asked for (its `json_get_int`, as of 0.55), so that a wrong answer looks like an absent key; here such a cast is an error.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, ExprSchema, tree_node::Transformed},
    config::ConfigOptions,
    error::Result,
    logical_expr::{Cast, Expr, TryCast, expr::ScalarFunction, expr_rewriter::FunctionRewrite},
};
use datafusion_functions_json::{
    JSON_UNION_DATA_TYPE,
    udfs::{json_as_text_udf, json_get_json_udf},
};

use crate::functions::{json_boolean, json_number_text, json_string, json_whole_text};

/// Reads decimals and integers by their digits and moments as text.
#[derive(Debug)]
pub(crate) struct JsonCasts;

impl FunctionRewrite for JsonCasts {
    fn name(&self) -> &'static str {
        "json_casts"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let rewritten = match &expr {
            Expr::Cast(Cast { expr, field }) => readable(expr, field.data_type(), schema)
                .map(|value| Expr::Cast(Cast { expr: Box::new(value), field: Arc::clone(field) })),
            Expr::TryCast(TryCast { expr, field }) => readable(expr, field.data_type(), schema)
                .map(|value| Expr::TryCast(TryCast { expr: Box::new(value), field: Arc::clone(field) })),
            Expr::ScalarFunction(call) => arrow_cast(call, schema).map(Expr::ScalarFunction),
            _ => None,
        };
        Ok(rewritten.map_or_else(|| Transformed::no(expr), Transformed::yes))
    }
}

/// A cast that names Arrow's type in a text: it becomes a cast only later.
fn arrow_cast(call: &ScalarFunction, schema: &DFSchema) -> Option<ScalarFunction> {
    let [value, Expr::Literal(name, _)] = call.args.as_slice() else { return None };
    if !matches!(call.func.name(), "arrow_cast" | "arrow_try_cast") {
        return None;
    }
    let value = readable(value, &name.try_as_str()??.parse().ok()?, schema)?;
    Some(ScalarFunction { func: Arc::clone(&call.func), args: vec![value, call.args[1].clone()] })
}

/// What to cast to `data_type` instead of the union; `None` for what is left to the crate.
fn readable(value: &Expr, data_type: &DataType, schema: &DFSchema) -> Option<Expr> {
    use DataType::{Boolean, Date32, Date64, Interval, Time32, Time64, Timestamp};
    let json = Json::of(value, schema)?;
    Some(match (data_type, json) {
        (whole, json) if whole.is_integer() => json_whole_text(json.raw()),
        (decimal, json) if decimal.is_decimal() => json_number_text(json.raw()),
        (Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_) | Interval(_), json) => json.text(),
        (double, Json::Column(_)) if double.is_floating() => json_number_text(value.clone()),
        (Boolean, Json::Column(_)) => json_boolean(value.clone()),
        _ => return None,
    })
}

/// What is cast.
enum Json<'e> {
    /// `->`.
    Look(&'e ScalarFunction),
    /// A column of a subquery that `->` gives.
    Column(&'e Expr),
}

impl<'e> Json<'e> {
    fn of(value: &'e Expr, schema: &DFSchema) -> Option<Self> {
        match value {
            Expr::Alias(alias) => Self::of(&alias.expr, schema),
            Expr::ScalarFunction(call) if call.func.name() == "json_get" => Some(Self::Look(call)),
            Expr::Column(column) => {
                let field = schema.field_from_column(column).ok()?;
                (*field.data_type() == *JSON_UNION_DATA_TYPE).then_some(Self::Column(value))
            }
            _ => None,
        }
    }

    /// JSON as text, or the union, which is text once the analyzer is done.
    fn raw(self) -> Expr {
        match self {
            Self::Look(call) => json_get_json_udf().call(call.args.clone()),
            Self::Column(column) => column.clone(),
        }
    }

    fn text(self) -> Expr {
        match self {
            Self::Look(call) => json_as_text_udf().call(call.args.clone()),
            Self::Column(column) => json_string(column.clone()),
        }
    }
}
