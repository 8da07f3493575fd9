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

/// What lies between two ranges that are read as one: skipping less than this saves less than another read costs. **Units**: bytes.
const GAP_BYTES_MAX: u64 = 64 << 10;

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
        let spans = spans(&ranges);
        async move {
            let read = self.objects.get_ranges(&self.location, &spans).await?;
            cut(&ranges, &spans, &read)
        }
        .boxed()
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

/// Ranges to read, in order and apart, that hold all of `ranges`.
fn spans(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut spans: Vec<Range<u64>> = vec![];
    for range in ranges {
        match spans.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => {
                last.end = last.end.max(range.end)
            }
            _ => spans.push(range),
        }
    }
    spans
}

/// The bytes of each range, out of the spans that were read.
fn cut(ranges: &[Range<u64>], spans: &[Range<u64>], read: &[Bytes]) -> Result<Vec<Bytes>> {
    let bytes = |range: &Range<u64>| {
        let place = spans.partition_point(|span| span.start <= range.start).checked_sub(1)?;
        let (span, read) = spans.get(place).zip(read.get(place))?;
        let start = usize::try_from(range.start - span.start).ok()?;
        let end = usize::try_from(range.end - span.start).ok()?;
        (end <= read.len()).then(|| read.slice(start..end))
    };
    let bytes = |range| {
        bytes(range)
            .ok_or_else(|| ParquetError::General(format!("bytes {range:?} are beyond the end of the file")))
    };
    ranges.iter().map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ends = &'static [(u64, u64)];

    fn ranges(ends: Ends) -> Vec<Range<u64>> {
        ends.iter().map(|(start, end)| *start..*end).collect()
    }

    #[test]
    fn ranges_near_each_other_are_read_as_one() {
        const GAP: u64 = GAP_BYTES_MAX;
        let bytes = Bytes::from_iter((0..400_000_u32).map(|place| u8::try_from(place % 251).unwrap()));
        let place = |place: u64| usize::try_from(place).unwrap();
        let at = |range: &Range<u64>| bytes.slice(place(range.start)..place(range.end));
        let cases: [(Ends, Ends); 6] = [
            (&[(10, 20)], &[(10, 20)]),
            (&[(10, 20), (20, 30), (21, 25)], &[(10, 30)]),
            (&[(200_000, 200_005), (0, 100), (90, 120)], &[(0, 120), (200_000, 200_005)]),
            (&[(0, 1), (1 + GAP, 2 + GAP)], &[(0, 2 + GAP)]),
            (&[(0, 1), (2 + GAP, 9 + GAP)], &[(0, 1), (2 + GAP, 9 + GAP)]),
            (&[], &[]),
        ];
        for (wanted, expected) in cases {
            let (wanted, expected) = (ranges(wanted), ranges(expected));
            assert_eq!(spans(&wanted), expected);
            let read: Vec<_> = expected.iter().map(at).collect();
            assert_eq!(cut(&wanted, &expected, &read).unwrap(), wanted.iter().map(at).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let wanted = ranges(&[(5, 20)]);
        let error = cut(&wanted, &wanted, &[Bytes::from_static(b"short")]).unwrap_err();
        assert!(error.to_string().contains("5..20"), "{error}");
    }
}
