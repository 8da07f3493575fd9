//! The family of `to_timestamp`, in the place of DataFusion's under the same names. Those announce moments in the session's zone
//! and give moments without one for text. Formats are PostgreSQL's (`YYYY-MM-DD`) or, with a `%`, those of `strftime`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    config::ConfigOptions,
    error::Result,
    functions::datetime,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use super::{pattern::in_formats, whole_moment::whole_moments};

/// All of them, for a session with these options.
pub(super) fn functions(config: &ConfigOptions) -> Vec<Arc<ScalarUDF>> {
    let functions = [
        datetime::to_timestamp(config),
        datetime::to_timestamp_seconds(config),
        datetime::to_timestamp_millis(config),
        datetime::to_timestamp_micros(config),
        datetime::to_timestamp_nanos(config),
        datetime::to_date(),
    ];
    functions.into_iter().map(|inner| Arc::new(ScalarUDF::new_from_impl(ToMoment { inner }))).collect()
}

/// A function of DataFusion's whose result is brought into the type that it announces.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToMoment {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for ToMoment {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for format in args.args.iter_mut().skip(1) {
            *format = in_formats(format)?;
        }
        if let [text] = args.args.as_mut_slice()
            && text.data_type().is_string()
        {
            *text = whole_moments(text)?;
        }
        let announced = args.return_field.data_type().clone();
        self.inner.inner().invoke_with_args(args)?.cast_to(&announced, None)
    }
}
