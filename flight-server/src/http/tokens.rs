//! `/api/v1/tokens`: tokens with a name, some scopes and an end, for programs that should not know a password. Whoever is known makes,
//! lists and revokes their own; an admin sees and revokes those of everybody.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
};
use hexflight_engine::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{RefOr, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    HttpContext,
    body::{self, BodyLimit, BodyMemory},
    instant::UnixSeconds,
};
use crate::{
    auth::{Caller, ListedToken, NewToken, Permission, Scopes},
    status::{Problem, documented},
};

/// Longest body. **Units**: bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Longest name of a token. **Units**: characters.
const NAME_CHARS_MAX: usize = 100;

/// How long a token may last, and does when nothing is said: a year, and a month. **Units**: seconds.
const LASTS_S_MAX: u64 = 366 * 24 * 3600;
const LASTS_S_DEFAULT: u64 = 30 * 24 * 3600;

/// The token that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// What it is for.
    #[schema(example = "dashboard", min_length = 1, max_length = 100)]
    name: String,
    /// What it may do; at most what its maker may.
    #[schema(example = json!(["read"]), min_items = 1)]
    scopes: Vec<Scope>,
    /// How long it is good, in seconds.
    #[serde(default = "lasts_default")]
    #[schema(example = 2_592_000, minimum = 1, maximum = 31_622_400)]
    lasts_s: u64,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// Ask.
    Read,
    /// Send events and load files; alone for devices, which need not ask.
    Write,
    /// See and end what others do.
    Admin,
}

/// A token, which is told this once.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedToken {
    /// For `Authorization: Bearer`.
    token: String,
    #[serde(flatten)]
    about: TokenInfo,
}

/// What is told of a token later.
#[derive(Debug, Serialize, ToSchema)]
struct TokenInfo {
    /// Names the token to revoke it.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Whose it is.
    #[schema(example = "ada")]
    user: String,
    /// What it is for; none of a login.
    #[schema(example = "dashboard")]
    name: Option<String>,
    /// What it may do.
    #[schema(example = json!(["read"]))]
    scopes: Vec<&'static str>,
    /// When it ends, that of a login if it is not used again.
    expires_at: UnixSeconds,
}

/// The tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    tokens: Vec<TokenInfo>,
}

/// A token that was revoked.
#[derive(Debug, Serialize, ToSchema)]
struct RevokedToken {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    revoked: Uuid,
}

/// What can go wrong with a new token, for its documentation.
struct TokenProblems;

impl IntoResponses for TokenProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[
            (400, "A member breaks its rule"),
            (403, "More scopes than the caller has, or a caller with a token of this kind"),
            (408, "The body did not arrive in time"),
            (409, "Nobody has to log in, or the user has too many tokens"),
            (413, "The body is too long"),
            (415, "The body is not `application/json`"),
        ])
    }
}

/// What can go wrong with the end of one.
struct RevokeProblems;

impl IntoResponses for RevokeProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[(404, "The caller has no such token")])
    }
}

fn lasts_default() -> u64 {
    LASTS_S_DEFAULT
}

/// The routes.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(revoke))
}

/// Make a token.
///
/// It is told once; the server keeps a hash of it. It ends when it is revoked, when its time is up, when its user is changed or removed, and
/// with the process.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    operation_id = "createToken",
    request_body = TokenRequest,
    responses(
        (status = 201, description = "The token", body = CreatedToken),
        TokenProblems,
    ),
)]
async fn create(
    State(context): State<Arc<HttpContext>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    if caller.token.is_some() {
        return Err(no_successor());
    }
    check_content_type(&headers)?;
    let limit = BodyLimit { bytes: BODY_BYTES_MAX, rule: "tokens" };
    let body = body::read_whole(body, &headers, &BodyMemory::of_small_bodies(), limit).await?;
    let request: TokenRequest = serde_json::from_slice(&body.bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the body cannot be read: {error}"))
    })?;
    let new = request.checked(&caller)?;
    let user = caller.user.clone().ok_or_else(no_users)?;
    let about = ListedToken {
        id: Uuid::nil(),
        user,
        name: Some(new.name.clone()),
        scopes: new.scopes,
        lasts: new.lasts,
    };
    let (id, token) = context.auth.create_token(&caller, new).ok_or_else(too_many)?;
    let about = TokenInfo::of(ListedToken { id, ..about });
    Ok((StatusCode::CREATED, Json(CreatedToken { token, about })))
}

