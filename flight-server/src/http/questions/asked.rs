//! `Asked`: a question's parameters and its window, read from the URL before the handler runs.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use hexflight_engine::{Clock, SystemClock};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::{
    query_string::{QueryString, names},
    window::{Window, WindowQuery},
};
use crate::{http::HttpContext, status::Problem};

/// The parameters of a question as texts, and the window that it asks about.
#[derive(Debug)]
pub(super) struct Asked<Q> {
    /// The question's own parameters, not checked yet.
    pub(super) query: Q,
    pub(super) window: Window,
}

impl<Q> FromRequestParts<Arc<HttpContext>> for Asked<Q>
where
    Q: DeserializeOwned + IntoParams,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<HttpContext>) -> Result<Self, Problem> {
        let known = [names::<Q>(), names::<WindowQuery>()].concat();
        let given = QueryString::parse(parts.uri.query().unwrap_or_default(), &known)?;
        let window = Window::resolve(&given.read()?, SystemClock.now_micros())?;
        Ok(Self { query: given.read()?, window })
    }
}
