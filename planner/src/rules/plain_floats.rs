//! `PlainFloats`: a double has one zero and one NaN. Arithmetic makes `-0` and NaNs with a sign; DataFusion compares with `=` as it
//! should, but takes `-0` for another value in `IN` lists, `CASE x WHEN`, `count(DISTINCT x)` and windows, and a negative NaN for
//! the smallest of all numbers. Here such a value is made plain before it is compared or gets a name.

use std::cmp::Ordering;

use datafusion::{
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, Operator,
        expr::{AggregateFunction, Alias, InList, InSubquery, SetComparison, WindowFunction},
    },
};

use super::{comparison::is_comparison, mend::Mend};
use crate::functions::plain_float;

/// Wraps what can be `-0` or a NaN with a sign. Runs once types are known.
#[derive(Debug)]
pub(super) struct PlainFloats;

impl Mend for PlainFloats {
    fn concerns(&self, part: &Expr) -> bool {
        match part {
            Expr::Literal(value, _) => is_odd(value),
            Expr::Negative(_) => true,
            Expr::Cast(Cast { expr, field }) => field.data_type().is_floating() && !is_number(expr),
            Expr::BinaryExpr(BinaryExpr { op, .. }) => {
                matches!(op, Operator::Multiply | Operator::Divide | Operator::Modulo)
            }
            Expr::ScalarFunction(call) => is_odd_function(call.func.name()),
            _ => false,
        }
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let inside = expression.transform_up(|part| {
            Ok(match part {
                Expr::Literal(value, metadata) if is_odd(&value) => {
                    Transformed::yes(Expr::Literal(plain_scalar(value), metadata))
                }
                Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                    // Next to a number that is not 0 the sign of zero does not matter.
                    let nonzero = is_nonzero(&left) || is_nonzero(&right);
                    let side = |side: Box<Expr>| plain_box(*side, schema, nonzero);
                    both(side(left)?, side(right)?, |left, right| {
                        Expr::BinaryExpr(BinaryExpr::new(left, op, right))
                    })
                }
                Expr::InList(InList { expr, list, negated }) => {
                    let list = list.into_iter().map(|item| plain(item, schema, false));
                    let list: Vec<_> = list.collect::<Result<_>>()?;
                    let changed = list.iter().any(|item| item.transformed);
                    let list = list.into_iter().map(|item| item.data).collect();
                    let mut mended =
                        plain_box(*expr, schema, false)?.update_data(|expr| InList { expr, list, negated });
                    mended.transformed |= changed;
                    mended.update_data(Expr::InList)
                }
                Expr::InSubquery(InSubquery { expr, subquery, negated }) => plain_box(*expr, schema, false)?
                    .update_data(|expr| Expr::InSubquery(InSubquery { expr, subquery, negated })),
                Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                    plain_box(*expr, schema, false)?.update_data(|expr| {
                        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })
                    })
                }
                Expr::Between(Between { expr, negated, low, high }) => {
                    let (low, high) = (plain_box(*low, schema, false)?, plain_box(*high, schema, false)?);
                    let changed = low.transformed || high.transformed;
                    let mut mended = plain_box(*expr, schema, false)?.update_data(|expr| {
                        Expr::Between(Between { expr, negated, low: low.data, high: high.data })
                    });
                    mended.transformed |= changed;
                    mended
                }
                Expr::Case(Case { expr: Some(base), when_then_expr, else_expr }) => {
                    let mut changed = false;
                    let mut when_then = Vec::with_capacity(when_then_expr.len());
                    for (when, then) in when_then_expr {
                        let when = plain_box(*when, schema, false)?;
                        changed |= when.transformed;
                        when_then.push((when.data, then));
                    }
                    let mut mended = plain_box(*base, schema, false)?
                        .update_data(|base| Expr::Case(Case::new(Some(base), when_then, else_expr)));
                    mended.transformed |= changed;
                    mended
                }
                // Compares its arguments.
                Expr::ScalarFunction(mut call) if call.func.name() == "nullif" => {
                    let changed = plain_all(&mut call.args, schema)?;
                    Transformed::new_transformed(Expr::ScalarFunction(call), changed)
                }
                Expr::AggregateFunction(call) => plain_arguments(call, schema)?,
                Expr::WindowFunction(call) => plain_window(*call, schema)?,
                other => Transformed::no(other),
            })
        })?;
        inside.transform_data(|expression| named(expression, schema))
    }
}

fn both(
    left: Transformed<Box<Expr>>,
    right: Transformed<Box<Expr>>,
    join: impl FnOnce(Box<Expr>, Box<Expr>) -> Expr,
) -> Transformed<Expr> {
    let changed = left.transformed || right.transformed;
    let joined = join(left.data, right.data);
    if changed { Transformed::yes(joined) } else { Transformed::no(joined) }
}

/// What a node gives a name, or sorts or groups by.
fn named(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Alias(Alias { expr, relation, name, metadata }) => Ok(plain_box(*expr, schema, false)?
            .update_data(|expr| Expr::Alias(Alias { expr, relation, name, metadata }))),
        other => plain(other, schema, false),
    }
}

/// Sums and counts do not mind.
fn plain_arguments(mut call: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !call.params.distinct && matches!(call.func.name(), "sum" | "avg" | "count") {
        return Ok(Transformed::no(Expr::AggregateFunction(call)));
    }
    let changed = plain_all(&mut call.params.args, schema)?;
    Ok(Transformed::new_transformed(Expr::AggregateFunction(call), changed))
}

fn plain_window(mut call: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut changed = plain_all(&mut call.params.args, schema)?;
    changed |= plain_all(&mut call.params.partition_by, schema)?;
    for key in &mut call.params.order_by {
        let mended = plain(key.expr.clone(), schema, false)?;
        changed |= mended.transformed;
        key.expr = mended.data;
    }
    Ok(Transformed::new_transformed(Expr::from(call), changed))
}

