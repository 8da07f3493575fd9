//! Arrow Flight and Flight SQL: our own `FlightService`. arrow-flight's blanket implementation for Flight SQL hides `GetSchema` and
//! `PollFlightInfo` and takes every `DoPut` command for SQL, so only its messages and builders are used.
//!
//! ```text
//!  Handshake ─▶ handshake (user and password in, token out)
//!  DoPut ── request ─┬─ path ["events"] ─▶ put ───┬─▶ ipc (check, decode) ─▶ Engine::append ─▶ acks in order
//!                    ├─ CommandStatementIngest ─▶ ingest ─┘
//!                    ├─ {"import": …} ─▶ import ─▶ Engine::begin_import, one commit
//!                    ├─ CommandPreparedStatementQuery ─▶ prepared (bind) ─▶ parameters (types)
//!                    └─ Command…Update ─▶ update ─▶ query (reads are counted, all else is refused with advice)
//!  GetFlightInfo ── request ─▶ statement (ticket = SQL + parameters) | metadata (ticket = the command)
//!  DoGet ── request ─┬─ statement ─▶ query ─▶ queries ─▶ results (types every client reads, 2 MiB messages)
//!                    └─ metadata
//!  DoAction ─▶ session (options, by cookie) | actions (prepare, close, cancel ─▶ queries, progress ─▶ queries)
//! ```

mod service;
mod handshake;
mod request;
mod ipc;
mod put;
mod ingest;
mod import;
mod statement;
mod advice;
mod parameters;
mod crowd;
mod prepared;
mod query;
mod update;
mod progress;
mod metadata;
mod sql_info;
mod xdbc;
mod session;
mod actions;

use std::sync::Arc;

use hexflight_engine::{Engine, TableName, TableSpec};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

#[cfg(any(test, feature = "fuzzing"))]
pub use ipc::fuzz::ipc_messages;
pub(crate) use service::FlightApi;

use crate::{auth::Auth, queries::QueryService};

use self::{
    ipc::{DecodeMemory, Limits},
    prepared::BoundParameters,
    session::Sessions,
};

/// What every call needs; shared by all connections.
#[derive(Debug)]
pub(crate) struct FlightContext {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queries: Arc<QueryService>,
    /// Who may call.
    pub(crate) auth: Arc<Auth>,
    /// Bounds of what a message may declare.
    limits: Limits,
    /// What messages may become.
    decode_memory: DecodeMemory,
    /// Parameters of clients that do not send the new handle back.
    bound: BoundParameters,
    sessions: Sessions,
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

    fn max_message_bytes(&self) -> usize {
        self.limits.body_bytes_max
    }

    /// The table of that name.
    fn table(&self, name: &str) -> Result<Arc<TableSpec>, Status> {
        let tables = self.engine.tables();
        let found = tables.iter().find(|spec| spec.name().as_str() == name);
        found.map(Arc::clone).ok_or_else(|| {
            let known: Vec<&str> = tables.iter().map(|spec| spec.name().as_str()).collect();
            Status::not_found(format!("table '{name}' does not exist; tables: {}", known.join(", ")))
        })
    }

    /// The table a descriptor path names: `["events"]`.
    fn table_of_path(&self, path: &[String]) -> Result<TableName, Status> {
        match path {
            [name] => Ok(self.table(name)?.name().clone()),
            _ => Err(Status::invalid_argument(format!(
                "the descriptor path {path:?} must name one table, for example [\"events\"]"
            ))),
        }
    }
}
