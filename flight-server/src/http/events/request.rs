//! What the head of a request says: format, compression, and what happens to bad events.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use hexflight_engine::OnBadRow;

use crate::{
    json::{
        cloud_event::{self, Attributes},
        document::DocumentFormat,
    },
    on_error::OnError,
    status::Problem,
};

/// Media types that are taken, for errors.
const ACCEPTED_TYPES: &str = "application/json, application/x-ndjson, application/ndjson, application/jsonl, \
     application/cloudevents+json, application/cloudevents-batch+json";

/// Encodings that are taken, for errors.
const ACCEPTED_ENCODINGS: &str = "identity, gzip, zstd";

/// Compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// The head of a request, understood.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) format: DocumentFormat,
    pub(super) encoding: Encoding,
    pub(super) on_bad_row: OnBadRow,
}

impl Head {
    /// Reads the head.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { on_bad_row: on_bad_row(uri)?, format: format(headers)?, encoding: encoding(headers)? })
    }
}

fn on_bad_row(uri: &Uri) -> Result<OnBadRow, Problem> {
    let mut chosen = None;
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "on_error" {
            let problem = Problem::parameter(&name, &value, "there is no such parameter");
            return Err(problem.with_hint("the only parameter is `on_error`"));
        }
        let Some(on_error) = OnError::named(&value) else {
            return Err(Problem::parameter("on_error", &value, "is neither abort nor skip"));
        };
        if chosen.replace(on_error).is_some() {
            return Err(Problem::parameter("on_error", &value, "is given twice"));
        }
    }
    Ok(chosen.unwrap_or_default().into())
}

fn format(headers: &HeaderMap) -> Result<DocumentFormat, Problem> {
    let content_type = match headers.get(header::CONTENT_TYPE) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| wrong_type("?"))?),
    };
    let essence =
        content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if content_type.is_some_and(|text| !is_utf8(text)) {
        return Err(wrong_type(content_type.unwrap_or_default()).with_hint("send UTF-8"));
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let attributes = Attributes::of_headers(pairs);
    match (essence.as_deref(), attributes) {
        (Some("application/cloudevents+json"), _) => Ok(DocumentFormat::CloudEvent),
        (Some("application/cloudevents-batch+json"), _) => Ok(DocumentFormat::CloudBatch),
        (None, Some(attributes)) => Ok(DocumentFormat::CloudHeaders(attributes)),
        (Some(essence), Some(attributes)) if cloud_event::is_json(essence) => {
            Ok(DocumentFormat::CloudHeaders(attributes))
        }
        (Some(essence), Some(_)) => {
            Err(wrong_type(essence).with_hint("the data of a binary CloudEvent is application/json"))
        }
        (None | Some(""), None) => Ok(DocumentFormat::Unknown),
        (Some("application/json"), None) => Ok(DocumentFormat::Json),
        (Some("application/x-ndjson" | "application/ndjson" | "application/jsonl"), None) => {
            Ok(DocumentFormat::Lines)
        }
        (Some(essence), None) => Err(wrong_type(essence)),
    }
}

fn is_utf8(content_type: &str) -> bool {
    let charset = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    charset.is_none_or(|charset| {
        ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
    })
}

fn wrong_type(found: &str) -> Problem {
    let found: String = found.chars().take(100).collect();
    let detail = format!("Content-Type '{found}' is not accepted; send {ACCEPTED_TYPES}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        .with("accepted", ACCEPTED_TYPES.split(", ").collect::<Vec<_>>())
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let (first, more) = (encodings.next(), encodings.next().is_some());
    let text = first.map_or("", |value| value.to_str().unwrap_or("?")).trim().to_ascii_lowercase();
    match text.as_str() {
        _ if more => Err(wrong_encoding("several")),
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        other => Err(wrong_encoding(other)),
    }
}

fn wrong_encoding(found: &str) -> Problem {
    let found: String = found.chars().take(100).collect();
    let detail = format!("Content-Encoding '{found}' is not accepted; send one of {ACCEPTED_ENCODINGS}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
        .with("accepted", ACCEPTED_ENCODINGS.split(", ").collect::<Vec<_>>())
}
