//! `Rollup`: reads a rollup back. The directory at once, a section when it is wanted.

use std::ops::Range;

use bytes::Bytes;

use super::{
    CellGroup, DeviceRollup, MinuteGroup, NamedDevices, Sums, cells, minutes,
    sections::{Directory, DirectoryEntry, HEADER_BYTES, Section},
    wire::{Reader, corrupt},
};
use crate::{
    delta::{DataFile, RollupObject},
    error::Result,
    store::Store,
};

/// Bytes that are read first: most directories, and small objects whole. **Units**: bytes.
const FIRST_READ_BYTES: u64 = 16 << 10;
/// How often what is known of devices is in memory while it is read, about: as bytes, as names and sums, and as what is made of them.
const DEVICES_COPIES: usize = 4;

/// What a file's rollup says, and where in it the rest lies.
#[derive(Debug)]
pub struct Rollup {
    object: RollupObject,
    directory: Directory,
    /// Where the sections begin.
    sections_start: u64,
    /// The first bytes of the object, as far as they were read at once.
    head: Bytes,
}

/// What a rollup says of one type.
#[derive(Debug, Clone, Copy)]
pub struct TypeRollup<'a> {
    entry: &'a DirectoryEntry,
    rollup: &'a Rollup,
}

impl Rollup {
    /// Reads the directory of a file's rollup; `None` for a file that has none, or whose rollup is gone.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` when the object is not a rollup.
    pub async fn read(store: &Store, file: &DataFile) -> Result<Option<Self>> {
        let Some(object) = file.rollup.clone() else { return Ok(None) };
        let first = 0..object.size_bytes.min(FIRST_READ_BYTES);
        let Some(mut head) = store.get_range(&object.location, first).await? else { return Ok(None) };
        let path = object.location.as_ref();
        let (length, checksum) = Directory::header(path, &head)?;
        if let Some(stored) = object.directory_crc32c.filter(|stored| *stored != checksum) {
            let detail = format!("not the rollup of its file: the log says {stored:08x}, it {checksum:08x}");
            return Err(corrupt(path, detail));
        }
        let end = HEADER_BYTES + length;
        if end as u64 > object.size_bytes {
            let detail = format!("{} bytes, the directory ends at {end}", object.size_bytes);
            return Err(corrupt(path, detail));
        }
        if end > head.len() {
            let Some(more) = store.get_range(&object.location, 0..end as u64).await? else { return Ok(None) };
            head = more;
        }
        let Some(bytes) = head.get(HEADER_BYTES..end) else {
            return Err(corrupt(path, format!("{} bytes, the directory ends at {end}", head.len())));
        };
        let directory = Directory::read(path, bytes, checksum)?;
        Ok(Some(Self { object, directory, sections_start: end as u64, head }))
    }

    /// Resolution of the cell groups, if there are any.
    #[must_use]
    pub fn cell_resolution(&self) -> Option<u8> {
        self.directory.cell_resolution
    }

    /// Every type of the file, in order of its rows.
    pub fn types(&self) -> impl Iterator<Item = TypeRollup<'_>> {
        self.directory.types.iter().map(|entry| TypeRollup { entry, rollup: self })
    }

    /// A type by name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TypeRollup<'_>> {
        let place = self.directory.types.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        Some(TypeRollup { entry: &self.directory.types[place], rollup: self })
    }

    /// Memory held, about. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entry = |entry: &DirectoryEntry| size_of::<DirectoryEntry>() + entry.name.len();
        size_of::<Self>() + self.head.len() + self.directory.types.iter().map(entry).sum::<usize>()
    }

    async fn section(&self, store: &Store, section: &Section) -> Result<Option<Vec<u8>>> {
        let path = self.object.location.as_ref();
        let range = section.range(self.sections_start);
        let held = usize::try_from(range.start).unwrap_or(usize::MAX)
            ..usize::try_from(range.end).unwrap_or(usize::MAX);
        let packed = match self.head.get(held) {
            Some(held) => Bytes::copy_from_slice(held),
            None => match store.get_range(&self.object.location, range).await? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        section.unpack(path, &packed).map(Some)
    }
}

