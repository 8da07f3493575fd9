//! JSON: `{"columns": […], "data": [{…}, …], "row_count": n, "truncated": false}`, written row by row. NaN and infinities, which
//! JSON does not have, are null.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    error::ArrowError,
    json::{WriterBuilder, writer::JsonFormat},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{super::columns::ResultColumns, ResultEncoder};

// Never made: it documents what is written row by row.
/// A result as JSON.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::sql) struct SqlResult {
    /// The columns in the order of the statement.
    columns: Vec<SqlColumn>,
    /// One object per row, a member for each column; timestamps are RFC 3339, cells hexadecimal text, NaN and infinities null.
    data: Vec<Map<String, Value>>,
    /// Rows in `data`.
    row_count: u64,
    /// Whether rows were left out because of `max_rows`.
    truncated: bool,
}

/// A column of a result.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::sql) struct SqlColumn {
    /// Its name; a name that the statement repeats is numbered: `value`, `value_2`.
    #[schema(example = "value")]
    name: String,
    /// Its Arrow type, or `H3` for a cell.
    #[schema(example = "Float64")]
    r#type: String,
}

/// Writes a result as one object.
pub(super) struct JsonEncoder {
    columns: Vec<SqlColumn>,
    /// Whether the head has been written.
    begun: bool,
    row_count: u64,
}

impl JsonEncoder {
    pub(super) fn new(columns: &ResultColumns) -> Self {
        let column = |(name, r#type)| SqlColumn { name, r#type };
        Self { columns: columns.described().into_iter().map(column).collect(), begun: false, row_count: 0 }
    }

    /// What stands before the next row, if it is the first of all.
    fn head(&mut self) -> Result<Vec<u8>, ArrowError> {
        if self.begun {
            return Ok(Vec::new());
        }
        self.begun = true;
        let columns = serde_json::to_string(&self.columns)
            .map_err(|error| ArrowError::JsonError(format!("writing the columns: {error}")))?;
        Ok(format!("{{\"columns\":{columns},\"data\":[").into_bytes())
    }
}

impl ResultEncoder for JsonEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut output = self.head()?;
        if batch.num_rows() == 0 {
            return Ok(output);
        }
        if self.row_count > 0 {
            output.push(b',');
        }
        self.row_count += batch.num_rows() as u64;
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, Separated>(output);
        writer.write(batch)?;
        Ok(writer.into_inner())
    }

    fn finish(&mut self, truncated: bool) -> Result<Vec<u8>, ArrowError> {
        let mut output = self.head()?;
        write!(output, "],\"row_count\":{},\"truncated\":{truncated}}}", self.row_count)?;
        Ok(output)
    }
}

/// Rows with commas between them, without the brackets around.
#[derive(Debug, Default)]
struct Separated;

impl JsonFormat for Separated {
    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        if !is_first_row {
            writer.write_all(b",")?;
        }
        Ok(())
    }
}
