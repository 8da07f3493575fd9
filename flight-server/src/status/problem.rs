//! `Problem`: every error of the HTTP API, as `application/problem+json` (RFC 9457). A handler returns one; the request-id layer
//! writes its body, because only there the id is known.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response as DocumentedResponse, ResponseBuilder},
};

/// Media type of a problem.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

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
    pub(crate) fn respond(&self, request_id: &str) -> Response {
        let body = ProblemBody {
            r#type: format!("urn:hexflight:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            hint: self.hint.as_deref(),
            request_id,
            members: &self.members,
        };
        let headers = [(header::CONTENT_TYPE, CONTENT_TYPE)];
        // Texts and numbers only: there is nothing in it that could fail to be written.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, headers, body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An error (RFC 9457), of every endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Names the kind of problem: `urn:hexflight:problem:` and the code.
    #[schema(format = "uri", example = "urn:hexflight:problem:invalid_parameter")]
    r#type: String,
    /// The text of the HTTP status.
    #[schema(example = "Bad Request")]
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// For programs: does not change between versions.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", example = "invalid_parameter")]
    code: &'a str,
    /// What is wrong: the field, the value and the rule.
    #[schema(example = "k = '0': must be a whole number from 1 to 10000")]
    detail: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "did you mean `device_id`?")]
    hint: Option<&'a str>,
    /// The id of the request: the one in the header `X-Request-Id` and in the server's log.
    request_id: &'a str,
    /// Further members, for programs, such as `parameter`.
    #[serde(flatten)]
    #[schema(ignore)]
    members: &'a Map<String, Value>,
}

/// What can go wrong with a query, for the documentation of handlers that run one.
pub(crate) struct QueryProblems;

impl IntoResponses for QueryProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        documented(&[
            (400, "What was asked for is wrong; `code` and `detail` say what"),
            (
                429,
                "Too many queries wait, or too little memory is left for this one; `Retry-After` says when to come back",
            ),
            (500, "A bug, or damaged data; the log has more under the request's id"),
            (503, "The server does not take work: it starts or stops, or its store does not answer"),
            (504, "The query took longer than the server's `query_timeout`"),
        ])
    }
}

/// What can go wrong besides with a sum.
pub(crate) struct SumProblems;

impl IntoResponses for SumProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        documented(&[(422, "The sum of the values is beyond what a 64-bit float can hold")])
    }
}

/// What can go wrong besides with the body of a statement and the format of its result.
pub(crate) struct SqlProblems;

impl IntoResponses for SqlProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        documented(&[
            (406, "`Accept` names no format that a result can have"),
            (408, "The query took longer than its `timeout_ms`, or the body did not arrive in time"),
            (413, "The body is too long; `limit_bytes` says how long it may be"),
            (415, "The body is not `application/json`"),
        ])
    }
}

/// Documents the problems of a handler by their HTTP statuses.
pub(crate) fn documented(problems: &[(u16, &str)]) -> BTreeMap<String, RefOr<DocumentedResponse>> {
    let problem = |(status, description): &(u16, &str)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description(*description).content(CONTENT_TYPE, content).build();
        (status.to_string(), RefOr::T(response))
    };
    problems.iter().map(problem).collect()
}

impl IntoResponse for Problem {
    /// The body follows in the request-id layer.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
