//! The scratch file of a load: rows that memory has no room for, until they are sorted. Appended to by one task at a time, read
//! by several. Never fsynced: a load that was cut off starts again, and no name leads to the file.
//!
//! A chunk is one Arrow IPC stream of the WAL schema, uncompressed: written and read at the speed of a copy.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use arrow::{
    array::RecordBatch,
    buffer::{Buffer, MutableBuffer},
    compute::concat_batches,
    ipc::{reader::StreamDecoder, writer::StreamEncoder},
};

use crate::error::{EngineError, Result};

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
        let created = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
        let file = created.map_err(|source| failed("create a scratch file in", folder, source))?;
        Ok(Self { file, folder: folder.to_path_buf(), end: Mutex::new(0) })
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
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
