//! Hexflight's server and command line: Arrow Flight, Flight SQL and HTTP in front of one engine.
//!
//! ```text
//!  cli ─▶ config ─▶ server ─▶ listen ─┬─▶ auth ─▶ arrival ─▶ flight ─▶ hexflight-engine (write), queries ─▶ hexflight-planner (read)
//!                                    └─▶ auth ─▶ http     JSON API; health and metrics without auth
//!  cli ─▶ simulate, sql, demo ─▶ client ─▶ (network) ─▶ flight
//!  cli ─▶ import ─▶ hexflight-engine, or client
//!  cli ─▶ check, backup ─▶ hexflight-engine
//!  cli ─▶ user ─▶ auth
//! ```
//!
//! [`Server`] can be embedded: [`Server::start`] with a [`Config`], port 0 for free ports. Nothing here knows how a row is
//! stored or a query planned; `status` owns the only table from errors to codes of both protocols, `console` does all printing.

mod metric_list;
mod telemetry;
mod log_limit;
mod stamp;
mod grouped;
mod process;
mod timestamp_unit;
mod on_error;
mod unix_micros;
mod listen;
mod config;
mod serve_error;
mod status;
mod arrival;
mod auth;
pub mod client;
mod queries;
mod json;
mod files;
mod http;
mod flight;
mod shutdown;
mod server;
pub mod console;
mod embedded;
mod commands;

pub use commands::{Cli, ServeArgs, demo, import, simulate, sql};
pub use config::{Config, ConfigError, CorsOrigins, Origin, RawSetting, SETTINGS, Setting, read_layers};
pub use listen::{StrangerLimits, TlsFiles};
pub use metric_list::{METRICS, Metric, MetricKind};
pub use on_error::OnError;
pub use process::ProcessCalls;
pub use serve_error::ServeError;
pub use server::Server;
pub use telemetry::init_tracing;

/// Where fuzz targets, and tests of what they found, hand bytes over.
#[doc(hidden)]
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz {
    pub use crate::{flight::ipc_messages, json::json_document};
}

#[cfg(test)]
mod fuzz_tests;
