//! `date_bin`, in the place of DataFusion's, which takes a negative stride and gives intervals that are none.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::ScalarValue,
    error::Result,
    functions::datetime,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        sort_properties::{ExprProperties, SortProperties},
    },
};

use crate::geo::refuse;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateBin {
    inner: Arc<ScalarUDF>,
}

impl DateBin {
    pub(super) fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self { inner: datetime::date_bin() }))
    }
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(ColumnarValue::Scalar(stride)) = args.args.first()
            && !is_positive(stride)
        {
            return Err(refuse(format!("date_bin: a stride of {stride} must be longer than nothing")));
        }
        self.inner.inner().invoke_with_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }
}

/// Parts of different signs are left to DataFusion, which takes months or a time, not both.
fn is_positive(stride: &ScalarValue) -> bool {
    match stride {
        ScalarValue::IntervalDayTime(Some(stride)) => {
            i64::from(stride.days) * MILLIS_OF_DAY + i64::from(stride.milliseconds) > 0
        }
        ScalarValue::IntervalMonthDayNano(Some(stride)) => {
            let nanoseconds = i128::from(stride.days) * NANOS_OF_DAY + i128::from(stride.nanoseconds);
            stride.months > 0 || (stride.months == 0 && nanoseconds > 0)
        }
        ScalarValue::IntervalYearMonth(Some(months)) => *months > 0,
        _ => true,
    }
}

const MILLIS_OF_DAY: i64 = 86_400_000;
const NANOS_OF_DAY: i128 = 86_400_000_000_000;
