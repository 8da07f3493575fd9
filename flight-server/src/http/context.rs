//! `HttpContext` holds what the answers are made of, from the first moment of a start; [`Api`] holds what handlers work
//! with once the engine is open.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use hexflight_engine::Engine;
use hexflight_planner::Asker;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::task::TaskTracker;

use super::body::BodyMemory;
use crate::{
    arrival::ArrivalMemory,
    auth::Auth,
    config::CorsOrigins,
    queries::{Asked, OwnLimit, QueryService},
    telemetry::{self, Readiness},
};

/// What the answers are made of.
#[derive(Debug)]
pub(crate) struct HttpContext {
    pub(crate) readiness: Readiness,
    /// Those that are being answered.
    pub(crate) requests: TaskTracker,
    pub(super) auth: Arc<Auth>,
    pub(super) cors_origins: CorsOrigins,
    /// Set once the engine is open.
    pub(crate) api: OnceLock<Arc<Api>>,
    pub(super) prometheus: PrometheusHandle,
}

impl HttpContext {
    pub(crate) fn starting(auth: Arc<Auth>, cors_origins: CorsOrigins) -> Self {
        Self {
            readiness: Readiness::starting(),
            requests: TaskTracker::new(),
            auth,
            cors_origins,
            api: OnceLock::new(),
            prometheus: telemetry::prometheus(),
        }
    }

    /// Folds what was recorded into the histograms; without it they grow until somebody asks for them.
    pub(crate) fn upkeep(&self) {
        self.prometheus.run_upkeep();
    }

    pub(super) fn ready(&self) -> Result<(), String> {
        self.readiness.get()?;
        self.api.get().map_or(Ok(()), |api| api.engine.health())
    }

    /// What the start found amiss, a line each.
    pub(super) fn warnings(&self) -> String {
        let findings = self.api.get().map(|api| api.engine.findings()).unwrap_or_default();
        findings.iter().map(|finding| format!("warning: {finding}\n")).collect()
    }
}

/// What handlers work with; there once the engine is open. Each request has its own.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queries: Arc<QueryService>,
    pub(crate) limits: ApiLimits,
    /// What bodies may take together.
    pub(crate) bodies: Arc<BodyMemory>,
    /// What the pages of files to import may take together.
    pub(crate) pages: Arc<ArrivalMemory>,
    /// On whose behalf statements run.
    pub(crate) asker: Asker,
}

impl Api {
    /// Begins a query of the request's asker.
    pub(crate) fn begin(&self, own: Option<OwnLimit>) -> Asked {
        self.queries.begin(self.asker.clone(), own)
    }
}

/// Bounds of requests.
#[derive(Debug, Clone)]
pub(crate) struct ApiLimits {
    /// Largest body taken, as it is sent. **Units**: bytes.
    pub(crate) body_bytes_max: usize,
    /// Largest body taken, once it is decompressed. **Units**: bytes.
    pub(crate) plain_bytes_max: usize,
    /// Largest file taken to import. **Units**: bytes.
    pub(crate) import_bytes_max: u64,
    /// Where files to import wait to be read.
    pub(crate) scratch_dir: PathBuf,
}
