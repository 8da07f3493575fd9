//! The body of `POST /api/v1/sql`: JSON, checked member by member, so that an error names the member, the value and the rule.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use super::{format::ResultFormat, members::Members, params::Param};
use crate::{
    http::hint::did_you_mean,
    queries::OwnLimit,
    status::Problem,
    timestamp_unit::{self, TIMESTAMP_UNIT, TimestampUnit},
};

const TIMEOUT_MS: &str = "timeout_ms";

/// Longest `timeout_ms`: a day. The server's own limit holds besides. **Units**: ms.
const TIMEOUT_MS_MAX: u64 = 86_400_000;

/// Largest `max_rows`: JSON readers have integers of 64 bits with a sign.
const MAX_ROWS_MAX: u64 = (1 << 63) - 1;

/// What a body may have.
const MEMBERS: [&str; 6] = ["sql", "params", "format", TIMEOUT_MS, "max_rows", TIMESTAMP_UNIT];

/// A statement with its parameters, and how its result is wanted.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlRequest {
    /// One statement that only reads: SELECT, EXPLAIN, SHOW or DESCRIBE.
    #[schema(
        min_length = 1,
        example = "SELECT device_id, count(*) AS events FROM events WHERE type = ? GROUP BY device_id ORDER BY events DESC LIMIT 10"
    )]
    pub(super) sql: String,
    /// Values of `?` or of `$1`, `$2` …, in order: texts, numbers, booleans and nulls. Where a timestamp is wanted, a date and time
    /// as in SQL, RFC 3339 or Unix seconds.
    #[schema(value_type = Vec<ParamValue>, required = false, max_items = 10_000, example = json!(["temperature"]))]
    pub(super) params: Vec<Param>,
    /// Format of the result; without it the header `Accept` says.
    #[schema(nullable = true)]
    pub(super) format: Option<ResultFormat>,
    /// Milliseconds after which the query is stopped. The server's `query_timeout` holds besides.
    #[schema(minimum = 1, maximum = 86_400_000, example = 30_000)]
    pub(super) timeout_ms: Option<u64>,
    /// Most rows of the result; what comes after them is left out, and JSON says so in `truncated`.
    #[schema(minimum = 1, example = 1_000)]
    pub(super) max_rows: Option<u64>,
    /// Unit of the timestamps of an Arrow or Parquet result; the header of the same name says it too, and this wins. Without
    /// either they are as the statement computes them, which is microseconds for events.
    #[schema(nullable = true)]
    pub(super) timestamp_unit: Option<TimestampUnit>,
}

/// A parameter.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents what a parameter may be")]
pub(super) enum ParamValue {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
}

