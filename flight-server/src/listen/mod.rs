//! Connections, from the socket to the first known caller. Both ports accept here, so that what a stranger may cost is decided once.
//!
//! ```text
//!  Listener ─ accept, back off ─▶ Guarded (bytes, with a deadline) ─▶ Connection (TLS) ─▶ tonic or hyper ─▶ auth
//!      └─ Strangers (at most so many)        ▲ Peer: known, closed                          ◀─────────────┘
//! ```
//!
//! A connection is a *stranger's* until a call on it is let in: it may be read up to a number of bytes, lives for a while only, and
//! gives way to newer ones. What a stranger sends is thereby bounded in bytes, whatever protocol it is meant to be. [`Open`] knows all
//! connections of a port, so that a shutdown can cut them.

mod network;
mod peer;
mod strangers;
mod open;
mod guarded;
mod tls;
mod connection;
mod listener;

/// Longest head of an HTTP/2 request, CONTINUATION frames included: what gRPC libraries take by default. **Units**: bytes.
pub(crate) const HEADER_BYTES_MAX: u32 = 8 << 10;

/// Streams of a connection that were reset before they were looked at; one more ends the connection (CVE-2023-44487).
pub(crate) const PENDING_RESETS_MAX: usize = 20;

pub(crate) use connection::Connection;
pub(crate) use listener::Listener;
pub(crate) use network::network_of;
pub(crate) use open::Open;
pub(crate) use peer::{Peer, WeakPeer};
pub use strangers::StrangerLimits;
pub(crate) use strangers::Strangers;
pub use tls::TlsFiles;
pub(crate) use tls::{Protocol, Tls};
