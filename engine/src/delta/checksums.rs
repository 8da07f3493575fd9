//! `FileChecksums`: what the Delta log says of the bytes of a file, in tags of its Add.
//!
//! | tag | value |
//! |---|---|
//! | `hexflight.crc32c` | CRC32C of all bytes of the file, 8 hex digits |
//! | `hexflight.checksums` | CRC32C of the list of [`Checksums`], a blank, then the list itself in hex; or, where there is a rollup, where the list begins in that object and its length, both decimal, with a blank between |

use std::collections::BTreeMap;

use crate::segment::Checksums;

/// Tag of an Add: the checksum of the whole file.
const FILE_TAG: &str = "hexflight.crc32c";
/// Tag of an Add: where the checksums of its parts are.
const LIST_TAG: &str = "hexflight.checksums";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChecksums {
    /// Of all bytes.
    pub(super) file: u32,
    /// Of the bytes of the list.
    pub(super) list_crc: u32,
    pub(super) list: ListPlace,
}

/// Where the list of checksums is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListPlace {
    /// In the log itself.
    Here(Vec<u8>),
    /// At the end of the file's rollup.
    InRollup {
        /// First byte.
        offset: u64,
        /// **Units**: bytes.
        length: u64,
    },
}

impl FileChecksums {
    /// Of a new file whose list stands in the log.
    pub(crate) fn here(checksums: &Checksums) -> Self {
        let list = checksums.to_bytes();
        Self { file: checksums.of_file(), list_crc: crc32c::crc32c(&list), list: ListPlace::Here(list) }
    }

    /// Of a new file whose list, `list`, stands behind `offset` bytes of its rollup.
    pub(crate) fn in_rollup(checksums: &Checksums, list: &[u8], offset: usize) -> Self {
        Self {
            file: checksums.of_file(),
            list_crc: crc32c::crc32c(list),
            list: ListPlace::InRollup { offset: offset as u64, length: list.len() as u64 },
        }
    }

    /// Adds the tags that say so.
    pub(super) fn add_tags(&self, tags: &mut BTreeMap<String, Option<String>>) {
        let list = match &self.list {
            ListPlace::Here(list) => to_hex(list),
            ListPlace::InRollup { offset, length } => format!("{offset} {length}"),
        };
        tags.insert(FILE_TAG.to_owned(), Some(format!("{:08x}", self.file)));
        tags.insert(LIST_TAG.to_owned(), Some(format!("{:08x} {list}", self.list_crc)));
    }

    /// What tags say. `None`: nothing, as those of files of earlier builds, or nothing that we understand.
    pub(super) fn of_tags(tags: &BTreeMap<String, Option<String>>) -> Option<Self> {
        let tag = |name: &str| tags.get(name)?.as_deref();
        let file = u32::from_str_radix(tag(FILE_TAG)?, 16).ok()?;
        let (list_crc, place) = tag(LIST_TAG)?.split_once(' ')?;
        let list = match place.split_once(' ') {
            Some((offset, length)) => {
                ListPlace::InRollup { offset: offset.parse().ok()?, length: length.parse().ok()? }
            }
            None => ListPlace::Here(from_hex(place)?),
        };
        Some(Self { file, list_crc: u32::from_str_radix(list_crc, 16).ok()?, list })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_was_written() {
        let mut checksums = Checksums::default();
        checksums.push(b"pages");
        checksums.push(b"footer");
        let places = [
            FileChecksums::here(&checksums),
            FileChecksums::in_rollup(&checksums, &checksums.to_bytes(), 77),
        ];
        for written in places {
            let mut tags = BTreeMap::new();
            written.add_tags(&mut tags);
            assert_eq!(FileChecksums::of_tags(&tags), Some(written));
            for tag in [FILE_TAG, LIST_TAG] {
                let mut less = tags.clone();
                less.insert(tag.to_owned(), Some("strange".to_owned()));
                assert_eq!(FileChecksums::of_tags(&less), None);
            }
        }
    }
}
