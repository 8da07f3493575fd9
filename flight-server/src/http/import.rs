//! `POST /api/v1/import`: one Parquet file in a request body becomes rows in one commit. The body goes to a scratch file, hashed on
//! the way, and is then read as `hexflight import` reads files.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::rejection::QueryRejection;
use axum::{
    Json,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
};
use hexflight_engine::{OnLoaded, SourceId, TableName, tasks};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{RefOr, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, HttpContext,
    pace::{Pace, PaceRule},
    ready::Ready,
};
use crate::{
    files::{
        ColumnRules, Compression, EngineSink, FileFormat, ImportError, InputFile, Load, LoadProgress,
        LoadRules, ReadRules, Rejects, Scratch, Sink,
    },
    on_error::OnError,
    status::{Problem, documented, engine_problem},
};

/// Media types of a Parquet file.
const PARQUET: &str = "application/vnd.apache.parquet";
const ANY_BYTES: &str = "application/octet-stream";

/// Name of the body in texts about it.
const BODY: &str = "the body";

/// Imports at once; each has a scratch file of up to `max_import_body`.
const IMPORTS_MAX: usize = 4;

/// When a client that found too many imports is told to come back. **Units**: seconds.
const BUSY_RETRY_S: u64 = 2;

static IMPORTS: Semaphore = Semaphore::const_new(IMPORTS_MAX);

/// Query of an import.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// Table to load into.
    #[serde(default = "events")]
    #[param(default = "events", example = "events")]
    table: String,
    /// What happens when a row breaks a rule: `abort` (the default) loads nothing, `skip` leaves the row out.
    #[serde(default)]
    #[param(inline)]
    on_error: OnError,
    /// Load the file again if it was loaded before.
    #[serde(default)]
    force: bool,
    /// Column of the file to ignore whatever its name; several with commas between them.
    #[serde(default)]
    ignore: String,
}

/// The bytes of a Parquet file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only describes the body")]
struct ParquetFile(Vec<u8>);

/// What was loaded.
#[derive(Debug, Serialize, ToSchema)]
struct ImportReport {
    /// Rows loaded.
    #[schema(example = 250_000)]
    rows: u64,
    /// Rows left out.
    #[schema(example = 0)]
    rejected: u64,
    /// The first 100 of them.
    errors: Vec<RejectedRow>,
    /// Data files made.
    #[schema(example = 4)]
    files: usize,
    /// Columns and fields of the file that fill nothing.
    #[schema(example = json!(["colour"]))]
    ignored: Vec<String>,
    /// The version of the table that has the rows; none if the file was loaded before, or no row was taken.
    #[schema(example = 17)]
    version: Option<i64>,
    /// Whether a file with these bytes was loaded in the same way before; it is not loaded again.
    #[schema(example = false)]
    already_loaded: bool,
}

/// A row that was left out.
#[derive(Debug, Serialize, ToSchema)]
struct RejectedRow {
    /// Number of the row in the file, from 0.
    #[schema(example = 17)]
    row: usize,
    /// The file's column; none if the row as a whole is bad.
    #[schema(example = "latitude")]
    column: Option<String>,
    /// What was found.
    #[schema(example = "91")]
    value: String,
    /// The rule it breaks.
    #[schema(example = "is not in [-90, 90]")]
    rule: String,
}

impl ImportQuery {
    fn load_rules(&self, api: &Api) -> LoadRules {
        let ignored = self.ignore.split(',').map(str::trim).filter(|name| !name.is_empty());
        let columns = ColumnRules { ignored: ignored.map(str::to_owned).collect(), ..ColumnRules::default() };
        LoadRules {
            read: ReadRules { columns, pages: Some(Arc::clone(&api.pages)), ..ReadRules::default() },
            on_bad_row: self.on_error.into(),
            on_loaded: if self.force { OnLoaded::LoadAgain } else { OnLoaded::Refuse },
            scratch_dir: api.limits.scratch_dir.clone(),
        }
    }
}

fn events() -> String {
    "events".to_owned()
}

/// The route of this file.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(import))
}

