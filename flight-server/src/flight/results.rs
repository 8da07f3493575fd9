//! Results as clients can read them: views and dictionaries as plain text, messages below gRPC's default limit of 4 MiB.

use std::sync::Arc;

use arrow::{
    array::{Array, RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    error::ArrowError,
};

/// Size of a message: half of gRPC's default limit, because sizes are estimates. **Units**: bytes.
const MESSAGE_BYTES_TARGET: usize = 2 << 20;

/// The schema in which a result leaves. Older JDBC drivers and pandas do not know views; dictionaries would be sent again with
/// every message.
pub(crate) fn client_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(client_field).collect();
    Arc::new(Schema::new(fields))
}

/// The schema that was announced for a statement, if its stream `found` keeps what it says: the planner cannot know which columns
/// come without nulls after all, and some clients insist that both schemas are one.
pub(super) fn announced_or(announced: SchemaRef, found: SchemaRef) -> SchemaRef {
    let keeps = |announced: &FieldRef, found: &FieldRef| {
        announced.name() == found.name()
            && announced.data_type() == found.data_type()
            && (announced.is_nullable() || !found.is_nullable())
    };
    let same_count = announced.fields().len() == found.fields().len();
    let mut pairs = announced.fields().iter().zip(found.fields());
    if same_count && pairs.all(|(announced, found)| keeps(announced, found)) { announced } else { found }
}

fn client_field(field: &FieldRef) -> FieldRef {
    let data_type = client_type(field.data_type());
    if matches!(data_type, DataType::Union(..)) {
        // A union has no nulls of its own, and arrow-flight sends it so: without flag and metadata.
        return Arc::new(Field::new(field.name(), data_type, false));
    }
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone()))
}

/// The type in which a column leaves.
pub(super) fn client_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => client_type(value),
        DataType::List(child) => DataType::List(client_field(child)),
        DataType::LargeList(child) => DataType::LargeList(client_field(child)),
        DataType::FixedSizeList(child, size) => DataType::FixedSizeList(client_field(child), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(client_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(client_field(entries), *sorted),
        other => other.clone(),
    }
}

/// The batch in the types of `schema`, which [`client_schema`] made.
pub(crate) fn client_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            cast(column, field.data_type())?
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Cuts a batch into pieces of about [`MESSAGE_BYTES_TARGET`]. The encoder's own cut counts whole buffers, which makes crumbs of
/// a slice of a large batch.
pub(crate) fn split_for_messages(batch: RecordBatch) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    split_into(batch, MESSAGE_BYTES_TARGET, &mut pieces);
    pieces
}

fn split_into(batch: RecordBatch, bytes_max: usize, pieces: &mut Vec<RecordBatch>) {
    let rows = batch.num_rows();
    if rows <= 1 || row_bytes(&batch) <= bytes_max {
        pieces.push(batch);
        return;
    }
    let half = rows / 2;
    split_into(batch.slice(0, half), bytes_max, pieces);
    split_into(batch.slice(half, rows - half), bytes_max, pieces);
}

/// Bytes of the rows themselves, not of the buffers they are a part of.
fn row_bytes(batch: &RecordBatch) -> usize {
    let bytes_of = |column: &Arc<dyn Array>| {
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(bytes_of).sum()
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, AsArray, DictionaryArray, Int64Array, StringArray, StringViewArray, StructArray,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn views_and_dictionaries_leave_as_text() {
        let text: ArrayRef =
            Arc::new(StringViewArray::from(vec!["a", "a rather longer text than a view holds"]));
        let dictionary: ArrayRef =
            Arc::new(vec!["x", "y"].into_iter().collect::<DictionaryArray<Int32Type>>());
        let inner = Field::new("inner", DataType::Utf8View, true);
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(inner), Arc::clone(&text))]));
        let batch = RecordBatch::try_from_iter([("t", text), ("d", dictionary), ("s", nested)]).unwrap();
        let schema = client_schema(&batch.schema());
        let sent = client_batch(&batch, &schema).unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
        assert_eq!(sent.column(1).as_string::<i32>(), &StringArray::from(vec!["x", "y"]));
        assert_eq!(sent.column(2).as_struct().column(0).as_string::<i32>().value(0), "a");
    }

    #[test]
    fn the_announced_schema_is_kept_where_it_says_no_more_than_is_so() {
        let of =
            |data_type: DataType, nullable| Arc::new(Schema::new(vec![Field::new("x", data_type, nullable)]));
        let (loose, strict) = (of(DataType::Int64, true), of(DataType::Int64, false));
        assert_eq!(announced_or(Arc::clone(&loose), Arc::clone(&strict)), loose);
        assert_eq!(announced_or(Arc::clone(&strict), Arc::clone(&loose)), loose);
        let text = of(DataType::Utf8, false);
        assert_eq!(announced_or(loose, Arc::clone(&text)), text);
        assert_eq!(announced_or(Arc::new(Schema::empty()), Arc::clone(&text)), text);
    }

    #[test]
    fn large_batches_are_cut_and_keep_their_rows() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let pieces = split_for_messages(batch);
        assert!(pieces.len() >= 4, "{} pieces", pieces.len());
        assert!(pieces.iter().all(|piece| row_bytes(piece) <= MESSAGE_BYTES_TARGET));
        assert_eq!(pieces.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000_000);
    }

    #[test]
    fn a_small_slice_of_a_large_batch_stays_whole() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        assert_eq!(split_for_messages(batch.slice(500, 8_192)).len(), 1);
    }
}