fn plain_all(expressions: &mut [Expr], schema: &DFSchema) -> Result<bool> {
    let mut changed = false;
    for expression in expressions.iter_mut() {
        if Oddity::of(expression, schema).is_some() {
            let mended = plain(expression.clone(), schema, false)?;
            changed |= mended.transformed;
            *expression = mended.data;
        }
    }
    Ok(changed)
}

fn plain_box(expression: Expr, schema: &DFSchema, beside_nonzero: bool) -> Result<Transformed<Box<Expr>>> {
    Ok(plain(expression, schema, beside_nonzero)?.update_data(Box::new))
}

fn plain(expression: Expr, schema: &DFSchema, beside_nonzero: bool) -> Result<Transformed<Expr>> {
    let odd = Oddity::of(&expression, schema);
    if !odd.is_nan() && (beside_nonzero || !odd.is_some()) {
        return Ok(Transformed::no(expression));
    }
    if !expression.get_type(schema)?.is_floating() {
        return Ok(Transformed::no(expression));
    }
    Ok(Transformed::yes(plain_float(expression)))
}

/// What an expression can be that a stored double never is.
#[derive(Debug, Clone, Copy, Default)]
struct Oddity {
    zero: bool,
    nan: bool,
}

impl Oddity {
    const ALL: Self = Self { zero: true, nan: true };

    fn is_some(self) -> bool {
        self.zero || self.nan
    }

    fn is_nan(self) -> bool {
        self.nan
    }

    fn or(self, other: Self) -> Self {
        Self { zero: self.zero || other.zero, nan: self.nan || other.nan }
    }

    fn of(expression: &Expr, schema: &DFSchema) -> Self {
        let of = |part: &Expr| Self::of(part, schema);
        match expression {
            Expr::Alias(alias) => of(&alias.expr),
            Expr::Negative(value) => Self { zero: true, nan: of(value).nan },
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => Self::of_arithmetic(left, *op, right, schema),
            Expr::Cast(Cast { expr, field }) if field.data_type().is_floating() => {
                match expr.get_type(schema) {
                    Ok(exact) if exact.is_integer() || exact.is_decimal() => Self::default(),
                    Ok(float) if float.is_floating() => of(expr),
                    _ => Self::ALL,
                }
            }
            Expr::Case(case) => {
                let thens = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
                thens.map(|then| of(then)).fold(Self::default(), Self::or)
            }
            Expr::ScalarFunction(call) => match call.func.name() {
                "coalesce" | "nullif" | "greatest" | "least" | "nvl" | "nvl2" => {
                    call.args.iter().map(of).fold(Self::default(), Self::or)
                }
                "round" | "floor" | "ceil" | "trunc" | "signum" => {
                    Self { zero: true, nan: call.args.iter().any(|argument| of(argument).nan) }
                }
                name if is_odd_function(name) => Self::ALL,
                _ => Self::default(),
            },
            _ => Self::default(),
        }
    }

    /// Stored doubles are finite; what overflows can become a NaN in the next operation.
    fn of_arithmetic(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Self {
        let [one, other] = [left, right].map(|side| Self::of(side, schema));
        let computed = [left, right].iter().any(|side| matches!(side, Expr::BinaryExpr(_)));
        let nan = one.nan || other.nan || computed;
        match op {
            Operator::Plus | Operator::Minus => Self { zero: one.zero || other.zero, nan: nan && computed },
            Operator::Multiply => {
                let zero = !is_positive(left) && !is_positive(right);
                Self { zero: zero || one.zero || other.zero, nan }
            }
            Operator::Divide if is_positive(right) => Self { zero: one.zero, nan },
            Operator::Modulo if is_nonzero(right) => Self { zero: true, nan },
            Operator::Divide | Operator::Modulo => Self::ALL,
            _ => Self::default(),
        }
    }
}

/// Functions of doubles whose results can be odd.
fn is_odd_function(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cbrt",
        "ceil",
        "coalesce",
        "cos",
        "cosh",
        "cot",
        "degrees",
        "exp",
        "floor",
        "greatest",
        "json_get_float",
        "least",
        "ln",
        "log",
        "log10",
        "log2",
        "nanvl",
        "nullif",
        "nvl",
        "nvl2",
        "pow",
        "power",
        "radians",
        "round",
        "signum",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
    ];
    NAMES.binary_search(&name).is_ok()
}

fn is_odd(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float64(Some(value)) => value.is_sign_negative() && (*value == 0.0 || value.is_nan()),
        ScalarValue::Float32(Some(value)) => value.is_sign_negative() && (*value == 0.0 || value.is_nan()),
        _ => false,
    }
}

fn plain_scalar(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Float64(Some(value)) => ScalarValue::from(value.abs()),
        ScalarValue::Float32(Some(value)) => ScalarValue::from(value.abs()),
        other => other,
    }
}

/// A constant, a whole one by its sign only.
fn literal(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Literal(ScalarValue::Float64(value), _) => *value,
        Expr::Literal(ScalarValue::Float32(value), _) => value.map(f64::from),
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => Some(match value.cmp(&0) {
            Ordering::Less => -1.0,
            Ordering::Equal => 0.0,
            Ordering::Greater => 1.0,
        }),
        Expr::Cast(Cast { expr, .. }) => literal(expr),
        _ => None,
    }
}

fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(value, _) if value.data_type().is_numeric())
}

fn is_nonzero(expression: &Expr) -> bool {
    literal(expression).is_some_and(|value| value != 0.0 && !value.is_nan())
}

fn is_positive(expression: &Expr) -> bool {
    literal(expression).is_some_and(|value| value > 0.0)
}