/// List tokens: the caller's own, all of an admin; with a token with a name, that one.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    operation_id = "listTokens",
    responses((status = 200, description = "The tokens that are good now, logins included", body = TokenList)),
)]
async fn list(
    State(context): State<Arc<HttpContext>>,
    Extension(caller): Extension<Caller>,
) -> Json<TokenList> {
    let tokens = context.auth.tokens_for(&caller);
    Json(TokenList { tokens: tokens.into_iter().map(TokenInfo::of).collect() })
}

/// Revoke a token.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    tag = "tokens",
    operation_id = "revokeToken",
    params(("id" = String, Path, description = "The id of the token", example = "01234567-89ab-4cde-8f01-23456789abcd")),
    responses(
        (status = 200, description = "It is good no longer", body = RevokedToken),
        RevokeProblems,
    ),
)]
async fn revoke(
    State(context): State<Arc<HttpContext>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<RevokedToken>, Problem> {
    if let Some(revoked) = Uuid::parse_str(&id).ok().filter(|id| context.auth.revoke(&caller, *id)) {
        return Ok(Json(RevokedToken { revoked }));
    }
    let id: String = id.chars().take(NAME_CHARS_MAX).collect();
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_token", format!("there is no token '{id}' of yours")))
}

impl TokenRequest {
    /// What is asked for, if the caller may have it.
    fn checked(self, caller: &Caller) -> Result<NewToken, Problem> {
        let chars = self.name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&chars) || self.name.chars().any(char::is_control) {
            return Err(Problem::parameter("name", &self.name, "must be a line of 1 to 100 characters"));
        }
        if !(1..=LASTS_S_MAX).contains(&self.lasts_s) {
            let rule = format!("must be a whole number from 1 to {LASTS_S_MAX}");
            return Err(Problem::parameter("lasts_s", &self.lasts_s.to_string(), &rule));
        }
        let scopes: Scopes = self.scopes.iter().map(|scope| scope.permission()).collect();
        if scopes.are_none() {
            return Err(Problem::parameter("scopes", "[]", "must name one or more of read, write, admin"));
        }
        if !scopes.are_within(caller.scopes) {
            let detail =
                format!("a token may be given what its maker may: {}", caller.scopes.names().join(", "));
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Ok(NewToken { name: self.name, scopes, lasts: Duration::from_secs(self.lasts_s) })
    }
}

impl Scope {
    fn permission(self) -> Permission {
        match self {
            Self::Read => Permission::Read,
            Self::Write => Permission::Write,
            Self::Admin => Permission::Admin,
        }
    }
}

impl TokenInfo {
    fn of(token: ListedToken) -> Self {
        let lasts_micros = i64::try_from(token.lasts.as_micros()).unwrap_or(i64::MAX);
        Self {
            id: token.id,
            user: token.user.to_string(),
            name: token.name,
            scopes: token.scopes.names(),
            expires_at: UnixSeconds { micros: SystemClock.now_micros().saturating_add(lasts_micros) },
        }
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = found.and_then(|found| found.split(';').next()).unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("Content-Type is {}, not application/json", found.unwrap_or("missing"));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

/// What was given out for a time would last for ever.
fn no_successor() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "a token makes no other token")
        .with_hint("send the password of the user, or the token of a login")
}

fn no_users() -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_users", "nobody has to log in to this server")
        .with_hint("start it with --auth-file to tell users apart")
}

fn too_many() -> Problem {
    Problem::new(StatusCode::CONFLICT, "too_many_tokens", "this user has as many tokens as a user may have")
        .with_hint("revoke some: DELETE /api/v1/tokens/{id}")
}
