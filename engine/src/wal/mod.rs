//! The write-ahead log: streams, their registry, and the objects that make batches durable before they are acknowledged.
//!
//! It knows bytes and sequences; what a commit means for tables is told by the [`Publisher`] that it calls. If you change an object, also look at
//! `docs/formats.md`, `check/wal.rs` and `backup/wal.rs`.

mod ack;
mod object;
mod put;
pub(crate) mod landed;
pub(crate) mod registry;
mod writer;
mod survey;
mod takeover;
mod recovery;
mod close;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

pub use ack::{Ack, PendingAck};
pub(crate) use close::{close_stream, delete_commits, delete_listed_commits};
pub(crate) use object::{ObjectKind, decode, decode_header};
pub(crate) use put::PutEnd;
pub(crate) use recovery::{Fence, put_fence_if_space, tail};
pub(crate) use registry::Registered;
pub(crate) use survey::Survey;
pub(crate) use takeover::Takeover;
pub(crate) use writer::{Append, Publisher, Stall, WalWriter, WriterEnd};
