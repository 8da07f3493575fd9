//! `SegmentCache`: the parts of files that aggregates are made from, read when they are first wanted.

use std::{
    ops::{Deref, Range},
    sync::{Arc, Weak},
};

use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use hexflight_engine::{
    Budget, CellGroup, Checksums, DataFile, ErrorKind, MinuteGroup, Rollup, Store, Sums, TypeRollup,
};
use parking_lot::RwLock;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::{
    Column, ColumnKind, Columns, DeviceNames, FileBytes, SegmentDevices, columns,
    lru::{Key, Lru},
    reads::{ReadRoom, Reads},
};
use crate::admission::Class;

/// Part of the memory limit that device names may take before they are numbered afresh.
const NAMES_PART: usize = 16;

/// Readers of columns that do not wait for each other.
const TURNS: usize = 64;
/// How often what is decoded is in memory while it is read: as pages, as arrays, and as columns.
const COPIES: usize = 3;

/// Some rows of a segment are read by themselves if they are at most this part of all.
const FEW_PART: usize = 4;
/// How often that is done before all rows are read, to be kept: together about as much work as reading all.
const TOUCHES_MAX: u32 = 2;

/// An entry without a value that takes memory. **Units**: bytes.
const ENTRY_BYTES: usize = 128;

/// What is known of devices.
const DEVICES: &str = "devices";

/// A part of a file.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Checksums(Arc<Checksums>),
    Rollup(Arc<Rollup>),
    Minutes(Arc<[MinuteGroup]>),
    Cells(Arc<[CellGroup]>),
    Devices(Arc<SegmentDevices>),
    Footer(ArrowReaderMetadata),
    Column(Column),
    Answer(Sums),
    /// How often some of its rows were read.
    Touches(u32),
    /// A part of a rollup that is damaged or gone: the rows are read instead.
    Unusable,
}

/// What a rollup says of devices, with the room for it where the cache has none.
#[derive(Debug)]
pub(crate) struct HeldDevices {
    devices: Arc<SegmentDevices>,
    _room: Option<ReadRoom>,
}

impl Deref for HeldDevices {
    type Target = SegmentDevices;

    fn deref(&self) -> &SegmentDevices {
        &self.devices
    }
}

/// What was read last of all that shares a turn, as long as somebody holds it. The file's description keeps its address, which is in the key.
type LastDevices = Option<(Key, Weak<DataFile>, Weak<SegmentDevices>)>;

/// See the module.
#[derive(Debug)]
pub(crate) struct SegmentCache {
    store: Store,
    schema: SchemaRef,
    budget: Arc<Budget>,
    parts: Arc<Lru<Part>>,
    files: FileBytes,
    names: RwLock<Arc<DeviceNames>>,
    of_small: Turns,
    of_large: Turns,
}

/// What queries of a class wait for each other for. Never those of the other: who holds it may have to wait for a thread.
#[derive(Debug)]
struct Turns {
    reads: Reads,
    /// Single flight: locks striped by file and first row. Of concurrent readers of one segment one reads, and the others find it.
    of_columns: Box<[tokio::sync::Mutex<()>]>,
    /// The same for what rollups say of devices. Where the cache has no memory for it, those who wait get it from the one who has read it.
    of_devices: Box<[tokio::sync::Mutex<LastDevices>]>,
}

impl Turns {
    fn new(limit: usize) -> Self {
        Self {
            reads: Reads::new(limit),
            of_columns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            of_devices: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }
}

impl SegmentCache {
    /// Reads files of a table with `schema` from `store`; keeps at most `limit` bytes.
    pub(crate) fn new(store: Store, schema: SchemaRef, budget: &Arc<Budget>, limit: usize) -> Self {
        let parts = Lru::new(budget, limit);
        Self {
            files: FileBytes::new(store.clone(), Arc::clone(&parts)),
            store,
            schema,
            parts,
            names: RwLock::new(Arc::new(DeviceNames::new(budget, 0))),
            budget: Arc::clone(budget),
            of_small: Turns::new(budget.limit()),
            of_large: Turns::new(budget.limit()),
        }
    }

    /// The numbers of devices for one query. Numbered afresh when they have become too many; columns of numbers go with them.
    pub(crate) fn names(&self) -> Arc<DeviceNames> {
        let names = Arc::clone(&self.names.read());
        if names.read().bytes() <= self.budget.limit() / NAMES_PART {
            return names;
        }
        let mut newest = self.names.write();
        if Arc::ptr_eq(&newest, &names) {
            *newest = Arc::new(DeviceNames::new(&self.budget, names.id().wrapping_add(1)));
            [ColumnKind::Device.name(), DEVICES].iter().for_each(|kind| self.parts.forget(kind));
        }
        Arc::clone(&newest)
    }

