//! The demo's last lines: how fast, how small, how right.

use std::path::Path;

use super::{ingest::Ingested, tally::Tally};
use crate::console::{self, CliError};

/// Prints the summary.
///
/// # Errors
/// `Io` when the data directory cannot be read or stdout fails.
pub(super) fn summarise(load: &Ingested, data_dir: &Path, tally: &Tally) -> Result<(), CliError> {
    let parquet_bytes = parquet_bytes(data_dir)
        .map_err(|source| CliError::Io { action: format!("read {}", data_dir.display()), source })?;
    let rows = load.totals.acked_rows;
    console::say("\nSummary")?;
    console::say(&format!("  ingest   {}", load.text()))?;
    console::say(&format!(
        "  on disk  {:.1} bytes per event ({:.1} MB of Parquet)",
        parquet_bytes as f64 / rows.max(1) as f64,
        parquet_bytes as f64 / 1e6
    ))?;
    console::say(&format!("  checks   {}", tally.text()))
}

/// Bytes of all Parquet files below `directory`.
fn parquet_bytes(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bytes += parquet_bytes(&entry.path())?;
        } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
