//! JSON functions as PostgreSQL has them, in the place of those of `datafusion-functions-json` under the same names:
//! `json_get` (`->`) gives JSON as text, exactly as it is stored, not a union type that no client reads; `json_contains` (`?`) of
//! null is null.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, BooleanArray},
    buffer::NullBuffer,
    datatypes::DataType,
};
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::{
        ColumnarValue, ExpressionPlacement, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    },
};
use datafusion_functions_json::udfs::{json_contains_udf, json_get_json_udf};

/// The name of `->`, for ours and for the function that ours takes the place of.
pub(crate) const JSON_GET: &str = "json_get";

/// The name of `?`, likewise.
pub(crate) const JSON_CONTAINS: &str = "json_contains";

/// `json_get` that gives text: numbers with their digits, strings in quotes, JSON's null as `null`; null where there is nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct JsonGet {
    text: Arc<ScalarUDF>,
}

impl JsonGet {
    pub(crate) fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self { text: json_get_json_udf() }))
    }
}

impl ScalarUDFImpl for JsonGet {
    fn name(&self) -> &str {
        JSON_GET
    }

    fn signature(&self) -> &Signature {
        self.text.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.text.return_type(arguments)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.text.inner().invoke_with_args(args)
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.text.inner().placement(arguments)
    }
}

/// `json_contains` that is null for what is null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct JsonContains {
    total: Arc<ScalarUDF>,
}

impl JsonContains {
    pub(crate) fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self { total: json_contains_udf() }))
    }
}

impl ScalarUDFImpl for JsonContains {
    fn name(&self) -> &str {
        JSON_CONTAINS
    }

    fn signature(&self) -> &Signature {
        self.total.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.total.return_type(arguments)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar_null =
            |arg: &ColumnarValue| matches!(arg, ColumnarValue::Scalar(value) if value.is_null());
        if args.args.iter().any(scalar_null) {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        }
        let nulls = args.args.iter().fold(None, |nulls, arg| match arg {
            ColumnarValue::Array(array) => NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref()),
            ColumnarValue::Scalar(_) => nulls,
        });
        let rows = args.number_rows;
        let found = self.total.inner().invoke_with_args(args)?;
        let Some(nulls) = nulls else { return Ok(found) };
        let found = found.into_array(rows)?;
        let masked = BooleanArray::new(found.as_boolean().values().clone(), Some(nulls));
        Ok(ColumnarValue::Array(Arc::new(masked)))
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.total.inner().placement(arguments)
    }
}
