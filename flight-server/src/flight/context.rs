//! `FlightContext` holds what every call needs, and finds the table that a call names.

use std::sync::Arc;

use hexflight_engine::{Engine, TableName, TableSpec};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

use super::{
    bound_parameters::BoundParameters,
    ipc::{DecodeMemory, Limits},
    session::Sessions,
};
use crate::{auth::Auth, queries::QueryService};

/// What every call needs; shared by all connections.
#[derive(Debug)]
pub(crate) struct FlightContext {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queries: Arc<QueryService>,
    /// Who may call.
    pub(crate) auth: Arc<Auth>,
    /// Bounds of what a message may declare.
    pub(super) limits: Limits,
    /// What messages may become.
    pub(super) decode_memory: DecodeMemory,
    /// Parameters of clients that do not send the new handle back.
    pub(super) bound: BoundParameters,
    pub(super) sessions: Sessions,
    /// The tasks that still make batches durable; shutdown waits for them.
    pub(crate) puts: TaskTracker,
    /// Cancelled when no further batches are to be read.
    pub(crate) draining: CancellationToken,
}

impl FlightContext {
    pub(crate) fn new(
        engine: Arc<Engine>,
        queries: Arc<QueryService>,
        auth: Arc<Auth>,
        max_message_bytes: usize,
    ) -> Self {
        Self {
            decode_memory: DecodeMemory::of(engine.budget()),
            bound: BoundParameters::new(engine.budget()),
            engine,
            queries,
            auth,
            limits: Limits::of_message(max_message_bytes),
            sessions: Sessions::default(),
            puts: TaskTracker::new(),
            draining: CancellationToken::new(),
        }
    }

    /// Stops every running query with CANCELLED.
    pub(crate) fn cancel_queries(&self) {
        self.queries.stop_all();
    }

    pub(super) fn max_message_bytes(&self) -> usize {
        self.limits.body_bytes_max
    }

    /// The table of that name.
    pub(super) fn table(&self, name: &str) -> Result<Arc<TableSpec>, Status> {
        let tables = self.engine.tables();
        let found = tables.iter().find(|spec| spec.name().as_str() == name);
        found.map(Arc::clone).ok_or_else(|| {
            let known: Vec<&str> = tables.iter().map(|spec| spec.name().as_str()).collect();
            Status::not_found(format!("table '{name}' does not exist; tables: {}", known.join(", ")))
        })
    }

    /// The table a descriptor path names: `["events"]`.
    pub(super) fn table_of_path(&self, path: &[String]) -> Result<TableName, Status> {
        match path {
            [name] => Ok(self.table(name)?.name().clone()),
            _ => Err(Status::invalid_argument(format!(
                "the descriptor path {path:?} must name one table, for example [\"events\"]"
            ))),
        }
    }
}
