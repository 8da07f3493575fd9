//! Widths of partitions: a ladder of spans of time, each a whole multiple of the one below, from a part of a time bucket to
//! centuries. A load starts at the bottom and climbs when its rows lie too far apart.

/// Parts of a bucket that the ladder begins with, for buckets that can be divided so: of an hour a second, ten seconds, a
/// minute, ten minutes.
const PARTS: [i64; 4] = [3_600, 360, 60, 6];
/// Times a bucket above it: of an hour eight hours to 2⁷ years.
const MULTIPLES: [i64; 8] = [1, 1 << 3, 1 << 6, 1 << 9, 1 << 12, 1 << 15, 1 << 18, 1 << 21];

/// A rung of the ladder of one bucket width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    bucket_micros: i64,
    rung: usize,
}

impl Width {
    /// The smallest width for buckets of `bucket_micros`.
    pub(super) fn finest(bucket_micros: i64) -> Self {
        let is_whole = |part: &&i64| bucket_micros % **part == 0;
        Self { bucket_micros, rung: PARTS.len() - PARTS.iter().filter(is_whole).count() }
    }

    /// **Units**: µs.
    pub(super) fn micros(self) -> i64 {
        match PARTS.get(self.rung) {
            Some(part) => self.bucket_micros / part,
            None => self.bucket_micros.saturating_mul(MULTIPLES[self.rung - PARTS.len()]),
        }
    }

    /// The next width, unless this is the last.
    pub(super) fn coarser(self) -> Option<Self> {
        let rung = self.rung + 1;
        (rung < PARTS.len() + MULTIPLES.len()).then_some(Self { rung, ..self })
    }

    /// Whether nothing finer is known.
    pub(super) fn is_finest(self) -> bool {
        self == Self::finest(self.bucket_micros)
    }

    /// Whether this is the wider one.
    pub(super) fn is_coarser_than(self, other: Self) -> bool {
        self.rung > other.rung
    }

    /// Start of the partition of a time (µs).
    pub(super) fn start_of(self, micros: i64) -> i64 {
        let width = self.micros();
        micros.div_euclid(width) * width
    }

    /// Start of the bucket, or of the partition if that is wider, that a partition's start lies in.
    pub(super) fn bucket_of(self, start: i64) -> i64 {
        let width = self.micros().max(self.bucket_micros);
        start.div_euclid(width) * width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_width_is_a_multiple_of_the_one_below() {
        for bucket in [3_600_000_000, 60_000_000, 7, 360] {
            let mut width = Width::finest(bucket);
            assert!(width.is_finest());
            while let Some(coarser) = width.coarser() {
                assert!(coarser.micros() > width.micros() && coarser.is_coarser_than(width));
                assert_eq!(coarser.micros() % width.micros(), 0, "{coarser:?}");
                assert!(coarser.micros() / width.micros() <= 10 || bucket < 3_600);
                assert_eq!(coarser.start_of(width.start_of(987_654_321)), coarser.start_of(987_654_321));
                width = coarser;
            }
            assert_eq!(width.micros(), bucket << 21);
        }
        assert_eq!(Width::finest(3_600_000_000).micros(), 1_000_000);
    }
}