/// What can go wrong with a load, for its documentation.
struct ImportProblems;

impl IntoResponses for ImportProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[
            (400, "A parameter breaks its rule"),
            (404, "No such table"),
            (408, "The body stalled"),
            (409, "The file was loaded meanwhile"),
            (413, "The file is larger than `max_import_body`"),
            (415, "Not Parquet by its Content-Type"),
            (422, "Not a Parquet file that fits the table, or a row breaks a rule"),
            (429, "Too little memory, or too many imports; `Retry-After` says when to come back"),
            (503, "Not ready, or the disk refuses; `Retry-After` says when to come back"),
        ])
    }
}

/// Load a Parquet file.
///
/// All rows become visible at once, or none. A file with the same bytes is loaded once, unless `force` says otherwise; a load that took
/// no row does not count. Columns are matched by the names that events have elsewhere, in any case; columns that fill nothing are ignored
/// and listed.
#[utoipa::path(
    post,
    path = "/api/v1/import",
    tag = "ingest",
    operation_id = "importFile",
    params(ImportQuery),
    request_body(
        content(
            (ParquetFile = "application/vnd.apache.parquet"),
            (ParquetFile = "application/octet-stream"),
        ),
        description = "A Parquet file",
    ),
    responses(
        (status = 200, description = "The file is loaded, or was before", body = ImportReport),
        ImportProblems,
    ),
)]
async fn import(
    State(_): State<Arc<HttpContext>>,
    Ready(api): Ready,
    query: Result<Query<ImportQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportReport>, Problem> {
    let Query(query) = query.map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", error.body_text())
            .with_hint("parameters: table, on_error=abort or skip, force=true or false, ignore=column,column")
    })?;
    check_content_type(&headers)?;
    let table = TableName::new(&query.table);
    // An unknown table is told before the body is read.
    api.engine.snapshot(&table).map_err(|error| engine_problem(&error))?;
    let _turn = IMPORTS.try_acquire().map_err(|_| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_imports",
            format!("{IMPORTS_MAX} imports are under way"),
        )
        .with_retry_after(BUSY_RETRY_S)
    })?;
    let rules = query.load_rules(&api);
    let limit = api.limits.import_bytes_max;
    let body = Upload { body, limit, pace: PaceRule::FILE };
    let (file, source) = Box::pin(received(&headers, body, &rules)).await?;
    // On a task of its own: a commit that has begun ends, also when the client leaves.
    let work = tasks::spawn(async move { load(&api, &table, &rules, file, source).await });
    work.await.map_err(|error| internal(&error.to_string()))?.map(Json)
}

fn internal(detail: &str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("import: {detail}"))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let found = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let media_type = found.map(|found| found.split(';').next().unwrap_or_default().trim());
    match media_type {
        Some(media_type)
            if media_type.eq_ignore_ascii_case(PARQUET) || media_type.eq_ignore_ascii_case(ANY_BYTES) =>
        {
            Ok(())
        }
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("Content-Type is {}, not {PARQUET} or {ANY_BYTES}", found.unwrap_or("missing")),
        )
        .with_hint("files in other formats can be loaded with `hexflight import --target`")),
    }
}

/// A body and what it must keep to.
struct Upload {
    body: Body,
    /// **Units**: bytes.
    limit: u64,
    pace: PaceRule,
}

