//! Spreads a batch over partitions of time. Pure CPU.
//!
//! A batch in order of time is only cut; another is gathered once, so that each partition's rows own their memory.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use hashbrown::HashMap;

use super::{
    part::{Held, Piece, bytes_of},
    width::Width,
};
use crate::{error::Result, schema::timestamps};

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::{
        array::{ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray},
        datatypes::Int64Type,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{budget::Budget, schema::column};

    const HOUR: i64 = 3_600_000_000;

    proptest! {
        #[test]
        fn each_row_goes_to_its_partition(times in prop::collection::vec(0..2_000 * HOUR, 1..600), sorted: bool, piece_bytes in 1..100_000_usize) {
            let mut times = times;
            if sorted {
                times.sort_unstable();
            }
            let spread = spread_over(&times, piece_bytes);
            let mut found: Vec<(i64, i64)> = vec![];
            let mut starts = BTreeMap::new();
            for (start, piece) in &spread.pieces {
                let numbers = piece.batch.column(1).as_primitive::<Int64Type>();
                for (time, number) in timestamps(&piece.batch).iter().zip(numbers.values()) {
                    prop_assert_eq!(spread.width.start_of(*time), *start);
                    found.push((*number, *time));
                }
                *starts.entry(*start).or_insert(0) += piece.batch.num_rows();
            }
            found.sort_unstable();
            prop_assert_eq!(found, (0..).zip(times).collect::<Vec<_>>());
            prop_assert!(starts.len() <= TOUCHED_MIN);
        }
    }

    #[test]
    fn rows_in_order_share_their_batch_and_others_own_their_memory() {
        let times: Vec<i64> = (0..5_000).map(|n| n * 4_000_000).collect();
        let cut = spread_over(&times, 1 << 20);
        assert!(cut.pieces.iter().all(|(_, piece)| Arc::strong_count(&piece.held) == cut.pieces.len()));
        let shuffled: Vec<i64> = (0..5_000).map(|n| n * 1_237 % 5_000 * 4_000_000).collect();
        let gathered = spread_over(&shuffled, 1 << 20);
        assert_eq!(gathered.pieces.len(), cut.pieces.len());
        assert!(gathered.pieces.iter().all(|(_, piece)| Arc::strong_count(&piece.held) == 1));
        assert!(gathered.pieces.iter().all(|(_, piece)| piece.held.own.bytes() == piece.bytes));
    }

    fn spread_over(times: &[i64], piece_bytes: usize) -> Spread {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                column::TIMESTAMP,
                Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC")),
            ),
            ("n", Arc::new(Int64Array::from_iter_values((0..).take(times.len())))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let held = Held::of_budgets(&Budget::new(1 << 30), bytes_of(&batch));
        spread(&batch, Width::finest(HOUR), piece_bytes, held).unwrap()
    }
}
