//! Functions that compute each argument once where DataFusion would write an argument twice: `between` and `first_value_of`. Statements
//! do not call them; `rules::VolatileOnce` does.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray},
    compute::{and_kleene, is_not_null, kernels::zip::zip},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{exec_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility,
    },
    physical_expr_common::datum::apply_cmp,
};

static BETWEEN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Between { signature: Signature::any(3, Volatility::Immutable) }))
});

static FIRST_VALUE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(FirstValue {
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
});

/// `value BETWEEN low AND high`, all of one type.
pub(crate) fn between(value: Expr, low: Expr, high: Expr) -> Expr {
    BETWEEN.call(vec![value, low, high])
}

/// The first of some values of one type that is not null.
pub(crate) fn first_value(values: Vec<Expr>) -> Expr {
    FIRST_VALUE.call(values)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Between {
    signature: Signature,
}

impl ScalarUDFImpl for Between {
    fn name(&self) -> &'static str {
        "between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, low, high] = args.args.as_slice() else {
            return exec_err!("between takes three arguments");
        };
        let compare = |op, bound: &ColumnarValue| -> Result<BooleanArray> {
            let compared = apply_cmp(op, value, bound)?.into_array(args.number_rows)?;
            Ok(compared.as_boolean().clone())
        };
        let inside = and_kleene(&compare(Operator::GtEq, low)?, &compare(Operator::LtEq, high)?)?;
        Ok(ColumnarValue::Array(Arc::new(inside)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstValue {
    signature: Signature,
}

impl ScalarUDFImpl for FirstValue {
    fn name(&self) -> &'static str {
        "first_value_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(data_type) => Ok(data_type.clone()),
            None => plan_err!("first_value_of takes an argument"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let Some(first) = args.arg_fields.first() else {
            return plan_err!("first_value_of takes an argument");
        };
        let nullable = args.arg_fields.iter().all(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), first.data_type().clone(), nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let mut arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?.into_iter().rev();
        let Some(last) = arrays.next() else { return exec_err!("first_value_of takes an argument") };
        let first = arrays.try_fold(last, |later, value| -> Result<ArrayRef> {
            Ok(zip(&is_not_null(&value)?, &value, &later)?)
        })?;
        Ok(ColumnarValue::Array(first))
    }
}
