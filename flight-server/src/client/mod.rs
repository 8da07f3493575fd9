//! The client half of Flight as the commands and the benchmarks use it: connect, put batches and await their acks, ask SQL.
//!
//! ```text
//! Client ── put_stream ──► PutStream   batches out, acks back, a bounded number on the way
//!        ├─ query ───────► QueryStream schema, then batches ─ handle ─► QueryHandle  progress, cancel
//!        ├─ tables ──────► TableInfo
//!        └─ import ──────► ImportStream batches out, one commit
//! ```
//!
//! A thin layer over arrow-flight; it never retries by itself and never prints.

mod error;
mod address;
mod credentials;
mod tls;
mod connect;
mod put;
mod query;
mod import;
mod handle;
mod catalog;

pub use address::ServerAddress;
pub use catalog::TableInfo;
pub use connect::{Client, MESSAGE_BYTES_MAX};
pub use error::ClientError;
pub use handle::{QueryHandle, RemoteProgress};
pub use import::{ImportAnswer, ImportStream};
pub use put::{PutAck, PutStream};
pub use query::{Answer, QueryStream};
