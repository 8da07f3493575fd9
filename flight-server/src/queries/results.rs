//! Results as clients can read them: every column nullable, views and dictionaries as plain text, one unit of time, messages below
//! gRPC's default limit of 4 MiB. What a statement is announced to return and what its stream brings both pass through
//! [`client_schema`], so that they are one.

use std::{ops::RangeInclusive, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};

use crate::timestamp_unit::{TIMESTAMP_UNIT, TimestampUnit};

/// Size of a message: half of gRPC's default limit, because sizes are estimates. **Units**: bytes.
const MESSAGE_BYTES_TARGET: usize = 2 << 20;

/// Rows of a message at most, one for each [`LIMIT_BYTES_PER_ROW`] of the memory limit within these bounds: each reader has one message converted,
/// one encoded and one written, and there may be many readers.
const MESSAGE_ROWS: RangeInclusive<usize> = 1_024..=8_192;
const LIMIT_BYTES_PER_ROW: usize = 512 << 10;

/// See [`MESSAGE_ROWS`].
pub(crate) fn message_rows_max(memory_limit_bytes: usize) -> usize {
    (memory_limit_bytes / LIMIT_BYTES_PER_ROW).clamp(*MESSAGE_ROWS.start(), *MESSAGE_ROWS.end())
}

/// The batch in slices of at most `rows_max` rows; as it is, when it has none.
pub(crate) fn slices(batch: RecordBatch, rows_max: usize) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows.max(1)).step_by(rows_max).map(move |start| batch.slice(start, rows_max.min(rows - start)))
}

/// The schema in which a result is announced and leaves.
///
/// All columns are nullable: the planner says so of more columns before a statement is optimised than after, or of fewer, and some
/// clients insist that both schemas are one. Older JDBC drivers and pandas do not know views; dictionaries would be sent again with
/// every message; arrow-flight 59 sends large lists under the type of small ones.
pub(crate) fn client_schema(schema: &Schema, unit: TimestampUnit) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(|field| client_field(field, unit)).collect();
    Arc::new(Schema::new(fields))
}

/// The schema of a table as catalogs list it: in the types of results, and with what the table says about nulls.
pub(crate) fn catalog_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = client_type(field.data_type(), TimestampUnit::Micros);
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The announced schema, which is the one that the result of the query is sent in. `found` is the query's own.
///
/// # Errors
/// The column of which the two differ in more than their promises about nulls: a bug of the planner, which must not reach clients
/// as a stream that is not what they were told.
pub(crate) fn agreed(announced: SchemaRef, found: &Schema) -> Result<SchemaRef, String> {
    let (told, comes) = (announced.fields(), found.fields());
    if told.len() != comes.len() {
        return Err(format!("{} columns were announced, {} come", told.len(), comes.len()));
    }
    for (told, comes) in told.iter().zip(comes) {
        if told.data_type() != comes.data_type() {
            let (name, told, comes) = (told.name(), told.data_type(), comes.data_type());
            return Err(format!("column '{name}' was announced as {told} and comes as {comes}"));
        }
    }
    Ok(announced)
}

fn client_field(field: &FieldRef, unit: TimestampUnit) -> FieldRef {
    let data_type = client_type(field.data_type(), unit);
    if matches!(data_type, DataType::Union(..)) {
        // A union has no nulls of its own, and arrow-flight sends it so: without flag and metadata.
        return Arc::new(Field::new(field.name(), data_type, false));
    }
    Arc::new(Field::new(field.name(), data_type, true).with_metadata(field.metadata().clone()))
}

/// The type in which a column leaves.
pub(crate) fn client_type(data_type: &DataType, unit: TimestampUnit) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(_, zone) if unit == TimestampUnit::Nanos => {
            DataType::Timestamp(TimeUnit::Nanosecond, zone.clone())
        }
        DataType::Dictionary(_, value) => client_type(value, unit),
        DataType::RunEndEncoded(_, values) => client_type(values.data_type(), unit),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child) => DataType::List(client_field(child, unit)),
        DataType::FixedSizeList(child, size) => DataType::FixedSizeList(client_field(child, unit), *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| client_field(field, unit)).collect())
        }
        DataType::Map(entries, sorted) => DataType::Map(client_entries(entries, unit), *sorted),
        other => other.clone(),
    }
}

