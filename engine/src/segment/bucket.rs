//! Time buckets, and which of them share a segment: one of its own for each bucket with enough rows, and one for each run
//! of thin buckets between them. A flush thus makes at most 2 f + 1 files for f full buckets, however late its rows are, and one more
//! for each minute in which a good part of its rows lie: most rows are new, and a window that begins somewhere in the hour need not
//! look for its few late ones among all new ones.

use std::collections::BTreeMap;

/// Rows from which a bucket has a segment of its own.
pub(crate) const BUCKET_ROWS_MIN: usize = 65_536;

/// Pieces of a bucket, and of such a piece: for an hour, ten minutes and one.
pub(crate) const BUCKET_PIECES: [i64; 2] = [6, 60];
/// Part of all rows from which a minute has a segment of its own, if it has enough for one.
const DENSE_PART: u64 = 8;

/// Assignment of time buckets to groups.
#[derive(Debug)]
pub(crate) struct Groups {
    bucket_micros: i64,
    group_of_bucket: BTreeMap<i64, u32>,
}

impl Groups {
    /// Groups the buckets of the given timestamps (µs).
    pub(crate) fn of<'a>(
        bucket_micros: i64,
        timestamps: impl Iterator<Item = &'a [i64]>,
        bucket_rows_min: usize,
    ) -> Self {
        Self::by(bucket_micros, timestamps, |rows| Self::thin_and_full(rows, bucket_rows_min as u64))
    }

    /// As [`Self::of`], with the minutes apart in which a good part of the rows lie.
    pub(crate) fn with_dense_minutes<'a>(
        bucket_micros: i64,
        timestamps: impl Iterator<Item = &'a [i64]>,
        bucket_rows_min: usize,
    ) -> Self {
        let [_, pieces] = BUCKET_PIECES;
        if bucket_micros % pieces != 0 {
            return Self::of(bucket_micros, timestamps, bucket_rows_min);
        }
        let group = |rows: &BTreeMap<i64, u64>| Self::dense_and_others(rows, pieces, bucket_rows_min as u64);
        Self::by(bucket_micros / pieces, timestamps, group)
    }

    /// Groups buckets of any width as `group` says, given the rows of each.
    pub(crate) fn by<'a>(
        bucket_micros: i64,
        timestamps: impl Iterator<Item = &'a [i64]>,
        group: impl FnOnce(&BTreeMap<i64, u64>) -> BTreeMap<i64, u32>,
    ) -> Self {
        let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
        for part in timestamps {
            for run in part.chunk_by(|a, b| a.div_euclid(bucket_micros) == b.div_euclid(bucket_micros)) {
                *rows.entry(run[0].div_euclid(bucket_micros)).or_default() += run.len() as u64;
            }
        }
        Self { bucket_micros, group_of_bucket: group(&rows) }
    }

    /// One group for all rows.
    pub(crate) fn one() -> Self {
        // Eight buckets are all time.
        Self { bucket_micros: 1 << 61, group_of_bucket: (-4..4).map(|bucket| (bucket, 0)).collect() }
    }

    /// The groups of pieces of buckets: first those of the buckets without their dense pieces, then these.
    fn dense_and_others(rows: &BTreeMap<i64, u64>, pieces: i64, bucket_rows_min: u64) -> BTreeMap<i64, u32> {
        let dense_rows_min = bucket_rows_min.max(rows.values().sum::<u64>() / DENSE_PART);
        let is_dense = |count: u64| count >= dense_rows_min;
        let mut others: BTreeMap<i64, u64> = BTreeMap::new();
        for (piece, count) in rows.iter().filter(|(_, count)| !is_dense(**count)) {
            *others.entry(piece.div_euclid(pieces)).or_default() += count;
        }
        let group_of_bucket = Self::thin_and_full(&others, bucket_rows_min);
        let mut next = group_of_bucket.values().max().map_or(0, |last| last + 1);
        let group_of_piece = rows.iter().map(|(piece, count)| {
            if is_dense(*count) {
                next += 1;
                return (*piece, next - 1);
            }
            (*piece, group_of_bucket[&piece.div_euclid(pieces)])
        });
        group_of_piece.collect()
    }

    fn thin_and_full(rows: &BTreeMap<i64, u64>, bucket_rows_min: u64) -> BTreeMap<i64, u32> {
        let mut group_of_bucket = BTreeMap::new();
        let (mut group, mut thin_rows) = (0, 0);
        for (bucket, count) in rows {
            let (bucket, count) = (*bucket, *count);
            // Thin rows may share a segment until they are many enough to stand alone.
            let is_full = count >= bucket_rows_min;
            if thin_rows > 0 && (is_full || thin_rows >= bucket_rows_min) {
                group += 1;
                thin_rows = 0;
            }
            group_of_bucket.insert(bucket, group);
            if is_full {
                group += 1;
            } else {
                thin_rows += count;
            }
        }
        group_of_bucket
    }

    /// A look-up that remembers the last bucket: neighbours in arrival order mostly share it.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor { groups: self, start: i64::MAX, group: 0 }
    }
}

