//! `concat` and `concat_ws` as DataFusion computes them, without its simplification of a call: where all arguments turn out to be null or
//! empty, that leaves a call without arguments, which is refused.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    error::Result,
    execution::{FunctionRegistry, SessionState},
    logical_expr::{
        ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature,
    },
};

const NAMES: [&str; 2] = ["concat", "concat_ws"];

#[derive(Debug, PartialEq, Eq, Hash)]
struct Unsimplified {
    inner: Arc<ScalarUDF>,
}

/// What takes the place of DataFusion's functions.
///
/// # Errors
/// `Plan` when DataFusion has none of these names.
pub(super) fn functions(state: &SessionState) -> Result<Vec<Arc<ScalarUDF>>> {
    let unsimplified = |name: &&str| {
        let inner = state.udf(name)?;
        Ok(Arc::new(ScalarUDF::new_from_impl(Unsimplified { inner })))
    };
    NAMES.iter().map(unsimplified).collect()
}

impl ScalarUDFImpl for Unsimplified {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
