//! `FarMoments`: moments that nanoseconds cannot hold, before September 1677 and after April 2262, as `timestamp < '9999-12-31'`
//! and `timestamp < 'infinity'` have one. DataFusion reads text as ns wherever it stands for a moment, and fails.

use arrow::{
    compute::CastOptions,
    datatypes::{DataType, TimeUnit},
};
use datafusion::{
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, expr::InList, lit},
};

use super::{comparison::is_comparison, mend::Mend};
use crate::functions::whole_moment;

/// Years whose every moment fits into ns.
const NEAR_YEARS: std::ops::RangeInclusive<i32> = 1678..=2261;

/// Days since 1970 of the first and last of [`NEAR_YEARS`].
const NEAR_DAYS: std::ops::RangeInclusive<i32> = -106_650..=106_650;

/// Turns far constants into µs, or, beside a moment, into its own unit, as far as that goes. Runs before types are brought together.
#[derive(Debug)]
pub(super) struct FarMoments;

impl Mend for FarMoments {
    fn concerns(&self, part: &Expr) -> bool {
        match part {
            Expr::Literal(ScalarValue::Date32(Some(days)), _) => !NEAR_DAYS.contains(days),
            Expr::Literal(value, _) => far_text(value).is_some(),
            _ => false,
        }
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if !expression.exists(|part| Ok(self.concerns(part)))? {
            return Ok(Transformed::no(expression));
        }
        expression.transform_up(|part| {
            let mended = match &part {
                Expr::Cast(cast) => far_cast(cast),
                Expr::BinaryExpr(comparison) => far_comparison(comparison, schema),
                Expr::Between(between) => far_range(between, schema),
                Expr::InList(list) => far_list(list, schema),
                _ => None,
            };
            Ok(mended.map_or_else(|| Transformed::no(part), Transformed::yes))
        })
    }
}

/// `TIMESTAMP '9999-12-31'` and kin.
fn far_cast(cast: &Cast) -> Option<Expr> {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = cast.field.data_type() else { return None };
    far_micros(&cast.expr).map(|micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone())))
}

fn far_comparison(comparison: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let BinaryExpr { left, op, right } = comparison;
    if !is_comparison(*op) {
        return None;
    }
    let (left, right) = match (far_micros(left), far_micros(right)) {
        (None, Some(micros)) => (left.as_ref().clone(), beside(left, micros, schema)?),
        (Some(micros), None) => (beside(right, micros, schema)?, right.as_ref().clone()),
        _ => return None,
    };
    Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), *op, Box::new(right))))
}

/// Two comparisons, so that each bound is compared in a unit that can hold it.
fn far_range(between: &Between, schema: &DFSchema) -> Option<Expr> {
    let Between { expr, negated, low, high } = between;
    if expr.is_volatile() || (far_micros(low).is_none() && far_micros(high).is_none()) {
        return None;
    }
    let compare = |op: Operator, bound: &Expr| {
        let comparison = BinaryExpr::new(expr.clone(), op, Box::new(bound.clone()));
        if far_micros(bound).is_none() {
            return Some(Expr::BinaryExpr(comparison));
        }
        far_comparison(&comparison, schema)
    };
    Some(if *negated {
        compare(Operator::Lt, low)?.or(compare(Operator::Gt, high)?)
    } else {
        compare(Operator::GtEq, low)?.and(compare(Operator::LtEq, high)?)
    })
}

/// The far ones of a list apart from the others.
fn far_list(list: &InList, schema: &DFSchema) -> Option<Expr> {
    let InList { expr, list, negated } = list;
    if expr.is_volatile() || list.iter().all(|item| far_micros(item).is_none()) {
        return None;
    }
    let (far, near): (Vec<_>, Vec<_>) = list.iter().cloned().partition(|item| far_micros(item).is_some());
    let far = far.iter().map(|item| beside(expr, far_micros(item)?, schema)).collect::<Option<Vec<_>>>()?;
    let far = expr.as_ref().clone().in_list(far, *negated);
    if near.is_empty() {
        return Some(far);
    }
    let near = expr.as_ref().clone().in_list(near, *negated);
    Some(if *negated { near.and(far) } else { near.or(far) })
}

/// A far moment in the unit of what it is compared with; the nearest to it that this can hold.
fn beside(other: &Expr, micros: i64, schema: &DFSchema) -> Option<Expr> {
    let DataType::Timestamp(unit, zone) = other.get_type(schema).ok()? else { return None };
    Some(lit(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(micros.div_euclid(1_000_000)), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(micros.div_euclid(1_000)), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(micros), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(micros.saturating_mul(1_000)), zone),
    }))
}

/// The µs of a constant date or text beyond ns, also under a cast to a date.
fn far_micros(constant: &Expr) -> Option<i64> {
    let value = match constant {
        Expr::Literal(value, _) => value.clone(),
        Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 => {
            let Expr::Literal(value, _) = expr.as_ref() else { return None };
            far_text(value).as_ref().unwrap_or(value).cast_to(&DataType::Date32).ok()?
        }
        _ => return None,
    };
    let value = match value {
        ScalarValue::Date32(Some(days)) if !NEAR_DAYS.contains(&days) => value,
        ScalarValue::TimestampMicrosecond(Some(micros), _) if is_beyond(micros) => return Some(micros),
        text => far_text(&text)?,
    };
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    match value.cast_to_with_options(&DataType::Timestamp(TimeUnit::Microsecond, None), &strict).ok()? {
        ScalarValue::TimestampMicrosecond(micros, _) => micros,
        _ => None,
    }
}

fn is_beyond(micros: i64) -> bool {
    micros.checked_mul(1_000).is_none()
}

/// The text of a far moment: one with a date, where a word stands for it.
fn far_text(value: &ScalarValue) -> Option<ScalarValue> {
    let text = whole_moment(value.try_as_str().flatten()?);
    is_far(&text).then(|| ScalarValue::from(text.as_ref()))
}

/// Whether a text begins with the date of a far year.
fn is_far(text: &str) -> bool {
    let Some((year, rest)) = text.trim().split_once('-') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    year.len() == 4
        && digits(year)
        && rest.get(..2).is_some_and(digits)
        && year.parse().is_ok_and(|year: i32| !NEAR_YEARS.contains(&year))
}
