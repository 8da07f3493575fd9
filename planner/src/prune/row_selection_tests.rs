//! Selections of sorted segments: every matching row is in them, and little else.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
        TimestampMicrosecondArray,
    },
    datatypes::DataType,
};
use datafusion::{
    common::{DFSchema, ScalarValue},
    logical_expr::{Expr, col, lit, physical_planning_context::PhysicalPlanningContext},
    physical_expr::{PhysicalExpr, create_physical_expr, execution_props::ExecutionProps},
};
use h3o::{LatLng, Resolution};
use hexflight_engine::{MemoryBatch, TableSpec};

use super::{Pruner, RowSelector};

const TYPES: [&str; 3] = ["battery", "humidity", "temperature"];

/// Rows of each type: some without a place, then places along a meridian.
const WITHOUT_PLACE: usize = 500;
const PLACED: usize = 20_000;

#[test]
fn a_type_is_one_run() {
    let one = select(&segment(), col("type").eq(text("humidity")));
    assert_eq!(one, std::slice::from_ref(&(20_500..41_000)));
    let others = select(&segment(), col("type").not_eq(text("humidity")));
    assert_eq!(others, [0..20_500, 41_000..61_500]);
    assert!(select(&segment(), col("type").eq(text("pressure"))).is_empty());
    let like = select(&segment(), col("type").like(text("%tery")));
    assert_eq!(like, std::slice::from_ref(&(0..20_500)));
}

#[test]
fn a_place_is_a_run_in_each_type() {
    let place = || col("latitude").gt_eq(lit(5.0)).and(col("latitude").lt_eq(lit(5.1)));
    let in_longitude = || place().and(col("longitude").gt(lit(7.9))).and(col("longitude").lt(lit(8.1)));
    let batch = segment();
    let selected = select(&batch, in_longitude());
    let rows: usize = selected.iter().map(ExactSizeIterator::len).sum();
    assert!(rows < 12_000, "{rows} rows of 61,500 in {selected:?}");
    check(&batch, in_longitude(), &selected);
    let both = in_longitude().and(col("type").eq(text("temperature")));
    let selected = select(&batch, both.clone());
    assert!(selected.iter().all(|run| run.start >= 41_500), "{selected:?}");
    check(&batch, both, &selected);
}

#[test]
fn what_the_order_does_not_answer_selects_everything() {
    let everything = std::slice::from_ref(&(0..61_500));
    assert_eq!(select(&segment(), col("value").gt(lit(1.0))), everything);
    assert_eq!(select(&segment(), col("type").is_null().or(col("value").gt(lit(1.0)))), everything);
    // A predicate that fails on a type is left to the rows that are really asked.
    let failing = datafusion::prelude::cast(col("type"), DataType::Int64).eq(lit(1_i64));
    assert_eq!(select(&segment(), failing), everything);
    let unsorted = MemoryBatch::new(segment().batch().clone(), None);
    assert_eq!(select(&unsorted, col("type").eq(text("humidity"))), everything);
}

/// As the optimizer leaves it: of the column's own type.
fn text(value: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(value.to_owned())))
}

fn select(batch: &MemoryBatch, predicate: Expr) -> Vec<Range<usize>> {
    let predicate = physical(predicate);
    let pruner = Pruner::new(&predicate, &TableSpec::events());
    RowSelector::new(&predicate, &pruner).select(batch)
}

/// Every matching row is selected, and there are some.
fn check(batch: &MemoryBatch, predicate: Expr, selected: &[Range<usize>]) {
    let rows = batch.batch();
    let matching = physical(predicate).evaluate(rows).unwrap().into_array(rows.num_rows()).unwrap();
    let matching = matching.as_boolean();
    let mut found = 0;
    for row in (0..rows.num_rows()).filter(|row| matching.is_valid(*row) && matching.value(*row)) {
        found += 1;
        assert!(selected.iter().any(|run| run.contains(&row)), "row {row} is not in {selected:?}");
    }
    assert!(found > 100, "{found} rows match");
}

fn physical(predicate: Expr) -> Arc<dyn PhysicalExpr> {
    let schema = DFSchema::try_from(Arc::clone(TableSpec::events().query_schema())).unwrap();
    let context = PhysicalPlanningContext::default();
    create_physical_expr(&predicate, &schema, &ExecutionProps::new(), &context).unwrap()
}

fn segment() -> MemoryBatch {
    let mut places: Vec<(i64, f64)> = (0..PLACED)
        .map(|step| {
            let latitude = f64::from(u32::try_from(step).unwrap()) / 2_000.0;
            let cell = LatLng::new(latitude, 8.0).unwrap().to_cell(Resolution::Nine);
            (u64::from(cell).cast_signed(), latitude)
        })
        .collect();
    places.sort_by_key(|(cell, _)| *cell);
    let one_type: Vec<Option<(i64, f64)>> =
        (0..WITHOUT_PLACE).map(|_| None).chain(places.into_iter().map(Some)).collect();
    let rows: Vec<(&str, Option<(i64, f64)>)> =
        TYPES.iter().flat_map(|kind| one_type.iter().map(|place| (*kind, *place))).collect();
    let types: StringViewArray = rows.iter().map(|(kind, _)| Some(*kind)).collect();
    let devices: StringViewArray = rows.iter().map(|_| Some("device")).collect();
    let metadata: StringViewArray = rows.iter().map(|_| None::<&str>).collect();
    let times = TimestampMicrosecondArray::from(vec![1; rows.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times),
        Arc::new(devices),
        Arc::new(types),
        Arc::new(Float64Array::from(vec![2.0; rows.len()])),
        Arc::new(rows.iter().map(|(_, place)| place.map(|(_, latitude)| latitude)).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|(_, place)| place.map(|_| 8.0)).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|(_, place)| place.map(|(cell, _)| cell)).collect::<Int64Array>()),
        Arc::new(metadata),
    ];
    let schema = Arc::clone(TableSpec::events().query_schema());
    MemoryBatch::of_segment(RecordBatch::try_new(schema, columns).unwrap(), None)
}