    /// Reads the bytes of files.
    pub(crate) fn files(&self) -> &FileBytes {
        &self.files
    }

    /// Reads what every question of a file begins with: the directory of its rollup, and its footer.
    pub(crate) async fn warm(&self, file: &Arc<DataFile>) -> Result<()> {
        if self.rollup(file).await?.is_some() {
            self.footer(file).await?;
        }
        Ok(())
    }

    /// The rollup of a file. `None` when it has none that can be used: its rows must be read.
    pub(crate) async fn rollup(&self, file: &Arc<DataFile>) -> Result<Option<Arc<Rollup>>> {
        let key = Key::new(file, "rollup", 0);
        match self.parts.get(&key) {
            Some(Part::Rollup(rollup)) => return Ok(Some(rollup)),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let read = Rollup::read(&self.store, file).await;
        let Some(rollup) = self.usable(file, key, read)? else { return Ok(None) };
        let rollup = Arc::new(rollup);
        self.parts.insert(file, key, Part::Rollup(Arc::clone(&rollup)), rollup.bytes());
        Ok(Some(rollup))
    }

    /// The groups of a type by minute; `None` when they cannot be read.
    pub(crate) async fn minutes(
        &self,
        file: &Arc<DataFile>,
        of_type: &TypeRollup<'_>,
    ) -> Result<Option<Arc<[MinuteGroup]>>> {
        let key = Key::new(file, "minutes", of_type.rows().start.into());
        match self.parts.get(&key) {
            Some(Part::Minutes(groups)) => return Ok(Some(groups)),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let read = of_type.minutes(&self.store).await;
        let Some(groups) = self.usable(file, key, read)? else { return Ok(None) };
        let groups: Arc<[MinuteGroup]> = groups.into();
        self.parts.insert(
            file,
            key,
            Part::Minutes(Arc::clone(&groups)),
            size_of_val::<[MinuteGroup]>(&groups),
        );
        Ok(Some(groups))
    }

    /// The groups of a type by cell; `None` when they cannot be read.
    pub(crate) async fn cells(
        &self,
        file: &Arc<DataFile>,
        of_type: &TypeRollup<'_>,
    ) -> Result<Option<Arc<[CellGroup]>>> {
        let key = Key::new(file, "cells", of_type.rows().start.into());
        match self.parts.get(&key) {
            Some(Part::Cells(groups)) => return Ok(Some(groups)),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let read = of_type.cells(&self.store).await;
        let Some(groups) = self.usable(file, key, read)? else { return Ok(None) };
        let groups: Arc<[CellGroup]> = groups.into();
        self.parts.insert(file, key, Part::Cells(Arc::clone(&groups)), size_of_val::<[CellGroup]>(&groups));
        Ok(Some(groups))
    }

    /// What is known of the devices of a type, as numbers of `names`; `None` when it cannot be read.
    pub(crate) async fn devices(
        &self,
        file: &Arc<DataFile>,
        of_type: &TypeRollup<'_>,
        names: &Arc<DeviceNames>,
    ) -> Result<Option<HeldDevices>> {
        let held = |devices| Ok(Some(HeldDevices { devices, _room: None }));
        let first_row = of_type.rows().start;
        let key = Key::new(file, DEVICES, numbered(names) | u128::from(first_row));
        match self.parts.get(&key) {
            Some(Part::Devices(devices)) => return held(devices),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let turns = self.turns();
        let mut last = turns.of_devices[turn(file, first_row)].lock().await;
        match self.parts.get(&key) {
            Some(Part::Devices(devices)) => return held(devices),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let theirs = last.as_ref().filter(|(theirs, ..)| *theirs == key);
        if let Some(devices) = theirs.and_then(|(.., devices)| devices.upgrade()) {
            return held(devices);
        }
        let mut room = turns.reads.room(of_type.devices_bytes()).await?;
        let read = of_type.devices_as(&self.store, |found| names.write().numbers(found)).await;
        let Some(devices) = self.usable(file, key, read)? else { return Ok(None) };
        let devices = Arc::new(SegmentDevices::new(devices));
        *last = Some((key, Arc::downgrade(file), Arc::downgrade(&devices)));
        let bytes = devices.bytes();
        room.shrink_to(bytes);
        let is_kept = self.parts.insert(file, key, Part::Devices(Arc::clone(&devices)), bytes);
        Ok(Some(HeldDevices { devices, _room: (!is_kept).then_some(room) }))
    }

    /// Columns of a range of rows. Devices are numbers of `names`.
    pub(crate) async fn columns(
        &self,
        file: &Arc<DataFile>,
        rows: Range<u32>,
        kinds: &[ColumnKind],
        names: &Arc<DeviceNames>,
    ) -> Result<Columns> {
        let (columns, missing) = self.kept(file, &rows, kinds, names);
        if missing.is_empty() {
            return Ok(columns);
        }
        let _turn = self.turn(file, &rows).await;
        let (mut columns, missing) = self.kept(file, &rows, kinds, names);
        if missing.is_empty() {
            return Ok(columns);
        }
        let (read, room) = self.read(file, std::slice::from_ref(&rows), &missing, names).await?;
        let mut all_kept = true;
        for (kind, column) in missing.into_iter().zip(read) {
            let key = column_key(file, &rows, kind, names);
            all_kept &= self.parts.insert(file, key, Part::Column(column.clone()), column.bytes());
            columns.set(kind, column);
        }
        if !all_kept {
            // Without room for all of them, few rows are better read alone for now.
            self.parts.insert(file, touches_key(file, &rows), Part::Touches(0), ENTRY_BYTES);
        }
        columns.room = Some(Arc::new(room));
        columns.device_count = names.read().len();
        Ok(columns)
    }

    /// Columns of the rows of a segment at `rows` whose time lies in `minute` (µs), and of others where most lie in it. `kinds` has the time.
    /// The rows of a minute are remembered: the next window begins there, too.
    pub(crate) async fn columns_of_minute(
        &self,
        file: &Arc<DataFile>,
        rows: Range<u32>,
        minute: Range<i64>,
        kinds: &[ColumnKind],
        names: &Arc<DeviceNames>,
    ) -> Result<Columns> {
        let key = |kind| minute_key(file, &rows, minute.start, kind, names);
        let (columns, missing) = self.kept_by(key, kinds, names);
        if missing.is_empty() {
            return Ok(columns);
        }
        let all = self.columns(file, rows.clone(), kinds, names).await?;
        let in_minute = |(row, time): (usize, &i64)| minute.contains(time).then_some(row);
        let few: Vec<usize> = all.times.iter().enumerate().filter_map(in_minute).collect();
        if few.len() * FEW_PART > rows.len() {
            return Ok(all);
        }
        let mut columns = Columns { device_count: all.device_count, ..Columns::default() };
        for kind in kinds {
            let column = all.picked(*kind, &few);
            let bytes = column.bytes() + ENTRY_BYTES;
            self.parts.insert(file, key(*kind), Part::Column(column.clone()), bytes);
            columns.set(*kind, column);
        }
        Ok(columns)
    }

    /// Reads columns, once there is room for them.
    async fn read(
        &self,
        file: &Arc<DataFile>,
        rows: &[Range<u32>],
        kinds: &[ColumnKind],
        names: &Arc<DeviceNames>,
    ) -> Result<(Vec<Column>, ReadRoom)> {
        let footer = self.footer(file).await?;
        let row_count = rows.iter().map(ExactSizeIterator::len).sum::<usize>();
        let bytes = row_count * kinds.iter().map(|kind| kind.width()).sum::<usize>();
        let mut room = self.turns().reads.room(bytes * COPIES).await?;
        let read = columns::read_columns(&self.files, file, footer, rows, kinds, names).await?;
        room.shrink_to(bytes);
        Ok((read, room))
    }

    async fn turn(&self, file: &Arc<DataFile>, rows: &Range<u32>) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns().of_columns[turn(file, rows.start)].lock().await
    }

    fn turns(&self) -> &Turns {
        match Class::of_thread() {
            Class::Small => &self.of_small,
            Class::Large => &self.of_large,
        }
    }

    /// Columns of the rows `wanted`, one range after the other, of a segment that lies at `rows`. `None`: they are kept or worth
    /// keeping, so all rows are better had.
    pub(crate) async fn some_columns(
        &self,
        file: &Arc<DataFile>,
        rows: Range<u32>,
        wanted: &[Range<usize>],
        kinds: &[ColumnKind],
        names: &Arc<DeviceNames>,
    ) -> Result<Option<Columns>> {
        let count: usize = wanted.iter().map(Range::len).sum();
        if count * FEW_PART > rows.len() || self.kept(file, &rows, kinds, names).1.is_empty() {
            return Ok(None);
        }
        let key = touches_key(file, &rows);
        let touches = if let Some(Part::Touches(touches)) = self.parts.get(&key) { touches } else { 0 };
        if touches >= TOUCHES_MAX {
            return Ok(None);
        }
        self.parts.insert(file, key, Part::Touches(touches + 1), ENTRY_BYTES);
        let in_file = |place: usize| rows.start.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
        let wanted: Vec<_> = wanted.iter().map(|range| in_file(range.start)..in_file(range.end)).collect();
        let _turn = self.turn(file, &rows).await;
        let (read, room) = self.read(file, &wanted, kinds, names).await?;
        let mut columns = Columns { room: Some(Arc::new(room)), ..Columns::default() };
        kinds.iter().zip(read).for_each(|(kind, column)| columns.set(*kind, column));
        columns.device_count = names.read().len();
        Ok(Some(columns))
    }

    /// The columns that are kept, and which are not.
    fn kept(
        &self,
        file: &Arc<DataFile>,
        rows: &Range<u32>,
        kinds: &[ColumnKind],
        names: &DeviceNames,
    ) -> (Columns, Vec<ColumnKind>) {
        self.kept_by(|kind| column_key(file, rows, kind, names), kinds, names)
    }

    fn kept_by(
        &self,
        key: impl Fn(ColumnKind) -> Key,
        kinds: &[ColumnKind],
        names: &DeviceNames,
    ) -> (Columns, Vec<ColumnKind>) {
        let (mut columns, mut missing) = (Columns::default(), vec![]);
        for kind in kinds {
            match self.parts.get(&key(*kind)) {
                Some(Part::Column(column)) => columns.set(*kind, column),
                _ => missing.push(*kind),
            }
        }
        columns.device_count = names.read().len();
        (columns, missing)
    }

    /// What a question that was asked before came to for the rows from `first_row` on.
    pub(crate) fn answer(&self, file: &Arc<DataFile>, question: u128, first_row: u32) -> Option<Sums> {
        match self.parts.get(&Key::new(file, "answer", question ^ u128::from(first_row))) {
            Some(Part::Answer(sums)) => Some(sums),
            _ => None,
        }
    }

    /// Remembers what a question came to.
    pub(crate) fn remember(&self, file: &Arc<DataFile>, question: u128, first_row: u32, sums: Sums) {
        let key = Key::new(file, "answer", question ^ u128::from(first_row));
        self.parts.insert(file, key, Part::Answer(sums), ENTRY_BYTES);
    }

    async fn footer(&self, file: &Arc<DataFile>) -> Result<ArrowReaderMetadata> {
        let key = Key::new(file, "footer", 0);
        if let Some(Part::Footer(footer)) = self.parts.get(&key) {
            return Ok(footer);
        }
        let footer = columns::read_footer(&self.files, &self.schema, file).await?;
        self.parts.insert(file, key, Part::Footer(footer.clone()), footer.metadata().memory_size());
        Ok(footer)
    }

    /// A rollup that is damaged or gone is as good as none: the rows say the same. It is counted, told once, and not read again as
    /// long as that is remembered. One that the store does not give is an error.
    fn usable<T>(
        &self,
        file: &Arc<DataFile>,
        key: Key,
        read: hexflight_engine::Result<Option<T>>,
    ) -> Result<Option<T>> {
        match (read, &file.rollup) {
            (Ok(Some(part)), _) => return Ok(Some(part)),
            (Ok(None), None) => return Ok(None),
            (Ok(None), Some(rollup)) => {
                tracing::warn!(rollup = %rollup.location, "a rollup is gone; its rows are read instead");
            }
            (Err(error), _) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, "a rollup is damaged; its rows are read instead");
            }
            (Err(error), _) => return Err(DataFusionError::External(Box::new(error))),
        }
        metrics::counter!("hexflight_rollup_errors_total").increment(1);
        self.parts.insert(file, key, Part::Unusable, ENTRY_BYTES);
        Ok(None)
    }
}

/// Whose turn it is to read what lies from `first_row` on.
fn turn(file: &Arc<DataFile>, first_row: u32) -> usize {
    (Arc::as_ptr(file) as usize / align_of::<DataFile>()).wrapping_add(first_row as usize) % TURNS
}

fn column_key(file: &Arc<DataFile>, rows: &Range<u32>, kind: ColumnKind, names: &DeviceNames) -> Key {
    Key::new(file, kind.name(), column_place(rows, kind, names))
}

/// Numbers of other names mean other devices. **Range**: 64 bits.
fn column_place(rows: &Range<u32>, kind: ColumnKind, names: &DeviceNames) -> u128 {
    let numbering = if kind == ColumnKind::Device { numbered(names) } else { 0 };
    numbering | u128::from(rows.start)
}

/// The rows of a minute that begins at `start` (µs), of those from `rows.start` on.
fn minute_key(
    file: &Arc<DataFile>,
    rows: &Range<u32>,
    start: i64,
    kind: ColumnKind,
    names: &DeviceNames,
) -> Key {
    const OF_MINUTE: u128 = 1 << 127;
    // A minute begins at an even number: the lowest bit is not needed.
    let minute = u128::from(start.cast_unsigned() >> 1) << 64;
    Key::new(file, kind.name(), OF_MINUTE | minute | column_place(rows, kind, names))
}

fn touches_key(file: &Arc<DataFile>, rows: &Range<u32>) -> Key {
    Key::new(file, "touches", rows.start.into())
}

/// The part of a key that tells numberings apart.
fn numbered(names: &DeviceNames) -> u128 {
    u128::from(names.id()) << 32
}
