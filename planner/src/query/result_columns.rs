//! The columns of a result: their names, where those of the plan are others, and one unit of time. Moments, times of day and
//! durations leave as µs, the unit in which events are stored; inside a statement DataFusion computes `date_bin`, `now()` and casts
//! in ns and others in s or ms. Digits below a microsecond are cut. A plan gets these columns when all rules have run.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::{
    error::Result,
    physical_expr::{
        PhysicalExpr,
        expressions::{CastExpr, Column},
    },
    physical_plan::{ExecutionPlan, projection::ProjectionExec},
};

/// The schema that the result of a plan with `schema` has.
pub(super) fn result_schema(schema: &SchemaRef, names: Option<&[String]>) -> SchemaRef {
    if is_final(schema, names) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let data_type = in_microseconds(field.data_type()).unwrap_or_else(|| field.data_type().clone());
        field.as_ref().clone().with_name(name(field, index, names)).with_data_type(data_type)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The same plan with the columns of its result. Two of the names may be alike.
///
/// # Errors
/// Propagates DataFusion's errors about a projection; none is expected.
pub(super) fn with_result_columns(
    plan: Arc<dyn ExecutionPlan>,
    names: Option<&[String]>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if is_final(&schema, names) {
        return Ok(plan);
    }
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
        let column = match in_microseconds(field.data_type()) {
            Some(data_type) => Arc::new(CastExpr::new(column, data_type, None)),
            None => column,
        };
        (column, name(field, index, names).to_owned())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}

fn is_final(schema: &Schema, names: Option<&[String]>) -> bool {
    names.is_none() && !schema.fields().iter().any(|field| in_microseconds(field.data_type()).is_some())
}

fn name<'a>(field: &'a Field, index: usize, names: Option<&'a [String]>) -> &'a str {
    names.and_then(|names| names.get(index)).unwrap_or_else(|| field.name())
}

/// The same type in µs, if it has another unit of time.
fn in_microseconds(data_type: &DataType) -> Option<DataType> {
    use DataType::{Duration, LargeList, List, Time32, Time64, Timestamp};
    let inside = |field: &Field| {
        in_microseconds(field.data_type()).map(|inner| Arc::new(field.clone().with_data_type(inner)))
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
