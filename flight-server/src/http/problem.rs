//! `Problem`: every error of the HTTP API, as `application/problem+json` (RFC 9457). A handler returns one; the request-id layer
//! writes its body, because only there the id is known.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// Media type of a problem.
const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong, for programs (`code`) and for people (`detail`, `hint`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    retry_after_s: Option<u64>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with a stable `code` in snake case. `detail` names the field, the value and the rule.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: None, retry_after_s: None, members: Map::new() }
    }

    /// A query or path parameter that breaks its rule.
    pub(crate) fn parameter(name: &str, value: &str, rule: &str) -> Self {
        let value: String = value.chars().take(100).collect();
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", format!("{name} = '{value}': {rule}"))
            .with("parameter", name)
    }

    /// Says what to do, for example ``did you mean `device_id`?``.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says when to come back, in the header `Retry-After`. **Units**: seconds.
    pub(crate) fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds a member to the body.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The whole response, with the id of the request that it answers.
    pub(super) fn respond(&self, request_id: &str) -> Response {
        let mut body = json!({
            "type": format!("urn:hexflight:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        });
        if let Value::Object(object) = &mut body {
            if let Some(hint) = &self.hint {
                object.insert("hint".to_owned(), Value::from(hint.as_str()));
            }
            object.extend(self.members.clone());
        }
        let headers = [(header::CONTENT_TYPE, CONTENT_TYPE)];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// The body follows in the request-id layer.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
