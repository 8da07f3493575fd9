//! Writes generations as Parquet files, one per segment. They belong to nobody until a commit names them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::array::RecordBatch;
use bytes::Bytes;
use chrono::DateTime;
use futures::{StreamExt, stream};
use metrics::{counter, histogram};
use object_store::{PutPayload, path::Path};
use uuid::Uuid;

use crate::{
    budget::Budget,
    error::{EngineError, Result},
    memory::{Generation, GenerationState},
    rollup::{NewRollup, RollupBuilder},
    schema::{TableSpec, column},
    segment::{self, Checksums},
    store::PutOutcome,
    table::{ColumnRange, DataFile, DeltaLog, FileChecksums, RollupObject, ScalarBound, extend_ranges},
};

/// Bytes that encoding a row takes at most, in the file being built and in the writer's buffers.
const ENCODE_BYTES_PER_ROW: usize = 64;

/// Writes the rows of `generations` durably and returns the files.
///
/// # Errors
/// `Unavailable` when the store fails; what was written by then is deleted: on a full disk it would take the space that the next
/// attempt needs.
pub(crate) async fn write_files(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    generations: &[Arc<Generation>],
    concurrency: usize,
) -> Result<Vec<DataFile>> {
    let segments = sorted(log, budget, generations).await?;
    let put = Mutex::default();
    let writes: Vec<_> = segments.into_iter().map(|segment| write_file(log, budget, segment, &put)).collect();
    // To the end, also when one fails: none is put after what was put is deleted.
    let written: Vec<Result<DataFile>> = stream::iter(writes).buffered(concurrency).collect().await;
    let written = written.into_iter().collect();
    if Result::is_err(&written) {
        discard(log, &put.into_inner().unwrap_or_else(PoisonError::into_inner)).await;
    }
    written
}

/// Deletes files that no version will name.
pub(super) async fn discard(log: &DeltaLog, locations: &[Path]) {
    for location in locations {
        if let Err(error) = log.store.delete(location).await {
            tracing::warn!(%error, "a file of a flush that failed stays until it is an orphan");
        }
    }
}

/// A sealed generation is sorted already; the rows of several are sorted together, so that a bucket becomes one file.
async fn sorted(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    generations: &[Arc<Generation>],
) -> Result<Vec<RecordBatch>> {
    let batches: Vec<RecordBatch> = generations
        .iter()
        .flat_map(|generation| generation.batches().iter().map(|batch| batch.batch().clone()))
        .collect();
    if let [generation] = generations
        && generation.state() == GenerationState::Sealed
    {
        return Ok(batches);
    }
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let memory = budget.reserve_unchecked(bytes);
    let spec = Arc::clone(&log.spec);
    blocking("merge", move || {
        let _memory = memory;
        segment::segments(&spec, &batches.iter().collect::<Vec<_>>())
    })
    .await
}

/// `put` learns the names before they are put.
async fn write_file(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    segment: RecordBatch,
    put: &Mutex<Vec<Path>>,
) -> Result<DataFile> {
    let row_count = segment.num_rows();
    let _memory = budget.reserve_unchecked(row_count * ENCODE_BYTES_PER_ROW);
    let spec = Arc::clone(&log.spec);
    let started = std::time::Instant::now();
    let encoded = blocking("encode", move || Encoded::of(&spec, row_count, [Ok(segment)])).await?;
    histogram!("hexflight_flush_encode_seconds").record(started.elapsed());
    let file = NewFile::new(log, encoded);
    counter!("hexflight_flush_bytes_total").increment(file.size_bytes() as u64);
    put.lock().unwrap_or_else(PoisonError::into_inner).extend(file.locations().cloned());
    file.put(log).await
}

/// A segment as bytes: its Parquet file, and its rollup with the checksums of the file behind it.
#[derive(Debug)]
pub(crate) struct Encoded {
    row_count: usize,
    bytes: Bytes,
    columns: BTreeMap<String, ColumnRange>,
    rollup: Option<NewRollup>,
    checksums: FileChecksums,
}

impl Encoded {
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

/// An encoded file under a name of its own, not yet put.
#[derive(Debug)]
pub(crate) struct NewFile {
    bytes: Bytes,
    rollup: Option<Bytes>,
    file: DataFile,
}

impl NewFile {
    /// Names what was encoded.
    pub(crate) fn new(log: &DeltaLog, encoded: Encoded) -> Self {
        let Encoded { row_count, bytes, columns, rollup, checksums } = encoded;
        let first = columns.get(column::TIMESTAMP).and_then(|range| range.min.as_ref());
        let location = new_location(log.root(), first);
        let rollup_object = rollup.as_ref().map(|rollup| RollupObject {
            location: RollupObject::location_of(log.root(), &location)
                .unwrap_or_else(|| unreachable!("{location} is a data file's name")),
            size_bytes: rollup.bytes.len() as u64,
            directory_crc32c: Some(rollup.directory_crc32c),
        });
        let file = DataFile {
            location,
            size_bytes: bytes.len() as u64,
            row_count: Some(row_count as u64),
            modified_ms: log.now_ms(),
            columns,
            rollup: rollup_object,
            checksums: Some(checksums),
        };
        Self { bytes, rollup: rollup.map(|rollup| rollup.bytes.into()), file }
    }

    /// Where it and its rollup will be.
    pub(crate) fn locations(&self) -> impl Iterator<Item = &Path> {
        self.file.locations()
    }

    /// With its rollup. **Units**: bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len() + self.rollup.as_ref().map_or(0, Bytes::len)
    }

    /// Puts it durably, its rollup first: whoever names the file can name both.
    ///
    /// # Errors
    /// `Unavailable` when the store fails; either may then be there.
    pub(crate) async fn put(self, log: &DeltaLog) -> Result<DataFile> {
        let Self { bytes, rollup, file } = self;
        if let Some((object, bytes)) = file.rollup.as_ref().zip(rollup) {
            put_new(log, &object.location, bytes).await?;
        }
        put_new(log, &file.location, bytes).await?;
        Ok(file)
    }
}

async fn put_new(log: &DeltaLog, location: &Path, bytes: Bytes) -> Result<()> {
    if log.store.put_if_absent(location, PutPayload::from(bytes)).await? == PutOutcome::AlreadyExists {
        return Err(EngineError::Corrupt {
            path: location.to_string(),
            detail: String::from("a new file's name is already taken"),
        });
    }
    Ok(())
}

/// `{root}/{day of the first row}/{hour}-{uuid}.parquet`: never reused, and readable for a person.
fn new_location(root: &Path, first: Option<&ScalarBound>) -> Path {
    let micros = match first {
        Some(ScalarBound::Micros(micros)) => *micros,
        _ => 0,
    };
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let (day, hour) = (time.format("%Y-%m-%d"), time.format("%H"));
    Path::from(format!("{root}/{day}/{hour}-{}.parquet", Uuid::now_v7().hyphenated()))
}

/// Runs CPU work on a blocking thread.
pub(crate) async fn blocking<T: Send + 'static>(
    task: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| EngineError::Task { task, detail: error.to_string() })?
}
