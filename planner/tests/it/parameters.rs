//! `?` and `$n`: numbering, types, values, and what goes wrong with them.

use arrow::{
    array::{Float64Array, RecordBatch, StringArray},
    datatypes::{DataType, TimeUnit},
};
use hexflight_planner::{QueryErrorKind, ScalarValue, params_of_row};
use insta::assert_snapshot;

use crate::support::{Fixture, START, event, first_value};

#[tokio::test]
async fn question_marks_and_numbers_give_the_same_rows() {
    let fixture = Fixture::new().await;
    let events = [event(START, "a", "temperature", 1.0), event(START + 1, "b", "humidity", 2.0)];
    fixture.append_to_files(&events[..1]).await;
    fixture.append(&events[1..]).await;
    let params = || vec![ScalarValue::from("humidity"), ScalarValue::from(1.5)];
    for sql in [
        "SELECT device_id FROM events WHERE type = ? AND value>?",
        "SELECT device_id FROM events WHERE type = $1 AND value > $2",
        "SELECT device_id FROM events WHERE value > $2 AND type = $1",
    ] {
        assert_eq!(first_value(&fixture.rows_with(sql, params()).await), "b", "{sql}");
    }
}

#[tokio::test]
async fn question_marks_that_are_no_parameters_stay() {
    let fixture = Fixture::new().await;
    let sql = "SELECT '?' || ? /* ? */ AS \"?\" -- ?";
    let rows = fixture.rows_with(sql, vec![ScalarValue::from("!")]).await;
    assert_eq!(first_value(&rows), "?!");
    assert_eq!(rows[0].schema().field(0).name(), "?");
}

#[tokio::test]
async fn schema_tells_columns_and_parameter_types() {
    let fixture = Fixture::new().await;
    let sql = "SELECT type, avg(value) AS mean FROM events
               WHERE timestamp >= ? AND device_id = ? AND value > ? GROUP BY type LIMIT ?";
    let schema = fixture.queries.schema(sql).await.unwrap();
    let columns: Vec<_> = schema.result.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(columns, ["type", "mean"]);
    assert_eq!(schema.result.field(1).data_type(), &DataType::Float64);
    let parameters: Vec<_> =
        schema.parameters.fields().iter().map(|field| field.data_type().clone()).collect();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(parameters, [time, DataType::Utf8View, DataType::Float64, DataType::Int64]);
    assert_eq!(schema.parameters.field(0).name(), "$1");
}

#[tokio::test]
async fn schema_is_that_of_the_stream() {
    let fixture = Fixture::new().await;
    fixture.append(&[event(START, "a", "temperature", 1.0)]).await;
    for sql in [
        "SELECT * FROM events",
        "SELECT CASE WHEN value > 1 THEN 1 ELSE 2.5 END AS x, metadata->'a' AS y FROM events",
        "SELECT 1 AS x UNION ALL SELECT 2.5",
        "SELECT type, count(*), min(timestamp) FROM events GROUP BY ROLLUP(type)",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
    ] {
        let schema = fixture.queries.schema(sql).await.unwrap();
        let stream = fixture.queries.execute(sql, vec![]).await.unwrap();
        let types = |schema: &arrow::datatypes::Schema| -> Vec<(String, DataType)> {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        assert_eq!(types(&schema.result), types(&stream.schema()), "{sql}");
    }
}

#[tokio::test]
async fn a_wrong_number_of_values_is_invalid() {
    let fixture = Fixture::new().await;
    let ask = async |sql: &str, params: Vec<ScalarValue>| {
        let error = fixture.try_rows(sql, params).await.unwrap_err();
        assert_eq!(error.kind, QueryErrorKind::Invalid);
        error.message
    };
    assert_snapshot!(ask("SELECT ?", vec![]).await, @"the statement has 1 parameters, 0 values were given");
    assert_snapshot!(ask("SELECT 1", vec![1.into()]).await, @"the statement has 0 parameters, 1 values were given");
    assert_snapshot!(ask("SELECT ?, $1", vec![1.into()]).await, @"parameters are written either as ? or as $1, $2; this statement has both");
    assert_snapshot!(ask("SELECT $name", vec![1.into()]).await, @"parameter $name: write parameters as ? or $1 to $10000");
    assert_snapshot!(ask("SELECT $4000000000", vec![1.into()]).await, @"parameter $4000000000: write parameters as ? or $1 to $10000");
}

#[tokio::test]
async fn values_come_from_a_row_of_a_batch() {
    let fixture = Fixture::new().await;
    let batch = RecordBatch::try_from_iter([
        ("a", std::sync::Arc::new(StringArray::from(vec!["x", "y"])) as arrow::array::ArrayRef),
        ("b", std::sync::Arc::new(Float64Array::from(vec![1.0, 2.0]))),
    ])
    .unwrap();
    let rows = fixture.rows_with("SELECT ? || CAST(? AS VARCHAR)", params_of_row(&batch, 1).unwrap()).await;
    assert_eq!(first_value(&rows), "y2.0");
    assert!(params_of_row(&batch, 2).is_err());
}
