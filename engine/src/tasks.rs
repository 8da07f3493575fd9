//! Tasks and threads: the one place that starts either. Whoever starts a task keeps its handle and says how it ends.
//!
//! Under a runtime with a single thread, which only tests have, computing happens where it is asked for: the order of all that happens is then
//! the same from run to run.

#![expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks and threads")]

use std::{io, num::NonZero, thread};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::JoinHandle,
};

use crate::error::{EngineError, Result};

/// Starts a task.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

/// Starts work that may wait for the disk, or for others, on a thread for such work.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

/// Starts work that computes and waits for nobody, on a thread for such work.
pub(crate) fn spawn_computing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => spawn(async move { work() }),
        _ => spawn_blocking(work),
    }
}

/// Starts a thread of its own, which runs until `work` ends.
///
/// # Errors
/// The system's, when there are too many.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Computes on a thread for such work, and waits for it.
///
/// # Errors
/// What the work says; `Internal` when it panics.
pub(crate) async fn blocking<T: Send + 'static>(
    task: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_computing(work).await.map_err(|error| EngineError::Task { task, detail: error.to_string() })?
}

/// How many threads compute at once without waiting for each other.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}
