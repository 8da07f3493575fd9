//! From memory to the scratch file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use metrics::{counter, histogram};

use super::{load::Load, part::Piece, scratch::Chunk};
use crate::{
    error::{EngineError, Result},
    tasks::blocking,
    time,
};

impl Load {
    /// Makes room while rows are pushed.
    pub(super) async fn spill_step(self: Arc<Self>, partitions: Vec<(i64, Vec<Piece>)>) {
        let end = self.spill(partitions).await;
        let end = end.map(|chunks| {
            let mut state = self.state.lock();
            state.is_spilling = false;
            state.partitions.take_chunks(chunks);
        });
        self.end_step(end);
    }

    /// Writes rows to the scratch file.
    ///
    /// # Errors
    /// `Unavailable` when the disk refuses, `Closed` when the load was stopped.
    pub(super) async fn spill(&self, partitions: Vec<(i64, Vec<Piece>)>) -> Result<Vec<(i64, Chunk)>> {
        let scratch = self.scratch()?;
        let stop = self.stop.clone();
        let chunk_bytes = self.memory.limits.part_bytes();
        let written = blocking("import spill", move || {
            let started = time::now();
            let before = scratch.bytes();
            let mut chunks = vec![];
            for (start, pieces) in partitions {
                for pieces in chunked(pieces, chunk_bytes) {
                    if stop.is_cancelled() {
                        return Err(EngineError::Closed);
                    }
                    let batches: Vec<RecordBatch> = pieces.iter().map(|piece| piece.batch.clone()).collect();
                    chunks.push((start, scratch.append(&batches)?));
                }
            }
            histogram!("hexflight_import_spill_seconds").record(started.elapsed());
            counter!("hexflight_import_spilled_bytes_total").increment(scratch.bytes() - before);
            Ok(chunks)
        });
        written.await
    }
}

/// Cuts a partition's pieces into runs of about `bytes`, so that each can be read back by itself.
fn chunked(pieces: Vec<Piece>, bytes: usize) -> Vec<Vec<Piece>> {
    let mut chunks: Vec<Vec<Piece>> = vec![];
    let mut filled = usize::MAX;
    for piece in pieces {
        if filled >= bytes {
            chunks.push(vec![]);
            filled = 0;
        }
        filled += piece.bytes;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(piece);
        }
    }
    chunks
}
