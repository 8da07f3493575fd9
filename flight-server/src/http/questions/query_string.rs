//! The query string of a question: decoded strictly, every name known and given once. What a question knows is what its
//! documentation lists, so that the two cannot differ.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::{IntoParams, openapi::path::ParameterIn};

use crate::{http::hint::did_you_mean, status::Problem};

/// Parameters by name, each given once.
#[derive(Debug, Default)]
pub(super) struct QueryString(Map<String, Value>);

impl QueryString {
    /// Decodes `text` and refuses names that are not in `known`.
    pub(super) fn parse(text: &str, known: &[String]) -> Result<Self, Problem> {
        let mut values = Map::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, Plus::IsSpace).map_err(|rule| undecodable("query string", name, rule))?;
            if !known.contains(&name) {
                return Err(unknown(&name, known));
            }
            let value = decode(value, Plus::IsSpace).map_err(|rule| undecodable(&name, value, rule))?;
            if values.insert(name.clone(), Value::String(value)).is_some() {
                let detail = format!("{name} is given twice; give it once");
                let problem = Problem::new(StatusCode::BAD_REQUEST, "duplicate_parameter", detail);
                return Err(problem.with("parameter", name));
            }
        }
        Ok(Self(values))
    }

    /// The parameters that `Q` documents; all its fields must be optional texts.
    pub(super) fn read<Q: DeserializeOwned>(&self) -> Result<Q, Problem> {
        serde_json::from_value(Value::Object(self.0.clone())).map_err(|error| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                format!("reading parameters: {error}"),
            )
        })
    }
}

/// The names of the query parameters that `Q` documents.
pub(super) fn names<Q: IntoParams>() -> Vec<String> {
    Q::into_params(|| Some(ParameterIn::Query)).into_iter().map(|parameter| parameter.name).collect()
}

/// What `+` stands for: a space in a query string, itself in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    IsSpace,
    IsPlus,
}

/// Decodes percent-encoded text; what cannot be decoded is refused, never replaced.
///
/// # Errors
/// The rule that is broken.
pub(super) fn decode(text: &str, plus: Plus) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let code = high.zip(low).map(|(high, low)| high * 16 + low);
                code.and_then(|code| u8::try_from(code).ok())
                    .ok_or("a % must be followed by two hexadecimal digits; write % itself as %25")?
            }
            b'+' if plus == Plus::IsSpace => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "must be UTF-8 once it is percent-decoded")
}

/// The problem of a text that [`decode`] refuses.
pub(super) fn undecodable(name: &str, value: &str, rule: &str) -> Problem {
    Problem::parameter(name, value, rule)
}

fn unknown(name: &str, known: &[String]) -> Problem {
    let shown: String = name.chars().take(100).collect();
    let detail = format!("{shown} is not a parameter of this question; it takes {}", known.join(", "));
    let problem = Problem::new(StatusCode::BAD_REQUEST, "unknown_parameter", detail).with("parameter", shown);
    match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

/// The problem of a parameter that must be given.
pub(super) fn missing(name: &str, rule: &str) -> Problem {
    let detail = format!("{name} is missing: {rule}");
    Problem::new(StatusCode::BAD_REQUEST, "missing_parameter", detail).with("parameter", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict() {
        assert_eq!(decode("a%2Fb+c%C3%A9", Plus::IsSpace).as_deref(), Ok("a/b cé"));
        assert_eq!(decode("a+b", Plus::IsPlus).as_deref(), Ok("a+b"));
        for bad in ["%", "%2", "%zz", "%C3", "%FF"] {
            assert!(decode(bad, Plus::IsSpace).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn unknown_and_repeated_names_are_refused() {
        let known = ["start".to_owned(), "end".to_owned()];
        assert!(QueryString::parse("start=1&end=2", &known).is_ok());
        let code = |text| QueryString::parse(text, &known).unwrap_err().code();
        assert_eq!(code("strat=1"), "unknown_parameter");
        assert_eq!(code("start=1&start=1"), "duplicate_parameter");
        assert_eq!(code("start=%"), "invalid_parameter");
    }
}
