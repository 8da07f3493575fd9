//! Numbers are never touched: random doubles go in at every door and come out of every other with the same bits; −0 becomes 0.
//! `HEXFLIGHT_DOUBLES` says how many, `HEXFLIGHT_SEED` which.

use std::{io::Cursor, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::concat_batches,
    datatypes::Float64Type,
    ipc::reader::StreamReader,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::{START, TestServer};

/// Doubles of one request or batch.
const BATCH: usize = 2_500;

/// Parameters of one statement.
const PARAMETERS: usize = 250;

#[tokio::test(flavor = "multi_thread")]
async fn doubles_keep_their_bits_through_every_door() {
    let count: usize = setting("HEXFLIGHT_DOUBLES").unwrap_or(10_000);
    let seed: u64 = setting("HEXFLIGHT_SEED").unwrap_or(11);
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::start().await;
    for number in 0..count.div_ceil(2 * BATCH) {
        let doubles: Vec<f64> = (0..BATCH).map(|_| double(&mut random)).collect();
        let metric = format!("m{number}");
        send_json(&server, &format!("{metric}-json"), &doubles, &mut random).await;
        server.ingest(vec![batch(&format!("{metric}-flight"), &doubles)]).await;
        if number % 2 == 1 {
            server.server.engine().flush().await.unwrap();
        }
        for door in ["json", "flight"] {
            let metric = format!("{metric}-{door}");
            assert_same(&read_all(&server, &metric).await, &doubles, &format!("{metric}, seed {seed}"));
            assert_bounds(&server, &metric, &doubles).await;
        }
        for doubles in doubles.chunks(PARAMETERS).take(2) {
            assert_bound(&server, doubles, &format!("parameters, seed {seed}")).await;
        }
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Seventeen digits as sensors have them, degrees, denormals, extremes, whole numbers, any bits.
fn double(random: &mut StdRng) -> f64 {
    let extremes = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, -0.0, 0.0, 1e22, 1e23, 1e-322];
    match random.random_range(0..8) {
        0 => random.random_range(0.0..100.0),
        1 => random.random_range(10.0..16.0),
        2 => f64::from_bits(random.random_range(1..1 << 52)),
        3 => extremes[random.random_range(0..extremes.len())],
        4 => random.random_range(-9_007_199_254_740_993_i64..9_007_199_254_740_993) as f64,
        5 => random.random_range(0.0..1.0) * 10_f64.powi(random.random_range(-300..300)),
        _ => loop {
            let any = f64::from_bits(random.random());
            if any.is_finite() {
                break any;
            }
        },
    }
}

/// The double in one of the ways in which programs write it.
fn written(double: f64, random: &mut StdRng) -> String {
    match random.random_range(0..4) {
        0 => format!("{double:?}"),
        1 => format!("{double:.16e}"),
        2 => format!("{double:E}"),
        // All its digits: up to a thousand of them.
        _ => format!("{double:.1100}"),
    }
}

async fn send_json(server: &TestServer, metric: &str, doubles: &[f64], random: &mut StdRng) {
    let mut lines = String::new();
    for (index, double) in doubles.iter().enumerate() {
        let (value, longitude) = (written(*double, random), degrees(*double));
        lines.push_str(&format!(
            "{{\"device_id\":\"d{index:05}\",\"timestamp\":{},\"type\":\"{metric}\",\"value\":{value},\
             \"latitude\":1,\"longitude\":{longitude:?}}}\n",
            START / 1_000_000
        ));
    }
    let (status, answer) = server.post("events", "application/x-ndjson", lines).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
}

fn batch(metric: &str, doubles: &[f64]) -> RecordBatch {
    let columns: [(&str, ArrayRef); 6] = [
        (
            "device_id",
            Arc::new(StringArray::from_iter_values((0..doubles.len()).map(|index| format!("d{index:05}")))),
        ),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from(vec![START; doubles.len()]))),
        ("type", Arc::new(StringArray::from(vec![metric; doubles.len()]))),
        ("value", Arc::new(Float64Array::from(doubles.to_vec()))),
        ("latitude", Arc::new(Float64Array::from(vec![1.0; doubles.len()]))),
        ("longitude", Arc::new(Float64Array::from_iter_values(doubles.iter().copied().map(degrees)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A longitude that has as many digits as the double.
fn degrees(double: f64) -> f64 {
    double % 180.0
}

/// Values and longitudes of a metric through every way out, each with its name.
async fn read_all(server: &TestServer, metric: &str) -> Vec<(&'static str, Vec<f64>, Vec<f64>)> {
    let sql = format!("SELECT value, longitude FROM events WHERE type = '{metric}' ORDER BY device_id");
    let ask = async |format: &str| server.http_sql(&json!({"sql": sql, "format": format})).await;
    let columns = |batches: &[RecordBatch]| {
        let all = concat_batches(&batches[0].schema(), batches).unwrap();
        let column = |index: usize| all.column(index).as_primitive::<Float64Type>().values().to_vec();
        (column(0), column(1))
    };
    let json: Value = serde_json::from_slice(&ask("json").await).unwrap();
    let member = |rows: &[Value], name: &str| rows.iter().map(|row| row[name].as_f64().unwrap()).collect();
    let rows = json["data"].as_array().unwrap();
    let mut found = vec![("JSON", member(rows, "value"), member(rows, "longitude"))];
    let text = String::from_utf8(ask("ndjson").await).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    found.push(("NDJSON", member(&lines, "value"), member(&lines, "longitude")));
    let text = String::from_utf8(ask("csv").await).unwrap();
    let fields = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
    let (values, longitudes): (Vec<&str>, Vec<&str>) = fields.unzip();
    let parsed = |texts: Vec<&str>| texts.iter().map(|text| text.parse().unwrap()).collect();
    found.push(("CSV", parsed(values), parsed(longitudes)));
    let stream = StreamReader::try_new(Cursor::new(ask("arrow").await), None).unwrap();
    let (values, longitudes) = columns(&stream.map(Result::unwrap).collect::<Vec<_>>());
    found.push(("Arrow", values, longitudes));
    let file = bytes::Bytes::from(ask("parquet").await);
    let file = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let (values, longitudes) = columns(&file.map(Result::unwrap).collect::<Vec<_>>());
    found.push(("Parquet", values, longitudes));
    let (values, longitudes) = columns(&server.query(&sql).await.unwrap());
    found.push(("Flight", values, longitudes));
    found
}

fn assert_same(found: &[(&str, Vec<f64>, Vec<f64>)], sent: &[f64], what: &str) {
    for (way, values, longitudes) in found {
        assert_eq!(values.len(), sent.len(), "{what}, {way}");
        for (index, sent) in sent.iter().enumerate() {
            assert_eq!(bits(values[index]), bits(*sent + 0.0), "{what}, {way}: {sent:?}");
            assert_eq!(bits(longitudes[index]), bits(degrees(*sent) + 0.0), "{what}, {way}: {sent:?}");
        }
    }
}

fn bits(double: f64) -> String {
    format!("{double:?} {:016x}", double.to_bits())
}

/// The least and the greatest value, and the rows at these bounds and at a few values.
async fn assert_bounds(server: &TestServer, metric: &str, doubles: &[f64]) {
    let sorted = |cut: usize| {
        let mut doubles: Vec<f64> = doubles.iter().map(|double| double + 0.0).collect();
        doubles.sort_by(f64::total_cmp);
        doubles[cut]
    };
    let (least, greatest) = (sorted(0), sorted(doubles.len() - 1));
    let sql = format!("SELECT min(value), max(value) FROM events WHERE type = '{metric}'");
    let found = server.query(&sql).await.unwrap();
    let bound = |index: usize| bits(found[0].column(index).as_primitive::<Float64Type>().value(0));
    assert_eq!((bound(0), bound(1)), (bits(least), bits(greatest)), "{metric}");
    for (operator, bound) in [("<=", least), (">=", greatest), ("=", least), ("=", sorted(doubles.len() / 2))]
    {
        let sql = format!("SELECT count(*) FROM events WHERE type = '{metric}' AND value {operator} $1");
        let body = json!({"sql": sql, "params": [bound], "format": "csv"});
        let answer = String::from_utf8(server.http_sql(&body).await).unwrap();
        let count = answer.lines().nth(1).unwrap().parse::<usize>().unwrap();
        let expected = doubles.iter().filter(|double| **double == bound).count();
        assert_eq!(count, expected, "{metric}: value {operator} {bound:?}");
    }
}

/// What is bound comes back.
async fn assert_bound(server: &TestServer, doubles: &[f64], what: &str) {
    let casts = (1..=doubles.len()).map(|number| format!("CAST(${number} AS DOUBLE) AS c{number}"));
    let sql = format!("SELECT {}", casts.collect::<Vec<_>>().join(", "));
    let body = json!({"sql": sql, "params": doubles, "format": "csv"});
    let answer = String::from_utf8(server.http_sql(&body).await).unwrap();
    let found = answer.lines().nth(1).unwrap().split(',').map(|text| text.parse::<f64>().unwrap());
    for (found, sent) in found.zip(doubles) {
        assert_eq!(bits(found), bits(*sent + 0.0), "{what}");
    }
}
