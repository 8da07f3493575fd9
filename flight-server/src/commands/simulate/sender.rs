//! `Sender`: one connection's loop. Batches go out when they are due, acks are recorded, and what a refusal leaves
//! unacknowledged is sent again where that cannot double rows.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hexflight_engine::{
    TableName,
    time::{Instant, sleep, sleep_until},
};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::{Ledger, LoadStats, SimulatedBatch, columns};
use crate::client::{Client, ClientError, PutAck, PutStream, ServerAddress};

/// Batches on the way per connection: enough to hide a commit's latency.
const IN_FLIGHT_MAX: usize = 8;

/// Refusals in a row, without an ack in between, after which the run gives up.
const REFUSALS_MAX: u32 = 60;

/// Connection attempts in a row after which the run gives up.
const RECONNECTS_MAX: u32 = 30;

/// Pause between connection attempts.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// A batch and when it is due.
#[derive(Debug)]
pub(super) struct DueBatch {
    pub(super) batch: SimulatedBatch,
    pub(super) due: Instant,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) target: ServerAddress,
    pub(super) table: TableName,
    pub(super) source: mpsc::Receiver<DueBatch>,
    pub(super) stats: Arc<LoadStats>,
    pub(super) ledger: Option<Arc<Mutex<Ledger>>>,
    pub(super) reconnect: bool,
    pub(super) stop: CancellationToken,
    /// Taken from the source, not yet due.
    pub(super) held: Option<DueBatch>,
    /// Sent, not yet acknowledged, oldest first.
    pub(super) pending: VecDeque<SimulatedBatch>,
    /// Failures since the last ack.
    pub(super) failures: u32,
}

impl Sender {
    /// Sends until the source ends or the run is stopped, and awaits the last ack.
    ///
    /// # Errors
    /// What the server says, when going on is of no use.
    pub(super) async fn run(mut self) -> Result<(), ClientError> {
        loop {
            let Err(error) = self.run_call().await else { return Ok(()) };
            self.recover(error).await?;
        }
    }

    /// One DoPut call, from the batches left by the one before to the end of the source.
    async fn run_call(&mut self) -> Result<(), ClientError> {
        let client = Client::connect(&self.target).await?;
        let mut call = client.put_stream(&self.table, &columns::schema(), IN_FLIGHT_MAX);
        for batch in &self.pending {
            call.send(batch.batch.clone())?;
        }
        let mut open = true;
        while open || call.in_flight() > 0 {
            tokio::select! {
                biased;
                ack = call.next_ack(), if call.in_flight() > 0 => self.acked(ack?)?,
                next = next_due(&mut self.source, &mut self.held, &self.stop), if open && call.has_room() => {
                    match next {
                        Some(batch) => self.send(&mut call, batch)?,
                        None => {
                            open = false;
                            call.finish();
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, call: &mut PutStream, batch: SimulatedBatch) -> Result<(), ClientError> {
        // Counted before it leaves: what a server can have is never more than what was sent.
        self.stats.sent(batch.events.len());
        call.send(batch.batch.clone())?;
        self.pending.push_back(batch);
        Ok(())
    }

    fn acked(&mut self, ack: Option<PutAck>) -> Result<(), ClientError> {
        let (Some(ack), Some(batch)) = (ack, self.pending.pop_front()) else {
            return Err(ClientError::Protocol { reason: "call ended before its last ack".to_owned() });
        };
        self.failures = 0;
        // The ledger first: whoever reads the counter may then look into the ledger for as many rows.
        if let Some(ledger) = &self.ledger {
            ledger.lock().record(batch.events);
        }
        self.stats.acked(&ack);
        Ok(())
    }

    /// Decides what a failed call means for the batches in flight, and waits until another is worth a try.
    async fn recover(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.failures += 1;
        // Only a refusal that says when to come back is known to come before anything is stored, and after the acks of all
        // earlier batches; the server reads no further. So nothing that is pending has been kept.
        if let (Some(Code::ResourceExhausted), Some(pause)) = (error.code(), error.retry_hint()) {
            if self.failures > REFUSALS_MAX {
                return Err(error);
            }
            self.stats.refused();
            return self.pause(pause).await;
        }
        if !error.is_lost() || !self.reconnect || self.failures > RECONNECTS_MAX {
            return Err(error);
        }
        // What was in flight may be durable although its ack was lost: to send it again could double it.
        let rows = self.pending.drain(..).map(|batch| batch.events.len()).sum();
        self.stats.lost_track_of(rows);
        self.pause(RECONNECT_PAUSE).await
    }

    async fn pause(&self, pause: Duration) -> Result<(), ClientError> {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(pause) => {}
        }
        Ok(())
    }
}

/// Waits for the next batch and its time; `None` at the end. Nothing is lost when the future is dropped.
async fn next_due(
    source: &mut mpsc::Receiver<DueBatch>,
    held: &mut Option<DueBatch>,
    stop: &CancellationToken,
) -> Option<SimulatedBatch> {
    let due = async {
        if held.is_none() {
            *held = source.recv().await;
        }
        sleep_until(held.as_ref()?.due).await;
        held.take().map(|due| due.batch)
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        batch = due => batch,
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
