//! `SegmentCache`: the parts of files that aggregates are made from, read when they are first wanted.

use std::{
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use hexflight_engine::{
    Budget, CellGroup, Checksums, DataFile, ErrorKind, MinuteGroup, Rollup, Store, Sums, TypeRollup,
};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::{
    Column, ColumnKind, Columns, DeviceNames, FileBytes, SegmentDevices, columns,
    lru::{Key, Lru},
};

/// Part of the memory limit that device names may take before they are numbered afresh.
const NAMES_PART: usize = 16;

/// Columns read at once at most: so many, and one for so much of the memory limit. What is read and decoded is counted once it is kept.
const TURNS_MAX: usize = 64;
const BYTES_PER_TURN: usize = 32 << 20;

/// Some rows of a segment are read by themselves if they are at most this part of all.
const FEW_PART: usize = 4;
/// How often that is done before all rows are read, and kept: together about as much work as reading all.
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
    Devices(SegmentDevices),
    Footer(ArrowReaderMetadata),
    Column(Column),
    Answer(Sums),
    /// How often some of its rows were read.
    Touches(u32),
    /// A part of a rollup that is damaged or gone: the rows are read instead.
    Unusable,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SegmentCache {
    store: Store,
    schema: SchemaRef,
    budget: Arc<Budget>,
    parts: Arc<Lru<Part>>,
    files: FileBytes,
    names: RwLock<Arc<DeviceNames>>,
    /// Whoever reads columns holds one, chosen by the rows: when many ask for the same at once, one reads and the others find it.
    turns: Box<[tokio::sync::Mutex<()>]>,
}

impl SegmentCache {
    /// Reads files of a table with `schema` from `store`; keeps at most `limit` bytes.
    pub(crate) fn new(store: Store, schema: SchemaRef, budget: &Arc<Budget>, limit: usize) -> Self {
        let parts = Lru::new(budget, limit);
        let turns = (budget.limit() / BYTES_PER_TURN).clamp(1, TURNS_MAX);
        Self {
            files: FileBytes::new(store.clone(), Arc::clone(&parts)),
            store,
            schema,
            parts,
            names: RwLock::new(Arc::new(DeviceNames::new(budget, 0))),
            budget: Arc::clone(budget),
            turns: (0..turns).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// The numbers of devices for one query. Numbered afresh when they have become too many; columns of numbers go with them.
    pub(crate) fn names(&self) -> Arc<DeviceNames> {
        let names = Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner));
        if names.read().bytes() <= self.budget.limit() / NAMES_PART {
            return names;
        }
        let mut newest = self.names.write().unwrap_or_else(PoisonError::into_inner);
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
    ) -> Result<Option<SegmentDevices>> {
        let key = Key::new(file, DEVICES, numbered(names) | u128::from(of_type.rows().start));
        match self.parts.get(&key) {
            Some(Part::Devices(devices)) => return Ok(Some(devices)),
            Some(Part::Unusable) => return Ok(None),
            _ => {}
        }
        let read = of_type.devices(&self.store).await;
        let Some(devices) = self.usable(file, key, read)? else { return Ok(None) };
        let devices = SegmentDevices::new(devices, names);
        self.parts.insert(file, key, Part::Devices(devices.clone()), devices.bytes());
        Ok(Some(devices))
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
        let footer = self.footer(file).await?;
        let rows_alone = std::slice::from_ref(&rows);
        let read = columns::read_columns(&self.files, file, footer, rows_alone, &missing, names).await?;
        for (kind, column) in missing.into_iter().zip(read) {
            self.parts.insert(
                file,
                column_key(file, &rows, kind, names),
                Part::Column(column.clone()),
                column.bytes(),
            );
            columns.set(kind, column);
        }
        columns.device_count = names.read().len();
        Ok(columns)
    }

    async fn turn(&self, file: &Arc<DataFile>, rows: &Range<u32>) -> tokio::sync::MutexGuard<'_, ()> {
        let turn = (Arc::as_ptr(file) as usize / align_of::<DataFile>()).wrapping_add(rows.start as usize);
        self.turns[turn % self.turns.len()].lock().await
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
        let key = Key::new(file, "touches", rows.start.into());
        let touches = if let Some(Part::Touches(touches)) = self.parts.get(&key) { touches } else { 0 };
        if touches >= TOUCHES_MAX {
            return Ok(None);
        }
        self.parts.insert(file, key, Part::Touches(touches + 1), ENTRY_BYTES);
        let footer = self.footer(file).await?;
        let in_file = |place: usize| rows.start.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
        let wanted: Vec<_> = wanted.iter().map(|range| in_file(range.start)..in_file(range.end)).collect();
        let _turn = self.turn(file, &rows).await;
        let read = columns::read_columns(&self.files, file, footer, &wanted, kinds, names).await?;
        let mut columns = Columns::default();
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
        let (mut columns, mut missing) = (Columns::default(), vec![]);
        for kind in kinds {
            match self.parts.get(&column_key(file, rows, *kind, names)) {
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

/// Numbers of other names mean other devices.
fn column_key(file: &Arc<DataFile>, rows: &Range<u32>, kind: ColumnKind, names: &DeviceNames) -> Key {
    let numbering = if kind == ColumnKind::Device { numbered(names) } else { 0 };
    Key::new(file, kind.name(), numbering | u128::from(rows.start))
}

/// The part of a key that tells numberings apart.
fn numbered(names: &DeviceNames) -> u128 {
    u128::from(names.id()) << 32
}
