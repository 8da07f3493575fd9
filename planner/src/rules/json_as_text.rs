//! `JsonAsText`: what `->` gives is JSON as text wherever it is more than a step on the way to another function. In
//! `datafusion-functions-json` it is a union type, which cannot be compared, sorted or grouped, and which JSON, CSV, Parquet and many
//! readers of Arrow refuse. Runs after the rules that turn comparisons and casts of `->` into typed look-ups.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan, ScalarUDF, Union, expr::ScalarFunction},
    optimizer::{AnalyzerRule, utils::NamePreserver},
};
use datafusion_functions_json::{JSON_UNION_DATA_TYPE, udfs::json_union_to_text_udf};

use crate::functions::{JSON_CONTAINS, JSON_GET, JsonContains, JsonGet};

/// See the module.
#[derive(Debug)]
pub(super) struct JsonAsText {
    get: Arc<ScalarUDF>,
    contains: Arc<ScalarUDF>,
    to_text: Arc<ScalarUDF>,
}

impl JsonAsText {
    pub(super) fn new() -> Self {
        Self { get: JsonGet::udf(), contains: JsonContains::udf(), to_text: json_union_to_text_udf() }
    }

    fn rewrite(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        let plan = plan.map_expressions(|expression| {
            if !expression.exists(|part| Ok(is_json(part)))? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| Ok(self.as_text(part)))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?;
        // Columns that come from below may have become text.
        plan.map_data(of_text).map(|plan| Transformed::yes(plan.data))
    }

    fn as_text(&self, part: Expr) -> Transformed<Expr> {
        match part {
            Expr::ScalarFunction(call) => match call.func.name() {
                JSON_GET if !call.func.inner().is::<JsonGet>() => called(&self.get, call.args),
                GET_JSON => called(&self.get, call.args),
                JSON_CONTAINS if !call.func.inner().is::<JsonContains>() => called(&self.contains, call.args),
                FROM_SCALAR => called(&self.to_text, vec![Expr::ScalarFunction(call)]),
                TO_TEXT => match <[Expr; 1]>::try_from(call.args) {
                    Ok([argument]) if is_text(&argument) => Transformed::yes(argument),
                    Ok([argument]) => called(&self.to_text, vec![argument]),
                    Err(arguments) => called(&self.to_text, arguments),
                },
                _ => Transformed::no(Expr::ScalarFunction(call)),
            },
            Expr::OuterReferenceColumn(field, column) if field.data_type() == &*JSON_UNION_DATA_TYPE => {
                let field = field.as_ref().clone().with_data_type(DataType::Utf8);
                Transformed::yes(Expr::OuterReferenceColumn(Arc::new(field), column))
            }
            other => Transformed::no(other),
        }
    }
}

/// Gives the same text, marked as JSON by metadata of its field, by which some readers make another type of it.
const GET_JSON: &str = "json_get_json";
const FROM_SCALAR: &str = "json_from_scalar";
const TO_TEXT: &str = "json_union_to_text";

impl AnalyzerRule for JsonAsText {
    fn name(&self) -> &'static str {
        "json_as_text"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                found |= expression.exists(|part| Ok(is_json(part)))?;
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        if !found {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| self.rewrite(node)).map(|plan| plan.data)
    }
}

/// The same node over inputs whose JSON is text. A set operation keeps the types that it was made with unless it is made again.
fn of_text(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Union(union) => Union::try_new_with_loose_types(union.inputs).map(LogicalPlan::Union),
        plan => plan.recompute_schema(),
    }
}

/// Whether an expression may be a union, or false where it should be null.
fn is_json(part: &Expr) -> bool {
    match part {
        Expr::ScalarFunction(call) => {
            matches!(call.func.name(), JSON_GET | GET_JSON | JSON_CONTAINS | FROM_SCALAR | TO_TEXT)
        }
        Expr::OuterReferenceColumn(field, _) => field.data_type() == &*JSON_UNION_DATA_TYPE,
        _ => false,
    }
}

fn is_text(argument: &Expr) -> bool {
    match argument {
        Expr::Alias(alias) => is_text(&alias.expr),
        Expr::ScalarFunction(call) => call.func.inner().is::<JsonGet>() || call.func.name() == TO_TEXT,
        _ => false,
    }
}

fn called(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> Transformed<Expr> {
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: Arc::clone(function), args }))
}
