//! `generate_series` and `range` as tables, in the place of DataFusion's, which take moments in ns and 64-bit numbers alone: a constant in µs,
//! the unit of `timestamp`, or text in the place of a moment is brought into that form.

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::{
    catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::{ScalarValue, plan_err},
    error::Result,
    logical_expr::{Expr, lit},
};

use super::whole_moment::whole_moment;

/// See the module.
#[derive(Debug)]
pub(super) struct Series {
    inner: Arc<dyn TableFunctionImpl>,
}

impl Series {
    /// In front of one of DataFusion's.
    pub(super) fn new(inner: Arc<dyn TableFunctionImpl>) -> Self {
        Self { inner }
    }
}

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        if let Some(argument) = args.exprs().iter().find(|argument| argument.any_column_refs()) {
            return plan_err!("{argument} names a column: {PER_ROW}");
        }
        let step = args.exprs().get(2).and_then(constant).map(ScalarValue::data_type);
        let of_time = matches!(step, Some(DataType::Interval(_)));
        let exprs =
            args.exprs().iter().map(|argument| normal(argument, of_time)).collect::<Result<Vec<_>>>()?;
        self.inner.call_with_args(TableFunctionArgs::new(&exprs, args.session()))
    }
}

const PER_ROW: &str = "a series in FROM is one for all rows, between constants or subqueries; for a series of each row write SELECT *, unnest(generate_series(1, value::int)) AS n FROM events";

fn constant(argument: &Expr) -> Option<&ScalarValue> {
    match argument {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// An argument in the type that DataFusion takes.
fn normal(argument: &Expr, of_time: bool) -> Result<Expr> {
    let Some(value) = constant(argument) else { return Ok(argument.clone()) };
    let nanoseconds = |zone| DataType::Timestamp(TimeUnit::Nanosecond, zone);
    Ok(match value.data_type() {
        DataType::Int64 if value.is_null() => lit(ScalarValue::Null),
        DataType::Timestamp(unit, zone) if unit != TimeUnit::Nanosecond => {
            lit(value.cast_to(&nanoseconds(zone))?)
        }
        DataType::Date32 | DataType::Date64 if of_time => lit(value.cast_to(&nanoseconds(None))?),
        DataType::Interval(unit) if unit != IntervalUnit::MonthDayNano => {
            lit(value.cast_to(&DataType::Interval(IntervalUnit::MonthDayNano))?)
        }
        from if from.is_string() && of_time => match value.try_as_str() {
            Some(Some(text)) => {
                let text = ScalarValue::from(whole_moment(text).as_ref());
                lit(text.cast_to(&nanoseconds(Some("UTC".into())))?)
            }
            _ => argument.clone(),
        },
        from if from.is_integer() && from != DataType::Int64 => lit(value.cast_to(&DataType::Int64)?),
        _ => argument.clone(),
    })
}
