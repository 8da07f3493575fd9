//! `||` of texts and of bytes, as a function: a chain of it is one call, which knows the size of its result before any part of it is
//! built, and builds it once. Null as soon as one part is. Statements do not call it; `rules::BoundedCalls` does.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, AsArray, OffsetSizeTrait},
    compute::kernels::concat_elements::{concat_elements_dyn, concat_elements_utf8_many},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{ScalarValue, exec_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
        expr::ScalarFunction,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

const NAME: &str = "||";

static JOINED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Joined { signature }))
});

/// Whether parts of this type are joined here.
pub(crate) fn can_join(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(data_type, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
}

/// `left || right`, both of one type; what `left` joins is joined in the same call.
pub(crate) fn joined(left: Expr, right: Expr) -> Expr {
    match left {
        Expr::ScalarFunction(mut call) if call.func.name() == NAME => {
            call.args.push(right);
            Expr::ScalarFunction(call)
        }
        left => Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&JOINED), vec![left, right])),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect::<Vec<_>>().join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(data_type) => Ok(data_type.clone()),
            None => plan_err!("|| takes two arguments"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(NAME, self.return_type(&types)?, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|part| matches!(part, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let parts = args.args.into_iter().map(|part| part.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let joined = match parts.first().map(|part| part.data_type()) {
            Some(DataType::Utf8) => join_texts::<i32>(&parts)?,
            Some(DataType::LargeUtf8) => join_texts::<i64>(&parts)?,
            _ => join_pairs(parts)?,
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let null = args.iter().find(|arg| matches!(arg, Expr::Literal(value, _) if value.is_null()));
        Ok(match null.cloned() {
            Some(null) => ExprSimplifyResult::Simplified(null),
            None => ExprSimplifyResult::Original(args),
        })
    }
}

fn join_texts<O: OffsetSizeTrait>(parts: &[ArrayRef]) -> Result<ArrayRef> {
    let parts: Vec<_> = parts.iter().map(|part| part.as_string::<O>()).collect();
    Ok(Arc::new(concat_elements_utf8_many(&parts)?))
}

fn join_pairs(parts: Vec<ArrayRef>) -> Result<ArrayRef> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return exec_err!("|| takes two arguments") };
    parts.try_fold(first, |joined, part| Ok(concat_elements_dyn(&joined, &part)?))
}
