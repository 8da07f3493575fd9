//! Reads a data file back into batches of the query schema. What another tool has written is brought into its types.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, new_null_array},
    compute::cast,
    datatypes::SchemaRef,
};
use bytes::Bytes;
use parquet::{arrow::arrow_reader::ParquetRecordBatchReaderBuilder, errors::ParquetError};

use crate::error::{EngineError, Result};

/// Rows of a batch.
const BATCH_ROWS: usize = 65_536;

/// An opened file, not yet decoded.
#[derive(Debug)]
pub(crate) struct Reader {
    path: String,
    schema: SchemaRef,
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
}

impl Reader {
    /// Reads the footer.
    ///
    /// # Errors
    /// `Corrupt` when it is none.
    pub(crate) fn open(path: &str, schema: &SchemaRef, bytes: Bytes) -> Result<Self> {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| unreadable(path, &error))?;
        Ok(Self { path: path.to_owned(), schema: Arc::clone(schema), builder })
    }

    /// Size of the columns, about, once they are decoded. **Units**: bytes.
    pub(crate) fn decoded_bytes(&self) -> usize {
        let groups = self.builder.metadata().row_groups().iter();
        groups.map(|group| usize::try_from(group.total_byte_size()).unwrap_or(0)).sum()
    }

    /// Decodes all rows, which must be `row_count`.
    ///
    /// # Errors
    /// `Corrupt` when a page cannot be read, a column is missing, or rows are.
    pub(crate) fn read(self, row_count: u64) -> Result<Vec<RecordBatch>> {
        let path = self.path.clone();
        let batches = self.batches()?.collect::<Result<Vec<_>>>()?;
        let found: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if found == row_count {
            return Ok(batches);
        }
        Err(EngineError::Corrupt { path, detail: format!("the log says {row_count} rows, found {found}") })
    }

    /// Decodes rows as they are wanted.
    ///
    /// # Errors
    /// `Corrupt` when a page cannot be read or a column is missing, of each batch too.
    pub(crate) fn batches(self) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let Self { path, schema, builder } = self;
        let reader =
            builder.with_batch_size(BATCH_ROWS).build().map_err(|error| unreadable(&path, &error))?;
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(ParquetError::from).map_err(|error| unreadable(&path, &error))?;
            conform(&schema, &batch).map_err(|detail| EngineError::Corrupt { path: path.clone(), detail })
        }))
    }
}

/// The batch with the columns of `schema`, or why there is none.
fn conform(schema: &SchemaRef, batch: &RecordBatch) -> std::result::Result<RecordBatch, String> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(array) => cast(array, field.data_type()).map_err(|error| error.to_string())?,
            None if field.is_nullable() => new_null_array(field.data_type(), batch.num_rows()),
            None => return Err(format!("column {} is missing", field.name())),
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| error.to_string())
}

fn unreadable(path: &str, error: &ParquetError) -> EngineError {
    EngineError::Corrupt { path: path.to_owned(), detail: error.to_string() }
}
