//! The bytes of a data file, checked: as a whole, or the checksums by which whoever reads a part of it checks that part.

use bytes::Bytes;
use metrics::counter;

use super::{DataFile, FileChecksums, checksums::ListPlace};
use crate::{
    error::{EngineError, Result},
    segment::Checksums,
    store::Store,
};

/// Bytes that are read at once where a file is read from its beginning to its end.
const READ_BYTES: u64 = 4 << 20;
/// Parts of a file whose own list of checksums is lost.
const BLOCK_BYTES: usize = 64 << 10;

impl DataFile {
    /// The checksums of its parts; `None` for a file that was written without any. Where the list of them is lost, the file is read
    /// once and checked as a whole, and what it holds is the list from then on.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` when the list is lost and the file is not what was written.
    pub async fn checksums(&self, store: &Store) -> Result<Option<Checksums>> {
        let Some(stored) = &self.checksums else { return Ok(None) };
        if let Some(list) = self.list(store, stored).await? {
            return Ok(Some(list));
        }
        counter!("hexflight_checksum_lists_lost_total").increment(1);
        tracing::warn!(
            file = %self.location,
            "the checksums of this file are lost or damaged; it is read and checked as a whole"
        );
        self.checksums_of_blocks(store, stored).await.map(Some)
    }

    /// All its bytes, checked if it was written with a checksum.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` when they are not what was written.
    pub async fn bytes(&self, store: &Store) -> Result<Bytes> {
        let Some(bytes) = store.get(&self.location).await? else { return Err(self.is_missing()) };
        if bytes.len() as u64 != self.size_bytes {
            return Err(self.has_size(bytes.len() as u64));
        }
        match &self.checksums {
            Some(stored) => self.check(stored, crc32c::crc32c(&bytes)).map(|()| bytes),
            None => Ok(bytes),
        }
    }

    /// Why it cannot be read, if that can be seen: it is not there, or has another size. `None`: the store fails.
    ///
    /// # Errors
    /// `Unavailable` when the store fails again.
    pub async fn damage(&self, store: &Store) -> Result<Option<EngineError>> {
        Ok(match store.head(&self.location).await? {
            None => Some(self.is_missing()),
            Some(meta) if meta.size != self.size_bytes => Some(self.has_size(meta.size)),
            Some(_) => None,
        })
    }

    /// What is wrong with bytes of this length and CRC32C, if they are not what was written.
    pub(crate) fn difference(&self, size_bytes: u64, crc: u32) -> Option<EngineError> {
        if size_bytes != self.size_bytes {
            return Some(self.has_size(size_bytes));
        }
        self.check(self.checksums.as_ref()?, crc).err()
    }

    /// The list as it was written; `None` when it is lost.
    pub(crate) async fn stored_checksums(&self, store: &Store) -> Result<Option<Checksums>> {
        match &self.checksums {
            Some(stored) => self.list(store, stored).await,
            None => Ok(None),
        }
    }

    async fn list(&self, store: &Store, stored: &FileChecksums) -> Result<Option<Checksums>> {
        let bytes = match (&stored.list, &self.rollup) {
            (ListPlace::Here(list), _) => Some(Bytes::copy_from_slice(list)),
            (ListPlace::InRollup { offset, length }, Some(rollup)) => {
                let end = offset.saturating_add(*length);
                store.get_range(&rollup.location, *offset..end).await?
            }
            (ListPlace::InRollup { .. }, None) => None,
        };
        let is_whole = |bytes: &Bytes| crc32c::crc32c(bytes) == stored.list_crc;
        let list = bytes.filter(is_whole).and_then(|bytes| Checksums::from_bytes(&bytes));
        Ok(list.filter(|list| list.size_bytes() == self.size_bytes))
    }

    async fn checksums_of_blocks(&self, store: &Store, stored: &FileChecksums) -> Result<Checksums> {
        let mut blocks = Checksums::default();
        while blocks.size_bytes() < self.size_bytes {
            let start = blocks.size_bytes();
            let range = start..start.saturating_add(READ_BYTES).min(self.size_bytes);
            let Some(bytes) = store.get_range(&self.location, range.clone()).await? else {
                return Err(self.is_missing());
            };
            if bytes.len() as u64 != range.end - start {
                return Err(self.has_size(start + bytes.len() as u64));
            }
            bytes.chunks(BLOCK_BYTES).for_each(|block| blocks.push(block));
        }
        self.check(stored, blocks.of_file()).map(|()| blocks)
    }

    fn check(&self, stored: &FileChecksums, computed: u32) -> Result<()> {
        if computed == stored.file {
            return Ok(());
        }
        let stored = stored.file;
        Err(self.corrupt(format!("checksum mismatch: stored {stored:08x}, computed {computed:08x}")))
    }

    fn is_missing(&self) -> EngineError {
        self.corrupt(String::from("the log names it, and it is not there"))
    }

    fn has_size(&self, found: u64) -> EngineError {
        self.corrupt(format!("the log says {} bytes, found {found}", self.size_bytes))
    }

    fn corrupt(&self, detail: String) -> EngineError {
        EngineError::Corrupt { path: self.location.to_string(), detail }
    }
}
