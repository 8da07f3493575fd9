//! `EngineOptions`: the settings of an engine. They are read when it is opened and never change.

use std::time::Duration;

use crate::error::{EngineError, Result};

/// The least memory the engine runs in. **Units**: bytes.
const MEMORY_LIMIT_MIN: usize = 64 << 20;

/// Settings of an engine; `EngineOptions::default()` is what `hexflight serve` uses.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Limit on ingest buffers, generations, flushes and queries together. **Units**: bytes.
    pub memory_limit_bytes: usize,
    /// Rows at which the active generation is sealed.
    pub generation_rows_max: usize,
    /// Bytes at which the active generation is sealed.
    pub generation_bytes_max: usize,
    /// Rows that one commit of a flush takes at most, unless a single generation holds more: small generations share files, large ones
    /// are written one by one, so that memory is freed early and little is sorted twice. Nor does it take more than
    /// `generation_bytes_max`.
    pub flush_rows_max: usize,
    /// Age at which the active generation is sealed and flushed.
    pub flush_interval: Duration,
    /// Group commits being written at once.
    pub wal_puts_max: usize,
    /// Bytes at which a group commit is closed.
    pub wal_commit_bytes_max: usize,
    /// How far in the future an event may lie.
    pub max_future: Duration,
    /// How long an append waits for memory, a core and a place in the write-ahead log before it is refused.
    pub append_wait: Duration,
    /// Whether small files are merged in the background; [`Engine::compact`](crate::Engine::compact) merges them in any case.
    pub compact: bool,
    /// Bytes that merging reads and writes per second in the background, over time.
    pub compact_bytes_per_second: u64,
    /// Upper bound on the rows of one merge, and the size above which a time bucket is split by time.
    pub compact_split_rows: usize,
    /// Bytes of files that are merged at once, at most: the size of a large file.
    pub compact_file_bytes: u64,
    /// How long files that were merged into others stay, for readers of older versions.
    pub vacuum_after: Duration,
    /// Disk space kept free for flushes, so that they go on when the write-ahead log has filled the disk; `None`: 128 MiB, or a 16th
    /// of the file system if that is less. Only where the store is a local directory. **Units**: bytes.
    pub reserve_bytes: Option<u64>,
    /// Whether only to read: what is stored is looked at and nothing is changed. Nothing can be appended, loaded, flushed or merged.
    pub read_only: bool,
}

impl EngineOptions {
    /// # Errors
    /// `Invalid` with the first option that is out of its range.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |text: &str| Err(EngineError::InvalidOption(text.to_owned()));
        if self.memory_limit_bytes < MEMORY_LIMIT_MIN {
            return refuse(&format!(
                "memory limit: {} bytes is less than {MEMORY_LIMIT_MIN}, the least the engine runs in",
                self.memory_limit_bytes
            ));
        }
        if self.generation_rows_max == 0 || self.generation_bytes_max == 0 {
            return refuse("generation rows and bytes: 0 is less than 1");
        }
        if self.wal_puts_max == 0 || self.wal_commit_bytes_max == 0 {
            return refuse("WAL puts and commit bytes: 0 is less than 1");
        }
        if self.flush_interval.is_zero() {
            return refuse("flush interval: 0 is not a positive duration");
        }
        if self.compact_bytes_per_second == 0 || self.compact_split_rows == 0 || self.compact_file_bytes == 0
        {
            return refuse("bytes and rows of compaction: 0 is less than 1");
        }
        Ok(())
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 2 << 30,
            generation_rows_max: 1 << 20,
            generation_bytes_max: 256 << 20,
            flush_rows_max: 1 << 20,
            flush_interval: Duration::from_mins(1),
            wal_puts_max: 4,
            wal_commit_bytes_max: 16 << 20,
            max_future: Duration::from_hours(1),
            append_wait: Duration::from_secs(10),
            compact: true,
            compact_bytes_per_second: 64 << 20,
            compact_split_rows: 4 << 20,
            compact_file_bytes: 128 << 20,
            vacuum_after: Duration::from_hours(24),
            reserve_bytes: None,
            read_only: false,
        }
    }
}
