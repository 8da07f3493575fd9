//! Compaction: small files of a time bucket become few large ones, and late rows join those of their bucket. In the background, one
//! rewrite at a time, never in the way of ingest.
//!
//! ```text
//!  policy (which files) ─▶ rewrite: read ─▶ sort ─▶ encode, put ─▶ one Delta version: files out, files in
//! ```
//! A rewrite moves rows between files; it never adds or loses one. Files that it has not committed are orphans.

mod tree;
mod policy;
mod rewrite;
mod compactor;
#[cfg(test)]
mod policy_tests;

use crate::options::EngineOptions;

pub(crate) use compactor::{CompactMessage, CompactParts, run};
use tree::FileShape;

/// Part of the memory limit that a rewrite uses at most.
const SHARE_PART: usize = 4;
/// And the most it uses at all. **Units**: bytes.
const SHARE_BYTES_MAX: usize = 1 << 30;
/// Bytes that a row takes besides its texts while it is rewritten: its columns (88), then ranks, order and key or encoded row (100).
const ROW_BYTES: usize = 188;
/// How many times larger a file is when it is decoded, at most, as far as merges are planned.
const EXPANSION_MAX: usize = 8;
/// Rows that are many enough for a file of their own, as a part of the rows from which a bucket is split: 65,536 of 4 M.
const FILE_ROWS_PART: u64 = 64;

/// What compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactSummary {
    /// Rewrites that were committed.
    pub rewrites: usize,
    /// Files that left the table.
    pub files_in: usize,
    /// Files that joined it.
    pub files_out: usize,
    /// Rows that were rewritten.
    pub rows: u64,
    /// Size of the files that left. **Units**: bytes.
    pub bytes_in: u64,
    /// Size of the files that joined. **Units**: bytes.
    pub bytes_out: u64,
}

impl CompactSummary {
    fn add(&mut self, other: &Self) {
        self.rewrites += other.rewrites;
        self.files_in += other.files_in;
        self.files_out += other.files_out;
        self.rows += other.rows;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

/// What bounds a merge.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Width of a time bucket. **Units**: µs.
    bucket_micros: i64,
    /// Rows from which a bucket, or a piece of one, is divided by time.
    split_rows: u64,
    /// Rows that are many enough for a file of their own.
    file_rows_min: u64,
    /// Rows merged at once.
    rows_max: u64,
    /// Bytes merged at once: size of a large file.
    bytes_max: u64,
}

impl Limits {
    fn of(options: &EngineOptions, bucket_micros: i64) -> Self {
        let share = share_bytes(options.memory_limit_bytes);
        let split_rows = options.compact_split_rows as u64;
        Self {
            bucket_micros,
            split_rows,
            file_rows_min: (split_rows / FILE_ROWS_PART).max(1),
            rows_max: split_rows.min((share / (2 * ROW_BYTES)) as u64).max(2),
            bytes_max: options.compact_file_bytes.min((share / EXPANSION_MAX) as u64).max(2),
        }
    }

    /// Whether a file is large enough to be left alone.
    fn is_full(&self, file: &FileShape) -> bool {
        file.rows >= self.rows_max / 2 || file.bytes >= self.bytes_max / 2
    }
}

/// Memory that a rewrite may take. **Units**: bytes.
fn share_bytes(memory_limit_bytes: usize) -> usize {
    (memory_limit_bytes / SHARE_PART).min(SHARE_BYTES_MAX)
}