/// See [`Groups::cursor`].
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    groups: &'a Groups,
    start: i64,
    group: u32,
}

impl Cursor<'_> {
    /// Group of a timestamp (µs) that was counted.
    pub(crate) fn of(&mut self, timestamp: i64) -> u32 {
        let width = self.groups.bucket_micros;
        if self.start == i64::MAX || timestamp < self.start || timestamp - self.start >= width {
            let bucket = timestamp.div_euclid(width);
            let group = self.groups.group_of_bucket.get(&bucket);
            assert!(group.is_some(), "bucket {bucket} was not counted");
            self.group = group.copied().unwrap_or_default();
            self.start = bucket * width;
        }
        self.group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thin_buckets_share_a_group_and_full_ones_do_not() {
        let timestamps = [rows(1, 1), rows(2, 2), rows(3, 10), rows(4, 11), rows(9, 1), rows(12, 1)].concat();
        assert_eq!(groups(&timestamps), vec![(1, 0), (2, 0), (3, 1), (4, 2), (9, 3), (12, 3)]);
    }

    #[test]
    fn many_thin_buckets_make_groups_of_healthy_size() {
        let timestamps: Vec<i64> = (0..100).flat_map(|bucket| rows(bucket, 4)).collect();
        let groups = groups(&timestamps);
        assert_eq!(groups.last().unwrap().1, 33, "{groups:?}");
    }

    /// A bucket of 6,000 has pieces of 100; 10 rows are enough.
    #[test]
    fn a_minute_with_a_good_part_of_the_rows_has_a_group_of_its_own() {
        let groups = |counts: &[(i64, usize)]| -> Vec<(i64, u32)> {
            let timestamps =
                counts.iter().map(|(piece, count)| rows(*piece, *count)).collect::<Vec<_>>().concat();
            let groups = Groups::with_dense_minutes(6_000, [timestamps.as_slice()].into_iter(), 10);
            groups.group_of_bucket.into_iter().collect()
        };
        // Late rows of its hour go with those of the hours before.
        let dense = [(-61, 1), (3, 2), (61, 3), (62, 95), (63, 1), (119, 1)];
        assert_eq!(groups(&dense), vec![(-61, 0), (3, 0), (61, 0), (62, 1), (63, 0), (119, 0)]);
        // As many rows as before, but in too many minutes for each to have a file: an hour stays together.
        let even: Vec<(i64, usize)> = (0..9).map(|piece| (piece, 12)).collect();
        assert_eq!(groups(&even), (0..9).map(|piece| (piece, 0)).collect::<Vec<_>>());
        // Two minutes, and an hour that has enough without them.
        let two = [(0, 40), (1, 6), (2, 6), (3, 40), (60, 9)];
        assert_eq!(groups(&two), vec![(0, 2), (1, 0), (2, 0), (3, 3), (60, 1)]);
    }

    fn rows(bucket: i64, count: usize) -> Vec<i64> {
        vec![bucket * 100 + 7; count]
    }

    fn groups(timestamps: &[i64]) -> Vec<(i64, u32)> {
        let groups = Groups::of(100, [timestamps].into_iter(), 10);
        let mut cursor = groups.cursor();
        for timestamp in timestamps {
            assert_eq!(cursor.of(*timestamp), groups.group_of_bucket[&(timestamp / 100)]);
        }
        groups.group_of_bucket.into_iter().collect()
    }
}
