//! `NewFile`: an encoded file under a name that was never used, put durably with its rollup. It belongs to nobody until a commit names it.

use bytes::Bytes;
use chrono::DateTime;
use object_store::{PutPayload, path::Path};
use uuid::Uuid;

use super::Encoded;
use crate::{
    delta::{DataFile, DeltaLog, RollupObject, ScalarBound},
    error::{EngineError, Result},
    schema::column,
    store::PutOutcome,
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
        let first = columns.get(column::TIMESTAMP).and_then(|range| range.min.as_ref());
        let location = new_location(log.root(), first);
        let rollup_object = rollup.as_ref().map(|rollup| RollupObject {
            location: RollupObject::location_of(log.root(), &location)
                .unwrap_or_else(|| unreachable!("{location} is a data file's name")),
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

/// `{root}/{day of the first row}/{hour}-{uuid}.parquet`: never reused, and readable for a person.
fn new_location(root: &Path, first: Option<&ScalarBound>) -> Path {
    let micros = match first {
        Some(ScalarBound::Micros(micros)) => *micros,
        _ => 0,
    };
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let (day, hour) = (time.format("%Y-%m-%d"), time.format("%H"));
    Path::from(format!("{root}/{day}/{hour}-{}.parquet", Uuid::now_v7().hyphenated()))
}