/// Entries of a map and their keys are never null, by Arrow's format.
fn client_entries(entries: &FieldRef, unit: TimestampUnit) -> FieldRef {
    let DataType::Struct(pair) = entries.data_type() else { return Arc::clone(entries) };
    let member = |(index, field): (usize, &FieldRef)| {
        let field = client_field(field, unit);
        if index == 0 { Arc::new(field.as_ref().clone().with_nullable(false)) } else { field }
    };
    let pair = pair.iter().enumerate().map(member).collect();
    Arc::new(entries.as_ref().clone().with_data_type(DataType::Struct(pair)).with_nullable(false))
}

/// The batch in the types of `schema`, which [`client_schema`] made.
///
/// # Errors
/// A time that nanoseconds have no room for, with its column.
pub(crate) fn client_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            converted(column, field)?
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// A value that the other type cannot hold is an error: left to itself, a cast makes it null.
fn converted(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let strictly = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &strictly).map_err(|error| match error {
        // Of all conversions that are made here, only those of time multiply.
        ArrowError::ArithmeticOverflow(_) => ArrowError::CastError(format!(
            "column '{}' has a time outside the years 1678 to 2261, which nanoseconds hold; ask without \
             {TIMESTAMP_UNIT} = {}",
            field.name(),
            TimestampUnit::Nanos.name()
        )),
        other => other,
    })
}

/// The first column with a union in it. Clients do not read unions, and JSON values are text once they are planned.
pub(crate) fn union_column(schema: &Schema) -> Option<&str> {
    let field = schema.fields().iter().find(|field| has_union(field.data_type()));
    field.map(|field| field.name().as_str())
}

fn has_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => true,
        DataType::Dictionary(_, value) => has_union(value),
        DataType::Struct(fields) => fields.iter().any(|field| has_union(field.data_type())),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::RunEndEncoded(_, child)
        | DataType::Map(child, _) => has_union(child.data_type()),
        _ => false,
    }
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

/// Bytes of the rows themselves, not of the buffers they are a part of; of texts that views and dictionaries share, what the rows say.
pub(crate) fn row_bytes(batch: &RecordBatch) -> usize {
    let bytes_of = |column: &ArrayRef| {
        let own = column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size());
        own.saturating_add(shared_bytes(column.as_ref()))
    };
    batch.columns().iter().map(bytes_of).fold(0, usize::saturating_add)
}

