//! `Encoded`: sorted rows as the bytes of a data file and its rollup. CPU work, without a name and without a store.

use std::{collections::BTreeMap, ops::Range};

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::{
    delta::{ColumnRange, FileChecksums, extend_ranges},
    error::Result,
    rollup::{NewRollup, RollupBuilder},
    schema::TableSpec,
    segment::{self, Checksums, ROW_GROUP_ROWS, SortedRows},
};

/// A segment as bytes: its Parquet file, and its rollup with the checksums of the file behind it.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(super) row_count: usize,
    pub(super) bytes: Bytes,
    pub(super) columns: BTreeMap<String, ColumnRange>,
    pub(super) rollup: Option<NewRollup>,
    pub(super) checksums: FileChecksums,
}

impl Encoded {
    /// Encodes `rows` of sorted rows, gathered a row group at a time.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn of_sorted(spec: &TableSpec, sorted: &SortedRows, rows: Range<usize>) -> Result<Self> {
        let (row_count, end) = (rows.len(), rows.end);
        let batches =
            rows.step_by(ROW_GROUP_ROWS).map(|start| sorted.gather(start..(start + ROW_GROUP_ROWS).min(end)));
        Self::of(spec, row_count, batches)
    }

    /// Encodes sorted batches, `row_count` rows in all, that are made as they are needed. CPU work.
    ///
    /// # Errors
    /// `Internal` when the writer refuses, or what making a batch says.
    pub(crate) fn of(
        spec: &TableSpec,
        row_count: usize,
        batches: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> Result<Self> {
        let mut columns = BTreeMap::new();
        let mut rollup = RollupBuilder::default();
        let batches = batches.into_iter().map(|batch| {
            let batch = batch?;
            extend_ranges(&mut columns, &batch);
            rollup.push(&batch);
            Ok(batch)
        });
        let bytes = segment::encode(spec, row_count, batches)?;
        let checksums = Checksums::of(&bytes)?;
        let (rollup, checksums) = match rollup.finish()? {
            Some(mut rollup) => {
                let list = checksums.to_bytes();
                let stored = FileChecksums::in_rollup(&checksums, &list, rollup.bytes.len());
                rollup.bytes.extend_from_slice(&list);
                (Some(rollup), stored)
            }
            None => (None, FileChecksums::here(&checksums)),
        };
        Ok(Self { row_count, bytes, columns, rollup, checksums })
    }
}
