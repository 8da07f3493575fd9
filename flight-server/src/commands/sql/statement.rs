//! Runs one statement: asks, shows progress while nothing comes, writes what comes, and stops the query on the server when the
//! user or the reader of the output has had enough.

use std::time::Duration;

use super::{
    format::{Flow, Layout, ResultWriter},
    interrupt::Interrupt,
    sink::Sink,
    watch::{Show, Watch},
};
use crate::{
    client::{Client, QueryHandle, QueryStream},
    console::CliError,
};
use hexflight_engine::time;

/// How long the server may take to confirm that it has stopped a query.
const CANCEL_WAIT: Duration = Duration::from_secs(2);

/// What is to be said of a result.
#[derive(Debug)]
pub(super) struct Summary {
    /// Rows that came.
    pub(super) rows: usize,
    /// From asking to the last row.
    pub(super) elapsed: Duration,
    /// Whether there may be more rows that were not asked for.
    pub(super) cut: bool,
}

/// Asks `sql` and writes its result to `sink`, which is not committed.
///
/// # Errors
/// `Client` with the server's words, `Cancelled` by a signal, `Format` and `Io` when the result cannot be written.
pub(super) async fn run(
    client: &Client,
    sql: &str,
    layout: Layout,
    show: Show,
    sink: &mut Sink,
    interrupt: &mut Interrupt,
) -> Result<Summary, CliError> {
    let started = time::now();
    let answer = tokio::select! {
        answer = client.query(sql) => answer?,
        () = interrupt.received() => return Err(CliError::Cancelled),
    };
    let handle = answer.handle().clone();
    let mut writer = ResultWriter::new(layout, answer.schema(), sink)?;
    let Some((rows, flow)) = copy(answer, &mut writer, Watch::start(&handle, show), interrupt).await? else {
        stop(&handle).await;
        return Err(CliError::Cancelled);
    };
    let elapsed = started.elapsed();
    writer.finish()?;
    Ok(Summary { rows, elapsed, cut: flow == Flow::Enough })
}

/// Rows written, and whether those are all; `None` after a signal. The stream is gone when this returns.
async fn copy(
    mut answer: QueryStream,
    writer: &mut ResultWriter<'_>,
    mut watch: Watch,
    interrupt: &mut Interrupt,
) -> Result<Option<(usize, Flow)>, CliError> {
    let mut rows = 0;
    loop {
        let batch = tokio::select! {
            biased;
            () = interrupt.received() => {
                watch.end();
                return Ok(None);
            }
            batch = answer.next() => batch,
            () = watch.tick() => continue,
        };
        watch.end();
        let Some(batch) = batch? else { return Ok(Some((rows, Flow::More))) };
        rows += batch.num_rows();
        if writer.write(batch)? == Flow::Enough || writer.is_closed() {
            return Ok(Some((rows, Flow::Enough)));
        }
    }
}

/// Dropping the stream has stopped the query already, if the connection still works; this asks for it by name.
async fn stop(handle: &QueryHandle) {
    // A server that is lost or slow has nothing more to tell: the query ends with its connection.
    let _unconfirmed = time::timeout(CANCEL_WAIT, handle.cancel()).await;
}
