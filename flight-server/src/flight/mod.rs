//! Arrow Flight and Flight SQL: our own `FlightService`. arrow-flight's blanket implementation for Flight SQL hides `GetSchema` and
//! `PollFlightInfo` and takes every `DoPut` command for SQL, so only its messages and builders are used.
//!
//! ```text
//!  Handshake ─▶ handshake (user and password in, token out)
//!  DoPut ── request ─┬─ path ["events"] ─▶ put ───────────┬─▶ batch_source ─▶ ipc (check, decode) ─▶ Engine::append
//!                    ├─ CommandStatementIngest ─▶ ingest ─┘    └─▶ acks in order, or one count of rows
//!                    ├─ {"import": …} ─▶ import ─▶ Engine::begin_import, one commit
//!                    ├─ CommandPreparedStatementQuery ─▶ prepared (bind) ─▶ parameters (types), bound_parameters
//!                    └─ Command…Update ─▶ update ─▶ query (reads are counted, all else is refused with advice)
//!  GetFlightInfo ── request ─▶ statement (ticket = SQL + parameters) | metadata (ticket = the command)
//!  DoGet ── request ─┬─ statement ─▶ query ─▶ queries ─▶ results (types every client reads, 2 MiB messages)
//!                    └─ metadata
//!  DoAction ─▶ session (options, by cookie) | actions (prepare, close, cancel ─▶ queries, progress ─▶ queries)
//! ```

mod context;
mod service;
mod handshake;
mod request;
mod ipc;
mod message_status;
mod batch_source;
mod put;
mod ingest;
mod import;
mod statement;
mod advice;
mod parameters;
mod crowd;
mod bound_parameters;
mod prepared;
mod query;
mod update;
mod progress;
mod metadata;
mod sql_info;
mod xdbc;
mod session;
mod actions;

pub(crate) use context::FlightContext;
#[cfg(any(test, feature = "fuzzing"))]
pub use ipc::fuzz::ipc_messages;
pub(crate) use service::FlightApi;
