//! The sizes of a column chunk's pages, read off their headers before any of them is decompressed. The footer tells sizes too, but nothing holds
//! a writer to them.
//!
//! ```text
//!  | header (Thrift, compact) | page, compressed | header | page | …
//! ```
//! **Source**: `parquet.thrift`, `PageHeader`; Thrift's compact protocol.

use std::io::{self, BufReader, Read};

use super::content::{Content, ContentReader};

/// What is read at once of a header. **Units**: bytes.
const READ_BYTES: usize = 512;

/// Deepest nesting of a header; statistics take two levels.
const DEPTH_MAX: usize = 8;

/// Where in a page header its parts are.
const UNCOMPRESSED_SIZE: i64 = 2;
const COMPRESSED_SIZE: i64 = 3;
const DATA_PAGE: i64 = 5;
const DICTIONARY_PAGE: i64 = 7;
const DATA_PAGE_V2: i64 = 8;

/// Number of values, in the header of each kind of page.
const VALUE_COUNT: i64 = 1;

/// Types of the compact protocol.
const STOP: u8 = 0;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

/// The pages of one column chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PageSizes {
    /// Largest page of values, decompressed. **Units**: bytes.
    pub(crate) data_bytes_max: u64,
    /// Largest dictionary, decompressed. **Units**: bytes.
    pub(crate) dictionary_bytes_max: u64,
    /// Most bytes of a page for each of its values.
    pub(crate) value_bytes_max: u64,
}

#[derive(Debug, Default)]
struct Page {
    uncompressed: u64,
    compressed: u64,
    values: u64,
    is_dictionary: bool,
}

impl PageSizes {
    /// Of the chunk in `start..end`. Blocking.
    pub(crate) fn read(content: &Content, start: u64, end: u64) -> io::Result<Self> {
        let (mut sizes, mut position) = (Self::default(), start);
        while position < end {
            let mut header = Header::at(content, position);
            let page = header.page()?;
            position = header.position.saturating_add(page.compressed);
            if page.is_dictionary {
                sizes.dictionary_bytes_max = sizes.dictionary_bytes_max.max(page.uncompressed);
                continue;
            }
            sizes.data_bytes_max = sizes.data_bytes_max.max(page.uncompressed);
            let value_bytes = page.uncompressed.div_ceil(page.values.max(1));
            sizes.value_bytes_max = sizes.value_bytes_max.max(value_bytes);
        }
        Ok(sizes)
    }

    /// What is held of the chunk at once. **Units**: bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.data_bytes_max.saturating_add(self.dictionary_bytes_max)
    }
}

/// A header that is being read.
struct Header {
    bytes: BufReader<ContentReader>,
    position: u64,
}

impl Header {
    fn at(content: &Content, position: u64) -> Self {
        Self { bytes: BufReader::with_capacity(READ_BYTES, content.reader(position)), position }
    }

    fn page(&mut self) -> io::Result<Page> {
        let (mut page, mut id) = (Page::default(), 0);
        while let Some((field, kind)) = self.field(id)? {
            id = field;
            match id {
                UNCOMPRESSED_SIZE if is_whole(kind) => page.uncompressed = self.size()?,
                COMPRESSED_SIZE if is_whole(kind) => page.compressed = self.size()?,
                DATA_PAGE | DATA_PAGE_V2 if kind == STRUCT => page.values = self.value_count()?,
                DICTIONARY_PAGE if kind == STRUCT => {
                    page.is_dictionary = true;
                    self.value_count()?;
                }
                _ => self.skip(kind, DEPTH_MAX)?,
            }
        }
        Ok(page)
    }

    fn value_count(&mut self) -> io::Result<u64> {
        let (mut count, mut id) = (0, 0);
        while let Some((field, kind)) = self.field(id)? {
            id = field;
            match id {
                VALUE_COUNT if is_whole(kind) => count = self.size()?,
                _ => self.skip(kind, DEPTH_MAX - 1)?,
            }
        }
        Ok(count)
    }

    /// Id and type of the next field; `None` at the end of the struct.
    fn field(&mut self, last: i64) -> io::Result<Option<(i64, u8)>> {
        let byte = self.byte()?;
        let (delta, kind) = (byte >> 4, byte & 0x0f);
        if kind == STOP {
            return Ok(None);
        }
        let id = if delta == 0 { self.zigzag()? } else { last.saturating_add(i64::from(delta)) };
        Ok(Some((id, kind)))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| damaged("is nested too deep"))?;
        match kind {
            // The type says true or false.
            1 | 2 => Ok(()),
            BYTE => self.byte().map(drop),
            I16..=I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => self.skip_list(depth),
            STRUCT => {
                let mut id = 0;
                while let Some((field, kind)) = self.field(id)? {
                    id = field;
                    self.skip(kind, depth)?;
                }
                Ok(())
            }
            _ => Err(damaged("has a field of an unknown type")),
        }
    }

    fn skip_list(&mut self, depth: usize) -> io::Result<()> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 0x0f { self.varint()? } else { u64::from(byte >> 4) };
        for _ in 0..count {
            match byte & 0x0f {
                // Within a list a truth value is a byte.
                1 | 2 => self.byte().map(drop)?,
                kind => self.skip(kind, depth)?,
            }
        }
        Ok(())
    }

    fn size(&mut self) -> io::Result<u64> {
        u64::try_from(self.zigzag()?).map_err(|_| damaged("declares a negative size"))
    }

    fn zigzag(&mut self) -> io::Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("has a number without an end"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.position += 1;
        Ok(byte[0])
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.bytes.by_ref().take(bytes), &mut io::sink())?;
        self.position += passed;
        if passed == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn is_whole(kind: u8) -> bool {
    (I16..=I64).contains(&kind)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a page header {what}"))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Arc};

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::{
        arrow::{ArrowWriter, arrow_reader::ArrowReaderMetadata},
        basic::{Compression, ZstdLevel},
        file::properties::{WriterProperties, WriterVersion},
    };

    use super::*;

    #[test]
    fn sizes_are_those_of_the_pages() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let long = "x".repeat(3 << 20);
            let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", &long, "b", "a"]));
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
            let batch = RecordBatch::try_from_iter([("text", texts), ("number", numbers)]).unwrap();
            let content = written(&batch, version);
            let [texts, numbers] = sizes(&content);

            let held = texts.held_bytes();
            assert!(held > 3 << 20 && held < 4 << 20, "{texts:?}");
            assert!(texts.dictionary_bytes_max > 3 << 20, "{texts:?}");
            assert_eq!(numbers.dictionary_bytes_max, 32);
        }
    }

    #[test]
    fn what_is_no_header_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &[0xff; 64]).unwrap();
        let content = Content::of(file).unwrap();
        assert!(PageSizes::read(&content, 0, 64).is_err());
    }

    fn written(batch: &RecordBatch, version: WriterVersion) -> Content {
        let file = tempfile::tempfile().unwrap();
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder()
            .set_compression(zstd)
            .set_writer_version(version)
            .set_dictionary_page_size_limit(8 << 20)
            .build();
        let copy: File = file.try_clone().unwrap();
        let mut writer = ArrowWriter::try_new(copy, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        Content::of(file).unwrap()
    }

    fn sizes(content: &Content) -> [PageSizes; 2] {
        let metadata = ArrowReaderMetadata::load(content, Default::default()).unwrap();
        let group = metadata.metadata().row_group(0);
        [0, 1].map(|column| {
            let (start, length) = group.column(column).byte_range();
            PageSizes::read(content, start, start + length).unwrap()
        })
    }
}
