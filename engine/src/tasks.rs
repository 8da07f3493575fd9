//! Threads and tasks: the one place that starts either, and what those that share state have in common.

use std::num::NonZero;

use crate::error::{EngineError, Result};

/// Runs CPU work on a blocking thread.
///
/// # Errors
/// What the work says; `Internal` when it panics.
pub(crate) async fn blocking<T: Send + 'static>(
    task: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| EngineError::Task { task, detail: error.to_string() })?
}

/// How many threads compute at once without waiting for each other.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
