//! `FileReader`: a file of the store as the Parquet decoder reads it.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use hexflight_engine::{DataFile, EngineError};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result},
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};

use super::FileBytes;

/// Bytes at a file's end that are read at once for its footer and the places of its pages: most need no more. **Units**: bytes.
const FOOTER_BYTES: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct FileReader {
    bytes: FileBytes,
    file: Arc<DataFile>,
}

impl FileReader {
    pub(crate) fn new(bytes: &FileBytes, file: &Arc<DataFile>) -> Self {
        Self { bytes: bytes.clone(), file: Arc::clone(file) }
    }

    /// Reads the footer, with the indexes that `reader` is told to read; at most `limit` bytes of the file's end at first.
    ///
    /// # Errors
    /// `External` with what the engine says of the file: `Unavailable` or `Corrupt`.
    pub(crate) async fn footer(
        &mut self,
        reader: ParquetMetaDataReader,
        limit: usize,
    ) -> Result<ParquetMetaData> {
        let tail = self.bytes.tail_bytes(&self.file, limit).await.map_err(external)?;
        let (size, file) = (self.file.size_bytes, Arc::clone(&self.file));
        let read = reader.with_prefetch_hint(Some(tail)).load_and_finish(self, size).await;
        read.map_err(|error| named(&file, error))
    }
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let read = self.bytes.read(&self.file, std::slice::from_ref(&range)).await.map_err(external)?;
            Ok(read.into_iter().next().unwrap_or_default())
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.bytes.read(&self.file, &ranges).await.map_err(external) }.boxed()
    }

    /// With the places of pages, without what they range over: a rollup tells which rows are wanted.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        let reader = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional);
        async move { self.footer(reader, FOOTER_BYTES).await.map(Arc::new) }.boxed()
    }
}

/// What the decoder finds wrong with the bytes of a file does not say in which.
pub(crate) fn named(file: &DataFile, error: ParquetError) -> ParquetError {
    match error {
        ParquetError::External(_) => error,
        other => {
            external(EngineError::Corrupt { path: file.location.to_string(), detail: other.to_string() })
        }
    }
}

fn external(error: EngineError) -> ParquetError {
    ParquetError::External(Box::new(error))
}
