//! `ResultFormat`: the media types of a result, and which of them a client wants: `format` in the body, else the header
//! `Accept`.

use std::borrow::Cow;

use crate::status::Problem;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Format)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResultFormat {
    /// One object with columns, rows and their count.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a header line.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl ResultFormat {
    /// In order of preference, for a client that takes several alike.
    pub(super) const ALL: [Self; 5] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet];

    /// What requests call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// The format of that name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Type and subtype that a client can ask for; the first is what is answered.
    fn media_types(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json => &[("application", "json")],
            Self::Ndjson => {
                &[("application", "x-ndjson"), ("application", "ndjson"), ("application", "jsonl")]
            }
            Self::Csv => &[("text", "csv")],
            Self::Arrow => &[("application", "vnd.apache.arrow.stream")],
            Self::Parquet => &[("application", "vnd.apache.parquet")],
        }
    }

    /// The format that `Accept` ranks highest; JSON without one.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, Problem> {
        let texts: Vec<&str> =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accept = texts.join(",");
        let ranges: Vec<MediaRange<'_>> = accept.split(',').filter_map(MediaRange::parse).collect();
        if ranges.is_empty() && accept.trim().is_empty() {
            return Ok(Self::Json);
        }
        let mut best = None;
        for format in Self::ALL {
            let quality = format.quality(&ranges);
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((format, quality));
            }
        }
        best.map(|(format, _)| format).ok_or_else(|| not_acceptable(&accept))
    }

    /// By RFC 9110, the most specific range that matches decides.
    fn quality(self, ranges: &[MediaRange<'_>]) -> u16 {
        let of_type = |media_type: &(&str, &str)| {
            let matching =
                ranges.iter().filter_map(|range| Some((range.specificity(*media_type)?, range.quality)));
            matching.max_by_key(|(specificity, _)| *specificity).map(|(_, quality)| quality)
        };
        self.media_types().iter().filter_map(of_type).max().unwrap_or(0)
    }
}

/// How Arrow and Parquet are documented.
pub(super) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for Binary {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Binary")
    }
}

/// One element of `Accept`.
#[derive(Debug)]
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// **Units**: thousandths, which is all that q may have.
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// `None` for what is no media range: it asks for nothing.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1_000), |(_, value)| thousandths(value.trim()))?;
        Some(Self { kind, subtype, quality })
    }

    /// How exactly it means a media type, `None` if it does not.
    fn specificity(&self, (kind, subtype): (&str, &str)) -> Option<u8> {
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (given, "*") if given.eq_ignore_ascii_case(kind) => Some(1),
            (given, other) if given.eq_ignore_ascii_case(kind) && other.eq_ignore_ascii_case(subtype) => {
                Some(2)
            }
            _ => None,
        }
    }
}

/// Reads a weight such as `0.25`, from 0 to 1.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let weight = match whole {
        "0" => format!("{fraction:0<3}").parse().ok()?,
        "1" => 1_000,
        _ => return None,
    };
    Some(weight)
}

fn not_acceptable(accept: &str) -> Problem {
    let shown: String = accept.chars().take(200).collect();
    let types: Vec<&str> = ResultFormat::ALL.iter().map(|format| format.content_type()).collect();
    let detail = format!("Accept = '{shown}': a result can be written as {}", types.join(", "));
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail)
        .with_hint("name the format in the body, for example \"format\": \"csv\"")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_highest_weight_wins_and_the_most_specific_range_gives_it() {
        let table = [
            ("", ResultFormat::Json),
            ("*/*", ResultFormat::Json),
            ("text/*", ResultFormat::Csv),
            ("application/*", ResultFormat::Json),
            ("text/csv", ResultFormat::Csv),
            ("TEXT/CSV; charset=utf-8", ResultFormat::Csv),
            ("application/json;q=0.5, text/csv;q=0.9", ResultFormat::Csv),
            ("application/json;q=0, */*", ResultFormat::Ndjson),
            ("text/html, application/vnd.apache.parquet;q=0.1", ResultFormat::Parquet),
            ("application/jsonl", ResultFormat::Ndjson),
            ("application/vnd.apache.arrow.stream, */*;q=0.1", ResultFormat::Arrow),
        ];
        for (accept, format) in table {
            assert_eq!(accepted(accept), Ok(format), "{accept}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_acceptable() {
        for accept in ["text/html", "image/*", "*/*;q=0", "nonsense", "text/csv;q=2"] {
            assert_eq!(accepted(accept).unwrap_err().code(), "not_acceptable", "{accept}");
        }
    }

    fn accepted(accept: &str) -> Result<ResultFormat, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        ResultFormat::accepted(&headers)
    }
}
