//! What files of every format become. The same numbers through all of them: whatever a file writes them as, the bits of the nearest double arrive. And what a text file
//! says beside its numbers: metadata, positions, units, members that are given twice.

use std::{collections::HashSet, io::Write, sync::Arc, time::Duration};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, FixedSizeListArray, Float64Array, Int64Array, RecordBatch,
        StringArray, StructArray,
    },
    datatypes::{DataType, Field, Float64Type},
};
use hexflight_engine::{BadRow, ColumnRole, ContentHash, Normaliser, SystemClock, TableSpec};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use super::{
    column::ArrayOrder,
    content::Content,
    file::{FileFormat, InputFile, ReadRules},
    mapping::{ColumnRules, PositionRule},
    rows::Rows,
    text::Compression,
};

const VALUES: usize = 20_000;

#[test]
fn doubles_keep_their_bits_in_every_format() {
    let mut rng = StdRng::seed_from_u64(11);
    let values: Vec<f64> = (0..VALUES).map(|n| double(n, &mut rng)).collect();
    let longitudes: Vec<f64> = (0..VALUES).map(|_| rng.random_range(-180.0..180.0)).collect();
    let written = |form: fn(f64) -> String| values.iter().map(|value| form(*value)).collect::<Vec<_>>();
    // The shortest digits that mean the double, and the 17 that always do.
    for texts in [written(|value| value.to_string()), written(|value| format!("{value:.16e}"))] {
        let csv = texts.iter().zip(&longitudes).map(|(value, lon)| format!("1,d,t,{value},1.5,{lon}\n"));
        let csv = "ts,device_id,type,value,lat,lon\n".to_owned() + &csv.collect::<String>();
        assert_same_bits(&read(FileFormat::Csv, csv.as_bytes()).0, &values, &longitudes, "CSV");
        let ndjson = texts.iter().zip(&longitudes).map(|(value, lon)| {
            format!("{{\"ts\":1,\"device_id\":\"d\",\"type\":\"t\",\"value\":{value},\"location\":{{\"type\":\"Point\",\"coordinates\":[{lon},1.5]}}}}\n")
        });
        assert_same_bits(
            &read(FileFormat::Ndjson, ndjson.collect::<String>().as_bytes()).0,
            &values,
            &longitudes,
            "NDJSON",
        );
    }
    let text = |text: &str| Arc::new(StringArray::from(vec![text; VALUES])) as ArrayRef;
    let numbers = |numbers: &[f64]| Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef;
    let point = StructArray::from(vec![
        (Arc::new(Field::new("Lat", DataType::Float64, true)), numbers(&[1.5; VALUES])),
        (Arc::new(Field::new("LON", DataType::Float64, true)), numbers(&longitudes)),
    ]);
    let columns = [
        ("TS", Arc::new(Int64Array::from(vec![1; VALUES])) as ArrayRef),
        ("device_id", text("d")),
        ("type", text("t")),
        ("value", numbers(&values)),
        ("geometry", Arc::new(point)),
    ];
    let file = parquet(&RecordBatch::try_from_iter(columns).unwrap());
    assert_same_bits(&read(FileFormat::Parquet, &file).0, &values, &longitudes, "Parquet");
}

/// Doubles of all kinds: random bits, denormals, extremes, short decimals, −0.
fn double(n: usize, rng: &mut StdRng) -> f64 {
    let special = [
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        -0.0,
        0.1,
        1e23,
        99.035_534_104_066_39,
        9_007_199_254_740_993.0,
    ];
    match n % 4 {
        0 => special[n / 4 % special.len()],
        1 => f64::from_bits(rng.random::<u64>() >> 12),
        2 => rng.random_range(-1e3..1e3),
        _ => Some(f64::from_bits(rng.random())).filter(|value| value.is_finite()).unwrap_or(1.5),
    }
}

/// −0 becomes 0, as through every door.
fn assert_same_bits(rows: &[Rows], values: &[f64], longitudes: &[f64], format: &str) {
    let normaliser =
        Normaliser::new(Arc::new(TableSpec::events()), Duration::from_hours(1), Arc::new(SystemClock));
    let stored: Vec<RecordBatch> =
        rows.iter().map(|rows| normaliser.normalise(&rows.batch).unwrap()).collect();
    for (name, expected) in [("value", values), ("longitude", longitudes)] {
        let found = stored.iter().flat_map(|batch| {
            batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
        });
        let found: Vec<u64> = found.map(f64::to_bits).collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(*found, (expected + 0.0).to_bits(), "{format}: {name} {expected:e}");
        }
    }
}