impl<'a> TypeRollup<'a> {
    /// The type.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.entry.name
    }

    /// Where its rows lie in the file.
    #[must_use]
    pub fn rows(&self) -> Range<u32> {
        let count = u32::try_from(self.entry.total.count).unwrap_or(u32::MAX);
        self.entry.first_row..self.entry.first_row.saturating_add(count)
    }

    /// First and last timestamp of its rows, both inclusive, exact. **Units**: µs since 1970.
    #[must_use]
    pub fn time(&self) -> (i64, i64) {
        self.entry.time
    }

    /// All its values.
    #[must_use]
    pub fn total(&self) -> &'a Sums {
        &self.entry.total
    }

    /// Whether there are groups by minute.
    #[must_use]
    pub fn has_minutes(&self) -> bool {
        self.entry.minutes.entries > 0
    }

    /// Whether there are groups by cell.
    #[must_use]
    pub fn has_cells(&self) -> bool {
        self.entry.cells.entries > 0
    }

    /// Every device that has this many rows is among [`Self::devices`]. `None`: nothing is known of devices. **Range**: from 1,
    /// which is all of them.
    #[must_use]
    pub fn device_floor(&self) -> Option<u32> {
        Some(self.entry.device_floor).filter(|floor| *floor > 0)
    }

    /// Groups by minute, in order; `None` when the object is gone.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` when the section is not what was written.
    pub async fn minutes(&self, store: &Store) -> Result<Option<Vec<MinuteGroup>>> {
        self.read(store, &self.entry.minutes, minutes::read).await
    }

    /// Groups by cell, in order of their rows; `None` when the object is gone.
    ///
    /// # Errors
    /// As [`Self::minutes`].
    pub async fn cells(&self, store: &Store) -> Result<Option<Vec<CellGroup>>> {
        let first_row = self.entry.first_row;
        self.read(store, &self.entry.cells, |reader, count| cells::read(reader, count, first_row)).await
    }

    /// Memory that [`Self::devices`] takes while it reads, about. **Units**: bytes.
    #[must_use]
    pub fn devices_bytes(&self) -> usize {
        self.entry.devices.raw_length as usize * DEVICES_COPIES
    }

    /// What is known of devices; `None` when the object is gone.
    ///
    /// # Errors
    /// As [`Self::minutes`].
    pub async fn devices(&self, store: &Store) -> Result<Option<DeviceRollup>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ok(self.devices_as(store, owned).await?.map(DeviceRollup::from))
    }

    /// As [`Self::devices`], with what `named` returns for each name in its place: names need no memory of their own.
    ///
    /// # Errors
    /// As [`Self::minutes`].
    pub async fn devices_as<D>(
        &self,
        store: &Store,
        named: impl FnOnce(&[&str]) -> Vec<D>,
    ) -> Result<Option<NamedDevices<D>>> {
        let rows = u32::try_from(self.entry.total.count).unwrap_or(u32::MAX);
        let read = |reader: &mut Reader<'_>, count| NamedDevices::read(reader, count, rows, named);
        self.read(store, &self.entry.devices, read).await
    }

    async fn read<T: Default>(
        &self,
        store: &Store,
        section: &Section,
        read: impl FnOnce(&mut Reader<'_>, usize) -> Result<T>,
    ) -> Result<Option<T>> {
        if section.entries == 0 {
            return Ok(Some(T::default()));
        }
        let Some(raw) = self.rollup.section(store, section).await? else { return Ok(None) };
        let mut reader = Reader::new(&raw, self.rollup.object.location.as_ref());
        let groups = read(&mut reader, section.entries as usize)?;
        reader.end()?;
        Ok(Some(groups))
    }
}