/// Writes the body to a scratch file and looks at its footer.
async fn received(
    headers: &HeaderMap,
    upload: Upload,
    rules: &LoadRules,
) -> Result<(InputFile, SourceId), Problem> {
    let Upload { body, limit, pace } = upload;
    let too_large = |bytes: &str| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body has {bytes} bytes, at most {limit} (max_import_body)"),
        )
        .with_hint("larger files can be loaded with `hexflight import --target`")
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if let Some(declared) = declared.filter(|text| text.parse::<u64>().is_ok_and(|bytes| bytes > limit)) {
        return Err(too_large(declared));
    }
    let mut scratch = Scratch::create(&rules.scratch_dir).map_err(|error| problem(&error))?;
    let (mut chunks, mut bytes) = (body.into_data_stream(), 0_u64);
    let mut pace = Pace::new(pace);
    while let Some(chunk) = pace.next(&mut chunks).await? {
        let chunk = chunk.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", format!("the body ended early: {error}"))
        })?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(too_large(&format!("{bytes} or more")));
        }
        scratch = scratch.written(chunk).await.map_err(|error| problem(&error))?;
    }
    let (content, hash) = scratch.finish().map_err(|error| problem(&error))?;
    let rules = rules.read.clone();
    let opened = tasks::spawn_blocking(move || {
        let file = InputFile::open(BODY, content, FileFormat::Parquet, Compression::None, &rules)?;
        let recipe = file.recipe(&CancellationToken::new())?;
        Ok((file, recipe))
    });
    let opened = opened.await.map_err(|error| internal(&error.to_string()))?;
    let (file, recipe) = opened.map_err(|reason: String| problem(&ImportError::file(BODY, reason)))?;
    Ok((file, SourceId { content: hash, recipe: Some(recipe) }))
}

async fn load(
    api: &Api,
    table: &TableName,
    rules: &LoadRules,
    file: InputFile,
    source: SourceId,
) -> Result<ImportReport, Problem> {
    let failed = |error: ImportError| problem(&error);
    let ignored = file.mapping().ignored;
    let sink =
        EngineSink::begin(&api.engine, table, rules.on_bad_row, rules.on_loaded).await.map_err(failed)?;
    if rules.on_loaded == OnLoaded::Refuse && sink.is_loaded(&source).await.map_err(failed)? {
        return Ok(ImportReport {
            rows: 0,
            rejected: 0,
            errors: Vec::new(),
            files: 0,
            ignored: ignored.names(),
            version: None,
            already_loaded: true,
        });
    }
    let (progress, rejects, stop) = (LoadProgress::default(), Rejects::default(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let load = Load { rules, sink: &sink, progress: &progress, rejects: &rejects, stop: &stop };
    Box::pin(load.run_one(file)).await.map_err(failed)?;
    let summary = sink.commit(&[source]).await.map_err(failed)?;
    let errors = rejects.kept().await.into_iter().map(|reject| {
        let column = Some(reject.bad.column).filter(|column| !column.is_empty());
        RejectedRow { row: reject.bad.row, column, value: reject.bad.value, rule: reject.bad.rule }
    });
    Ok(ImportReport {
        rows: summary.rows,
        rejected: rejects.count().await,
        errors: errors.collect(),
        files: summary.files,
        ignored: ignored.names(),
        version: Some(summary.version).filter(|_| summary.rows > 0),
        already_loaded: false,
    })
}

/// The problem of an import that loaded nothing.
fn problem(error: &ImportError) -> Problem {
    let text = error.to_string();
    match error {
        ImportError::Engine(error) => engine_problem(error),
        ImportError::Row { bad, .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_events", text)
                .with("row", bad.row)
                .with("column", Some(bad.column.as_str()).filter(|column| !column.is_empty()))
                .with("value", bad.value.as_str())
                .with("rule", bad.rule.as_str())
                .with_hint("on_error=skip leaves such rows out")
        }
        ImportError::Io { .. } => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text),
        _ => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_file", text),
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures::stream;
    use hexflight_engine::OnBadRow;

    use super::*;

    #[tokio::test]
    async fn an_upload_that_stalls_ends() {
        let folder = tempfile::tempdir().unwrap();
        let rules = LoadRules {
            read: ReadRules::default(),
            on_bad_row: OnBadRow::Refuse,
            on_loaded: OnLoaded::Refuse,
            scratch_dir: folder.path().to_owned(),
        };
        let body = Body::from_stream(stream::pending::<Result<&'static [u8], Infallible>>());
        let pace = PaceRule { wait: Duration::from_millis(20), bytes_min: 1 };
        let upload = Upload { body, limit: 1 << 20, pace };
        let refused = received(&HeaderMap::new(), upload, &rules).await.err().unwrap();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
