//! `Sums`: what values add up to.

/// Count, sum, smallest and largest of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest; +∞ of none.
    pub min: f64,
    /// The largest; −∞ of none.
    pub max: f64,
}

impl Sums {
    /// Of no value.
    pub const EMPTY: Self = Self { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

    /// Adds a value, which is finite.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = if value < self.min { value } else { self.min };
        self.max = if value > self.max { value } else { self.max };
    }

    /// Adds what others add up to.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

impl Default for Sums {
    fn default() -> Self {
        Self::EMPTY
    }
}
