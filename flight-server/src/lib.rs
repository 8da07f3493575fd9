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
//! stored or a query planned; `error` owns the only table from errors to gRPC codes, `console` does all printing.

mod config;
mod error;
mod telemetry;
mod log_limit;
mod stamp;
mod process;
mod timestamp_unit;
mod listen;
mod arrival;
mod auth;
mod queries;
mod http;
mod flight;
mod shutdown;
mod server;

pub mod client;
pub mod console;
pub mod simulate;
pub mod sql;
pub mod import;
mod check;
mod backup;
mod user;
pub mod demo;

mod cli;

pub use cli::{Cli, ServeArgs};
pub use config::{Config, ConfigError, CorsOrigins, Origin, RawSetting, read_layers};
pub use error::ServeError;
pub use listen::{StrangerLimits, TlsFiles};
pub use process::ProcessCalls;
pub use server::Server;
pub use telemetry::init_tracing;
