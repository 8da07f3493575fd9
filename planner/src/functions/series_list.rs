//! `generate_series` and `range` as lists, DataFusion's, but also from a moment to a date or the other way round: DataFusion wants both
//! ends alike, and a date plus an interval is a moment here.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::types::{NativeType, logical_date},
    error::Result,
    logical_expr::{
        Coercion, ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        TypeSignature, TypeSignatureClass,
    },
};

/// One of the two, over DataFusion's.
pub(super) fn over(inner: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let moment = Coercion::new_implicit(
        TypeSignatureClass::Timestamp,
        vec![TypeSignatureClass::Native(logical_date())],
        NativeType::Timestamp(TimeUnit::Microsecond, None),
    );
    let step = Coercion::new_exact(TypeSignatureClass::Interval);
    let mixed = TypeSignature::Coercible(vec![moment.clone(), moment, step]);
    let own = inner.signature();
    let signature = Signature::one_of(vec![own.type_signature.clone(), mixed], own.volatility);
    Arc::new(ScalarUDF::new_from_impl(SeriesList { inner, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SeriesList {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for SeriesList {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.inner().invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
