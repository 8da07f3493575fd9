//! The files of a scan as DataFusion's Parquet reader opens them: every byte comes through [`FileBytes`], footers are kept in the
//! session's cache.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use datafusion::{
    datasource::{
        listing::PartitionedFile,
        physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory, parquet::CachedParquetMetaData},
    },
    error::Result,
    execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache},
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::{FutureExt, future::BoxFuture};
use hexflight_engine::DataFile;
use object_store::ObjectMeta;
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::Result as ParquetResult,
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};

use super::decode_memory::{DecodeMemory, HeldRows};
use crate::cache::{FileBytes, FileReader};

/// Bytes at a file's end that are read at once where DataFusion has no wish of its own. **Units**: bytes.
const FOOTER_BYTES: usize = 512 << 10;

/// Opens files that carry their [`DataFile`] with them.
pub(super) struct ScanFiles {
    bytes: FileBytes,
    footers: Arc<FileMetadataCache>,
    memory: Arc<DecodeMemory>,
}

impl ScanFiles {
    pub(super) fn new(bytes: FileBytes, footers: Arc<FileMetadataCache>, memory: Arc<DecodeMemory>) -> Self {
        Self { bytes, footers, memory }
    }
}

impl std::fmt::Debug for ScanFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScanFiles").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl ParquetFileReaderFactory for ScanFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_bytes: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let meta = file.object_meta.clone();
        let Some(data_file) = file.extension::<Arc<DataFile>>() else {
            return datafusion::common::internal_err!("{} is not a file of a snapshot", meta.location);
        };
        Ok(Box::new(ScanFileReader {
            reader: FileReader::new(&self.bytes, data_file),
            metrics: ParquetFileMetrics::new(partition, meta.location.as_ref(), metrics),
            footers: Arc::clone(&self.footers),
            footer_bytes: footer_bytes.unwrap_or(FOOTER_BYTES),
            held: self.memory.of_file(),
            meta,
        }))
    }
}

/// One file of a scan.
struct ScanFileReader {
    reader: FileReader,
    metrics: ParquetFileMetrics,
    footers: Arc<FileMetadataCache>,
    footer_bytes: usize,
    held: HeldRows,
    meta: ObjectMeta,
}

impl ScanFileReader {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.metrics.bytes_scanned.add(bytes);
        self.held.replace(bytes);
    }

    /// The footer in the cache, if it has what `indexes` asks for.
    fn kept_footer(&self, indexes: PageIndexPolicy) -> Option<Arc<ParquetMetaData>> {
        let entry = self.footers.get(&self.meta.location).filter(|entry| entry.is_valid_for(&self.meta))?;
        let kept = entry.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()?;
        let footer = kept.parquet_metadata();
        let has_indexes = footer.column_index().is_some() && footer.offset_index().is_some();
        (has_indexes || indexes == PageIndexPolicy::Skip).then(|| Arc::clone(footer))
    }
}

impl AsyncFileReader for ScanFileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.count(std::slice::from_ref(&range));
        self.reader.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.count(&ranges);
        self.reader.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let indexes = options.map_or(PageIndexPolicy::Optional, ArrowReaderOptions::column_index_policy);
        async move {
            if let Some(kept) = self.kept_footer(indexes) {
                return Ok(kept);
            }
            let reader = ParquetMetaDataReader::new().with_page_index_policy(indexes);
            let footer = Arc::new(self.reader.footer(reader, self.footer_bytes).await?);
            let entry = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
            self.footers.put(&self.meta.location, CachedFileMetadataEntry::new(self.meta.clone(), entry));
            Ok(footer)
        }
        .boxed()
    }
}

impl Drop for ScanFileReader {
    fn drop(&mut self) {
        let ratio = &self.metrics.scan_efficiency_ratio;
        ratio.add_part(self.metrics.bytes_scanned.value());
        ratio.set_total(usize::try_from(self.meta.size).unwrap_or(usize::MAX));
    }
}
