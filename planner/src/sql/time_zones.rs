//! Plans `moment AT TIME ZONE zone` as a call of our own `timezone`. DataFusion plans it as a cast that only changes how a moment is
//! shown, and takes it back in the next step: `(timestamp AT TIME ZONE 'Europe/Berlin')::date` was the day in UTC.

use std::mem;

use datafusion::{
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::ast::{Expr, Value},
    },
};

use super::{
    call::call,
    walk::{Change, change},
};
use crate::functions::TIMEZONE;

/// Rewrites every `AT TIME ZONE` of a statement.
///
/// # Errors
/// None is expected.
pub(super) fn plan_time_zones(statement: &mut Statement) -> Result<()> {
    change(statement, &mut TimeZones)
}

struct TimeZones;

impl Change for TimeZones {
    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        if !matches!(expression, Expr::AtTimeZone { .. }) {
            return Ok(());
        }
        if let Expr::AtTimeZone { timestamp, time_zone } =
            mem::replace(expression, Expr::Value(Value::Null.into()))
        {
            *expression = call(TIMEZONE, vec![*time_zone, *timestamp]);
        }
        Ok(())
    }
}
