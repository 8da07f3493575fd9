//! JSON as it was written: the members of an object in their order, doubled ones included, each value with its own digits and blanks.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

/// The members of an object: names, and the text of their values.
pub(crate) type Members<'t> = Vec<(Cow<'t, str>, &'t str)>;

/// Reads the members of an object.
///
/// # Errors
/// The text is not one JSON object.
pub(crate) fn members(text: &str) -> Result<Members<'_>, Error> {
    serde_json::from_str::<Object<'_>>(text).map(|object| object.0)
}

/// Reads the texts of the items of an array.
///
/// # Errors
/// The text is not one JSON array.
pub(crate) fn items(text: &str) -> Result<Vec<&str>, Error> {
    Ok(serde_json::from_str::<Vec<&RawValue>>(text)?.into_iter().map(RawValue::get).collect())
}

/// Reads what a string says.
///
/// # Errors
/// The text is not one JSON string, or has half of a surrogate pair.
pub(crate) fn text(raw: &str) -> Result<Cow<'_, str>, Error> {
    serde_json::from_str::<Text<'_>>(raw).map(|text| text.0)
}

/// What the text of a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonKind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

impl JsonKind {
    /// Of a text that is JSON: its first byte tells.
    pub(crate) fn of(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::Text,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }

    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "JSON null",
            Self::Boolean => "JSON boolean",
            Self::Number => "JSON number",
            Self::Text => "JSON string",
            Self::Array => "JSON array",
            Self::Object => "JSON object",
        }
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

struct Object<'t>(Members<'t>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, value.get()));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_what_was_written() {
        let text = r#" {"b": 12345678901234567890123, "a" : 1.10, "a":2,"\u00e4": {"x":  [ 1 ]}} "#;
        let found = members(text).unwrap();
        let expected =
            [("b", "12345678901234567890123"), ("a", "1.10"), ("a", "2"), ("ä", r#"{"x":  [ 1 ]}"#)];
        assert_eq!(found, expected.map(|(name, raw)| (Cow::Borrowed(name), raw)));
        assert_eq!(items("[1e400, \"x\", []]").unwrap(), ["1e400", "\"x\"", "[]"]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "[]", "{", "{}{}", r#"{"a":NaN}"#, r#"{"a":01}"#, r#"{"\ud800":1}"#] {
            assert!(members(text).is_err(), "{text}");
        }
        assert!(text(r#""\ud800""#).is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).unwrap().len(), 1);
    }
}