impl SqlRequest {
    /// Reads a body.
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        check_headers(headers)?;
        let Members(members) = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        let header = headers.get(TIMESTAMP_UNIT).map(|value| value.as_bytes());
        let timestamp_unit =
            TimestampUnit::of_header(header).map_err(|detail| invalid(TIMESTAMP_UNIT, detail))?;
        let mut request = Self { timestamp_unit, ..Self::default() };
        for (index, (name, value)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(other, _)| other == name) {
                return Err(invalid(name, format!("{name} is given twice; give it once")));
            }
            if name == "params" {
                request.params = params(value)?;
            } else {
                let value: Value = serde_json::from_str(value.get())
                    .map_err(|error| invalid(name, format!("{name}: {error}")))?;
                request.set(name, &value)?;
            }
        }
        if request.sql.trim().is_empty() {
            return Err(invalid(
                "sql",
                "sql must be a statement, for example \"SELECT count(*) FROM events\"",
            ));
        }
        Ok(request)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Problem> {
        match (name, value) {
            ("format" | TIMEOUT_MS | "max_rows" | TIMESTAMP_UNIT, Value::Null) => {}
            ("sql", Value::String(sql)) => self.sql.clone_from(sql),
            ("format", Value::String(format)) => {
                self.format =
                    Some(ResultFormat::of_name(format).ok_or_else(|| not("format", value, FORMAT_RULE))?);
            }
            (TIMEOUT_MS, _) => {
                let rule = format!("must be a whole number of milliseconds from 1 to {TIMEOUT_MS_MAX}");
                self.timeout_ms = Some(whole(name, value, TIMEOUT_MS_MAX, &rule)?);
            }
            ("max_rows", _) => {
                self.max_rows = Some(whole(name, value, MAX_ROWS_MAX, "must be a whole number above 0")?);
            }
            ("sql", _) => return Err(not(name, value, "must be a text, the statement")),
            (TIMESTAMP_UNIT, _) => {
                let unit = value.as_str().and_then(TimestampUnit::of_name);
                self.timestamp_unit = Some(unit.ok_or_else(|| not(name, value, timestamp_unit::RULE))?);
            }
            ("format", _) => return Err(not(name, value, FORMAT_RULE)),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// After which the query is ended.
    pub(super) fn limit(&self) -> Option<OwnLimit> {
        self.timeout_ms.map(|millis| (Duration::from_millis(millis), TIMEOUT_MS))
    }
}

/// The values of `params`; null is none.
fn params(raw: &RawValue) -> Result<Vec<Param>, Problem> {
    let rule = "must be an array: the values of ? or of $1, $2 … in order";
    let values: Option<Vec<Box<RawValue>>> = match raw.get().as_bytes() {
        b"null" => return Ok(Vec::new()),
        [b'[', ..] => Some(serde_json::from_str(raw.get()).map_err(|error| unreadable(&error))?),
        _ => None,
    };
    let values = values.ok_or_else(|| {
        let shown: String = raw.get().chars().take(100).collect();
        invalid("params", format!("params = {shown}: {rule}"))
    })?;
    let read = |(index, value): (usize, Box<RawValue>)| {
        Param::of(&value).map_err(|error| invalid("params", format!("params[{index}]: {error}")))
    };
    values.into_iter().enumerate().map(read).collect()
}

const FORMAT_RULE: &str = "must be json, ndjson, csv, arrow or parquet";

fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let refused = |detail| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = format!("Content-Type = '{media_type}': must be application/json");
        return Err(refused(detail));
    }
    match text(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
            Err(refused(format!("Content-Encoding = '{encoding}': a statement is sent as it is")))
        }
        _ => Ok(()),
    }
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let hint = r#"send an object, for example {"sql": "SELECT count(*) FROM events"}"#;
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body: {error}")).with_hint(hint)
}

fn whole(name: &str, value: &Value, max: u64, rule: &str) -> Result<u64, Problem> {
    value.as_u64().filter(|number| (1..=max).contains(number)).ok_or_else(|| not(name, value, rule))
}

/// The problem of a member with a value that breaks its rule.
fn not(name: &str, value: &Value, rule: &str) -> Problem {
    let shown: String = value.to_string().chars().take(100).collect();
    invalid(name, format!("{name} = {shown}: {rule}"))
}

/// The problem of a member of the body.
pub(super) fn invalid(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail).with("parameter", name)
}

fn unknown(name: &str) -> Problem {
    let shown: String = name.chars().take(100).collect();
    let detail = format!("{shown} is not a member of the body; it has {}", MEMBERS.join(", "));
    let problem = Problem::new(StatusCode::BAD_REQUEST, "unknown_parameter", detail).with("parameter", shown);
    match did_you_mean(name, MEMBERS) {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_statement_alone_is_enough() {
        let request = parsed(r#"{"sql": "SELECT 1", "params": null}"#).unwrap();
        assert_eq!(request.sql, "SELECT 1");
        assert_eq!((request.format, request.timeout_ms, request.max_rows), (None, None, None));
    }

    #[test]
    fn every_refusal_names_the_member() {
        let table = [
            (r#"{"sql": 5}"#, "sql"),
            (r#"{"sql": " "}"#, "sql"),
            ("{}", "sql"),
            (r#"{"sql": "a", "sql": "b"}"#, "sql"),
            (r#"{"sql": "a", "params": {"x": 1}}"#, "params"),
            (r#"{"sql": "a", "format": "xlsx"}"#, "format"),
            (r#"{"sql": "a", "timeout_ms": 0}"#, "timeout_ms"),
            (r#"{"sql": "a", "timeout_ms": 1.5}"#, "timeout_ms"),
            (r#"{"sql": "a", "max_rows": -1}"#, "max_rows"),
            (r#"{"sql": "a", "statement": "b"}"#, "statement"),
        ];
        for (body, member) in table {
            let problem = parsed(body).unwrap_err();
            assert!(problem.detail().starts_with(member), "{body}: {}", problem.detail());
        }
    }

    fn parsed(body: &str) -> Result<SqlRequest, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        SqlRequest::parse(&headers, body.as_bytes())
    }
}
