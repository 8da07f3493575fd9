//! `Window`: the span of time that a predicate asks for, compared with the ranges of files as plain integers. Most queries
//! ask for a little time of a table of many files: those outside never reach the arrays that pruning asks.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Literal},
        split_conjunction,
    },
};
use hexflight_engine::TableRole;

use crate::roles::is_role;

/// Moments that can satisfy a predicate, both ends included. **Units**: µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Window {
    /// All of time.
    pub(crate) const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX };

    /// What the comparisons of `timestamp` with a moment leave; `None` if the predicate has none.
    pub(crate) fn of(predicate: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        split_conjunction(predicate).into_iter().filter_map(Self::of_conjunct).reduce(Self::and)
    }

    /// What one comparison of `timestamp` with a moment says, completely.
    pub(crate) fn of_conjunct(conjunct: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        of_comparison(conjunct)
    }

    /// What belongs to both; nothing if it ends before it begins.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// Whether every moment of `time`, both ends included, belongs to it.
    pub(crate) fn holds(self, time: (i64, i64)) -> bool {
        self.from <= time.0 && time.1 <= self.to
    }

    /// Whether a moment belongs to it: one comparison, for rows by the million.
    pub(crate) fn test(self) -> impl Fn(i64) -> bool + Copy {
        let (is_any, width) = (self.from <= self.to, self.to.wrapping_sub(self.from).cast_unsigned());
        move |time| is_any & (time.wrapping_sub(self.from).cast_unsigned() <= width)
    }

    /// Whether no moment of `time` belongs to it.
    pub(crate) fn misses(self, time: (i64, i64)) -> bool {
        time.1 < self.from || self.to < time.0
    }
}

fn of_comparison(conjunct: &Arc<dyn PhysicalExpr>) -> Option<Window> {
    let comparison = conjunct.downcast_ref::<BinaryExpr>()?;
    let (left, right) = (comparison.left(), comparison.right());
    match (moment(left), moment(right)) {
        (None, Some(moment)) if is_time(left) => window(*comparison.op(), moment),
        (Some(moment), None) if is_time(right) => window(comparison.op().swap()?, moment),
        _ => None,
    }
}

/// Of `timestamp <op> moment`. A moment that has no neighbour is left to the pruner.
fn window(operator: Operator, moment: i64) -> Option<Window> {
    let (from, to) = match operator {
        Operator::Eq => (moment, moment),
        Operator::Lt => (i64::MIN, moment.checked_sub(1)?),
        Operator::LtEq => (i64::MIN, moment),
        Operator::Gt => (moment.checked_add(1)?, i64::MAX),
        Operator::GtEq => (moment, i64::MAX),
        _ => return None,
    };
    Some(Window { from, to })
}

fn is_time(expr: &Arc<dyn PhysicalExpr>) -> bool {
    is_role(expr, TableRole::Time)
}

fn moment(expr: &Arc<dyn PhysicalExpr>) -> Option<i64> {
    match expr.downcast_ref::<Literal>()?.value() {
        ScalarValue::TimestampMicrosecond(moment, _) => *moment,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_expr::{
        conjunction,
        expressions::{Column, binary},
    };
    use hexflight_engine::TableSpec;

    use super::*;

    #[test]
    fn comparisons_narrow_the_window_from_both_sides() {
        let window = |parts: Vec<Arc<dyn PhysicalExpr>>| Window::of(&conjunction(parts));
        assert_eq!(window(vec![time(Operator::GtEq, 10)]), Some(Window { from: 10, to: i64::MAX }));
        let both = vec![time(Operator::Gt, 10), time(Operator::Lt, 20), time(Operator::LtEq, 30)];
        assert_eq!(window(both), Some(Window { from: 11, to: 19 }));
        assert_eq!(window(vec![time(Operator::Eq, 7)]), Some(Window { from: 7, to: 7 }));
        let flipped = compare(literal(10), Operator::Lt, column());
        assert_eq!(window(vec![flipped]), Some(Window { from: 11, to: i64::MAX }));
    }

    #[test]
    fn what_is_no_window_narrows_nothing() {
        assert_eq!(Window::of(&time(Operator::NotEq, 10)), None);
        assert_eq!(Window::of(&time(Operator::Lt, i64::MIN)), None);
        let either = compare(time(Operator::Lt, 1), Operator::Or, time(Operator::Gt, 5));
        assert_eq!(Window::of(&either), None);
        let only_one = conjunction([either, time(Operator::Lt, 9)]);
        assert_eq!(Window::of(&only_one), Some(Window { from: i64::MIN, to: 8 }));
    }

    #[test]
    fn a_moment_is_tested_at_both_ends() {
        let ends = [i64::MIN, i64::MIN + 1, -7, 0, 1, 7, i64::MAX - 1, i64::MAX];
        for (from, to) in ends.into_iter().flat_map(|from| ends.map(|to| (from, to))) {
            let inside = Window { from, to }.test();
            for time in ends {
                assert_eq!(inside(time), from <= time && time <= to, "{time} in {from}..={to}");
            }
        }
    }

    fn time(operator: Operator, moment: i64) -> Arc<dyn PhysicalExpr> {
        compare(column(), operator, literal(moment))
    }

    fn compare(
        left: Arc<dyn PhysicalExpr>,
        operator: Operator,
        right: Arc<dyn PhysicalExpr>,
    ) -> Arc<dyn PhysicalExpr> {
        binary(left, operator, right, TableSpec::events().query_schema()).unwrap()
    }

    fn column() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new_with_schema(TableRole::Time.name(), TableSpec::events().query_schema()).unwrap())
    }

    fn literal(moment: i64) -> Arc<dyn PhysicalExpr> {
        Arc::new(Literal::new(ScalarValue::TimestampMicrosecond(Some(moment), Some("UTC".into()))))
    }
}
