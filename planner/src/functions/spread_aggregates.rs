//! `stddev`, `var`, `covar_…`, `corr` and `regr_…` in the place of DataFusion's under the same names, over windows that move by
//! [`SlidingSpread`]. All else is DataFusion's, but for `corr` of groups: it adds squares, of which nothing is left once values are
//! far from zero (<https://github.com/apache/datafusion/pull/24953>, not in 55.2), so that each group is given the function for one.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::ScalarValue,
    error::Result,
    functions_aggregate::{correlation, covariance, regr, stddev, variance},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

use super::{sliding_spread::SlidingSpread, spread::Statistic};

/// All of them.
pub(super) fn functions() -> [AggregateUDF; 16] {
    [
        (variance::var_samp_udaf(), Statistic::VarianceOfSample),
        (variance::var_pop_udaf(), Statistic::VarianceOfAll),
        (stddev::stddev_udaf(), Statistic::DeviationOfSample),
        (stddev::stddev_pop_udaf(), Statistic::DeviationOfAll),
        (covariance::covar_samp_udaf(), Statistic::CovarianceOfSample),
        (covariance::covar_pop_udaf(), Statistic::CovarianceOfAll),
        (correlation::corr_udaf(), Statistic::Correlation),
        (regr::regr_slope_udaf(), Statistic::Slope),
        (regr::regr_intercept_udaf(), Statistic::Intercept),
        (regr::regr_count_udaf(), Statistic::Count),
        (regr::regr_r2_udaf(), Statistic::Determination),
        (regr::regr_avgx_udaf(), Statistic::MeanOfX),
        (regr::regr_avgy_udaf(), Statistic::MeanOfY),
        (regr::regr_sxx_udaf(), Statistic::SquaresOfX),
        (regr::regr_syy_udaf(), Statistic::SquaresOfY),
        (regr::regr_sxy_udaf(), Statistic::Products),
    ]
    .map(|(inner, statistic)| AggregateUDF::new_from_impl(SpreadAggregate { inner, statistic }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SpreadAggregate {
    /// DataFusion's.
    inner: Arc<AggregateUDF>,
    statistic: Statistic,
}

impl AggregateUDFImpl for SpreadAggregate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(Box::new(SlidingSpread::new(self.statistic)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.statistic != Statistic::Correlation && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
