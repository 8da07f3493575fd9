//! `to_char`, in the place of DataFusion's, which knows only the formats of `strftime` and gives a pattern of PostgreSQL's back as it is. A
//! constant pattern may have fields that `strftime` does not have: each is written by itself, and the pieces are put together.

use std::sync::Arc;

use arrow::{
    array::{AsArray, StringArray},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    common::ScalarValue,
    error::Result,
    functions::datetime,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use super::{
    pattern::{Piece, in_formats, pieces_of},
    written_fields::Source,
};
use crate::geo::refuse;

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
        if let Some(ColumnarValue::Scalar(pattern)) = args.args.get(1)
            && let Some(Some(pattern)) = pattern.try_as_str()
        {
            let pieces = pieces_of(pattern)?;
            return match pieces.as_slice() {
                [] => self.formatted(&args, ""),
                [Piece::Format(format)] => self.formatted(&args, format),
                pieces => self.put_together(&args, pieces),
            };
        }
        if let Some(pattern) = args.args.get_mut(1) {
            *pattern = in_formats(pattern)?;
        }
        self.inner.inner().invoke_with_args(args)
    }
}

impl ToChar {
    /// What DataFusion writes for a format of `strftime`.
    fn formatted(&self, args: &ScalarFunctionArgs, format: &str) -> Result<ColumnarValue> {
        let mut args = args.clone();
        if let Some(pattern) = args.args.get_mut(1) {
            *pattern = ColumnarValue::Scalar(ScalarValue::from(format));
        }
        self.inner.inner().invoke_with_args(args)
    }

    fn put_together(&self, args: &ScalarFunctionArgs, pieces: &[Piece]) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut texts = vec![Some(String::new()); rows];
        for piece in pieces {
            let (written, field) = match piece {
                Piece::Format(format) => (self.formatted(args, format)?, None),
                Piece::Field(field) => (self.source(args, field.source)?, Some(field)),
            };
            let written = cast(&written.into_array(rows)?, &DataType::Utf8)?;
            for (text, piece) in texts.iter_mut().zip(written.as_string::<i32>()) {
                match (text.as_mut(), piece) {
                    (Some(text), Some(piece)) => match field {
                        Some(field) => text.push_str(&field.of(piece)),
                        None => text.push_str(piece),
                    },
                    _ => *text = None,
                }
            }
        }
        Ok(ColumnarValue::Array(Arc::new(texts.into_iter().collect::<StringArray>())))
    }

    fn source(&self, args: &ScalarFunctionArgs, source: Source) -> Result<ColumnarValue> {
        let zone = match args.args.first().map(ColumnarValue::data_type) {
            Some(DataType::Timestamp(_, zone)) => zone,
            _ => None,
        };
        match (source, zone.as_deref()) {
            (Source::Format(format), _) => self.formatted(args, format),
            (Source::Offset, Some(_)) => self.formatted(args, "%:z"),
            (Source::Offset, None) => self.formatted(args, "+00:00"),
            (Source::Zone, None) => self.formatted(args, ""),
            (Source::Zone, Some("UTC" | "+00:00" | "Z")) => self.formatted(args, "UTC"),
            (Source::Zone, Some(zone)) => Err(refuse(format!(
                "the name of a zone, TZ, is known for UTC alone, not for {zone}; write OF for its distance from UTC"
            ))),
        }
    }
}
