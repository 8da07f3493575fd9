//! The columns of a result as clients get them: each name once, and H3 cells as text where the format is text.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray},
    datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef},
    error::ArrowError,
};
use hexflight_engine::column;

use super::calendar;
use crate::{
    queries::{client_batch, client_schema},
    timestamp_unit::TimestampUnit,
};

/// What columns of cells are called in a JSON result.
const H3_TYPE: &str = "H3";

/// From the columns of a query to those of its answer.
#[derive(Debug, Clone)]
pub(super) struct ResultColumns {
    /// Names made unique, types that every client reads.
    plain: SchemaRef,
    /// What is written: `plain`, with cells as text if asked for.
    written: SchemaRef,
    /// Positions of the columns that become text.
    cells: Vec<usize>,
    /// Whether times are written as text, which only those have that are in the calendar.
    dates_as_text: bool,
}

impl ResultColumns {
    /// The columns of a query whose result has `schema`. For a format of `text`, the integer
    /// column `h3` becomes hexadecimal text.
    pub(super) fn of(schema: &Schema, text: bool, unit: TimestampUnit) -> Self {
        let plain = unique_names(&client_schema(schema, unit));
        let is_cell = |field: &Field| field.name() == column::H3 && field.data_type() == &DataType::Int64;
        let positions = plain.fields().iter().enumerate();
        let cells: Vec<usize> =
            positions.filter(|(_, field)| text && is_cell(field.as_ref())).map(|(index, _)| index).collect();
        let field = |(index, field): (usize, &FieldRef)| {
            if cells.contains(&index) {
                Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable()))
            } else {
                Arc::clone(field)
            }
        };
        let fields: Vec<_> = plain.fields().iter().enumerate().map(field).collect();
        Self { plain, written: Arc::new(Schema::new(fields)), cells, dates_as_text: text }
    }

    /// The schema of what [`ResultColumns::convert`] returns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.written
    }

    /// Names and types, for people and programs.
    pub(super) fn described(&self) -> Vec<(String, String)> {
        let type_of = |index, field: &Field| {
            if self.cells.contains(&index) { H3_TYPE.to_owned() } else { field.data_type().to_string() }
        };
        let fields = self.written.fields().iter().enumerate();
        fields.map(|(index, field)| (field.name().clone(), type_of(index, field))).collect()
    }

    /// A batch of the query as it is written.
    ///
    /// # Errors
    /// A time without a date, where it would be written as one.
    pub(super) fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let batch = client_batch(batch, &self.plain)?;
        if self.dates_as_text {
            calendar::check(&batch)?;
        }
        if self.cells.is_empty() {
            return Ok(batch);
        }
        let column = |(index, column): (usize, &ArrayRef)| {
            if self.cells.contains(&index) { cells_as_text(column) } else { Arc::clone(column) }
        };
        let columns = batch.columns().iter().enumerate().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.written), columns, &options)
    }
}

/// Cells the way H3 writes them, such as `891f1d48177ffff`.
fn cells_as_text(column: &ArrayRef) -> ArrayRef {
    let cells = column.as_primitive::<Int64Type>();
    Arc::new(cells.iter().map(|cell| cell.map(|cell| format!("{cell:x}"))).collect::<StringArray>())
}

/// The second column of a name gets `_2`: two members of one name cannot be told apart in JSON, nor by most readers of Parquet.
fn unique_names(schema: &Schema) -> SchemaRef {
    let all: HashSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 1_usize;
        while taken.contains(&name) || (number > 1 && all.contains(name.as_str())) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        taken.insert(name.clone());
        fields.push(if &name == field.name() {
            Arc::clone(field)
        } else {
            Arc::new(field.as_ref().clone().with_name(name))
        });
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array};

    use super::*;

    #[test]
    fn repeated_names_are_numbered_and_hit_no_other_name() {
        let field = |name: &str| Field::new(name, DataType::Int64, true);
        let schema = Schema::new(vec![field("a"), field("a_2"), field("a"), field("a"), field("b")]);
        let unique = unique_names(&schema);
        let names: Vec<_> = unique.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "a_2", "a_3", "a_4", "b"]);
    }

    #[test]
    fn cells_are_hexadecimal_text_only_where_the_format_is_text() {
        let cells: ArrayRef = Arc::new(Int64Array::from(vec![Some(0x0891_f1d4_8177_ffff), None]));
        let batch = RecordBatch::try_from_iter([("h3", Arc::clone(&cells)), ("other", cells)]).unwrap();
        let columns = ResultColumns::of(&batch.schema(), true, TimestampUnit::Micros);
        let written = columns.convert(&batch).unwrap();
        assert_eq!(written.column(0).as_string::<i32>().value(0), "891f1d48177ffff");
        assert!(written.column(0).is_null(1));
        assert_eq!(written.column(1).data_type(), &DataType::Int64);
        let plain = ResultColumns::of(&batch.schema(), false, TimestampUnit::Micros);
        assert_eq!(plain.convert(&batch).unwrap().columns(), batch.columns());
    }
}
