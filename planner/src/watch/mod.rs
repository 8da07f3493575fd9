//! What is known of queries that run and that have ended: one log of all, and how far each is. `query` tells; `system.queries` and the servers
//! ask. It plans and runs nothing.

mod asker;
mod progress;
mod log;

pub use asker::Asker;
pub(crate) use log::{LoggedQuery, QueryLog, QueryRun};
pub use progress::{ProgressReport, QueryProgress, QueryState};
