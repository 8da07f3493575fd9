//! Random rows in random representations against a naive row model: whatever the types, spellings, nulls and slices, the
//! same rows come out; and whatever rows are broken, exactly they are named.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{
        Array, ArrayRef, Float64Array, Int64Array, MapBuilder, NullArray, RecordBatch, StringArray,
        StringBuilder, StructArray, TimestampNanosecondArray,
    },
    buffer::NullBuffer,
    compute::cast,
    datatypes::{DataType, Field, Fields, Schema, TimeUnit},
};
use h3o::{LatLng, Resolution};
use proptest::prelude::*;

use super::{
    Normaliser,
    sample::{NOW_MICROS, Row, normaliser, rows},
    to_query,
};
use crate::schema::TableSpec;

/// Shared by all cases, so that its cache fills and positions come back.
static NORMALISER: LazyLock<Normaliser> = LazyLock::new(normaliser);

/// Pairs of keys and values of a row's metadata.
type Pairs = Vec<(String, String)>;

/// A row before any representation is chosen.
#[derive(Debug, Clone)]
struct Event {
    seconds: i64,
    device_id: String,
    event_type: String,
    value: i32,
    position: Option<(f64, f64)>,
    metadata: Option<Pairs>,
}

/// How a batch represents its columns.
#[derive(Debug, Clone)]
struct Representation {
    time: (&'static str, DataType),
    device_id: DataType,
    event_type: (&'static str, DataType),
    value: (&'static str, DataType),
    /// Names of latitude and longitude; in a struct or not.
    position: (&'static str, &'static str, bool),
    metadata: DataType,
    /// Rows around those that the batch is sliced to.
    margin: usize,
}

fn text_type() -> impl Strategy<Value = DataType> {
    let text = || proptest::sample::select(vec![DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View]);
    let key = proptest::sample::select(vec![DataType::Int16, DataType::UInt32, DataType::Int64]);
    prop_oneof![
        text(),
        (key, text()).prop_map(|(key, text)| DataType::Dictionary(Box::new(key), Box::new(text)))
    ]
}

fn time_type() -> impl Strategy<Value = DataType> {
    let unit = proptest::sample::select(vec![
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ]);
    let zone = proptest::option::of(proptest::sample::select(vec!["UTC", "+02:00", "-11:30"]));
    prop_oneof![
        Just(DataType::Int64),
        (unit, zone).prop_map(|(unit, zone)| DataType::Timestamp(unit, zone.map(Arc::from)))
    ]
}

fn representation() -> impl Strategy<Value = Representation> {
    let select = proptest::sample::select::<&'static str>;
    let values = vec![DataType::Float64, DataType::Float32, DataType::Int32, DataType::Int64];
    (
        (select(vec!["timestamp", "ts", "time"]), time_type()),
        text_type(),
        (select(vec!["type", "metric_name"]), text_type()),
        (select(vec!["value", "metric_value"]), proptest::sample::select(values)),
        (select(vec!["latitude", "lat"]), select(vec!["longitude", "lon", "lng"]), any::<bool>()),
        prop_oneof![text_type(), Just(DataType::Boolean)],
        0..5_usize,
    )
        .prop_map(|(time, device_id, event_type, value, position, metadata, margin)| Representation {
            time,
            device_id,
            event_type,
            value,
            position,
            metadata,
            margin,
        })
}

fn event() -> impl Strategy<Value = Event> {
    let position = prop_oneof![
        (-90.0..=90.0, -180.0..=180.0),
        (
            proptest::sample::select(vec![-90.0, 0.0, 47.5, 90.0]),
            proptest::sample::select(vec![-180.0, 0.0, 180.0])
        ),
    ];
    (
        0..=NOW_MICROS / 1_000_000 + 3_600,
        "[a-e]|\\PC{1,60}",
        "temperature|humidity|\\PC{1,60}",
        -1_000_000..1_000_000_i32,
        proptest::option::of(position),
        proptest::option::of(proptest::collection::vec((".{0,8}", ".{0,8}"), 0..4)),
    )
        .prop_map(|(seconds, device_id, event_type, value, position, metadata)| Event {
            seconds,
            device_id,
            event_type,
            value,
            position,
            metadata,
        })
}

/// The naive model: what an event must look like after ingest.
fn expected(event: &Event) -> Row {
    Row {
        micros: event.seconds * 1_000_000,
        device_id: event.device_id.clone(),
        event_type: event.event_type.clone(),
        value: f64::from(event.value),
        position: event.position,
        cell: event.position.map(|(lat, lng)| {
            u64::from(LatLng::new(lat, lng).unwrap().to_cell(Resolution::Nine)).cast_signed()
        }),
        metadata: event.metadata.as_ref().map(json),
    }
}

fn json(pairs: &Pairs) -> String {
    let quote = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{}:{}", quote(key), quote(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// The events as a batch, cut out of a larger one.
fn batch(events: &[Event], how: &Representation) -> RecordBatch {
    let margin = vec![events[0].clone(); how.margin];
    let padded: Vec<Event> = [margin.as_slice(), events, margin.as_slice()].concat();
    let text = |of: fn(&Event) -> &String, data_type: &DataType| {
        cast(&StringArray::from_iter_values(padded.iter().map(of)), data_type).unwrap()
    };
    let values = Float64Array::from_iter_values(padded.iter().map(|event| f64::from(event.value)));
    let mut columns = vec![
        (how.time.0, times(&padded, &how.time.1)),
        ("device_id", text(|event| &event.device_id, &how.device_id)),
        (how.event_type.0, text(|event| &event.event_type, &how.event_type.1)),
        (how.value.0, cast(&values, &how.value.1).unwrap()),
    ];
    columns.extend(position(&padded, how));
    columns.push(("metadata", metadata(&padded, &how.metadata)));
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap().slice(how.margin, events.len())
}

fn times(events: &[Event], data_type: &DataType) -> ArrayRef {
    let seconds = Int64Array::from_iter_values(events.iter().map(|event| event.seconds));
    match data_type {
        DataType::Int64 => Arc::new(seconds),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let nanos = seconds.values().iter().map(|seconds| seconds * 1_000_000_000 + 123);
            Arc::new(TimestampNanosecondArray::from_iter_values(nanos).with_timezone_opt(zone.clone()))
        }
        DataType::Timestamp(unit, zone) => {
            let per_second = match unit {
                TimeUnit::Second => 1,
                TimeUnit::Millisecond => 1_000,
                _ => 1_000_000,
            };
            let ticks =
                Int64Array::from_iter_values(seconds.values().iter().map(|seconds| seconds * per_second));
            cast(&ticks, &DataType::Timestamp(*unit, zone.clone())).unwrap()
        }
        _ => panic!("not a time type"),
    }
}

/// Two columns, or one struct whose null rows hold nonsense in its children.
fn position(events: &[Event], how: &Representation) -> Vec<(&'static str, ArrayRef)> {
    let (lat, lng, is_struct) = how.position;
    if events.iter().all(|event| event.position.is_none()) {
        return if is_struct { vec![("location", Arc::new(NullArray::new(events.len())))] } else { vec![] };
    }
    let nulls = NullBuffer::from_iter(events.iter().map(|event| event.position.is_some()));
    let nonsense = (f64::NAN, 1e9);
    let (lats, lngs): (Vec<f64>, Vec<f64>) =
        events.iter().map(|event| event.position.unwrap_or(nonsense)).unzip();
    if is_struct {
        let fields: Fields =
            [lat, lng].iter().map(|name| Arc::new(Field::new(*name, DataType::Float64, true))).collect();
        let children: Vec<ArrayRef> =
            vec![Arc::new(Float64Array::from(lats)), Arc::new(Float64Array::from(lngs))];
        return vec![("location", Arc::new(StructArray::new(fields, children, Some(nulls))))];
    }
    let lats: ArrayRef = Arc::new(Float64Array::new(lats.into(), Some(nulls.clone())));
    let lngs: ArrayRef = Arc::new(Float64Array::new(lngs.into(), Some(nulls)));
    vec![(lat, lats), (lng, lngs)]
}

/// Text of the given type, or a map in place of Boolean.
fn metadata(events: &[Event], data_type: &DataType) -> ArrayRef {
    if *data_type != DataType::Boolean {
        let texts = StringArray::from_iter(events.iter().map(|event| event.metadata.as_ref().map(json)));
        return cast(&texts, data_type).unwrap();
    }
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for event in events {
        for (key, value) in event.metadata.iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(event.metadata.is_some()).unwrap();
    }
    Arc::new(builder.finish())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_representation_normalises_to_the_same_rows(
        events in proptest::collection::vec(event(), 1..40),
        how in representation(),
    ) {
        let spec = TableSpec::events();
        let normalised = NORMALISER.normalise(&batch(&events, &how)).unwrap();
        prop_assert_eq!(normalised.schema_ref(), spec.wal_schema());
        prop_assert_eq!(rows(&normalised), events.iter().map(expected).collect::<Vec<_>>());
        let query = to_query(&spec, &normalised).unwrap();
        for (kept, viewed) in normalised.columns().iter().zip(query.columns()) {
            prop_assert_eq!(&cast(viewed, kept.data_type()).unwrap(), kept);
        }
    }

    #[test]
    fn exactly_the_broken_rows_are_named(
        events in proptest::collection::vec(event(), 1..20),
        how in representation(),
        broken in proptest::collection::btree_set(0..20_usize, 1..6),
    ) {
        let broken: Vec<usize> = broken.into_iter().filter(|row| *row < events.len()).collect();
        prop_assume!(!broken.is_empty());
        let mut events = events;
        broken.iter().for_each(|row| events[*row].event_type.clear());
        let error = NORMALISER.normalise(&batch(&events, &how)).unwrap_err().to_string();
        let listed: Vec<String> = broken.iter().take(3).map(ToString::to_string).collect();
        let plural = if broken.len() == 1 { "" } else { "s" };
        let more = if broken.len() > 3 { ", ..." } else { "" };
        let expected = format!(
            "column '{}': row {}: \"\" has 0 bytes, not 1 to 256 ({} bad row{plural}: {}{more})",
            how.event_type.0, broken[0], broken.len(), listed.join(", "),
        );
        prop_assert_eq!(error, expected);
    }
}
