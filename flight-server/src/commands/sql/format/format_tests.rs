//! Each format, byte by byte, and what bounds them.

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::{
    array::{
        ArrayRef, AsArray, Float64Array, Int64Array, ListArray, NullArray, StringArray,
        TimestampMicrosecondArray, UnionArray,
    },
    datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, UnionFields},
};

use super::*;

#[test]
fn table_shows_columns_and_nulls() {
    let expected = "\
+-----------+-------+----------------------+
| device_id | value | timestamp            |
+-----------+-------+----------------------+
| a         | 1.5   | 2026-01-01T12:00:00Z |
| b,c       | NULL  | 2026-01-01T12:00:01Z |
+-----------+-------+----------------------+
";
    assert_eq!(written(OutputFormat::Table, vec![batch()]), expected);
}

#[test]
fn csv_quotes_and_has_one_header() {
    let expected = "device_id,value,timestamp\na,1.5,2026-01-01T12:00:00Z\n\"b,c\",,2026-01-01T12:00:01Z\n\
                    a,1.5,2026-01-01T12:00:00Z\n\"b,c\",,2026-01-01T12:00:01Z\n";
    assert_eq!(written(OutputFormat::Csv, vec![batch(), batch()]), expected);
}

#[test]
fn jsonl_is_one_object_per_line() {
    let text = written(OutputFormat::Jsonl, vec![batch()]);
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains(r#""value":null"#), "{text}");
    assert_eq!(
        text.lines().next(),
        Some(r#"{"device_id":"a","value":1.5,"timestamp":"2026-01-01T12:00:00Z"}"#)
    );
}

#[test]
fn json_is_one_array() {
    let text = written(OutputFormat::Json, vec![batch(), batch()]);
    assert!(text.ends_with("]\n"), "{text}");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["device_id"], "b,c");
    assert_eq!(rows[3]["value"], serde_json::Value::Null);
}

#[test]
fn parquet_reads_back() {
    let bytes =
        written_bytes(Layout { format: OutputFormat::Parquet, ..TO_FILE }, &batch(), vec![batch(), batch()]);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 4);
    assert_eq!(batches[0].slice(0, 2), batch());
}

#[test]
fn empty_results_show_their_columns() {
    assert!(written(OutputFormat::Table, vec![]).contains("| device_id | value | timestamp |"));
    assert_eq!(written(OutputFormat::Csv, vec![]), "device_id,value,timestamp\n");
    assert_eq!(written(OutputFormat::Jsonl, vec![]), "");
    assert_eq!(written(OutputFormat::Json, vec![]), "[]\n");
    let bytes = written_bytes(Layout { format: OutputFormat::Parquet, ..TO_FILE }, &batch(), vec![]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    assert_eq!(reader.schema().fields(), batch().schema().fields());
}

#[test]
fn expanded_is_one_line_per_value() {
    let text = StringArray::from(vec!["two\nlines"]);
    let number = Int64Array::from(vec![None]);
    let batch = RecordBatch::try_from_iter([("t", Arc::new(text) as ArrayRef), ("number", Arc::new(number))])
        .unwrap();
    let layout = Layout { expanded: true, ..TO_FILE };
    let shown = String::from_utf8(written_bytes(layout, &batch, vec![batch.clone()])).unwrap();
    assert_eq!(shown, "-[ row 1 ]-\nt      | two\n       | lines\nnumber | NULL\n");
    let shown = String::from_utf8(written_bytes(layout, &batch, vec![])).unwrap();
    assert_eq!(shown, "(no rows)\n");
}

#[test]
fn lists_are_json_in_csv() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
    let batch = RecordBatch::try_from_iter([("n", Arc::new(lists) as ArrayRef)]).unwrap();
    let text = written_bytes(Layout { format: OutputFormat::Csv, ..TO_FILE }, &batch, vec![batch.clone()]);
    assert_eq!(String::from_utf8(text).unwrap(), "n\n\"[1,null]\"\n\"\"\n");
}

