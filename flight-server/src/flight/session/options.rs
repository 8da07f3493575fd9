//! `SessionOptions`: what a client can set for its later calls. `catalog` and `schema` exist because clients ask for them; there is
//! one of each. `query_timeout_ms` stops queries of the session sooner than the server's own limit would; `timestamp_unit` says in
//! which unit the timestamps of its results leave.

use std::{collections::HashMap, time::Duration};

use hexflight_planner::{CATALOG_NAME, SCHEMA_NAME};

use super::messages::{ErrorValue, OptionValue, Value};
use crate::timestamp_unit::{TIMESTAMP_UNIT, TimestampUnit};

const CATALOG: &str = "catalog";
const SCHEMA: &str = "schema";
/// Name of the option that ends queries sooner.
pub(crate) const QUERY_TIMEOUT: &str = "query_timeout_ms";

/// The options of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SessionOptions {
    /// After which a query is stopped.
    pub(crate) query_timeout: Option<Duration>,
    /// The unit of its results' timestamps.
    pub(crate) timestamp_unit: Option<TimestampUnit>,
}

impl SessionOptions {
    /// Sets one option; without a value, sets it back.
    pub(super) fn set(&mut self, name: &str, value: Option<&Value>) -> Result<(), ErrorValue> {
        match name {
            CATALOG => is_only(CATALOG_NAME, value),
            SCHEMA => is_only(SCHEMA_NAME, value),
            QUERY_TIMEOUT => {
                self.query_timeout = value.map(timeout).transpose()?;
                Ok(())
            }
            TIMESTAMP_UNIT => {
                self.timestamp_unit = value.map(unit).transpose()?;
                Ok(())
            }
            _ => Err(ErrorValue::InvalidName),
        }
    }

    /// Every option that has a value.
    pub(super) fn all(self) -> HashMap<String, OptionValue> {
        let text = |name: &str| Value::Text(name.to_owned());
        let timeout = self.query_timeout.and_then(|timeout| i64::try_from(timeout.as_millis()).ok());
        let options = [
            (CATALOG, Some(text(CATALOG_NAME))),
            (SCHEMA, Some(text(SCHEMA_NAME))),
            (QUERY_TIMEOUT, timeout.map(Value::Whole)),
            (TIMESTAMP_UNIT, self.timestamp_unit.map(|unit| text(unit.name()))),
        ];
        let known = options.into_iter().filter(|(_, value)| value.is_some());
        known.map(|(name, value)| (name.to_owned(), OptionValue { value })).collect()
    }
}

fn is_only(only: &str, value: Option<&Value>) -> Result<(), ErrorValue> {
    match value {
        None => Ok(()),
        Some(Value::Text(text)) if text == only => Ok(()),
        Some(_) => Err(ErrorValue::InvalidValue),
    }
}

fn unit(value: &Value) -> Result<TimestampUnit, ErrorValue> {
    match value {
        Value::Text(text) => TimestampUnit::of_name(text).ok_or(ErrorValue::InvalidValue),
        _ => Err(ErrorValue::InvalidValue),
    }
}

/// Milliseconds as a number, or as text, which is all that some clients can send.
fn timeout(value: &Value) -> Result<Duration, ErrorValue> {
    let millis = match value {
        Value::Whole(millis) => u64::try_from(*millis).ok(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).ok_or(ErrorValue::InvalidValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_and_set_back() {
        let mut options = SessionOptions::default();
        assert_eq!(options.set(QUERY_TIMEOUT, Some(&Value::Whole(250))), Ok(()));
        assert_eq!(options.query_timeout, Some(Duration::from_millis(250)));
        assert_eq!(options.all()[QUERY_TIMEOUT].value, Some(Value::Whole(250)));
        assert_eq!(options.set(TIMESTAMP_UNIT, Some(&Value::Text("ns".to_owned()))), Ok(()));
        assert_eq!(options.timestamp_unit, Some(TimestampUnit::Nanos));
        assert_eq!(options.all()[TIMESTAMP_UNIT].value, Some(Value::Text("ns".to_owned())));
        assert_eq!(options.set(QUERY_TIMEOUT, None), Ok(()));
        assert_eq!(options.set(TIMESTAMP_UNIT, None), Ok(()));
        assert_eq!(options, SessionOptions::default());
        assert_eq!(options.all().len(), 2);
    }

    #[test]
    fn bad_names_and_values_are_told_apart() {
        let mut options = SessionOptions::default();
        let text = |text: &str| Value::Text(text.to_owned());
        let cases = [
            ("catalog", text("hexflight"), Ok(())),
            ("schema", text("public"), Ok(())),
            ("query_timeout_ms", text("30"), Ok(())),
            ("catalog", text("other"), Err(ErrorValue::InvalidValue)),
            ("schema", Value::Flag(true), Err(ErrorValue::InvalidValue)),
            ("query_timeout_ms", Value::Whole(0), Err(ErrorValue::InvalidValue)),
            ("query_timeout_ms", Value::Real(1.5), Err(ErrorValue::InvalidValue)),
            ("timestamp_unit", text("ms"), Err(ErrorValue::InvalidValue)),
            ("timestamp_unit", Value::Whole(1), Err(ErrorValue::InvalidValue)),
            ("timezone", text("UTC"), Err(ErrorValue::InvalidName)),
        ];
        for (name, value, expected) in cases {
            assert_eq!(options.set(name, Some(&value)), expected, "{name} {value:?}");
        }
    }
}
