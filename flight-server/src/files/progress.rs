//! `LoadProgress`: how far an import is, counted by the readers and shown by the command.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use crate::grouped::grouped;

/// Cells of the bar.
const BAR_CELLS: u64 = 20;

/// Counters of one import.
#[derive(Debug, Default)]
pub(crate) struct LoadProgress {
    files_total: AtomicUsize,
    files_begun: AtomicUsize,
    bytes_total: AtomicU64,
    bytes_read: AtomicU64,
    rows: AtomicU64,
}

impl LoadProgress {
    /// Starts the progress of an import of so many files.
    pub(crate) fn of(files: usize, bytes: u64) -> Self {
        Self { files_total: files.into(), bytes_total: bytes.into(), ..Self::default() }
    }

    /// A file is being read.
    pub(crate) fn file_begun(&self) {
        self.files_begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A file need not be read.
    pub(crate) fn file_skipped(&self, bytes: u64) {
        self.files_total.fetch_sub(1, Ordering::Relaxed);
        self.bytes_total.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Rows are in the sink.
    pub(crate) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows in the sink.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// One line: bar, files, rows, speed, bytes, time to go.
    pub(crate) fn text(&self, elapsed: Duration) -> String {
        let total = self.bytes_total.load(Ordering::Relaxed).max(1);
        // Footers and columns that are not read count for the rows beside them, so that the share can be a little off.
        let read = self.bytes_read.load(Ordering::Relaxed).min(total);
        let rows = self.rows();
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let cells = usize::try_from(read * BAR_CELLS / total).unwrap_or(0);
        format!(
            "[{:<20}] {}/{} files  {} rows  {} rows/s  {}/{}  {}",
            "#".repeat(cells),
            self.files_begun.load(Ordering::Relaxed),
            self.files_total.load(Ordering::Relaxed),
            grouped(rows),
            grouped(per_second(rows, seconds)),
            megabytes(read),
            megabytes(total),
            time_to_go(read, total, seconds)
        )
    }
}

/// Bytes in decimal megabytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and only shown"
)]
pub(crate) fn per_second(rows: u64, seconds: f64) -> u64 {
    (rows as f64 / seconds.max(1e-6)).round() as u64
}

fn time_to_go(read: u64, total: u64, seconds: f64) -> String {
    if read == 0 {
        return "ETA -".to_owned();
    }
    let left = seconds * (total - read) as f64 / read as f64;
    format!("ETA {left:.0} s")
}
