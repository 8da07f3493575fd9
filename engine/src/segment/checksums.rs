//! `Checksums`: CRC32C of every part of a Parquet file that is read by itself. The parts follow each other without a gap: pages with
//! their headers, Bloom filters, indexes and the footer, so that whatever is read can be widened to whole parts and checked
//! before it is used.
//!
//! ```text
//! for each part, in order: its length as a LEB128 varint, its CRC32C as u32, little-endian
//! ```

use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{EngineError, Result};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checksums {
    /// Where each part ends; the first begins at 0.
    ends: Vec<u64>,
    crcs: Vec<u32>,
}

impl Checksums {
    /// Of a Parquet file.
    ///
    /// # Errors
    /// `Internal` when it is none.
    pub(crate) fn of(file: &Bytes) -> Result<Self> {
        let metadata = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(file)?;
        let mut checksums = Self::default();
        let mut start = 0;
        for end in cuts(&metadata, file.len()) {
            checksums.push(&file[start..end]);
            start = end;
        }
        Ok(checksums)
    }

    /// Adds the next part.
    pub(crate) fn push(&mut self, part: &[u8]) {
        self.ends.push(self.size_bytes() + part.len() as u64);
        self.crcs.push(crc32c::crc32c(part));
    }

    /// Size of the file. **Units**: bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Of the whole file.
    pub(crate) fn of_file(&self) -> u32 {
        let mut start = 0;
        let parts = self.ends.iter().zip(&self.crcs).map(|(end, crc)| {
            let length = usize::try_from(end - std::mem::replace(&mut start, *end)).unwrap_or(usize::MAX);
            (*crc, length)
        });
        parts.fold(0, |sum, (crc, length)| crc32c::crc32c_combine(sum, crc, length))
    }

