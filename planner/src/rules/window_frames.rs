//! `CheckWindowFrames`: refuses a RANGE frame with a negative offset, as PostgreSQL does. DataFusion walks its frames forward only, and
//! gives counts below zero for one that begins behind where it ends.

use datafusion::{
    common::{
        ScalarValue, plan_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits},
    optimizer::AnalyzerRule,
};

/// Looks at every window of a statement; changes nothing.
#[derive(Debug)]
pub(crate) struct CheckWindowFrames;

impl AnalyzerRule for CheckWindowFrames {
    fn name(&self) -> &'static str {
        "check_window_frames"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::Window(window) = node {
                for expression in &window.window_expr {
                    expression.apply(|part| {
                        if let Expr::WindowFunction(function) = part {
                            check(&function.params.window_frame)?;
                        }
                        Ok(TreeNodeRecursion::Continue)
                    })?;
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }
}

fn check(frame: &WindowFrame) -> Result<()> {
    if frame.units != WindowFrameUnits::Range {
        return Ok(());
    }
    for bound in [&frame.start_bound, &frame.end_bound] {
        let (WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset)) = bound else {
            continue;
        };
        if is_negative(offset) {
            return plan_err!(
                "the offset of a RANGE frame must not be negative: {offset}; write PRECEDING for FOLLOWING or the other way round"
            );
        }
    }
    Ok(())
}

/// **Units**: months count as 30 days, as PostgreSQL compares intervals.
fn is_negative(offset: &ScalarValue) -> bool {
    const DAY_NANOS: i128 = 86_400_000_000_000;
    match offset {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => {
            let days = i128::from(interval.months) * 30 + i128::from(interval.days);
            days * DAY_NANOS + i128::from(interval.nanoseconds) < 0
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            i128::from(interval.days) * DAY_NANOS + i128::from(interval.milliseconds) * 1_000_000 < 0
        }
        ScalarValue::IntervalYearMonth(Some(months)) => *months < 0,
        other if other.is_null() => false,
        other => ScalarValue::new_zero(&other.data_type()).is_ok_and(|zero| *other < zero),
    }
}
