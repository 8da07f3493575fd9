//! The streams of this process and of dead ones, from a durable commit to the deletion of its log. `wal` writes and reads the log's objects;
//! here is what they mean for tables. It puts nothing into a log.

mod streams;
mod publish;
mod retire;

pub(crate) use publish::Publication;
pub(crate) use streams::Streams;
