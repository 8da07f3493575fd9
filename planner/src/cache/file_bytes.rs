//! `FileBytes`: reads ranges of data files. Nothing that it returns is other than what was written: every range is widened to the
//! parts of the file that have a checksum, and checked.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use hexflight_engine::{Checksums, DataFile, EngineError, Result, Store};

use super::{
    lru::{Key, Lru},
    segments::Part,
};

/// What lies between two ranges that are read as one: skipping less than this saves less than another read costs. **Units**: bytes.
const GAP_BYTES_MAX: u64 = 64 << 10;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FileBytes {
    store: Store,
    /// Holds the checksums of files that are read.
    parts: Arc<Lru<Part>>,
}

impl FileBytes {
    pub(super) fn new(store: Store, parts: Arc<Lru<Part>>) -> Self {
        Self { store, parts }
    }

    /// Reads ranges of a file; ranges near each other at once.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` naming the file when it is not there, has another size, or its bytes are not
    /// what was written.
    pub(crate) async fn read(&self, file: &Arc<DataFile>, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(range) = ranges.iter().find(|range| range.end > file.size_bytes) {
            let detail =
                format!("bytes {}..{} are wanted, it has {}", range.start, range.end, file.size_bytes);
            return Err(EngineError::Corrupt { path: file.location.to_string(), detail });
        }
        let checksums = self.checksums(file).await?;
        let spans = match &checksums {
            Some(checksums) => spans(ranges.iter().map(|range| checksums.widened(range)).collect()),
            None => spans(ranges.to_vec()),
        };
        let read = match self.store.object_store().get_ranges(&file.location, &spans).await {
            Ok(read) => read,
            Err(source) => {
                let path = file.location.to_string();
                let failed = EngineError::Store { operation: "get", path, source };
                return Err(file.damage(&self.store).await?.unwrap_or(failed));
            }
        };
        if let Some(checksums) = &checksums {
            for (span, bytes) in spans.iter().zip(&read) {
                checksums.verify(file.location.as_ref(), span, bytes).inspect_err(|_| {
                    metrics::counter!("hexflight_file_checksum_failures_total").increment(1);
                })?;
            }
        }
        cut(ranges, &spans, &read).map_err(|range| EngineError::Corrupt {
            path: file.location.to_string(),
            detail: format!("bytes {range:?} are beyond its end"),
        })
    }

    /// How much of a file's end is read at once for its footer: at most `limit` bytes, if that is enough. **Units**: bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn tail_bytes(&self, file: &Arc<DataFile>, limit: usize) -> Result<usize> {
        let Some(checksums) = self.checksums(file).await? else { return Ok(limit) };
        Ok(usize::try_from(checksums.tail_bytes(limit as u64)).unwrap_or(limit))
    }

    /// `None` for a file that was written without any.
    async fn checksums(&self, file: &Arc<DataFile>) -> Result<Option<Arc<Checksums>>> {
        if file.checksums.is_none() {
            return Ok(None);
        }
        let key = Key::new(file, "checksums", 0);
        if let Some(Part::Checksums(checksums)) = self.parts.get(&key) {
            return Ok(Some(checksums));
        }
        let Some(checksums) = file.checksums(&self.store).await? else { return Ok(None) };
        let checksums = Arc::new(checksums);
        self.parts.insert(file, key, Part::Checksums(Arc::clone(&checksums)), checksums.bytes());
        Ok(Some(checksums))
    }
}

/// Ranges to read, in order and apart, that hold all of `ranges`.
fn spans(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
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

/// The bytes of each range, out of the spans that were read; a range that is in none of them is an error.
fn cut(
    ranges: &[Range<u64>],
    spans: &[Range<u64>],
    read: &[Bytes],
) -> std::result::Result<Vec<Bytes>, Range<u64>> {
    let bytes = |range: &Range<u64>| {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        let place = spans.partition_point(|span| span.start <= range.start).checked_sub(1)?;
        let (span, read) = spans.get(place).zip(read.get(place))?;
        let start = usize::try_from(range.start - span.start).ok()?;
        let end = usize::try_from(range.end - span.start).ok()?;
        (end <= read.len()).then(|| read.slice(start..end))
    };
    ranges.iter().map(|range| bytes(range).ok_or_else(|| range.clone())).collect()
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
            assert_eq!(spans(wanted.clone()), expected);
            let read: Vec<_> = expected.iter().map(at).collect();
            assert_eq!(cut(&wanted, &expected, &read).unwrap(), wanted.iter().map(at).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let wanted = ranges(&[(5, 20)]);
        assert_eq!(cut(&wanted, &wanted, &[Bytes::from_static(b"short")]), Err(5..20));
    }
}
