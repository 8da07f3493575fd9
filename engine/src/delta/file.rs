//! `DataFile`: one active Parquet file of a table as the Delta log describes it.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::FileChecksums;
use crate::schema::column;

/// Smallest and largest value of a column in a file, both inclusive, and its nulls. A bound that is absent is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct ColumnRange {
    /// Smallest value.
    pub min: Option<ScalarBound>,
    /// Largest value.
    pub max: Option<ScalarBound>,
    /// Rows in which the column is null; `None` if unknown.
    pub null_count: Option<u64>,
}

/// A statistics bound of one of the column types that a table has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ScalarBound {
    /// `Int64`.
    Int(i64),
    /// µs since 1970, UTC. A maximum is already widened by the log's rounding to milliseconds.
    Micros(i64),
    /// `Float64`.
    Float(f64),
    /// Text; a maximum may be longer than any value of the file, never smaller.
    Text(String),
}

impl ScalarBound {
    /// Whether this is smaller than `other`; bounds of different types are not. Floats in their total order, as rows compare.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Micros(a), Self::Micros(b)) => a < b,
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b).is_lt(),
            (Self::Text(a), Self::Text(b)) => a < b,
            _ => false,
        }
    }
}

/// One Parquet file: where it is, how large, and what its columns range over.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Location below the root of the object store.
    pub location: Path,
    /// Size. **Units**: bytes.
    pub size_bytes: u64,
    /// Rows, where the log says so.
    pub row_count: Option<u64>,
    /// Modification time of the Add action. **Units**: ms since 1970.
    pub modified_ms: i64,
    /// Ranges by column name; a column without an entry is unknown.
    pub columns: BTreeMap<String, ColumnRange>,
    /// What its rows add up to, if that was written.
    pub rollup: Option<RollupObject>,
    /// By which its bytes are checked whenever they are read, if it was written with any.
    pub checksums: Option<FileChecksums>,
}

impl DataFile {
    /// Where it and its rollup are.
    pub(crate) fn locations(&self) -> impl Iterator<Item = &Path> {
        self.rollup.iter().map(|rollup| &rollup.location).chain([&self.location])
    }

    /// First and last timestamp of its rows, both inclusive and perhaps widened; `None` if unknown. **Units**: µs since 1970.
    #[must_use]
    pub fn time(&self) -> Option<(i64, i64)> {
        let (from, to) = self.time_bounds();
        from.zip(to)
    }

    /// The same, open on a side that is unknown.
    pub(crate) fn time_span(&self) -> (i64, i64) {
        let (from, to) = self.time_bounds();
        (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX))
    }

    fn time_bounds(&self) -> (Option<i64>, Option<i64>) {
        let micros = |bound: &Option<ScalarBound>| match bound {
            Some(ScalarBound::Micros(micros)) => Some(*micros),
            _ => None,
        };
        let range = self.columns.get(column::TIMESTAMP);
        range.map_or((None, None), |range| (micros(&range.min), micros(&range.max)))
    }
}

/// The object that holds a file's rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupObject {
    /// Location below the root of the object store.
    pub location: Path,
    /// Size. **Units**: bytes.
    pub size_bytes: u64,
    /// CRC32C of its directory: a whole rollup of another file is not this one. `None`: an earlier build did not say.
    pub directory_crc32c: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_of_time_that_is_unknown_is_open() {
        let file = |min: Option<ScalarBound>, max: Option<ScalarBound>| DataFile {
            location: Path::from("a.parquet"),
            size_bytes: 1,
            row_count: None,
            modified_ms: 0,
            columns: BTreeMap::from([(
                column::TIMESTAMP.to_owned(),
                ColumnRange { min, max, null_count: None },
            )]),
            rollup: None,
            checksums: None,
        };
        let micros = |micros| Some(ScalarBound::Micros(micros));
        assert_eq!(file(micros(3), micros(9)).time_span(), (3, 9));
        assert_eq!(file(micros(3), None).time_span(), (3, i64::MAX));
        assert_eq!(file(Some(ScalarBound::Int(3)), micros(9)).time_span(), (i64::MIN, 9));
        let silent = DataFile { columns: BTreeMap::new(), ..file(None, None) };
        assert_eq!(silent.time_span(), (i64::MIN, i64::MAX));
    }
}