#[test]
fn what_ndjson_gives_twice_or_cannot_mean_is_refused() {
    for (members, column, rule) in [
        (r#""value":1,"value":2"#, "value", "is given twice"),
        (r#""value":1,"Value":2"#, "Value", "gives value again, after 'value'"),
        (r#""value":1,"metric_value":2"#, "metric_value", "gives value again, after 'value'"),
        (r#""value":1e400"#, "value", "is beyond the range of a 64-bit float"),
        (r#""value":"1""#, "value", "is not a number"),
        (r#""value":"NaN""#, "value", "is not a number"),
        (r#""device_id":7"#, "device_id", "put it in quotes"),
        (r#""type":"\ud800""#, "type", "surrogate"),
        (r#""metadata":[1]"#, "metadata", "is not a JSON object"),
        (r#""ts":1748779200000000"#, "ts", "looks like microseconds"),
        (r#""ts":1748779200000000000"#, "ts", "looks like nanoseconds"),
        (r#""location":[52.5,13.4]"#, "location", "order is not said"),
        (r#""location":"Berlin""#, "location", "is not a position"),
        (r#""location":{"lat":1,"lat":2,"lon":2}"#, "location", "gives 'lat' twice"),
        (r#""location":{"lat":1,"lon":2},"location":null"#, "location", "is given twice"),
        (r#""location":"1,2","geo":"1,2""#, "geo", "gives the position again, after 'location'"),
        (r#""LAT":1,"LON":2,"location":"1,2""#, "location", "gives the position again, after 'LAT'"),
    ] {
        let (rows, _) = read(FileFormat::Ndjson, event(members).as_bytes());
        let [BadRow { column: found, rule: why, .. }] = rows[0].bad.as_slice() else {
            panic!("{members} was taken")
        };
        assert!(found == column && why.contains(rule), "{members}: {found} {why}");
    }
}

#[test]
fn ndjson_metadata_is_stored_as_it_was_sent() {
    let sent = r#"{"b": 12345678901234567890123, "a":  1.10, "a": 2}"#;
    let (rows, _) = read(FileFormat::Ndjson, event(&format!("\"metadata\" : {sent} ")).as_bytes());
    assert_eq!(rows[0].bad, []);
    assert_eq!(rows[0].batch.column_by_name("metadata").unwrap().as_string::<i32>().value(0), sent);
}

#[test]
fn names_that_differ_from_line_to_line_are_all_told() {
    let text =
        event(r#""lat":null,"lon":null"#) + &event(r#""location":"1,2""#) + &event(r#""lat":3,"LON":4"#);
    let (rows, file) = read(FileFormat::Ndjson, text.as_bytes());
    assert_eq!(rows[0].bad, []);
    let mapping = file.mapping();
    assert_eq!(mapping.file_name("latitude"), "lat or location");
    assert_eq!(mapping.file_name("longitude"), "lon or location or LON");
    assert_eq!(mapping.entries[4].found, "JSON string");
}

#[test]
fn one_member_may_fill_two_columns() {
    let mut rules = ReadRules::default();
    rules.columns.renamed =
        vec![(ColumnRole::DeviceId, "name".to_owned()), (ColumnRole::Type, "name".to_owned())];
    for (format, text) in [
        (
            FileFormat::Ndjson,
            "{\"ts\":1,\"Name\":\"a\",\"value\":1}\n{\"ts\":1,\"NAME\":\"b\",\"name\":\"a\",\"value\":1}\n",
        ),
        (FileFormat::Csv, "ts,name,value\n1,a,1\n1,a,1\n"),
    ] {
        let rows = read_by(format, text.as_bytes(), &rules).0;
        assert_eq!(rows[0].bad, []);
        for name in ["device_id", "type"] {
            let texts = rows[0].batch.column_by_name(name).unwrap().as_string::<i32>();
            assert_eq!(texts.iter().collect::<Vec<_>>(), [Some("a"); 2], "{format} {name}");
        }
    }
}

#[test]
fn ndjson_lists_everything_that_fills_nothing() {
    let text = event(r#""colour":"red","location":{"lat":1,"lon":2,"alt":3}"#) + &event(r#""size":1,"H3":2"#);
    let (rows, file) = read(FileFormat::Ndjson, text.as_bytes());
    assert_eq!(rows[0].batch.num_rows(), 2);
    assert_eq!(file.mapping().ignored.names(), ["colour", "location.alt", "size", "H3"]);
}

#[test]
fn a_csv_row_has_its_position_or_an_error() {
    let csv =
        "TS,Device_Id,TYPE,Value,Geom,colour\n1,d,t,1,POINT(13.4 52.5),red\n2,d,t,2,,\n3,d,t,3,Berlin,\n";
    let (rows, file) = read(FileFormat::Csv, csv.as_bytes());
    let longitudes = rows[0].batch.column_by_name("longitude").unwrap().as_primitive::<Float64Type>();
    assert_eq!(longitudes.iter().collect::<Vec<_>>(), [Some(13.4), None]);
    let [bad] = rows[0].bad.as_slice() else { panic!("{:?}", rows[0].bad) };
    assert_eq!((bad.row, bad.column.as_str(), bad.value.as_str()), (2, "Geom", "\"Berlin\""));
    assert_eq!(file.mapping().ignored.names(), ["colour"]);
}

#[test]
fn names_that_differ_in_case_alone_are_refused_or_chosen() {
    let header = |header: &str, rules: &ReadRules| {
        open(FileFormat::Csv, format!("{header}\n").as_bytes(), rules).map(|file| file.mapping())
    };
    let usual = ReadRules::default();
    for (names, text) in [
        ("ts,device_id,type,value,VALUE", "columns 'value' and 'VALUE' both fill value"),
        (
            "ts,device_id,type,value,location,Geometry",
            "columns 'location' and 'Geometry' may both be the position",
        ),
        ("ts,device_id,type,value,LAT", "column 'longitude (or lon, lng)' is missing"),
    ] {
        let refused = header(names, &usual).unwrap_err();
        assert!(refused.contains(text), "{names}: {refused}");
    }
    let mut rules = ReadRules::default();
    rules.columns.renamed = vec![(ColumnRole::Value, "X".to_owned())];
    let chosen = header("ts,device_id,type,x,X,value", &rules).unwrap();
    assert_eq!((chosen.file_name("value"), chosen.ignored.names().len()), ("X", 2));
    let refused = header("ts,device_id,type,x,x,value", &rules).unwrap_err();
    assert!(refused.contains("'x', mapped to value, is there twice"), "{refused}");
}

#[test]
fn parquet_positions_are_structs_lists_text_and_binary() {
    let wkb: &[u8] = &[1, 1, 0, 0, 0, 205, 204, 204, 204, 204, 204, 42, 64, 0, 0, 0, 0, 0, 64, 74, 64];
    let lon_lat = Float64Array::from(vec![13.4, 52.5]);
    let list = FixedSizeListArray::new(
        Arc::new(Field::new("item", DataType::Float64, true)),
        2,
        Arc::new(lon_lat),
        None,
    );
    let list: ArrayRef = Arc::new(list);
    let kind: ArrayRef = Arc::new(StringArray::from(vec!["Point"]));
    let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let point = StructArray::from(vec![
        (field("type", &kind), Arc::clone(&kind)),
        (field("coordinates", &list), Arc::clone(&list)),
    ]);
    let positions: [(&str, ArrayRef); 5] = [
        ("coordinates", Arc::clone(&list)),
        ("location", Arc::new(point)),
        ("geom", Arc::new(BinaryArray::from(vec![wkb]))),
        ("WKT", Arc::new(StringArray::from(vec!["SRID=4326;POINT(13.4 52.5)"]))),
        ("position", Arc::new(StringArray::from(vec!["52.5, 13.4"]))),
    ];
    for (name, array) in positions {
        let (rows, _) = read(FileFormat::Parquet, &parquet(&with_column(name, array)));
        assert_eq!(rows[0].bad, [], "{name}");
        let half =
            |half: &str| rows[0].batch.column_by_name(half).unwrap().as_primitive::<Float64Type>().value(0);
        assert_eq!((half("latitude"), half("longitude")), (52.5, 13.4), "{name}");
    }
    for (name, array, text) in [
        ("location", list, "map it as coordinates"),
        ("position", Arc::new(Int64Array::from(vec![45])) as ArrayRef, "type Int64 is not accepted"),
    ] {
        let file = parquet(&with_column(name, array));
        let refused = open(FileFormat::Parquet, &file, &ReadRules::default()).unwrap_err();
        assert!(refused.contains(text), "{refused}");
    }
}

#[test]
fn a_recipe_of_ndjson_is_what_its_names_come_to() {
    let lines = event(r#""VALUE":1,"humidity":2"#) + &event(r#""metric_value":3,"place":[1,2]"#);
    let recipe = |change: fn(&mut ColumnRules)| {
        let mut rules = ReadRules::default();
        change(&mut rules.columns);
        open(FileFormat::Ndjson, lines.as_bytes(), &rules).unwrap().recipe(&CancellationToken::new()).unwrap()
    };
    let plain = recipe(|_| ());
    for same in [
        recipe(|rules| rules.renamed.push((ColumnRole::DeviceId, "DEVICE_ID".to_owned()))),
        recipe(|rules| rules.ignored.push("humidity".to_owned())),
        recipe(|rules| rules.strict = true),
    ] {
        assert_eq!(same, plain);
    }
    let others = [
        plain,
        // Of the two names that fill it one is left.
        recipe(|rules| rules.renamed.push((ColumnRole::Value, "value".to_owned()))),
        recipe(|rules| rules.renamed.push((ColumnRole::Value, "metric_value".to_owned()))),
        recipe(|rules| rules.renamed.push((ColumnRole::Value, "humidity".to_owned()))),
        recipe(|rules| rules.ignored.push("type".to_owned())),
        recipe(|rules| rules.constants.push((ColumnRole::Value, "1".to_owned()))),
        recipe(|rules| rules.constants.push((ColumnRole::Value, "2".to_owned()))),
        recipe(|rules| {
            rules.position = Some(PositionRule { name: "place".to_owned(), order: ArrayOrder::Unsaid })
        }),
        recipe(|rules| {
            rules.position = Some(PositionRule { name: "place".to_owned(), order: ArrayOrder::LonLat })
        }),
    ];
    let different: HashSet<ContentHash> = others.iter().copied().collect();
    assert_eq!(different.len(), others.len());
}

/// A line with an event of these members; of those that every event has, the ones that are not among them are added.
fn event(members: &str) -> String {
    let others = [("ts", "1"), ("device_id", "\"d\""), ("type", "\"t\""), ("value", "1")];
    let is_missing = |name: &str| {
        !members.to_lowercase().contains(&format!("\"{name}\""))
            && !members.contains(&format!("\"metric_{name}\""))
    };
    let others = others.iter().filter(|(name, _)| is_missing(name));
    let others: String = others.map(|(name, raw)| format!("\"{name}\":{raw},")).collect();
    format!("{{{others}{members}}}\n")
}

/// A row of a Parquet file with one more column.
fn with_column(name: &str, array: ArrayRef) -> RecordBatch {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let columns = [
        ("ts", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("device_id", text("d")),
        ("type", text("t")),
        ("value", Arc::new(Float64Array::from(vec![1.0]))),
        (name, array),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn open(format: FileFormat, bytes: &[u8], rules: &ReadRules) -> Result<InputFile, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    InputFile::open("a file", Content::of(file).unwrap(), format, Compression::None, rules)
}

fn read(format: FileFormat, bytes: &[u8]) -> (Vec<Rows>, InputFile) {
    read_by(format, bytes, &ReadRules::default())
}

fn read_by(format: FileFormat, bytes: &[u8], rules: &ReadRules) -> (Vec<Rows>, InputFile) {
    let file = open(format, bytes, rules).unwrap();
    let mut all = Vec::new();
    for unit in file.units() {
        let taken = file.read(&unit, |rows| {
            all.push(rows);
            true
        });
        taken.unwrap();
    }
    (all, file)
}
