//! The layout of a rollup object: a directory, then sections, each compressed by itself and read only when wanted.
//!
//! ```text
//! 0      8  magic "HXFROL02" (the last two digits are the version)
//! 8      4  d = length of the directory, u32
//! 12     4  CRC32C of the directory, u32
//! 16     d  directory
//! 16+d   …  sections, zstd, at the offsets that the directory tells
//! ```

use std::ops::Range;

use super::{
    Sums,
    wire::{Reader, Writer, corrupt},
};
use crate::error::Result;

const MAGIC: &[u8; 8] = b"HXFROL02";
/// Bytes before the directory.
pub(super) const HEADER_BYTES: usize = 16;
/// Stands for no resolution.
const NO_RESOLUTION: u8 = u8::MAX;
const LEVEL: i32 = 1;

/// Where a section lies, counted from the end of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) entries: u32,
    offset: u32,
    length: u32,
    pub(super) raw_length: u32,
    checksum: u32,
}

/// What the directory says of a type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DirectoryEntry {
    pub(super) name: String,
    pub(super) first_row: u32,
    pub(super) time: (i64, i64),
    pub(super) total: Sums,
    pub(super) minutes: Section,
    pub(super) cells: Section,
    pub(super) devices: Section,
    /// Every device that has this many rows is among the groups by device; 0: nothing is known of devices.
    pub(super) device_floor: u32,
}

/// The first part of a rollup object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Directory {
    pub(super) cell_resolution: Option<u8>,
    pub(super) types: Vec<DirectoryEntry>,
}

impl Section {
    /// Compresses a section onto the end of the others.
    pub(super) fn append(entries: usize, raw: &[u8], sections: &mut Vec<u8>) -> Result<Self> {
        if entries == 0 {
            return Ok(Self::default());
        }
        let packed = zstd::bulk::compress(raw, LEVEL)
            .map_err(|error| corrupt("a new rollup", format!("compress: {error}")))?;
        let section = Self {
            entries: to_u32(entries),
            offset: to_u32(sections.len()),
            length: to_u32(packed.len()),
            raw_length: to_u32(raw.len()),
            checksum: crc32c::crc32c(&packed),
        };
        sections.extend_from_slice(&packed);
        Ok(section)
    }

    /// Where it lies after a directory that ends at `start`.
    pub(super) fn range(&self, start: u64) -> Range<u64> {
        let from = start + u64::from(self.offset);
        from..from + u64::from(self.length)
    }

    /// Checks and unpacks it.
    pub(super) fn unpack(&self, path: &str, packed: &[u8]) -> Result<Vec<u8>> {
        let computed = crc32c::crc32c(packed);
        if computed != self.checksum {
            return Err(corrupt(
                path,
                format!("section checksum mismatch: stored {:x}, computed {computed:x}", self.checksum),
            ));
        }
        zstd::bulk::decompress(packed, self.raw_length as usize)
            .map_err(|error| corrupt(path, format!("section: {error}")))
    }

    fn write(&self, writer: &mut Writer) {
        for number in [self.entries, self.offset, self.length, self.raw_length, self.checksum] {
            writer.u32(number);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            entries: reader.u32()?,
            offset: reader.u32()?,
            length: reader.u32()?,
            raw_length: reader.u32()?,
            checksum: reader.u32()?,
        })
    }
}

impl Directory {
    /// The whole object, and the checksum of the directory in it.
    pub(super) fn into_object(self, sections: &[u8]) -> (Vec<u8>, u32) {
        let mut writer = Writer::default();
        writer.u8(self.cell_resolution.unwrap_or(NO_RESOLUTION));
        writer.u32(to_u32(self.types.len()));
        for entry in &self.types {
            writer.text(&entry.name);
            writer.u32(entry.first_row);
            writer.i64(entry.time.0);
            writer.i64(entry.time.1);
            writer.sums(std::iter::once(&entry.total));
            [entry.minutes, entry.cells, entry.devices].iter().for_each(|section| section.write(&mut writer));
            writer.u32(entry.device_floor);
        }
        let directory = writer.0;
        let mut object = Vec::with_capacity(HEADER_BYTES + directory.len() + sections.len());
        object.extend_from_slice(MAGIC);
        object.extend_from_slice(&to_u32(directory.len()).to_le_bytes());
        let checksum = crc32c::crc32c(&directory);
        object.extend_from_slice(&checksum.to_le_bytes());
        object.extend_from_slice(&directory);
        object.extend_from_slice(sections);
        (object, checksum)
    }

    /// Length and checksum of the directory, from the first bytes of an object.
    pub(super) fn header(path: &str, object: &[u8]) -> Result<(usize, u32)> {
        let Some(header) = object.get(..HEADER_BYTES) else {
            return Err(corrupt(path, format!("{} bytes are too few", object.len())));
        };
        if !header.starts_with(MAGIC) {
            return Err(corrupt(path, String::from("no rollup of version 2")));
        }
        let mut reader = Reader::new(&header[MAGIC.len()..], path);
        Ok((reader.u32()? as usize, reader.u32()?))
    }

    /// Reads the directory behind a header.
    pub(super) fn read(path: &str, bytes: &[u8], checksum: u32) -> Result<Self> {
        let computed = crc32c::crc32c(bytes);
        if computed != checksum {
            return Err(corrupt(
                path,
                format!("directory checksum mismatch: stored {checksum:x}, computed {computed:x}"),
            ));
        }
        let mut reader = Reader::new(bytes, path);
        let cell_resolution = Some(reader.u8()?).filter(|resolution| *resolution != NO_RESOLUTION);
        let count = reader.u32()?;
        let types = (0..count).map(|_| read_entry(&mut reader)).collect::<Result<_>>()?;
        reader.end()?;
        Ok(Self { cell_resolution, types })
    }
}

/// The same object with the magic and the checksums that its parts should have.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn sealed(mut object: Vec<u8>) -> Vec<u8> {
    let Some(header) = object.first_chunk::<HEADER_BYTES>() else { return object };
    let [.., a, b, c, d, _, _, _, _] = *header;
    object[..MAGIC.len()].copy_from_slice(MAGIC);
    let end = HEADER_BYTES.saturating_add(u32::from_le_bytes([a, b, c, d]) as usize);
    let Some(bytes) = object.get(HEADER_BYTES..end) else { return object };
    let Ok(mut directory) = Directory::read("fuzzed", bytes, crc32c::crc32c(bytes)) else {
        let checksum = crc32c::crc32c(bytes).to_le_bytes();
        object[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum);
        return object;
    };
    let sections = object[end..].to_vec();
    for entry in &mut directory.types {
        for section in [&mut entry.minutes, &mut entry.cells, &mut entry.devices] {
            let range = section.range(0);
            let packed = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let packed = packed.and_then(|(start, end)| sections.get(start..end));
            section.checksum = crc32c::crc32c(packed.unwrap_or_default());
        }
    }
    directory.into_object(&sections).0
}

fn read_entry(reader: &mut Reader<'_>) -> Result<DirectoryEntry> {
    Ok(DirectoryEntry {
        name: reader.text()?.to_owned(),
        first_row: reader.u32()?,
        time: (reader.i64()?, reader.i64()?),
        total: reader.sums(1)?[0],
        minutes: Section::read(reader)?,
        cells: Section::read(reader)?,
        devices: Section::read(reader)?,
        device_floor: reader.u32()?,
    })
}

pub(super) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
