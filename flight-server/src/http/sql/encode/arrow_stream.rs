//! Arrow IPC stream: the schema, the batches, an end mark.

use arrow::{array::RecordBatch, error::ArrowError, ipc::writer::StreamWriter};

use super::{super::columns::ResultColumns, ResultEncoder};

/// Writes a result as IPC messages.
pub(super) struct ArrowEncoder(StreamWriter<Vec<u8>>);

impl ArrowEncoder {
    pub(super) fn new(columns: &ResultColumns) -> Result<Self, ArrowError> {
        StreamWriter::try_new(Vec::new(), columns.schema()).map(Self)
    }
}

impl ResultEncoder for ArrowEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        self.0.write(batch)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    fn finish(&mut self, _truncated: bool) -> Result<Vec<u8>, ArrowError> {
        self.0.finish()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}
