//! `NewFile`: an encoded file under a name that was never used, put durably with its rollup. It belongs to nobody until a commit names it.

use bytes::Bytes;
use object_store::{PutPayload, path::Path};

use super::Encoded;
use crate::{
    delta::{DataFile, DeltaLog, RollupObject, ScalarBound},
    error::{EngineError, Result},
    schema::column,
    store::{PutOutcome, keys},
};

/// An encoded file under a name of its own, not yet put.
#[derive(Debug)]
pub(crate) struct NewFile {
    bytes: Bytes,
    rollup: Option<Bytes>,
    file: DataFile,
}

impl NewFile {
    /// Names what was encoded.
    pub(crate) fn new(log: &DeltaLog, encoded: Encoded) -> Self {
        let Encoded { row_count, bytes, columns, rollup, checksums } = encoded;
        let first = match columns.get(column::TIMESTAMP).and_then(|range| range.min.as_ref()) {
            Some(ScalarBound::Micros(micros)) => *micros,
            _ => 0,
        };
        let location = keys::data_file(log.root(), first, log.store.ids().timed());
        let beside = keys::rollup_of(log.root(), &location);
        assert!(beside.is_some(), "{location} is no data file's name");
        let rollup_object = rollup.as_ref().zip(beside).map(|(rollup, beside)| RollupObject {
            location: beside,
            size_bytes: rollup.bytes.len() as u64,
            directory_crc32c: Some(rollup.directory_crc32c),
        });
        let file = DataFile {
            location,
            size_bytes: bytes.len() as u64,
            row_count: Some(row_count as u64),
            modified_ms: log.now_ms(),
            columns,
            rollup: rollup_object,
            checksums: Some(checksums),
        };
        Self { bytes, rollup: rollup.map(|rollup| rollup.bytes.into()), file }
    }

    /// Where it and its rollup will be.
    pub(crate) fn locations(&self) -> impl Iterator<Item = &Path> {
        self.file.locations()
    }

    /// With its rollup. **Units**: bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len() + self.rollup.as_ref().map_or(0, Bytes::len)
    }

    /// Puts it durably, its rollup first: whoever names the file can name both.
    ///
    /// # Errors
    /// `Unavailable` when the store fails; either may then be there.
    pub(crate) async fn put(self, log: &DeltaLog) -> Result<DataFile> {
        let Self { bytes, rollup, file } = self;
        if let Some((object, bytes)) = file.rollup.as_ref().zip(rollup) {
            put_new(log, &object.location, bytes).await?;
        }
        put_new(log, &file.location, bytes).await?;
        Ok(file)
    }
}

async fn put_new(log: &DeltaLog, location: &Path, bytes: Bytes) -> Result<()> {
    if log.store.put_if_absent(location, PutPayload::from(bytes)).await? == PutOutcome::AlreadyExists {
        return Err(EngineError::Corrupt {
            path: location.to_string(),
            detail: String::from("a new file's name is already taken"),
        });
    }
    Ok(())
}
