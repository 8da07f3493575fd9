//! `DeviceIndex`: in which blocks of a type's rows a device has any. Devices stand in it as short fingerprints: there are false positives,
//! about 1 in 60, and no false negatives.

use std::ops::Range;

use super::wire::{Reader, Writer, corrupt};
use crate::error::Result;

/// Rows of a block; the last one of a type may have fewer.
pub(super) const BLOCK_ROWS: u32 = 1_024;
/// An entry costs about 1.6 bytes, which must be little beside the rows that it saves reading.
const ROWS_PER_ENTRY_MIN: usize = 3;
/// Bits of a fingerprint beyond those that tell the entries from each other.
const SPARE_BITS: u32 = 6;
const VARINT_BITS: u32 = 7;
const VARINT_MORE: u8 = 1 << VARINT_BITS;

/// See the module. Kept as it is stored: two bytes an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIndex {
    fingerprint_bits: u32,
    /// How far each entry's fingerprint is from the one before, as varints.
    steps: Vec<u8>,
    /// The block of each entry.
    blocks: Vec<u16>,
    /// Rows of the type.
    rows: u32,
}

/// Gathers entries in order of rows.
#[derive(Debug, Default)]
pub(super) struct DeviceIndexBuilder {
    entries: Vec<(u32, u16)>,
    given_up: bool,
}

impl DeviceIndexBuilder {
    /// Adds neighbouring rows of one device, counted from the type's first row.
    pub(super) fn push(&mut self, device: &str, rows: Range<u32>) {
        if self.given_up || rows.is_empty() {
            return;
        }
        let Ok(last) = u16::try_from((rows.end - 1) / BLOCK_ROWS) else {
            *self = Self { given_up: true, ..Self::default() };
            return;
        };
        let hash = hash_of(device);
        let first = u16::try_from(rows.start / BLOCK_ROWS).unwrap_or(last);
        self.entries.extend((first..=last).map(|block| (hash, block)));
    }

    /// The index of a type of `rows` rows, if it is worth its bytes.
    pub(super) fn finish(mut self, rows: u32) -> Option<DeviceIndex> {
        self.entries.sort_unstable();
        self.entries.dedup();
        let count = self.entries.len();
        if self.given_up || count == 0 || count * ROWS_PER_ENTRY_MIN > rows as usize {
            return None;
        }
        let fingerprint_bits = (count.next_power_of_two().trailing_zeros() + SPARE_BITS).min(u32::BITS);
        let mut index = DeviceIndex { fingerprint_bits, steps: vec![], blocks: vec![], rows };
        let mut before = 0;
        for (hash, block) in self.entries {
            let fingerprint = shortened(hash, fingerprint_bits);
            push_varint(&mut index.steps, fingerprint - before);
            index.blocks.push(block);
            before = fingerprint;
        }
        Some(index)
    }
}

impl DeviceIndex {
    /// Where a device may have rows, in order and apart from each other; it has none elsewhere. **Units**: rows, counted from
    /// the type's first one.
    #[must_use]
    pub fn rows_of(&self, device: &str) -> Vec<Range<u32>> {
        let wanted = shortened(hash_of(device), self.fingerprint_bits);
        let (mut fingerprint, mut place, mut found) = (0_u32, 0, vec![]);
        let mut steps = self.steps.iter();
        while let Some(step) = next_varint(&mut steps) {
            fingerprint = fingerprint.saturating_add(step);
            if fingerprint > wanted {
                break;
            }
            if fingerprint == wanted {
                found.push(self.blocks[place]);
            }
            place += 1;
        }
        // Entries of one fingerprint may be of several devices.
        found.sort_unstable();
        let mut rows: Vec<Range<u32>> = vec![];
        for block in found {
            let start = u32::from(block) * BLOCK_ROWS;
            let end = (start + BLOCK_ROWS).min(self.rows);
            match rows.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => rows.push(start..end),
            }
        }
        rows
    }

    /// Memory held, about. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.steps.len() + size_of_val::<[u16]>(&self.blocks)
    }

    pub(super) fn entries(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u8(u8::try_from(self.fingerprint_bits).unwrap_or(u8::MAX));
        self.blocks.iter().for_each(|block| writer.u16(*block));
        writer.0.extend_from_slice(&self.steps);
    }

    /// Reads the index of a type of `rows` rows.
    pub(super) fn read(reader: &mut Reader<'_>, entries: usize, rows: u32) -> Result<Self> {
        let fingerprint_bits = u32::from(reader.u8()?);
        let blocks = reader.u16s(entries)?;
        let steps = reader.rest().to_vec();
        let ends = steps.iter().filter(|byte| **byte < VARINT_MORE).count();
        let blocks_of_type = rows.div_ceil(BLOCK_ROWS);
        let fits = blocks.iter().all(|block| u32::from(*block) < blocks_of_type);
        if ends != entries || !fits || fingerprint_bits > u32::BITS {
            return Err(corrupt(reader.path(), format!("an index of {entries} entries does not add up")));
        }
        Ok(Self { fingerprint_bits, steps, blocks, rows })
    }
}

/// CRC32C, spread over all bits by a multiplication: of its upper bits any number tells devices apart.
fn hash_of(device: &str) -> u32 {
    const ODD: u32 = 0x9E37_79B1;
    crc32c::crc32c(device.as_bytes()).wrapping_mul(ODD)
}

fn shortened(hash: u32, bits: u32) -> u32 {
    hash.checked_shr(u32::BITS - bits).unwrap_or(0)
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= u32::from(VARINT_MORE) {
        bytes.push(number.to_le_bytes()[0] | VARINT_MORE);
        number >>= VARINT_BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

#[inline]
fn next_varint<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u32> {
    let (mut number, mut shift) = (0_u32, 0);
    for byte in bytes {
        number |= u32::from(byte & !VARINT_MORE).checked_shl(shift).unwrap_or(0);
        if *byte < VARINT_MORE {
            return Some(number);
        }
        shift += VARINT_BITS;
    }
    None
}
