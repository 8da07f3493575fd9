//! Units become files: read back, sort, then gather, encode and put file by file.

use std::{ops::Range, sync::Arc};

use arrow::array::RecordBatch;
use metrics::{counter, histogram};

use super::{
    load::Load,
    part::{Held, Part},
    plan::Unit,
    scratch::Scratch,
};
use crate::{
    delta::DeltaLog,
    error::Result,
    file::{Encoded, NewFile},
    ingest::to_query,
    schema::TableSpec,
    segment::{self, SortedRows},
    tasks::blocking,
    time,
};

impl Load {
    /// Sorts and writes a unit. Its memory is free when this returns.
    ///
    /// # Errors
    /// `Unavailable` when the disk or the store fails, `Closed` when the load was stopped.
    pub(super) async fn write(self: &Arc<Self>, unit: Unit) -> Result<()> {
        self.check()?;
        let log = &self.table()?.log;
        let spilled = unit.parts.iter().filter(|part| !part.is_in_memory()).map(Part::bytes).sum();
        let read_back = match spilled {
            0 => None,
            bytes => Some(self.memory.rows_again(bytes, &self.stop).await.ok_or_else(|| self.failure())?),
        };
        let mut work = self.memory.work(unit.rows, &self.stop).await.ok_or_else(|| self.failure())?;
        let sorted = Arc::new(self.sort(log, unit, read_back).await?);
        let mut puts = vec![];
        for places in sorted.rows.groups() {
            self.check()?;
            puts.push(self.encode(log, Arc::clone(&sorted), places.clone()).await?);
        }
        // While the files wait for the disk, others may use the memory that made them.
        drop(sorted);
        work.keep(puts.iter().map(NewFile::size_bytes).sum());
        for file in puts {
            let started = time::now();
            // Named before it is put: whatever becomes of the put, the file is found when the load is given up.
            self.begin_file(&file);
            let file = file.put(log).await?;
            histogram!("hexflight_import_put_seconds").record(started.elapsed());
            counter!("hexflight_import_files_total").increment(1);
            self.end_file(file);
        }
        drop(work);
        Ok(())
    }

    async fn sort(&self, log: &DeltaLog, unit: Unit, read_back: Option<Held>) -> Result<SortedUnit> {
        let scratch = if read_back.is_some() { Some(self.scratch()?) } else { None };
        let spec = Arc::clone(&log.spec);
        let _turn = self.turn().await?;
        blocking("import sort", move || {
            let started = time::now();
            let (batches, held) = read(&spec, unit, scratch.as_deref())?;
            histogram!("hexflight_import_read_seconds").record(started.elapsed());
            let started = time::now();
            let rows = segment::sorted(&spec, batches);
            histogram!("hexflight_import_sort_seconds").record(started.elapsed());
            Ok(SortedUnit { rows, _held: held, _read_back: read_back })
        })
        .await
    }

    async fn encode(&self, log: &DeltaLog, unit: Arc<SortedUnit>, places: Range<usize>) -> Result<NewFile> {
        let spec = Arc::clone(&log.spec);
        let _turn = self.turn().await?;
        let encoded = blocking("import encode", move || {
            let started = time::now();
            let encoded = Encoded::of_sorted(&spec, &unit.rows, places)?;
            histogram!("hexflight_import_encode_seconds").record(started.elapsed());
            Ok(encoded)
        })
        .await?;
        Ok(NewFile::new(log, encoded))
    }
}

/// Sorted rows and what they hold until the last of them is encoded.
#[derive(Debug)]
struct SortedUnit {
    rows: SortedRows,
    _held: Vec<Arc<Held>>,
    _read_back: Option<Held>,
}

fn read(
    spec: &TableSpec,
    unit: Unit,
    scratch: Option<&Scratch>,
) -> Result<(Vec<RecordBatch>, Vec<Arc<Held>>)> {
    let (mut batches, mut held) = (vec![], vec![]);
    for part in unit.parts {
        match part {
            Part::Memory(piece) => {
                batches.push(to_query(spec, &piece.batch)?);
                held.push(piece.held);
            }
            Part::Scratch(chunk) => {
                let scratch = scratch.expect("memory was asked for what is in the scratch file");
                for batch in scratch.read(chunk)? {
                    batches.push(to_query(spec, &batch)?);
                }
            }
        }
    }
    Ok((batches, held))
}
