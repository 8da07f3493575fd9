//! Metadata: text must hold a JSON object; maps and structs become one.

use std::fmt;

use arrow::{
    array::{Array, StringArray},
    datatypes::DataType,
};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    bad_rows::{Found, quoted, refuse_rows},
    columns::InputColumn,
    json, text,
};
use crate::error::Result;

/// Longest metadata of an event. **Units**: bytes.
pub(super) const METADATA_BYTES_MAX: usize = 64 << 10;

/// Reads the metadata column. **Shape**: every text is a JSON object of at most 64 KiB.
pub(super) fn read(column: &InputColumn<'_>) -> Result<StringArray> {
    match column.array.data_type() {
        DataType::Map(..) | DataType::Struct(_) => json::write_objects(&column.name, column.array),
        _ => {
            let objects = text::read(column, "JSON objects as text, a map with text keys, or a struct")?;
            if objects.null_count() < objects.len() {
                refuse_long(&column.name, &objects)?;
                refuse_non_objects(&column.name, &objects)?;
            }
            Ok(objects)
        }
    }
}

fn refuse_long(name: &str, objects: &StringArray) -> Result<()> {
    let is_long = |row: &usize| objects.is_valid(*row) && objects.value(*row).len() > METADATA_BYTES_MAX;
    refuse_rows(name, (0..objects.len()).filter(is_long), |row| {
        let found = objects.value(row);
        Found::new(quoted(found), format!("has {} bytes, at most {METADATA_BYTES_MAX}", found.len()))
    })
}

fn refuse_non_objects(name: &str, objects: &StringArray) -> Result<()> {
    // Devices repeat their metadata: a text that equals the valid one before it is not parsed again.
    let mut last_valid = "{}";
    let is_bad = |row: &usize| {
        if objects.is_null(*row) || objects.value(*row) == last_valid {
            return false;
        }
        let parsed = parse_object(objects.value(*row));
        if parsed.is_ok() {
            last_valid = objects.value(*row);
        }
        parsed.is_err()
    };
    refuse_rows(name, (0..objects.len()).filter(is_bad), |row| {
        let found = objects.value(row);
        let reason = parse_object(found).err().map_or_else(String::new, |error| format!(": {error}"));
        Found::new(quoted(found), format!("is not a JSON object{reason}"))
    })
}

fn parse_object(text: &str) -> serde_json::Result<()> {
    serde_json::from_str::<JsonObject>(text).map(|_| ())
}

/// A JSON object, checked and forgotten.
struct JsonObject;

/// Any JSON value, checked and forgotten. Unlike [`IgnoredAny`] it holds to serde_json's depth limit and refuses broken
/// escapes and numbers beyond Float64, at which the JSON operators would give up later.
struct JsonValue;

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<JsonObject, A::Error> {
                drain_map(map).map(|()| JsonObject)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_i64<E: Error>(self, _: i64) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_u64<E: Error>(self, _: u64) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_f64<E: Error>(self, _: f64) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_str<E: Error>(self, _: &str) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<JsonValue, E> {
        Ok(JsonValue)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<JsonValue, A::Error> {
        while items.next_element::<JsonValue>()?.is_some() {}
        Ok(JsonValue)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<JsonValue, A::Error> {
        drain_map(map).map(|()| JsonValue)
    }
}

fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> std::result::Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, JsonValue>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_recognised() {
        for text in
            ["{}", " {\"a\": 1}\n", r#"{"a":{"b":[1,-2,3.5e3,null,true,"\u00e4\ud83d\ude00"]},"a":2}"#]
        {
            assert!(parse_object(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_an_object() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            "",
            " ",
            "null",
            "[1]",
            "1",
            "\"{}\"",
            "{",
            "{}}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            &deep,
        ] {
            assert!(parse_object(text).is_err(), "{text}");
        }
        assert!(parse_object(r#"{"a":"\ud800"}"#).is_err(), "lone surrogate");
        assert!(parse_object(r#"{"a":1e999}"#).is_err(), "beyond Float64");
    }
}
