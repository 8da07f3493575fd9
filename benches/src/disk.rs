//! `disk`: bytes per event in flushed files, and how many files a flush makes.

use std::{fs, path::Path, sync::Arc};

use anyhow::Result;
use hexflight::simulate::{Fleet, TimeSlice, Workload, WorkloadConfig};
use hexflight_engine::{Clock, Engine, EngineOptions, Store, SystemClock};

use crate::{
    Print,
    events::{self, HOUR_MICROS},
    segment_file::parquet_files,
    table::Table,
};

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Appends `rows` rows, spread over one hour and over twelve, flushes, and looks at what is there.
///
/// # Errors
/// What the engine or the file system says.
pub(crate) async fn run(rows: usize, print: Print<'_>) -> Result<()> {
    let header = ["event time", "rows", "files", "Parquet bytes/event", "log bytes/event", "WAL left, bytes"];
    let mut table = Table::new("bytes per event on disk", &header);
    for hours in [1, 12] {
        let folder = tempfile::tempdir_in(".")?;
        fill(folder.path(), rows, hours).await?;
        let mut files = vec![];
        parquet_files(folder.path(), &mut files)?;
        let bytes: u64 = files.iter().map(|(bytes, _)| bytes).sum();
        let log = folder_bytes(&folder.path().join("tables/events/_delta_log"))?;
        table.row(&[
            &format!("{hours} h"),
            &rows,
            &files.len(),
            &format!("{:.2}", bytes as f64 / rows as f64),
            &format!("{:.4}", log as f64 / rows as f64),
            &folder_bytes(&folder.path().join("wal"))?,
        ]);
    }
    print(&table)
}

async fn fill(folder: &Path, rows: usize, hours: i64) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open_local(folder).await?;
    let engine = Engine::open(store, EngineOptions::default(), Arc::clone(&clock)).await?;
    let config = WorkloadConfig { batch_rows: BATCH_ROWS, ..WorkloadConfig::default() };
    let mut workload = Workload::new(Arc::new(Fleet::new(&config)), config);
    let span = hours * HOUR_MICROS;
    let mut from_micros = clock.now_micros() - span;
    let (mut left, step) = (rows, span * i64::try_from(BATCH_ROWS)? / i64::try_from(rows)?);
    while left > 0 {
        let slice = TimeSlice { from_micros, to_micros: from_micros + step };
        let batch = workload.batch_of(left.min(BATCH_ROWS), slice).batch;
        engine.append(&events::table(), &batch).await?.wait().await?;
        left -= batch.num_rows();
        from_micros += step;
    }
    engine.shutdown().await?;
    Ok(())
}

/// Bytes of all files below `folder`; 0 when there is no such folder.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes +=
            if entry.file_type()?.is_dir() { folder_bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
