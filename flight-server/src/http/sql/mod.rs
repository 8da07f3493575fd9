//! `POST /api/v1/sql`: any statement, its result in the format that the client reads.
//!
//! ```text
//!  body ─▶ request (members), params ─┐
//!  Accept ─▶ format ──────────────────┴─▶ answer ─▶ QueryEngine ─▶ columns ─▶ encode ─▶ chunks
//! ```

mod members;
mod format;
mod request;
mod params;
mod calendar;
mod columns;
mod encode;
mod answer;

use std::sync::Arc;

use axum::{body::Body, http::HeaderMap, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    encode::SqlResult,
    format::{Binary, ResultFormat},
    request::SqlRequest,
};
use super::{
    HttpContext,
    body::{self, BodyLimit},
    ready::Ready,
};
use crate::{
    status::{Problem, QueryProblems, SqlProblems},
    timestamp_unit::TimestampUnit,
};

/// Longest body: a statement of 1 MiB, which is the longest, with all its characters escaped, and its parameters. **Units**: bytes.
const BODY_BYTES_MAX: usize = 8 << 20;

/// The route.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(sql))
}

/// The result of one statement, as JSON, NDJSON, CSV, Arrow or Parquet.
///
/// `format` in the body says which; without it the header `Accept`. Results are streamed: a connection that breaks off, in HTTP/1.1
/// a body without its last chunk, means that the query failed on its way.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    tag = "sql",
    operation_id = "sql",
    params(
        ("timestamp_unit" = inline(Option<TimestampUnit>), Header, description = "Unit of the timestamps of an Arrow or Parquet result, for readers that know one only; the member of the same name wins"),
    ),
    request_body = SqlRequest,
    responses(
        (status = 200, description = "The result", content(
            (SqlResult = "application/json"),
            (String = "application/x-ndjson", example = "{\"device_id\":\"thermo-1\",\"events\":42}\n"),
            (String = "text/csv", example = "device_id,events\nthermo-1,42\n"),
            (Binary = "application/vnd.apache.arrow.stream"),
            (Binary = "application/vnd.apache.parquet"),
        )),
        QueryProblems,
        SqlProblems,
    )
)]
async fn sql(Ready(api): Ready, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let limit =
        BodyLimit { bytes: BODY_BYTES_MAX, rule: "statements" }.or(api.limits.body_bytes_max, "max_body");
    let mut body = body::read_whole(body, &headers, &api.bodies, limit).await?;
    let request = SqlRequest::parse(&headers, &body.bytes)?;
    // Its memory is held on for what was made of it, until the first of the answer is there.
    body.let_go();
    let format = match request.format {
        Some(format) => format,
        None => ResultFormat::accepted(&headers)?,
    };
    let answer = answer::answer(api, request, format).await;
    drop(body);
    answer
}
