//! `WideSums`: sums of doubles, one per group, whose partial sums may leave the range of doubles. Rollups, rows and DataFusion's
//! aggregates add in different orders; with a range that no order can leave, the order decides about rounding alone.

/// What `high` counts. A sum of 2^64 doubles fits.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

/// Sums by the place of their group.
#[derive(Debug, Default)]
pub(crate) struct WideSums {
    low: Vec<f64>,
    /// What was carried out of `low`, in units of 2^64. Empty until that happens, which it never does to sensible values.
    high: Vec<f64>,
}

impl WideSums {
    /// Of the parts that [`Self::parts`] gave.
    pub(crate) fn from_parts(low: Vec<f64>, high: Vec<f64>) -> Self {
        Self { low, high }
    }

    /// Makes room for groups up to `len`; new ones are 0.
    pub(crate) fn grow(&mut self, len: usize) {
        if len > self.low.len() {
            self.low.resize(len, 0.0);
        }
    }

    /// Memory held. **Units**: bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<f64>() * (self.low.capacity() + self.high.capacity())
    }

    /// Adds a value to the sum at a place for which there is room.
    #[inline]
    pub(crate) fn add(&mut self, place: usize, value: f64) {
        let sum = self.low[place] + value;
        if sum.is_finite() {
            self.low[place] = sum;
        } else {
            self.carry(place, value);
        }
    }

    /// Adds a part that was carried.
    pub(crate) fn add_high(&mut self, place: usize, high: f64) {
        if high != 0.0 {
            self.high.resize(self.low.len(), 0.0);
            self.high[place] += high;
        }
    }

    /// Adds the sum that another has at a place.
    pub(crate) fn merge(&mut self, place: usize, other: &Self, theirs: usize) {
        let (low, high) = other.parts(theirs);
        self.add(place, low);
        self.add_high(place, high);
    }

    /// The sum, infinite if it is out of the range of doubles itself.
    pub(crate) fn sum(&self, place: usize) -> f64 {
        let (low, high) = self.parts(place);
        if high == 0.0 { low } else { (high + low / UNIT) * UNIT }
    }

    /// The sum divided by a count. An average of finite values is finite, however it was rounded.
    pub(crate) fn average(&self, place: usize, count: f64) -> f64 {
        let (low, high) = self.parts(place);
        if high == 0.0 || !low.is_finite() {
            return low / count;
        }
        ((high / count + low / UNIT / count) * UNIT).clamp(f64::MIN, f64::MAX)
    }

    /// What stands in the range, and what was carried.
    pub(crate) fn parts(&self, place: usize) -> (f64, f64) {
        (self.low[place], self.high.get(place).copied().unwrap_or(0.0))
    }

    /// Both parts of all sums, to be divided; the second is as long as the first, or empty.
    pub(crate) fn parts_mut(&mut self) -> (&mut Vec<f64>, &mut Vec<f64>) {
        if !self.high.is_empty() {
            self.high.resize(self.low.len(), 0.0);
        }
        (&mut self.low, &mut self.high)
    }

    /// A value that is infinite or NaN itself is nothing to carry.
    #[cold]
    fn carry(&mut self, place: usize, value: f64) {
        let low = self.low[place];
        if low.is_finite() && value.is_finite() {
            self.low[place] = value;
            self.add_high(place, low / UNIT);
        } else {
            self.low[place] = low + value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_order_of_adding_leaves_the_range() {
        for order in [|row: usize| row < 1_000, |row: usize| row.is_multiple_of(2)] {
            let mut sums = WideSums::default();
            sums.grow(1);
            for row in 0..2_000 {
                sums.add(0, if order(row) { 1e308 } else { -1e308 });
            }
            assert!(sums.sum(0).abs() < 1e299, "{}", sums.sum(0));
        }
    }

    #[test]
    fn an_average_is_in_the_range_where_the_sum_is_not() {
        let mut sums = WideSums::default();
        sums.grow(2);
        (0..1_000).for_each(|_| sums.add(1, f64::MAX));
        assert_eq!(sums.sum(1), f64::INFINITY);
        assert!((sums.average(1, 1_000.0) / f64::MAX - 1.0).abs() < 1e-12);
        assert_eq!(sums.sum(0), 0.0);
    }

    #[test]
    fn infinite_values_stay_what_they_are() {
        let mut sums = WideSums::default();
        sums.grow(1);
        sums.add(0, f64::INFINITY);
        sums.add(0, 1.0);
        assert_eq!(sums.sum(0), f64::INFINITY);
        sums.add(0, f64::NEG_INFINITY);
        assert!(sums.sum(0).is_nan());
    }
}
