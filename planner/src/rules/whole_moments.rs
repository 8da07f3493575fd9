//! `WholeMoments`: text that is cast to a moment may lack its seconds, as in `timestamp >= '2024-07-01 18:00'`. Arrow wants them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, ExprSchema, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        Cast, Expr, ExprSchemable, LogicalPlan, ScalarUDF, TryCast, expr::ScalarFunction, lit,
        utils::merge_schema,
    },
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder, utils::NamePreserver},
};

use crate::functions::{WholeMoment, whole_moment};

/// Runs before constants are computed.
#[derive(Debug)]
pub(super) struct WholeMoments {
    whole: Arc<ScalarUDF>,
}

impl WholeMoments {
    pub(super) fn new() -> Self {
        Self { whole: WholeMoment::udf() }
    }

    fn complete(&self, part: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match part {
            Expr::Cast(Cast { expr, field }) if is_moment(field.data_type()) => {
                self.text(*expr, schema).update_data(|expr| Expr::Cast(Cast { expr: Box::new(expr), field }))
            }
            Expr::TryCast(TryCast { expr, field }) if is_moment(field.data_type()) => self
                .text(*expr, schema)
                .update_data(|expr| Expr::TryCast(TryCast { expr: Box::new(expr), field })),
            Expr::ScalarFunction(ScalarFunction { func, mut args })
                if is_arrow_cast_to_moment(&func, &args) =>
            {
                let text = args.remove(0);
                self.text(text, schema).update_data(|text| {
                    args.insert(0, text);
                    Expr::ScalarFunction(ScalarFunction { func, args })
                })
            }
            other => Transformed::no(other),
        }
    }

    fn text(&self, text: Expr, schema: &DFSchema) -> Transformed<Expr> {
        if let Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) = &text
        {
            return Transformed::yes(lit(whole_moment(text).as_ref()));
        }
        let is_done = matches!(&text, Expr::ScalarFunction(call) if call.func.inner().is::<WholeMoment>());
        if is_done || !text.get_type(schema).is_ok_and(|data_type| data_type.is_string()) {
            return Transformed::no(text);
        }
        let call = ScalarFunction { func: Arc::clone(&self.whole), args: vec![text] };
        Transformed::yes(Expr::ScalarFunction(call))
    }
}

impl OptimizerRule for WholeMoments {
    fn name(&self) -> &'static str {
        "whole_moments"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut found = false;
        plan.apply_expressions(|expression| {
            found |= expression.exists(|part| Ok(text_of(part).is_some_and(|text| may_lack(text, &plan))))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !found {
            return Ok(Transformed::no(plan));
        }
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&scan.projected_schema);
        }
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let whole = expression.transform_up(|part| Ok(self.complete(part, &schema)))?;
            Ok(whole.update_data(|expression| name.restore(expression)))
        })
    }
}

/// What a cast to a moment reads.
fn text_of(part: &Expr) -> Option<&Expr> {
    match part {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            is_moment(field.data_type()).then_some(expr)
        }
        Expr::ScalarFunction(call) if is_arrow_cast_to_moment(&call.func, &call.args) => call.args.first(),
        _ => None,
    }
}

/// Most casts are of whole literals and of columns that are moments: for those no schema is built.
fn may_lack(text: &Expr, plan: &LogicalPlan) -> bool {
    match text {
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(text) => text.is_some_and(|text| whole_moment(text) != text),
            None => false,
        },
        Expr::Column(column) => {
            let scanned = match plan {
                LogicalPlan::TableScan(scan) => Some(&scan.projected_schema),
                _ => None,
            };
            let schemas = plan.inputs().into_iter().map(LogicalPlan::schema).chain(scanned);
            let mut fields = schemas.filter_map(|schema| schema.field_from_column(column).ok());
            fields.next().is_none_or(|field| field.data_type().is_string())
        }
        _ => true,
    }
}

/// What a cast is in a statement whose columns are named apart.
fn is_arrow_cast_to_moment(function: &ScalarUDF, arguments: &[Expr]) -> bool {
    let [_, Expr::Literal(data_type, _)] = arguments else { return false };
    let is_to_moment = |name: &str| name.starts_with("Timestamp") || name == "Date32";
    matches!(function.name(), "arrow_cast" | "arrow_try_cast")
        && data_type.try_as_str().flatten().is_some_and(is_to_moment)
}

fn is_moment(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32)
}
