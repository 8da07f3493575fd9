//! Values that a format has no place for, as JSON text. The JSON operators (`metadata->'site'`) give unions, which neither CSV
//! nor Parquet has; CSV has no lists and structs either. In JSON itself they are the values that they are.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, NullArray, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
        UnionArray,
    },
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    error::ArrowError,
    json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder},
};
use serde::de::IgnoredAny;

/// Metadata key by which datafusion-functions-json marks text that is JSON.
const IS_JSON: &str = "is_json";

/// Turns the columns of a result into ones that a format can hold.
#[derive(Debug)]
pub(super) struct TextColumns {
    schema: SchemaRef,
    as_text: Vec<bool>,
}

impl TextColumns {
    /// Those columns become text whose type is `unfit`.
    pub(super) fn of(schema: &SchemaRef, unfit: impl Fn(&DataType) -> bool) -> Self {
        let as_text: Vec<bool> = schema.fields().iter().map(|field| unfit(field.data_type())).collect();
        let fields = schema.fields().iter().zip(&as_text).map(|(field, text)| {
            if *text { Arc::new(Field::new(field.name(), DataType::Utf8, true)) } else { Arc::clone(field) }
        });
        Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), as_text }
    }

    /// Columns of every batch that comes out.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// # Errors
    /// A value that has no JSON form.
    pub(super) fn convert(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if !self.as_text.contains(&true) {
            return Ok(batch);
        }
        let given = batch.schema();
        let columns = batch.columns().iter().zip(given.fields()).zip(&self.as_text);
        let columns = columns
            .map(
                |((column, field), text)| {
                    if *text { json_text(field, column) } else { Ok(Arc::clone(column)) }
                },
            )
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

/// Whether a type has a union in it.
pub(super) fn has_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => true,
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => has_union(child.data_type()),
        DataType::Struct(children) => children.iter().any(|child| has_union(child.data_type())),
        _ => false,
    }
}

/// How values are written as JSON, here and by arrow's own writers.
pub(super) fn encoder_options() -> EncoderOptions {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Unions))
}

fn json_text(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = encoder_options();
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    // A union has no nulls of its own, only members that are.
    let nulls = column.logical_nulls();
    let (mut texts, mut text) = (StringBuilder::new(), Vec::new());
    for row in 0..column.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(Arc::new(texts.finish()))
}

/// Teaches arrow's JSON writer unions: each value is written as the member that it is.
#[derive(Debug)]
pub(super) struct Unions;

impl EncoderFactory for Unions {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let (Some(union), DataType::Union(members, _)) =
            (array.as_any().downcast_ref::<UnionArray>(), array.data_type())
        else {
            return Ok(None);
        };
        let members = members.iter().map(|(type_id, field)| {
            let child = union.child(type_id);
            Ok((type_id, member_encoder(field, child, options)?))
        });
        let encoder = UnionEncoder { union, members: members.collect::<Result<Vec<_>, ArrowError>>()? };
        Ok(Some(NullableEncoder::new(Box::new(encoder), None)))
    }
}

fn member_encoder<'a>(
    field: &'a FieldRef,
    child: &'a ArrayRef,
    options: &'a EncoderOptions,
) -> Result<NullableEncoder<'a>, ArrowError> {
    match child.as_string_opt::<i32>() {
        Some(texts) if field.metadata().contains_key(IS_JSON) => {
            Ok(NullableEncoder::new(Box::new(JsonEncoder(texts)), texts.nulls().cloned()))
        }
        _ => make_encoder(field, child.as_ref(), options),
    }
}

struct UnionEncoder<'a> {
    union: &'a UnionArray,
    members: Vec<(i8, NullableEncoder<'a>)>,
}

impl Encoder for UnionEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (type_id, offset) = (self.union.type_id(row), self.union.value_offset(row));
        let is_null = self.union.child(type_id).as_any().is::<NullArray>();
        let member = self.members.iter_mut().find(|(id, _)| *id == type_id);
        match member {
            Some((_, encoder)) if !is_null && !encoder.is_null(offset) => encoder.encode(offset, out),
            _ => out.extend_from_slice(b"null"),
        }
    }
}

/// Text that is JSON already, on one line.
struct JsonEncoder<'a>(&'a StringArray);

impl Encoder for JsonEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.0.value(row);
        if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            // Inside its strings there are no line breaks.
            out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        } else {
            out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
        }
    }
}
