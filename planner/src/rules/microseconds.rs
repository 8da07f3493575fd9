//! `Microseconds`: a result has one unit of time. Moments, times of day and durations leave as µs, the unit in which events are
//! stored; inside a statement DataFusion computes `date_bin`, `now()` and casts in ns and others in s or ms. Digits below a
//! microsecond are cut.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::{
    config::ConfigOptions,
    error::Result,
    logical_expr::{Analyze, Explain, Expr, LogicalPlan, Projection, cast},
    optimizer::AnalyzerRule,
};

/// Casts columns at the root of a plan. Runs when all types are known.
#[derive(Debug)]
pub(super) struct Microseconds;

impl AnalyzerRule for Microseconds {
    fn name(&self) -> &'static str {
        "microseconds"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        at_root(plan)
    }
}

/// What is explained is what would run.
fn at_root(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Explain(explain) => {
            let plan = at_root(Arc::unwrap_or_clone(explain.plan))?;
            LogicalPlan::Explain(Explain { plan: Arc::new(plan), ..explain })
        }
        LogicalPlan::Analyze(analyze) => {
            let input = at_root(Arc::unwrap_or_clone(analyze.input))?;
            LogicalPlan::Analyze(Analyze { input: Arc::new(input), ..analyze })
        }
        plan => in_microseconds(plan)?,
    })
}

fn in_microseconds(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    if !schema.fields().iter().any(|field| unit_changed(field.data_type()).is_some()) {
        return Ok(plan);
    }
    let columns = schema.iter().map(|(relation, field)| {
        let column = Expr::Column((relation, field).into());
        match unit_changed(field.data_type()) {
            Some(data_type) => cast(column, data_type).alias_qualified(relation.cloned(), field.name()),
            None => column,
        }
    });
    Ok(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::new(plan))?))
}

/// The same type in µs, if it has another unit of time.
fn unit_changed(data_type: &DataType) -> Option<DataType> {
    use DataType::{Duration, LargeList, List, Time32, Time64, Timestamp};
    let inside = |field: &Field| {
        unit_changed(field.data_type()).map(|inner| Arc::new(field.clone().with_data_type(inner)))
    };
    match data_type {
        Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            Some(Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        Time32(_) | Time64(TimeUnit::Nanosecond) => Some(Time64(TimeUnit::Microsecond)),
        Duration(unit) if *unit != TimeUnit::Microsecond => Some(Duration(TimeUnit::Microsecond)),
        List(field) => inside(field).map(List),
        LargeList(field) => inside(field).map(LargeList),
        _ => None,
    }
}
