//! `POST /api/v1/events`: events as JSON, NDJSON or CloudEvents. Answers 200 when they are durable and visible.
//!
//! ```text
//!  request (head) ─▶ body (limits, time, gzip, zstd) ─▶ json (document) ─▶ engine ─▶ answer
//!                                                            └─▶ faults ────────────────┘
//! ```
//! One request is one batch: it is written whole, but for the bad events of `on_error=skip`, or not at all, also when its sender leaves.

mod request;
mod body;
mod intake;
mod answer;
mod schema;

use std::sync::Arc;

use axum::{Extension, Json, extract::Request};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    answer::Accepted,
    intake::Intake,
    schema::{CloudEvent, Event, EventsProblem},
};
use super::{HttpContext, ready::Ready};
use crate::{on_error::OnError, status::Problem};

/// The routes of this folder.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(post_events)).layer(Extension(Arc::new(Intake::new())))
}

/// Write events
///
/// Takes one event, an array of events, one event per line (NDJSON), or CloudEvents 1.0 (structured, in batches, or binary with `ce-`
/// headers), plain or compressed with gzip or zstd; at most 100,000 events. Without a Content-Type the format is found out.
///
/// The answer comes when the events are durable and every query sees them. A request is written whole or not at all;
/// `on_error=skip` leaves out the events that break a rule and says which.
///
/// Of a CloudEvent, `data` is the event. Where it lacks a timestamp, `time` stands in, for a missing device_id `subject`, for a missing
/// type the CloudEvent's `type`.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "ingest",
    params(
        ("on_error" = inline(Option<OnError>), Query, description = "What happens when an event breaks a rule: `abort` (default) refuses all events of the request, `skip` writes the others"),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip`, `zstd` or `identity`"),
    ),
    request_body(
        description = "Events",
        content(
            (schema::Events = "application/json"),
            (Event = "application/x-ndjson"),
            (Event = "application/ndjson"),
            (Event = "application/jsonl"),
            (CloudEvent = "application/cloudevents+json"),
            (Vec<CloudEvent> = "application/cloudevents-batch+json"),
        )
    ),
    responses(
        (status = 200, description = "The events are durable and visible", body = Accepted),
        (status = 400, description = "The body is empty, broken or not JSON, or a parameter is wrong", body = EventsProblem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = EventsProblem, content_type = "application/problem+json"),
        (status = 413, description = "The body, plain or compressed, or the number of events is too large", body = EventsProblem, content_type = "application/problem+json"),
        (status = 415, description = "The Content-Type or Content-Encoding is not accepted", body = EventsProblem, content_type = "application/problem+json"),
        (status = 422, description = "Events break a rule; nothing was written", body = EventsProblem, content_type = "application/problem+json"),
        (status = 429, description = "Memory is short; Retry-After says when to come back", body = EventsProblem, content_type = "application/problem+json"),
        (status = 503, description = "The server is starting, stopping or cannot write; Retry-After says when to come back", body = EventsProblem, content_type = "application/problem+json"),
    )
)]
async fn post_events(
    Extension(intake): Extension<Arc<Intake>>,
    ready: Result<Ready, Problem>,
    request: Request,
) -> Result<Json<Accepted>, Problem> {
    intake.take(ready, request).await.map(Json)
}
