//! `Sink`: where the rows of an import go. An engine in this process, a server behind a connection, or nowhere (a dry run).

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use hexflight_engine::{
    BadRow, BadRows, Engine, EngineError, Import, ImportSummary, OnBadRow, OnLoaded, SourceId, TableName,
};

use super::{column::schema, error::ImportError};
use crate::client::{Client, ImportAnswer, ImportStream};

/// Why a sink did not take a batch.
#[derive(Debug)]
pub(crate) enum PushError {
    /// Rows break rules, and none may.
    Rows(BadRows),
    /// Anything else.
    Failed(ImportError),
}

/// Takes the batches of an import. Several tasks push at once.
#[async_trait]
pub(crate) trait Sink: Send + Sync {
    /// Whether a source was loaded before.
    async fn is_loaded(&self, source: &SourceId) -> Result<bool, ImportError>;

    /// Takes a batch; the rows that were left out, numbered within it.
    async fn push(&self, batch: RecordBatch) -> Result<Vec<BadRow>, PushError>;
}

/// An import into the engine of this process.
#[derive(Debug)]
pub(crate) struct EngineSink {
    engine: Arc<Engine>,
    table: TableName,
    import: Import,
    on_bad_row: OnBadRow,
    on_loaded: OnLoaded,
}

impl EngineSink {
    /// Begins the import.
    pub(crate) async fn begin(
        engine: &Arc<Engine>,
        table: &TableName,
        on_bad_row: OnBadRow,
        on_loaded: OnLoaded,
    ) -> Result<Self, ImportError> {
        let import = engine.begin_import(table).await?;
        Ok(Self { engine: Arc::clone(engine), table: table.clone(), import, on_bad_row, on_loaded })
    }

    /// Makes the rows visible.
    pub(crate) async fn commit(self, sources: &[SourceId]) -> Result<ImportSummary, ImportError> {
        Ok(self.import.commit(sources, self.on_loaded).await?)
    }
}

#[async_trait]
impl Sink for EngineSink {
    async fn is_loaded(&self, source: &SourceId) -> Result<bool, ImportError> {
        Ok(self.engine.is_imported(&self.table, source)?)
    }

    async fn push(&self, batch: RecordBatch) -> Result<Vec<BadRow>, PushError> {
        self.import.push(batch, self.on_bad_row).await.map_err(|error| match error {
            EngineError::InvalidRows(bad) => PushError::Rows(bad),
            error => PushError::Failed(error.into()),
        })
    }
}

/// An import through a server.
#[derive(Debug)]
pub(crate) struct ServerSink {
    client: Client,
    table: TableName,
    stream: ImportStream,
    on_bad_row: OnBadRow,
}

impl ServerSink {
    /// Begins the import.
    pub(crate) fn begin(
        client: &Client,
        table: &TableName,
        on_bad_row: OnBadRow,
        on_loaded: OnLoaded,
    ) -> Self {
        let stream = client.import(table, &schema(), on_bad_row, on_loaded);
        Self { client: client.clone(), table: table.clone(), stream, on_bad_row }
    }

    /// Makes the rows visible.
    pub(crate) async fn commit(self, sources: &[SourceId]) -> Result<ImportSummary, ImportError> {
        let answer = self.stream.commit(sources).await?;
        let ImportAnswer { rows, files, bytes, version } = answer;
        Ok(ImportSummary { rows, files, bytes, version })
    }
}

#[async_trait]
impl Sink for ServerSink {
    async fn is_loaded(&self, source: &SourceId) -> Result<bool, ImportError> {
        Ok(self.client.loaded_sources(&self.table, &[*source]).await?.contains(source))
    }

    async fn push(&self, batch: RecordBatch) -> Result<Vec<BadRow>, PushError> {
        let rows = self.stream.push(batch).await.map_err(|error| PushError::Failed(error.into()))?;
        match self.on_bad_row {
            OnBadRow::Refuse if !rows.is_empty() => {
                let count = rows.len();
                Err(PushError::Rows(BadRows { rows, count }))
            }
            _ => Ok(rows),
        }
    }
}
