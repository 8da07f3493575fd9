//! `json_key`: the key of a JSON object or the place in an array that a parameter is. Until it is bound its type is not known: then it
//! is taken for text, as PostgreSQL does. Statements do not call it; `sql::json_keys` puts it around parameters.

use arrow::datatypes::DataType;
use datafusion::{
    common::plan_err,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// The name of the function.
pub(crate) const JSON_KEY: &str = "json_key";

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonKey {
    signature: Signature,
}

impl JsonKey {
    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { signature: Signature::any(1, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for JsonKey {
    fn name(&self) -> &'static str {
        JSON_KEY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Null] => Ok(DataType::Utf8),
            [text] if text.is_string() => Ok(DataType::Utf8),
            [place] if place.is_integer() => Ok(DataType::Int64),
            [other] => {
                plan_err!("a key of JSON is text, or a whole number for a place in an array; got {other}")
            }
            _ => plan_err!("json_key takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let data_type = args.return_field.data_type().clone();
        match args.args.into_iter().next() {
            Some(key) => key.cast_to(&data_type, None),
            None => plan_err!("json_key takes one argument"),
        }
    }
}
