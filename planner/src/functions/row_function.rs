//! `RowFunction`: a scalar function with fixed argument types that is computed from arrays.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{array::ArrayRef, datatypes::DataType};
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
        Volatility,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

/// Computes a function over its arguments, which have equal lengths.
pub(super) type Compute = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// Rewrites a call into simpler expressions, which the optimizer understands and can push down.
pub(super) type Rewrite = fn(&[Expr]) -> Option<Expr>;

/// One function.
#[derive(Debug)]
pub(super) struct RowFunction {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    compute: Compute,
    rewrite: Option<Rewrite>,
    operator: Option<&'static str>,
}

impl RowFunction {
    /// A function of exactly these argument types; whatever can be cast to them is.
    pub(super) fn new(name: &'static str, takes: Vec<DataType>, returns: DataType, compute: Compute) -> Self {
        let signature = Signature::exact(takes, Volatility::Immutable);
        Self { name, signature, returns, compute, rewrite: None, operator: None }
    }

    /// A function whose last argument may be left out.
    pub(super) fn with_optional_last(mut self, takes: Vec<DataType>) -> Self {
        let short = takes.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default();
        let both = vec![TypeSignature::Exact(takes), TypeSignature::Exact(short)];
        self.signature = Signature::one_of(both, Volatility::Immutable);
        self
    }

    /// Adds a rewrite.
    pub(super) fn with_rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// Names columns after an operator between the two arguments, which is what the function stands for.
    pub(super) fn with_operator(mut self, operator: &'static str) -> Self {
        self.operator = Some(operator);
        self
    }

    pub(super) fn into_udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<_> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(match self.operator {
            Some(operator) => names.join(&format!(" {operator} ")),
            None => format!("{}({})", self.name, names.join(",")),
        })
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let computed = (self.compute)(&arrays).map_err(|error| match error {
            DataFusionError::Execution(text) => DataFusionError::Execution(format!("{}: {text}", self.name)),
            other => other,
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?));
        }
        Ok(ColumnarValue::Array(computed))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.rewrite.and_then(|rewrite| rewrite(&args)) {
            Some(simpler) => ExprSimplifyResult::Simplified(simpler),
            None => ExprSimplifyResult::Original(args),
        })
    }
}
