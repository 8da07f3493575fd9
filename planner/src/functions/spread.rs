//! `Spread`: how pairs of doubles spread around their means, and the statistics that SQL reads from it. States are merged, never
//! subtracted (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).

use datafusion::common::ScalarValue;

/// The state of some pairs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread {
    count: u64,
    /// The means of both.
    first: f64,
    second: f64,
    /// Sums of squared distances from the means, and of the products of both distances.
    first_squares: f64,
    second_squares: f64,
    products: f64,
}

impl Spread {
    /// Of one pair.
    pub(super) fn of(first: f64, second: f64) -> Self {
        Self { count: 1, first, second, ..Self::default() }
    }

    /// Of the pairs of both.
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows take longer to read than anybody waits")]
    pub(super) fn merged(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        let (first, second) = (other.first - self.first, other.second - self.second);
        let weight = self.count as f64 * share;
        Self {
            count,
            first: self.first + first * share,
            second: self.second + second * share,
            first_squares: self.first_squares + other.first_squares + first * first * weight,
            second_squares: self.second_squares + other.second_squares + second * second * weight,
            products: self.products + other.products + first * second * weight,
        }
    }
}

/// What is read from a spread. Null where DataFusion's function of the same name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Statistic {
    VarianceOfSample,
    VarianceOfAll,
    DeviationOfSample,
    DeviationOfAll,
    CovarianceOfSample,
    CovarianceOfAll,
    Correlation,
    /// Regressions are of the first argument over the second, `y` over `x`.
    Slope,
    Intercept,
    Count,
    Determination,
    MeanOfX,
    MeanOfY,
    SquaresOfX,
    SquaresOfY,
    Products,
}

impl Statistic {
    /// The statistic of some pairs.
    #[expect(clippy::cast_precision_loss, reason = "as for states")]
    pub(super) fn of(self, spread: Spread) -> ScalarValue {
        let Spread { count, first, second, first_squares, second_squares, products } = spread;
        let of_all = |sum: f64| (count > 0).then(|| sum / count as f64);
        let of_sample = |sum: f64| (count > 1).then(|| sum / (count - 1) as f64);
        let has_line = count > 1 && second_squares != 0.0;
        let slope = has_line.then(|| products / second_squares);
        ScalarValue::Float64(match self {
            Self::Count => return ScalarValue::UInt64(Some(count)),
            Self::VarianceOfSample => of_sample(first_squares),
            Self::VarianceOfAll => of_all(first_squares),
            Self::DeviationOfSample => of_sample(first_squares).map(f64::sqrt),
            Self::DeviationOfAll => of_all(first_squares).map(f64::sqrt),
            Self::CovarianceOfSample => of_sample(products),
            Self::CovarianceOfAll => of_all(products),
            Self::Correlation => correlation(spread),
            Self::Slope => slope,
            Self::Intercept => slope.map(|slope| first - slope * second),
            Self::Determination => {
                slope.filter(|_| first_squares != 0.0).map(|slope| slope * (products / first_squares))
            }
            Self::MeanOfX => of_all(0.0).map(|_| second),
            Self::MeanOfY => of_all(0.0).map(|_| first),
            Self::SquaresOfX => of_all(0.0).map(|_| second_squares),
            Self::SquaresOfY => of_all(0.0).map(|_| first_squares),
            Self::Products => of_all(0.0).map(|_| products),
        })
    }
}

/// NaN only where both means are, as DataFusion has it.
fn correlation(spread: Spread) -> Option<f64> {
    let Spread { count, first, second, first_squares, second_squares, products } = spread;
    if first.is_nan() && second.is_nan() {
        return Some(f64::NAN);
    }
    let is_flat = first_squares == 0.0 || second_squares == 0.0;
    if first.is_nan() || second.is_nan() || count < 2 || is_flat {
        return None;
    }
    let root = (first_squares * second_squares).sqrt();
    // One root is rounded less often than two; their product may be out of range.
    let correlation = if root.is_normal() {
        products / root
    } else {
        products / first_squares.sqrt() / second_squares.sqrt()
    };
    Some(correlation.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pairs: &[(f64, f64)]) -> Spread {
        pairs
            .iter()
            .fold(Spread::default(), |spread, (first, second)| spread.merged(Spread::of(*first, *second)))
    }

    /// Means of 1e9 have seven digits behind the point.
    fn is_near(found: ScalarValue, expected: f64) -> bool {
        matches!(found, ScalarValue::Float64(Some(found)) if (found / expected - 1.0).abs() < 1e-7)
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let pairs = [(1e9 + 1.0, 1.0), (1e9 + 2.0, 2.0), (1e9 + 4.0, 3.0), (1e9 + 7.0, 5.0)];
        let (left, right) = (all(&pairs[..1]), all(&pairs[1..]));
        for spread in [all(&pairs), left.merged(right), right.merged(left)] {
            assert!(is_near(Statistic::VarianceOfSample.of(spread), 7.0));
            assert!(is_near(Statistic::CovarianceOfAll.of(spread), 3.375));
            assert!(is_near(Statistic::MeanOfY.of(spread), 1e9 + 3.5));
        }
    }

    #[test]
    fn a_line_is_found_and_nothing_of_too_few_pairs() {
        let line = all(&[(3.0, 1.0), (5.0, 2.0), (7.0, 3.0)]);
        assert_eq!(Statistic::Slope.of(line), ScalarValue::from(2.0));
        assert_eq!(Statistic::Intercept.of(line), ScalarValue::from(1.0));
        assert_eq!(Statistic::Determination.of(line), ScalarValue::from(1.0));
        assert_eq!(Statistic::Correlation.of(line), ScalarValue::from(1.0));
        let one = all(&[(3.0, 1.0)]);
        for statistic in [Statistic::VarianceOfSample, Statistic::Slope, Statistic::Correlation] {
            assert_eq!(statistic.of(one), ScalarValue::Float64(None), "{statistic:?}");
        }
        assert_eq!(Statistic::VarianceOfAll.of(one), ScalarValue::from(0.0));
        assert_eq!(Statistic::Count.of(Spread::default()), ScalarValue::from(0_u64));
        assert_eq!(Statistic::MeanOfX.of(Spread::default()), ScalarValue::Float64(None));
    }
}