#[test]
fn json_operators_give_json_values() {
    let batch = RecordBatch::try_from_iter([("v", json_values())]).unwrap();
    let written = |format| {
        let bytes = written_bytes(Layout { format, ..TO_FILE }, &batch, vec![batch.clone()]);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    assert_eq!(written(OutputFormat::Jsonl), "{\"v\":\"a\"}\n{\"v\":[1, 2]}\n{\"v\":null}\n");
    assert_eq!(written(OutputFormat::Csv), "v\n\"\"\"a\"\"\"\n\"[1, 2]\"\n\"\"\n");
    assert!(
        written(OutputFormat::Table).contains("| [1, 2] |\n| NULL   |"),
        "{}",
        written(OutputFormat::Table)
    );
    assert!(written(OutputFormat::Parquet).starts_with("PAR1"));
}

#[test]
fn a_full_table_ends_on_a_terminal_and_goes_on_in_a_file() {
    let many = numbers(25_000);
    let stopped = Layout { overflow: Overflow::Stop, ..TO_FILE };
    let shown = String::from_utf8(written_bytes(stopped, &many, vec![many.clone()])).unwrap();
    assert_eq!(value_lines(&shown), 10_000);
    assert!(shown.contains("… more rows: the first 10000 are shown"), "{}", &shown[shown.len() - 200..]);
    let filed = String::from_utf8(written_bytes(TO_FILE, &many, vec![many.clone()])).unwrap();
    assert_eq!(value_lines(&filed), 25_000);
    assert!(!filed.contains("more rows"));
}

#[test]
fn a_table_of_exactly_its_limit_is_whole() {
    let many = numbers(10_000);
    let stopped = Layout { overflow: Overflow::Stop, ..TO_FILE };
    let shown = String::from_utf8(written_bytes(stopped, &many, vec![many.clone()])).unwrap();
    assert_eq!(value_lines(&shown), 10_000);
    assert!(!shown.contains("more rows"));
}

#[test]
fn a_value_cannot_steer_the_terminal() {
    let names = StringArray::from(vec!["\u{1b}[2Jgone\u{9b}"]);
    let batch = RecordBatch::try_from_iter([("n", Arc::new(names) as ArrayRef)]).unwrap();
    for expanded in [false, true] {
        let text = written_bytes(Layout { expanded, ..TO_FILE }, &batch, vec![batch.clone()]);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\\u{1b}[2Jgone\\u{9b}"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text}");
    }
}

const TO_FILE: Layout = Layout { format: OutputFormat::Table, expanded: false, overflow: Overflow::Continue };

fn written(format: OutputFormat, batches: Vec<RecordBatch>) -> String {
    String::from_utf8(written_bytes(Layout { format, ..TO_FILE }, &batch(), batches)).unwrap()
}

fn written_bytes(layout: Layout, like: &RecordBatch, batches: Vec<RecordBatch>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut sink = Sink::create(&path).unwrap();
    let mut writer = ResultWriter::new(layout, like.schema_ref(), &mut sink).unwrap();
    for batch in batches {
        if writer.write(batch).unwrap() == Flow::Enough {
            break;
        }
    }
    writer.finish().unwrap();
    sink.commit().unwrap();
    std::fs::read(&path).unwrap()
}

fn value_lines(table: &str) -> usize {
    table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| n ")).count()
}

fn numbers(rows: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    assert_eq!(numbers.as_primitive::<Int64Type>().len() as i64, rows);
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

/// A text, an array and a null, as datafusion-functions-json returns them.
fn json_values() -> ArrayRef {
    let is_json = [("is_json".to_owned(), "true".to_owned())].into();
    let fields = UnionFields::from_iter([
        (0, Arc::new(Field::new("null", DataType::Null, true))),
        (1, Arc::new(Field::new("str", DataType::Utf8, false))),
        (2, Arc::new(Field::new("array", DataType::Utf8, false).with_metadata(is_json))),
    ]);
    let texts = StringArray::from(vec![Some("a"), None, None]);
    let arrays = StringArray::from(vec![None, Some("[1,\n2]"), None]);
    let children: Vec<ArrayRef> = vec![Arc::new(NullArray::new(3)), Arc::new(texts), Arc::new(arrays)];
    Arc::new(UnionArray::try_new(fields, vec![1, 2, 0].into(), None, children).unwrap())
}

fn batch() -> RecordBatch {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    let schema = Schema::new(vec![
        Field::new("device_id", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("timestamp", time, false),
    ]);
    let noon = 1_767_268_800_000_000;
    let times = TimestampMicrosecondArray::from(vec![noon, noon + 1_000_000]).with_timezone("UTC");
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(vec!["a", "b,c"])),
            Arc::new(Float64Array::from(vec![Some(1.5), None])),
            Arc::new(times),
        ],
    )
    .unwrap()
}
