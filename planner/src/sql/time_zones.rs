//! Plans `moment AT TIME ZONE zone` as a call of our own `timezone`. DataFusion plans it as a cast that only changes how a moment is
//! shown, and takes it back in the next step: `(timestamp AT TIME ZONE 'Europe/Berlin')::date` was the day in UTC.

use std::{mem, ops::ControlFlow};

use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{Expr, Value, VisitMut, VisitorMut},
};

use super::call::call;
use crate::functions::TIMEZONE;

/// Rewrites every `AT TIME ZONE` of a statement.
pub(super) fn plan_time_zones(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => plan_time_zones(&mut explain.statement),
        Statement::Statement(statement) => {
            // This visitor never breaks.
            let _: ControlFlow<()> = statement.visit(&mut TimeZones);
        }
        _ => {}
    }
}

struct TimeZones;

impl VisitorMut for TimeZones {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if !matches!(expression, Expr::AtTimeZone { .. }) {
            return ControlFlow::Continue(());
        }
        if let Expr::AtTimeZone { timestamp, time_zone } =
            mem::replace(expression, Expr::Value(Value::Null.into()))
        {
            *expression = call(TIMEZONE, vec![*time_zone, *timestamp]);
        }
        ControlFlow::Continue(())
    }
}
