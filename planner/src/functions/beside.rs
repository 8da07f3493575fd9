//! `beside`: the value of its first argument. Naming a second one, which may be of another table, keeps a condition where the rows of
//! both meet. Statements do not call it; `rules::HoldInOuterJoins` does.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::{exec_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

static BESIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Beside { signature: Signature::any(2, Volatility::Immutable) }))
});

/// `value`, which is no longer of one table alone.
pub(crate) fn beside(value: Expr, other: Expr) -> Expr {
    BESIDE.call(vec![value, other])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Beside {
    signature: Signature,
}

impl ScalarUDFImpl for Beside {
    fn name(&self) -> &'static str {
        "beside"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("beside takes two arguments"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [value, _] => Ok(Arc::clone(value)),
            _ => plan_err!("beside takes two arguments"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, _] = args.args.as_slice() else { return exec_err!("beside takes two arguments") };
        Ok(value.clone())
    }
}
