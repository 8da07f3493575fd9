//! `FileReader`: a file of the store as the Parquet decoder reads it.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use hexflight_engine::DataFile;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result},
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};

/// Bytes at a file's end that are read at once for its footer and the places of its pages: most need no more. **Units**: bytes.
const FOOTER_BYTES: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct FileReader {
    objects: Arc<dyn ObjectStore>,
    location: Path,
    size_bytes: u64,
}

impl FileReader {
    pub(super) fn new(objects: &Arc<dyn ObjectStore>, file: &DataFile) -> Self {
        Self { objects: Arc::clone(objects), location: file.location.clone(), size_bytes: file.size_bytes }
    }
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.objects.get_range(&self.location, range).map_err(ParquetError::from).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { Ok(self.objects.get_ranges(&self.location, &ranges).await?) }.boxed()
    }

    /// With the places of pages, without what they range over: a rollup tells which rows are wanted.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size_bytes;
            let reader = ParquetMetaDataReader::new()
                .with_column_index_policy(PageIndexPolicy::Skip)
                .with_offset_index_policy(PageIndexPolicy::Optional)
                .with_prefetch_hint(Some(FOOTER_BYTES));
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}
