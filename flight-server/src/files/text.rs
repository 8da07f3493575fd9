//! Text files: their bytes, decompressed on the way, and how far the compressed ones have been read.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::content::{Content, ContentReader};

/// Longest record that is read: an event takes up to 64 KiB of metadata, twice that when it is escaped. **Units**: bytes.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;

/// Rows of a batch.
pub(crate) const BATCH_ROWS_MAX: usize = 64 << 10;

/// Text of a batch. **Units**: bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 8 << 20;

/// Bytes that are decompressed at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How a text file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Reads it off a name; also gives the name without that ending.
    pub(crate) fn of(name: &str) -> (Self, &str) {
        let endings = [(".gz", Self::Gzip), (".zst", Self::Zstd)];
        let found = endings.into_iter().find_map(|(ending, compression)| {
            let cut = name.len().checked_sub(ending.len())?;
            let is_so = name.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(ending));
            is_so.then(|| (compression, name.get(..cut).unwrap_or_default()))
        });
        found.unwrap_or((Self::None, name))
    }
}

/// The text of a file.
pub(crate) struct TextReader {
    input: Box<dyn BufRead + Send>,
    position: Arc<AtomicU64>,
    told: u64,
}

impl TextReader {
    /// Opens a file at its start; a byte order mark is skipped.
    pub(crate) fn open(content: &Content, compression: Compression) -> io::Result<Self> {
        let position = Arc::new(AtomicU64::new(0));
        let counted = Counted { reader: content.reader(0), position: Arc::clone(&position) };
        let mut input: Box<dyn BufRead + Send> = match compression {
            Compression::None => Box::new(BufReader::with_capacity(BUFFER_BYTES, counted)),
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::read::MultiGzDecoder::new(counted)))
            }
            Compression::Zstd => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::Decoder::new(counted)?))
            }
        };
        if input.fill_buf()?.starts_with("\u{feff}".as_bytes()) {
            input.consume("\u{feff}".len());
        }
        Ok(Self { input, position, told: 0 })
    }

    pub(crate) fn input(&mut self) -> &mut (dyn BufRead + Send) {
        self.input.as_mut()
    }

    /// Bytes of the file that were read since the last call.
    pub(crate) fn bytes_read(&mut self) -> u64 {
        let position = self.position.load(Ordering::Relaxed);
        position - std::mem::replace(&mut self.told, position)
    }
}

struct Counted {
    reader: ContentReader,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_read_off_the_name() {
        assert_eq!(Compression::of("a.csv"), (Compression::None, "a.csv"));
        assert_eq!(Compression::of("a.csv.GZ"), (Compression::Gzip, "a.csv"));
        assert_eq!(Compression::of("ü.ndjson.zst"), (Compression::Zstd, "ü.ndjson"));
        assert_eq!(Compression::of("gz"), (Compression::None, "gz"));
        assert_eq!(Compression::of("日本"), (Compression::None, "日本"));
    }
}
