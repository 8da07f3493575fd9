//! `BoundedCalls`: every call of a function that can grow, wherever it comes from, is one within bounds; so is `||`, and a large constant
//! of which a column would be made, a regular expression of each row, and the answer of a subquery, whose size nobody knows yet.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    functions::regex::regexp_like,
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, expr::ScalarFunction},
};

use super::{comparison::is_comparison, mend::Mend};
use crate::functions::{Bounds, bounded_call, can_join, constant, is_unbounded, joined, scalar_bytes};

/// See the module. Runs once types are known.
#[derive(Debug)]
pub(super) struct BoundedCalls {
    bounds: Arc<Bounds>,
}

impl BoundedCalls {
    pub(super) fn new(bounds: &Arc<Bounds>) -> Self {
        Self { bounds: Arc::clone(bounds) }
    }

    fn is_large(&self, part: &Expr) -> bool {
        matches!(part, Expr::Literal(value, _) if scalar_bytes(value) > self.bounds.folded_bytes())
    }

    /// The parts of `part` first, but for constants that it takes as they are. `is_column`: whether a column is made of its value.
    fn within(&self, part: Expr, is_column: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let takes_constants = takes_constants(&part);
        let makes_columns = match &part {
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) => true,
            Expr::Alias(_) | Expr::Cast(_) | Expr::TryCast(_) | Expr::Case(_) => is_column,
            _ => false,
        };
        let inside = part.map_children(|child| {
            if takes_constants && is_constant(&child) {
                return Ok(Transformed::no(child));
            }
            self.within(child, makes_columns, schema)
        })?;
        inside.transform_data(|part| {
            if is_column && is_answer(&part) {
                return Ok(bounded_call(constant(part), &self.bounds));
            }
            self.wrapped(part, schema)
        })
    }

    fn wrapped(&self, part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if self.is_large(&part) {
            return Ok(bounded_call(constant(part), &self.bounds));
        }
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right })
                if is_joinable(&left, &right, schema) =>
            {
                Transformed::yes(bounded_call(joined(*left, *right), &self.bounds).data)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_regex(op) && !is_constant(&right) => {
                let found = found(*left, op, *right, schema)?;
                Transformed::yes(found.transform_up(|part| Ok(bounded_call(part, &self.bounds)))?.data)
            }
            call @ Expr::ScalarFunction(_) => bounded_call(call, &self.bounds),
            other => Transformed::no(other),
        })
    }
}

/// `~` and its kin with a pattern of each row: a call, which compiles few patterns at once.
fn found(text: Expr, op: Operator, pattern: Expr, schema: &DFSchema) -> Result<Expr> {
    let flags = match text.get_type(schema)? {
        DataType::Utf8View => ScalarValue::Utf8View(Some("i".to_owned())),
        DataType::LargeUtf8 => ScalarValue::LargeUtf8(Some("i".to_owned())),
        _ => ScalarValue::Utf8(Some("i".to_owned())),
    };
    let mut args = vec![text, pattern];
    if matches!(op, Operator::RegexIMatch | Operator::RegexNotIMatch) {
        args.push(Expr::Literal(flags, None));
    }
    let found = regexp_like().call(args);
    Ok(if matches!(op, Operator::RegexNotMatch | Operator::RegexNotIMatch) { !found } else { found })
}

impl Mend for BoundedCalls {
    fn concerns(&self, part: &Expr) -> bool {
        match part {
            Expr::BinaryExpr(BinaryExpr { op, right, .. }) => {
                *op == Operator::StringConcat || is_regex(*op) && !is_constant(right)
            }
            Expr::ScalarFunction(call) => is_unbounded(&call.func),
            other => self.is_large(other) || is_answer(other),
        }
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        self.within(expression, true, schema)
    }
}

fn is_joinable(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    match (left.get_type(schema), right.get_type(schema)) {
        (Ok(left), Ok(right)) => left == right && can_join(&left),
        _ => false,
    }
}

/// Whether a constant beside a column stays one: no column is made of it.
fn takes_constants(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => is_comparison(*op) || is_search(*op),
        Expr::Like(_) | Expr::SimilarTo(_) | Expr::InList(_) => true,
        Expr::ScalarFunction(ScalarFunction { func, .. }) => CONSTANTS_TAKEN.contains(&func.name()),
        _ => false,
    }
}

fn is_regex(op: Operator) -> bool {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    matches!(op, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch)
}

fn is_search(op: Operator) -> bool {
    use Operator::{ILikeMatch, LikeMatch, NotILikeMatch, NotLikeMatch};
    is_regex(op) || matches!(op, LikeMatch | ILikeMatch | NotLikeMatch | NotILikeMatch)
}

/// Functions that look for something constant in each row, or for each row in something constant.
const CONSTANTS_TAKEN: [&str; 9] = [
    "array_has",
    "array_has_all",
    "array_has_any",
    "contains",
    "ends_with",
    "json_contains",
    "make_array",
    "starts_with",
    "strpos",
];

/// A subquery that is answered once, with a value of any size: a constant once the query runs.
fn is_answer(part: &Expr) -> bool {
    let Expr::ScalarSubquery(query) = part else { return false };
    let value = query.subquery.schema().fields().first().map(|field| field.data_type());
    query.outer_ref_columns.is_empty() && value.is_some_and(|value| !value.is_primitive())
}

/// A constant, or a list of constants.
fn is_constant(part: &Expr) -> bool {
    match part {
        Expr::Literal(..) => true,
        Expr::Cast(cast) => is_constant(&cast.expr),
        answer if is_answer(answer) => true,
        Expr::ScalarFunction(call) => call.func.name() == "make_array" && call.args.iter().all(is_constant),
        _ => false,
    }
}
