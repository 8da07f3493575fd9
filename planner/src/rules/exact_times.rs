//! `ExactTimes`: makes comparisons of a moment in µs with one in ns exact. DataFusion compares them as ns, and then moves the cast
//! from the column to the constant, which drops the digits below a microsecond: `timestamp < '…00.0000005Z'` would lose the
//! row at `…00.000000`. Here the constant is rounded before, to the side on which the comparison stays true for the same rows.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, expr::InList, lit,
        simplify::SimplifyContext, utils::merge_schema,
    },
    optimizer::{
        OptimizerConfig, OptimizerRule, optimizer::ApplyOrder, simplify_expressions::ExprSimplifier,
        utils::NamePreserver,
    },
};

/// Rounds moments that are compared with a coarser column. Runs before DataFusion's own simplification.
#[derive(Debug)]
pub(super) struct ExactTimes;

impl OptimizerRule for ExactTimes {
    fn name(&self) -> &'static str {
        "exact_times"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&scan.projected_schema);
        }
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            if !expression.exists(|part| Ok(is_widened(part)))? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let rounded = expression.transform_up(|part| exact(part, &schema, config))?;
            Ok(rounded.update_data(|expression| name.restore(expression)))
        })
    }
}

/// A cast to a moment, which a comparison with a finer one brings about.
fn is_widened(expression: &Expr) -> bool {
    matches!(expression, Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Timestamp(..)))
}

fn exact(expression: Expr, schema: &DFSchema, config: &dyn OptimizerConfig) -> Result<Transformed<Expr>> {
    let rewritten = match &expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (steps(left, schema), steps(right, schema))
        {
            (Some(steps), None) => comparison(left, *op, right, steps, config),
            (None, Some(steps)) => op.swap().and_then(|op| comparison(right, op, left, steps, config)),
            _ => None,
        },
        Expr::Between(between) => {
            steps(&between.expr, schema).and_then(|steps| range(between, steps, config))
        }
        Expr::InList(list) => steps(&list.expr, schema).and_then(|steps| one_of(list, steps, config)),
        _ => None,
    };
    Ok(rewritten.map_or_else(|| Transformed::no(expression), Transformed::yes))
}

/// How many of its own units make one of the column's, for a cast of a column to a finer unit of time.
fn steps(expression: &Expr, schema: &DFSchema) -> Option<i64> {
    let Expr::Cast(Cast { expr, field }) = expression else { return None };
    let DataType::Timestamp(fine, _) = field.data_type() else { return None };
    if !expr.any_column_refs() {
        return None;
    }
    let DataType::Timestamp(coarse, _) = expr.get_type(schema).ok()? else { return None };
    let steps = per_second(*fine) / per_second(coarse);
    (steps > 1).then_some(steps)
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// `column op moment`; `None` if it is exact as it is.
fn comparison(
    column: &Expr,
    op: Operator,
    moment: &Expr,
    steps: i64,
    config: &dyn OptimizerConfig,
) -> Option<Expr> {
    let moment = Moment::of(moment, config).filter(|moment| !moment.is_whole(steps))?;
    let rounded = match op {
        Operator::Lt | Operator::GtEq => moment.up(steps)?,
        Operator::LtEq | Operator::Gt => moment.down(steps)?,
        Operator::Eq => return Some(never(column)),
        Operator::NotEq => return Some(always(column)),
        Operator::IsDistinctFrom => return Some(lit(true)),
        Operator::IsNotDistinctFrom => return Some(lit(false)),
        _ => return None,
    };
    Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(column.clone()), op, Box::new(rounded))))
}

/// `column BETWEEN low AND high`, also negated: `column < low OR column > high` rounds to the same sides.
fn range(between: &Between, steps: i64, config: &dyn OptimizerConfig) -> Option<Expr> {
    let inexact = |moment: &Expr| Moment::of(moment, config).filter(|moment| !moment.is_whole(steps));
    let (low, high) = (inexact(&between.low), inexact(&between.high));
    if low.is_none() && high.is_none() {
        return None;
    }
    let low = low.map_or_else(|| Some(between.low.as_ref().clone()), |low| low.up(steps))?;
    let high = high.map_or_else(|| Some(between.high.as_ref().clone()), |high| high.down(steps))?;
    Some(Expr::Between(Between::new(between.expr.clone(), between.negated, Box::new(low), Box::new(high))))
}

/// `column IN (…)`: a moment between two of the column's never is one of them.
fn one_of(list: &InList, steps: i64, config: &dyn OptimizerConfig) -> Option<Expr> {
    let is_whole = |moment: &&Expr| Moment::of(moment, config).is_none_or(|moment| moment.is_whole(steps));
    let whole: Vec<Expr> = list.list.iter().filter(is_whole).cloned().collect();
    match whole.len() {
        all if all == list.list.len() => None,
        0 if list.negated => Some(always(&list.expr)),
        0 => Some(never(&list.expr)),
        _ => Some(Expr::InList(InList::new(list.expr.clone(), whole, list.negated))),
    }
}

/// False, and null for null.
fn never(column: &Expr) -> Expr {
    column.clone().is_null().and(lit(ScalarValue::Boolean(None)))
}

/// True, and null for null.
fn always(column: &Expr) -> Expr {
    column.clone().is_not_null().or(lit(ScalarValue::Boolean(None)))
}

/// A constant: a literal, text that is one, `now()` and what is computed of them.
struct Moment {
    value: i64,
    /// With its unit and time zone.
    scalar: ScalarValue,
}

impl Moment {
    /// `None` for what is no constant, and for null. What cannot be computed is left for DataFusion to complain about.
    fn of(expression: &Expr, config: &dyn OptimizerConfig) -> Option<Self> {
        if expression.any_column_refs() || expression.is_volatile() {
            return None;
        }
        let context = SimplifyContext::builder()
            .with_config_options(config.options())
            .with_query_execution_start_time(config.query_execution_start_time())
            .build();
        let folded = ExprSimplifier::new(context).simplify(expression.clone()).ok()?;
        let Expr::Literal(scalar, _) = folded else { return None };
        let value = match scalar {
            ScalarValue::TimestampNanosecond(value, _)
            | ScalarValue::TimestampMicrosecond(value, _)
            | ScalarValue::TimestampMillisecond(value, _) => value?,
            _ => return None,
        };
        Some(Self { value, scalar })
    }

    fn is_whole(&self, steps: i64) -> bool {
        self.value % steps == 0
    }

    fn down(&self, steps: i64) -> Option<Expr> {
        self.at(self.value.div_euclid(steps).checked_mul(steps)?)
    }

    fn up(&self, steps: i64) -> Option<Expr> {
        self.at(self.value.div_euclid(steps).checked_add(1)?.checked_mul(steps)?)
    }

    fn at(&self, value: i64) -> Option<Expr> {
        let scalar = match &self.scalar {
            ScalarValue::TimestampNanosecond(_, zone) => {
                ScalarValue::TimestampNanosecond(Some(value), zone.clone())
            }
            ScalarValue::TimestampMicrosecond(_, zone) => {
                ScalarValue::TimestampMicrosecond(Some(value), zone.clone())
            }
            ScalarValue::TimestampMillisecond(_, zone) => {
                ScalarValue::TimestampMillisecond(Some(value), zone.clone())
            }
            _ => return None,
        };
        Some(lit(scalar))
    }
}
