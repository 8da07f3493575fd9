//! What the OpenAPI document says about bodies. Nothing here is ever made: the parser reads bodies by hand.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::json::fault::Fault;

/// One event, or an array of them
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body")]
pub(super) enum Events {
    /// One event
    One(Event),
    /// Several events
    Many(Vec<Event>),
}

/// An event, with a location as an object or as `latitude` and `longitude` (or `lat`, `lon`, `lng`) beside the other fields
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body")]
pub(super) enum Event {
    /// The table's own names
    Typed(TypedEvent),
    /// Names as metrics systems use them
    Metric(MetricEvent),
}

/// An event in the table's own names
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct TypedEvent {
    /// When it happened; also `ts` or `time`
    timestamp: Timestamp,
    /// Who measured
    #[schema(min_length = 1, max_length = 256, example = "thermo-1")]
    device_id: String,
    /// What was measured
    #[schema(min_length = 1, max_length = 256, example = "temperature")]
    r#type: String,
    /// The measured value
    #[schema(example = 21.5)]
    value: f64,
    /// Where
    location: Option<Location>,
    /// Anything else
    metadata: Option<Map<String, Value>>,
}

/// An event in the names of metrics systems
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct MetricEvent {
    /// When it happened; also `ts` or `time`
    timestamp: Timestamp,
    /// Who measured
    #[schema(min_length = 1, max_length = 256, example = "thermo-1")]
    device_id: String,
    /// What was measured
    #[schema(min_length = 1, max_length = 256, example = "temperature")]
    metric_name: String,
    /// The measured value
    #[schema(example = 21.5)]
    metric_value: f64,
    /// Where
    location: Option<Location>,
    /// Anything else
    metadata: Option<Map<String, Value>>,
}

/// Unix seconds, with decimals down to the microsecond, or RFC 3339 text with a zone
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body")]
pub(super) enum Timestamp {
    /// Unix seconds
    Seconds(f64),
    /// RFC 3339 text
    #[schema(format = "date-time")]
    Text(String),
}

/// Degrees, WGS84; both or neither
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct Location {
    /// Degrees north; also `lat`
    #[schema(minimum = -90, maximum = 90, example = 52.52)]
    latitude: Option<f64>,
    /// Degrees east; also `lon` or `lng`
    #[schema(minimum = -180, maximum = 180, example = 13.405)]
    longitude: Option<f64>,
}

/// A CloudEvent 1.0 whose data is an event
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct CloudEvent {
    /// Always `1.0`
    #[schema(example = "1.0")]
    specversion: String,
    /// Names the CloudEvent; not stored
    id: String,
    /// Who sent it; not stored
    source: String,
    /// The type of the event if `data` has none
    r#type: String,
    /// The device_id of the event if `data` has none
    subject: Option<String>,
    /// The timestamp of the event if `data` has none: RFC 3339 text
    time: Option<String>,
    /// A JSON media type
    datacontenttype: Option<String>,
    /// The event
    data: Option<Map<String, Value>>,
    /// The event as Base64 of its JSON text, in place of `data`
    data_base64: Option<String>,
}

/// Why events were refused (RFC 9457)
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct EventsProblem {
    /// `urn:hexflight:problem:` and the code
    r#type: String,
    /// The status in words
    title: String,
    /// The HTTP status
    status: u16,
    /// What went wrong, for programs
    #[schema(example = "invalid_events")]
    code: String,
    /// What went wrong, for people
    detail: String,
    /// The id of the request, also in the header X-Request-Id and in the log
    request_id: String,
    /// What to do
    hint: Option<String>,
    /// How many events are bad
    rejected: Option<usize>,
    /// What is wrong with them, the first 100
    errors: Option<Vec<Fault>>,
    /// How many errors there are
    errors_total: Option<usize>,
    /// Of malformed JSON: the byte, from 0
    offset: Option<usize>,
    /// Of malformed JSON: the line, from 1
    line: Option<usize>,
    /// Of malformed JSON: the column in characters, from 1
    column: Option<usize>,
}
