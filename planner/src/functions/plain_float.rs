//! `plain_float`: `-0` as 0 and every NaN as the one positive NaN. Statements do not call it; `rules::PlainFloats` does.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::AsArray,
    datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type},
};
use datafusion::{
    common::exec_err,
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

static PLAIN_FLOAT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(PlainFloat { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The double as one that has no sign without meaning.
pub(crate) fn plain_float(value: Expr) -> Expr {
    PLAIN_FLOAT.call(vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlainFloat {
    signature: Signature,
}

impl ScalarUDFImpl for PlainFloat {
    fn name(&self) -> &'static str {
        "plain_float"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [data_type] => Ok(data_type.clone()),
            _ => exec_err!("plain_float takes one argument"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] => Ok(Arc::new(Field::new(self.name(), field.data_type().clone(), field.is_nullable()))),
            _ => exec_err!("plain_float takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = match args.args.as_slice() {
            [ColumnarValue::Array(array)] => Arc::clone(array),
            [scalar] => scalar.to_array(args.number_rows)?,
            _ => return exec_err!("plain_float takes one argument"),
        };
        Ok(ColumnarValue::Array(match array.data_type() {
            DataType::Float64 => {
                let plain = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
                Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(plain))
            }
            DataType::Float32 => {
                let plain = |value: f32| if value.is_nan() { f32::NAN } else { value + 0.0 };
                Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(plain))
            }
            _ => array,
        }))
    }
}