/// What the rows point at, as often as they do.
fn shared_bytes(column: &dyn Array) -> usize {
    match column.data_type() {
        DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let values = dictionary.values();
            let bytes = values.get_array_memory_size().saturating_add(shared_bytes(values.as_ref()));
            // Some values may be long: as if all were as long as they are on average.
            (bytes / values.len().max(1)).saturating_mul(column.len())
        }
        DataType::Struct(_) => {
            column.as_struct().columns().iter().map(|column| shared_bytes(column.as_ref())).sum()
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let offsets = list.value_offsets();
            let place = |offset: Option<&i32>| offset.and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            let (first, last) = (place(offsets.first()), place(offsets.last()));
            shared_bytes(list.values().slice(first, last - first).as_ref())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        DictionaryArray, Int64Array, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
    };
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Int32Type, TimestampNanosecondType, UnionFields, UnionMode};

    use super::*;

    #[test]
    fn slices_are_short_where_memory_is_little_and_lose_no_row() {
        assert_eq!(
            [64, 512, 1_024, 65_536].map(|mib| message_rows_max(mib << 20)),
            [1_024, 1_024, 2_048, 8_192]
        );
        for rows in [0, 1, 999, 1_000, 1_001, 3_500] {
            let batch = RecordBatch::try_from_iter([("n", integers(rows))]).unwrap();
            let parts: Vec<RecordBatch> = slices(batch.clone(), 1_000).collect();
            assert!(!parts.is_empty() && parts.iter().all(|part| part.num_rows() <= 1_000), "{rows}");
            assert_eq!(concat_batches(&batch.schema(), &parts).unwrap(), batch);
        }
    }

    #[test]
    fn texts_that_rows_share_count_for_each() {
        let text = "x".repeat(100_000);
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(vec![text.as_str(); 1]));
        let shared =
            arrow::compute::take(&views, &arrow::array::UInt32Array::from(vec![0; 1_000]), None).unwrap();
        let inner = Arc::new(Field::new("inner", DataType::Utf8View, true));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(inner, Arc::clone(&shared))]));
        let keys = arrow::array::Int32Array::from(vec![0; 1_000]);
        let values = Arc::new(StringArray::from(vec![text.as_str()]));
        let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
        for column in [shared, nested, dictionary] {
            let batch = RecordBatch::try_from_iter([("t", column)]).unwrap();
            assert!(row_bytes(&batch) >= 100_000_000, "{}", row_bytes(&batch));
            let pieces = split_for_messages(batch);
            assert!(pieces.iter().all(|piece| piece.num_rows() <= 20), "{}", pieces.len());
            assert_eq!(pieces.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000);
        }
    }

    fn integers(rows: i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(0..rows))
    }

    #[test]
    fn views_and_dictionaries_leave_as_text() {
        let text: ArrayRef =
            Arc::new(StringViewArray::from(vec!["a", "a rather longer text than a view holds"]));
        let dictionary: ArrayRef =
            Arc::new(vec!["x", "y"].into_iter().collect::<DictionaryArray<Int32Type>>());
        let inner = Field::new("inner", DataType::Utf8View, true);
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(inner), Arc::clone(&text))]));
        let batch = RecordBatch::try_from_iter([("t", text), ("d", dictionary), ("s", nested)]).unwrap();
        let schema = client_schema(&batch.schema(), TimestampUnit::Micros);
        let sent = client_batch(&batch, &schema).unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
        assert_eq!(sent.column(1).as_string::<i32>(), &StringArray::from(vec!["x", "y"]));
        assert_eq!(sent.column(2).as_struct().column(0).as_string::<i32>().value(0), "a");
    }

    #[test]
    fn every_column_may_be_null_at_any_depth_but_the_keys_of_maps() {
        let strict = |data_type| Arc::new(Field::new("item", data_type, false));
        let pair =
            [Field::new("keys", DataType::Utf8View, false), Field::new("values", DataType::Int64, false)];
        let entries = Arc::new(Field::new("entries", DataType::Struct(pair.into_iter().collect()), false));
        let list =
            DataType::LargeList(strict(DataType::Struct([strict(DataType::Int64)].into_iter().collect())));
        let schema = Schema::new(vec![
            Field::new("l", list, false),
            Field::new("m", DataType::Map(entries, false), false),
        ]);
        let sent = client_schema(&schema, TimestampUnit::Micros);
        let loose = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        let inner = loose("item", DataType::Int64);
        let list = DataType::List(loose("item", DataType::Struct([inner].into_iter().collect())));
        assert_eq!(sent.field(0), loose("l", list).as_ref());
        let DataType::Map(entries, _) = sent.field(1).data_type() else { panic!("{sent}") };
        let DataType::Struct(pair) = entries.data_type() else { panic!("{sent}") };
        assert!(!entries.is_nullable() && !pair[0].is_nullable() && pair[1].is_nullable());
        assert_eq!(pair[0].data_type(), &DataType::Utf8);
    }

    #[test]
    fn what_comes_must_have_the_types_that_were_announced() {
        let of = |data_type: DataType| Arc::new(Schema::new(vec![Field::new("x", data_type, true)]));
        let announced = of(DataType::Int64);
        assert_eq!(agreed(Arc::clone(&announced), &of(DataType::Int64)), Ok(Arc::clone(&announced)));
        let error = agreed(Arc::clone(&announced), &of(DataType::Utf8)).unwrap_err();
        assert_eq!(error, "column 'x' was announced as Int64 and comes as Utf8");
        assert!(agreed(announced, &Schema::empty()).is_err());
    }

    #[test]
    fn times_leave_in_nanoseconds_where_they_are_asked_for_and_have_room() {
        let times = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
        };
        let sent = |column: ArrayRef| {
            let inner = Arc::new(Field::new("t", column.data_type().clone(), false));
            let nested: ArrayRef = Arc::new(StructArray::from(vec![(inner, Arc::clone(&column))]));
            let batch = RecordBatch::try_from_iter([("t", column), ("s", nested)]).unwrap();
            client_batch(&batch, &client_schema(&batch.schema(), TimestampUnit::Nanos))
        };
        let batch = sent(times(vec![-1, 1_748_779_200_000_001])).unwrap();
        for column in [batch.column(0), batch.column(1).as_struct().column(0)] {
            let nanos = column.as_primitive::<TimestampNanosecondType>();
            assert_eq!(nanos.values(), &[-1_000, 1_748_779_200_000_001_000]);
            assert_eq!(nanos.timezone(), Some("UTC"));
        }
        let error = sent(times(vec![0, 9_300_000_000_000_000])).unwrap_err().to_string();
        assert!(error.contains("column 't' has a time outside the years 1678 to 2261"), "{error}");
    }

    #[test]
    fn a_union_is_found_at_any_depth() {
        let union = DataType::Union(UnionFields::empty(), UnionMode::Sparse);
        let list = DataType::List(Arc::new(Field::new("item", union, true)));
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("u", list, true)]);
        assert_eq!(union_column(&schema), Some("u"));
        assert_eq!(union_column(&Schema::empty()), None);
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
