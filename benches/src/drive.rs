//! Drives a Flight server with batches that are ready: each connection cycles through its own, with a bounded number of them
//! on the way, until all rows are acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use hexflight::client::Client;
use tokio::task::JoinSet;

use crate::events;

/// What was acknowledged, and how long it took.
#[derive(Debug, Clone)]
pub(crate) struct Driven {
    /// Acknowledged rows.
    pub(crate) rows: usize,
    /// From the first connection to the last ack.
    pub(crate) elapsed: Duration,
    /// From the hand-over of each batch to its ack.
    pub(crate) latencies: Vec<Duration>,
}

impl Driven {
    /// Acknowledged rows per second.
    pub(crate) fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends at least `rows` rows over as many connections as `parts` has members.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub(crate) async fn drive(
    url: &str,
    parts: &[Vec<RecordBatch>],
    rows: usize,
    in_flight_max: usize,
) -> Result<Driven> {
    let share = rows.div_ceil(parts.len());
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for part in parts {
        connections.spawn(connection(url.to_owned(), part.clone(), share, in_flight_max));
    }
    let mut driven = Driven { rows: 0, elapsed: Duration::ZERO, latencies: vec![] };
    while let Some(ended) = connections.join_next().await {
        let (rows, latencies) = ended??;
        driven.rows += rows;
        driven.latencies.extend(latencies);
    }
    driven.elapsed = started.elapsed();
    Ok(driven)
}

async fn connection(
    url: String,
    batches: Vec<RecordBatch>,
    rows_max: usize,
    in_flight_max: usize,
) -> Result<(usize, Vec<Duration>)> {
    let client = Client::connect(&url).await?;
    let schema = batches.first().context("a connection has batches")?.schema();
    let mut call = client.put_stream(&events::table(), &schema, in_flight_max);
    let (mut sent, mut acked, mut latencies) = (0, 0, vec![]);
    let mut source = batches.iter().cycle();
    while acked < sent || sent < rows_max {
        while sent < rows_max
            && call.has_room()
            && let Some(batch) = source.next()
        {
            sent += batch.num_rows();
            call.send(batch.clone())?;
        }
        let ack = call.next_ack().await?.context("the call ended before its last ack")?;
        acked += ack.rows;
        latencies.push(ack.latency);
    }
    call.finish();
    Ok((acked, latencies))
}

/// The answer to a statement that has one number.
///
/// # Errors
/// The server refuses, or answers something else.
pub(crate) async fn number(url: &str, sql: &str) -> Result<i64> {
    use arrow::{array::AsArray, datatypes::Int64Type};
    let answer = Client::connect(url).await?.query(sql).await?.collect().await?;
    let batch = answer.batches.iter().find(|batch| batch.num_rows() > 0).context("no row")?;
    let numbers =
        batch.column(0).as_primitive_opt::<Int64Type>().context("the answer is not a whole number")?;
    Ok(numbers.value(0))
}
