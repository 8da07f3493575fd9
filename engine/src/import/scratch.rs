//! The scratch file of a load: rows that memory has no room for, until they are sorted. Appended to by one task at a time, read
//! by several. Never fsynced: a load that was cut off starts again, and no name leads to the file.
//!
//! A chunk is one Arrow IPC stream of the WAL schema, uncompressed: written and read at the speed of a copy.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use arrow::{
    array::RecordBatch,
    buffer::{Buffer, MutableBuffer},
    compute::concat_batches,
    ipc::{reader::StreamDecoder, writer::StreamEncoder},
};
use parking_lot::Mutex;

use crate::{
    disk,
    error::{EngineError, Result},
    store::keys,
};

/// Rows of a batch from which it is written as it is; smaller ones are joined.
const BATCH_ROWS_MIN: usize = 1_024;
/// Buffers that one system call writes.
const SLICES_MAX: usize = 512;

/// Where rows lie in the scratch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    offset: u64,
    pub(super) length: usize,
    pub(super) rows: usize,
}

/// A file without a name: its space is free again when it is closed, whichever way the process ends.
#[derive(Debug)]
pub(super) struct Scratch {
    file: File,
    folder: PathBuf,
    end: Mutex<u64>,
}

impl Scratch {
    /// Makes an empty file in `folder`, which is made if need be. Blocking.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let created = disk::make_folders(folder).and_then(|()| tempfile::tempfile_in(folder));
        let file = created.map_err(|source| failed("create a scratch file in", folder, source))?;
        Ok(Self::over(file, folder))
    }

    /// Appends to `file`; `folder` only names it in errors.
    pub(super) fn over(file: File, folder: &Path) -> Self {
        Self { file, folder: folder.to_path_buf(), end: Mutex::new(0) }
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        *self.end.lock()
    }

    /// Appends batches as one chunk. Blocking.
    ///
    /// # Errors
    /// `Unavailable` when the disk refuses, for example because it is full.
    pub(super) fn append(&self, batches: &[RecordBatch]) -> Result<Chunk> {
        assert!(!batches.is_empty(), "a chunk holds at least one batch");
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let schema = batches[0].schema_ref();
        let mut encoder = StreamEncoder::try_new(schema)?;
        let mut buffers = vec![];
        if rows / batches.len() < BATCH_ROWS_MIN {
            buffers.extend(encoder.encode(&concat_batches(schema, batches)?)?);
        } else {
            for batch in batches {
                buffers.extend(encoder.encode(batch)?);
            }
        }
        buffers.extend(encoder.finish()?);
        let length: usize = buffers.iter().map(Buffer::len).sum();
        let mut end = self.end.lock();
        let offset = *end;
        write_all(&mut &self.file, &buffers)
            .map_err(|source| failed("write the scratch file in", &self.folder, source))?;
        *end += length as u64;
        Ok(Chunk { offset, length, rows })
    }

    /// Reads a chunk back; its batches share one allocation. Blocking.
    ///
    /// # Errors
    /// `Unavailable` when the disk refuses, `Corrupt` when the chunk is not what was written.
    pub(super) fn read(&self, chunk: Chunk) -> Result<Vec<RecordBatch>> {
        // Aligned, so that the decoder shares it.
        let mut bytes = MutableBuffer::from_len_zeroed(chunk.length);
        self.file
            .read_exact_at(bytes.as_slice_mut(), chunk.offset)
            .map_err(|source| failed("read the scratch file in", &self.folder, source))?;
        let mut buffer = Buffer::from(bytes);
        let mut decoder = StreamDecoder::new();
        let mut batches = vec![];
        while let Some(batch) = decoder.decode(&mut buffer)? {
            batches.push(batch);
        }
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows == chunk.rows {
            return Ok(batches);
        }
        Err(EngineError::Corrupt {
            path: self.folder.display().to_string(),
            detail: format!("scratch chunk at {}: wrote {} rows, read {rows}", chunk.offset, chunk.rows),
        })
    }
}

/// Where the scratch files of a store lie.
pub(super) fn scratch_folder(root: Option<&Path>) -> PathBuf {
    match root {
        Some(root) => root.join(keys::SCRATCH),
        None => std::env::temp_dir().join(format!("hexflight-{}", keys::SCRATCH)),
    }
}

fn write_all(file: &mut impl Write, buffers: &[Buffer]) -> io::Result<()> {
    let filled: Vec<&Buffer> = buffers.iter().filter(|buffer| !buffer.is_empty()).collect();
    for buffers in filled.chunks(SLICES_MAX) {
        let mut slices: Vec<IoSlice<'_>> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn failed(operation: &'static str, folder: &Path, source: io::Error) -> EngineError {
    EngineError::Io { operation, path: folder.display().to_string(), source }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::{fs::OpenOptions, sync::Arc};

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn chunks_are_read_back_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(&folder.path().join("below")).unwrap();
        let batches = [batch(0, 3), batch(3, 5_000), batch(5_003, 1)];
        let small = scratch.append(&[batches[0].clone(), batches[2].clone()]).unwrap();
        let large = scratch.append(&batches[1..2]).unwrap();
        assert_eq!(scratch.read(large).unwrap(), batches[1..2]);
        let joined = concat_batches(batches[0].schema_ref(), [&batches[0], &batches[2]]).unwrap();
        assert_eq!(scratch.read(small).unwrap(), [joined]);
        assert_eq!(scratch.bytes(), (small.length + large.length) as u64);
        // A slice does not take its whole batch along.
        let slice = scratch.append(&[batches[1].slice(1_000, 10)]).unwrap();
        assert!(slice.length < large.length / 10, "{slice:?}");
        assert_eq!(scratch.read(slice).unwrap(), [batches[1].slice(1_000, 10)]);
        assert_eq!(std::fs::read_dir(folder.path().join("below")).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_folder() {
        let full = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let scratch =
            Scratch { file: full, folder: PathBuf::from("/data/import-scratch"), end: Mutex::new(0) };
        let error = scratch.append(&[batch(0, 10)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.contains("/data/import-scratch") && text.contains("No space left"), "{text}");
    }

    #[test]
    fn a_chunk_that_is_not_what_was_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(folder.path()).unwrap();
        let chunk = scratch.append(&[batch(0, 10)]).unwrap();
        assert_eq!(scratch.read(Chunk { rows: 11, ..chunk }).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(scratch.read(Chunk { offset: 8, ..chunk }).is_err());
    }

    fn batch(start: i64, rows: i64) -> RecordBatch {
        let numbers = Int64Array::from_iter_values(start..start + rows);
        let text = StringArray::from_iter((start..start + rows).map(|n| (n % 3 > 0).then(|| n.to_string())));
        let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(numbers)), ("text", Arc::new(text))];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap()
    }
}
