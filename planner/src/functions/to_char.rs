//! `to_char`, in the place of DataFusion's, which knows only the formats of `strftime` and gives a pattern of PostgreSQL's back as it is.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    error::Result,
    functions::datetime,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use super::pattern::in_formats;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToChar {
    inner: Arc<ScalarUDF>,
    aliases: Vec<String>,
}

impl ToChar {
    pub(super) fn udf() -> Arc<ScalarUDF> {
        let inner = datetime::to_char();
        let aliases = inner.aliases().to_vec();
        Arc::new(ScalarUDF::new_from_impl(Self { inner, aliases }))
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(pattern) = args.args.get_mut(1) {
            *pattern = in_formats(pattern)?;
        }
        self.inner.inner().invoke_with_args(args)
    }
}
