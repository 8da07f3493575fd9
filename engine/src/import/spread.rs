//! Spreads a batch over partitions of time. Pure CPU.
//!
//! A batch in order of time is only cut; another is gathered once, so that each partition's rows own their memory.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch, UInt32Array},
    compute::take_record_batch,
    datatypes::TimestampMicrosecondType,
};
use hashbrown::HashMap;

use super::{
    part::{Held, Piece, bytes_of},
    width::Width,
};
use crate::{error::Result, schema::column};

/// Partitions that a batch of any size may touch.
const TOUCHED_MIN: usize = 64;
/// Partitions that a batch touches at most.
const TOUCHED_MAX: usize = 256;
/// Rows per partition on average, from which a batch may touch more than [`TOUCHED_MIN`].
const ROWS_PER_PARTITION: usize = 256;
/// Rows of a piece at least, if it is cut at all.
const PIECE_ROWS_MIN: usize = 1_024;

/// A batch's rows by the start of their partition.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) width: Width,
    pub(super) pieces: Vec<(i64, Piece)>,
}

/// Spreads a batch of the WAL schema over partitions of `width`, or of the next wider one at which they are few enough. Pieces are
/// about `piece_bytes` large at most.
///
/// # Errors
/// `Internal` when Arrow refuses to gather.
pub(super) fn spread(batch: &RecordBatch, width: Width, piece_bytes: usize, held: Held) -> Result<Spread> {
    let times = timestamps(batch);
    let row_bytes = (bytes_of(batch) / times.len().max(1)).max(1);
    let piece_rows = (piece_bytes / row_bytes).max(PIECE_ROWS_MIN);
    let touched_max = (times.len() / ROWS_PER_PARTITION).clamp(TOUCHED_MIN, TOUCHED_MAX);
    let (width, counted) = count(times, width, touched_max);
    if counted.runs.len() == counted.starts.len() {
        let held = Arc::new(held);
        let mut pieces = vec![];
        for (id, rows) in counted.runs {
            for rows in split(rows, piece_rows) {
                let batch = batch.slice(rows.start, rows.len());
                let bytes = bytes_of(&batch);
                pieces.push((counted.starts[id as usize], Piece { batch, bytes, held: Arc::clone(&held) }));
            }
        }
        return Ok(Spread { width, pieces });
    }
    let pieces = gather(batch, &counted, piece_rows, held)?;
    Ok(Spread { width, pieces })
}

pub(super) fn timestamps(batch: &RecordBatch) -> &[i64] {
    let Some(array) = batch.column_by_name(column::TIMESTAMP) else { unreachable!("timestamp column") };
    array.as_primitive::<TimestampMicrosecondType>().values()
}

/// The partitions that rows lie in.
#[derive(Debug, Default)]
struct Counted {
    /// Start of each partition, in order of appearance: its place is its id.
    starts: Vec<i64>,
    /// Runs of neighbours in one partition.
    runs: Vec<(u32, Range<usize>)>,
}

/// Counts at `width` or the next wider one at which there are no more than `touched_max` partitions.
fn count(times: &[i64], mut width: Width, touched_max: usize) -> (Width, Counted) {
    loop {
        let coarser = width.coarser();
        let limit = if coarser.is_some() { touched_max } else { usize::MAX };
        if let Some(counted) = count_at(times, width, limit) {
            return (width, counted);
        }
        width = coarser.unwrap_or(width);
    }
}

fn count_at(times: &[i64], width: Width, limit: usize) -> Option<Counted> {
    let mut counted = Counted::default();
    let mut ids: HashMap<i64, u32> = HashMap::new();
    let micros = width.micros();
    let mut row = 0;
    while let Some(time) = times.get(row) {
        let start = width.start_of(*time);
        let length = times[row..].iter().take_while(|time| (start..start + micros).contains(*time)).count();
        let next = u32::try_from(counted.starts.len()).unwrap_or(u32::MAX);
        let id = *ids.entry(start).or_insert(next);
        if id == next {
            if counted.starts.len() == limit {
                return None;
            }
            counted.starts.push(start);
        }
        counted.runs.push((id, row..row + length));
        row += length;
    }
    Some(counted)
}

/// One gather per partition: what each takes is its own.
fn gather(
    batch: &RecordBatch,
    counted: &Counted,
    piece_rows: usize,
    mut held: Held,
) -> Result<Vec<(i64, Piece)>> {
    let mut pieces = vec![];
    let mut rows_of: Vec<Vec<u32>> = vec![vec![]; counted.starts.len()];
    for (id, rows) in &counted.runs {
        let rows = rows.clone().map(|row| u32::try_from(row).unwrap_or(u32::MAX));
        rows_of[*id as usize].extend(rows);
    }
    for (start, rows) in counted.starts.iter().zip(rows_of) {
        for rows in rows.chunks(piece_rows) {
            let batch = take_record_batch(batch, &UInt32Array::from(rows.to_vec()))?;
            let bytes = bytes_of(&batch);
            pieces.push((*start, Piece { batch, bytes, held: Arc::new(held.split(bytes)) }));
        }
    }
    Ok(pieces)
}

fn split(rows: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(length).map(move |start| start..(start + length).min(end))
}