    /// Memory held, about. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.ends.len() * (size_of::<u64>() + size_of::<u32>())
    }

    /// The smallest run of whole parts that holds `range`.
    #[must_use]
    pub fn widened(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return range.clone();
        }
        let first = self.ends.partition_point(|end| *end <= range.start);
        let last = self.ends.partition_point(|end| *end < range.end);
        self.start_of(first)..self.ends.get(last).copied().unwrap_or(range.end)
    }

    /// Length of the longest end of the file that is made of whole parts and has at most `limit` bytes; at least the last part.
    #[must_use]
    pub fn tail_bytes(&self, limit: u64) -> u64 {
        let size = self.size_bytes();
        let from = size.saturating_sub(limit);
        let last = self.ends.len().saturating_sub(1);
        let first = (0..=last).find(|part| self.start_of(*part) >= from).unwrap_or(last);
        size - self.start_of(first)
    }

    /// Checks the bytes that were read at `span`, which is made of whole parts, of the file at `path`.
    ///
    /// # Errors
    /// `Corrupt` naming the file and the part that is not what was written.
    pub fn verify(&self, path: &str, span: &Range<u64>, bytes: &[u8]) -> Result<()> {
        let corrupt = |detail| Err(EngineError::Corrupt { path: path.to_owned(), detail });
        let (mut part, mut start, mut rest) =
            (self.ends.partition_point(|end| *end <= span.start), span.start, bytes);
        while start < span.end {
            let (Some(end), Some(stored)) = (self.ends.get(part), self.crcs.get(part)) else {
                return corrupt(format!("bytes {start}..{} have no checksum", span.end));
            };
            let length = usize::try_from(end - start).unwrap_or(usize::MAX);
            let Some((of_part, behind)) = rest.split_at_checked(length) else {
                return corrupt(format!("bytes {start}..{end} are wanted, {} of them are there", rest.len()));
            };
            let computed = crc32c::crc32c(of_part);
            if computed != *stored {
                return corrupt(format!(
                    "bytes {start}..{end}: checksum mismatch: stored {stored:08x}, computed {computed:08x}"
                ));
            }
            (part, start, rest) = (part + 1, *end, behind);
        }
        Ok(())
    }

    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![];
        let mut start = 0;
        for (end, crc) in self.ends.iter().zip(&self.crcs) {
            push_varint(end - start, &mut bytes);
            bytes.extend_from_slice(&crc.to_le_bytes());
            start = *end;
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` when it is something else.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut checksums = Self::default();
        while !bytes.is_empty() {
            let length = take_varint(&mut bytes)?;
            let (crc, rest) = bytes.split_first_chunk()?;
            checksums.ends.push(checksums.size_bytes().checked_add(length)?);
            checksums.crcs.push(u32::from_le_bytes(*crc));
            bytes = rest;
        }
        Some(checksums)
    }

    fn start_of(&self, part: usize) -> u64 {
        part.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }
}

/// Where parts end, in order: the ends of everything that a reader asks for by itself, then the end of the file.
fn cuts(metadata: &ParquetMetaData, size: usize) -> Vec<usize> {
    let mut cuts = vec![];
    let mut add = |offset: Option<i64>, length: Option<i32>| {
        let Some(start) = offset.and_then(|offset| usize::try_from(offset).ok()) else { return };
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        cuts.extend([start, start.saturating_add(length)]);
    };
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        for (place, column) in row_group.columns().iter().enumerate() {
            let (start, length) = column.byte_range();
            add(i64::try_from(start).ok(), i32::try_from(length).ok());
            add(column.bloom_filter_offset(), column.bloom_filter_length());
            let pages = metadata.offset_index().and_then(|groups| groups.get(group)?.get(place));
            for page in pages.iter().flat_map(|pages| pages.page_locations()) {
                add(Some(page.offset), Some(page.compressed_page_size));
            }
        }
    }
    // Indexes of one kind are read together.
    let columns = || metadata.row_groups().iter().flat_map(|group| group.columns());
    add(columns().filter_map(ColumnChunkMetaData::column_index_offset).min(), None);
    add(columns().filter_map(ColumnChunkMetaData::offset_index_offset).min(), None);
    if let Some(last) = columns().max_by_key(|column| column.offset_index_offset()) {
        add(last.offset_index_offset(), last.offset_index_length());
    }
    cuts.push(size);
    cuts.retain(|cut| (1..=size).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn push_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7F) as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

    use super::*;

    fn of_parts(parts: &[Vec<u8>]) -> (Checksums, Vec<u8>) {
        let mut checksums = Checksums::default();
        parts.iter().for_each(|part| checksums.push(part));
        (checksums, parts.concat())
    }

    fn place(number: u64) -> usize {
        usize::try_from(number).unwrap()
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_checked_and_one_flipped_bit_is_found(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..12),
            (from, to, flipped) in any::<(Index, Index, Index)>(),
        ) {
            let (checksums, file) = of_parts(&parts);
            let at = |index: Index| index.index(file.len()) as u64;
            let (from, to) = (at(from).min(at(to)), at(from).max(at(to)) + 1);
            let span = checksums.widened(&(from..to));
            prop_assert!(span.start <= from && to <= span.end);
            let read = |file: &[u8]| checksums.verify("a", &span, &file[place(span.start)..place(span.end)]);
            prop_assert!(read(&file).is_ok());
            let mut damaged = file.clone();
            damaged[place(at(flipped))] ^= 1;
            prop_assert_eq!(read(&damaged).is_err(), span.contains(&at(flipped)));
            prop_assert_eq!(checksums.of_file(), crc32c::crc32c(&file));
            prop_assert_eq!(Checksums::from_bytes(&checksums.to_bytes()), Some(checksums.clone()));
            let tail = checksums.tail_bytes(to);
            prop_assert!(tail <= to.max(parts.last().unwrap().len() as u64));
            let tail = file.len() as u64 - tail..file.len() as u64;
            prop_assert_eq!(checksums.widened(&tail), tail);
        }
    }

    #[test]
    fn what_ends_early_is_no_list_and_no_file() {
        let (checksums, file) = of_parts(&[vec![7; 300], vec![8; 5]]);
        let bytes = checksums.to_bytes();
        for length in [1, 2, 5, bytes.len() - 1] {
            assert_eq!(Checksums::from_bytes(&bytes[..length]), None);
        }
        let error = checksums.verify("a.parquet", &(0..305), &file[..301]).unwrap_err().to_string();
        assert!(error.contains("a.parquet") && error.contains("300..305"), "{error}");
    }
}
