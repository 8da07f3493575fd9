//! `RollupBuilder`: reads a segment's rows in their order and makes its rollup.

use super::{
    Sums, cells,
    cells::{CellBuilder, CellGroup, NO_CELL},
    device_index::DeviceIndexBuilder,
    devices::{DeviceBuilder, DeviceRollup},
    minutes,
    minutes::{MinuteBuilder, MinuteGroup},
    sections::{Directory, DirectoryEntry, Section, to_u32},
    wire::Writer,
};
use crate::{error::Result, schema::EventColumns};
use arrow::array::{Array, RecordBatch, StringViewArray};

/// A rollup must be at least this much smaller than what it stands for.
const ROWS_PER_GROUP_MIN: usize = 8;
/// Files of fewer rows have no rollup: to read their rows is as quick.
const ROWS_MIN: u32 = 1_024;
/// Finest resolution of the cells: hexagons of about 253 km².
const CELL_RESOLUTION_MAX: u8 = 5;
/// Coarsest resolution of the cells that is still of use.
const CELL_RESOLUTION_MIN: u8 = 2;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct RollupBuilder {
    rows: u32,
    done: Vec<TypeRows>,
    open: Option<OpenType>,
}

/// A rollup as it is put.
#[derive(Debug)]
pub(crate) struct NewRollup {
    pub(crate) bytes: Vec<u8>,
    pub(crate) directory_crc32c: u32,
}

/// A type whose rows are being read.
#[derive(Debug)]
struct OpenType {
    name: String,
    first_row: u32,
    time: (i64, i64),
    total: Sums,
    minutes: MinuteBuilder,
    cells: CellBuilder,
    devices: DeviceBuilder,
    device_index: DeviceIndexBuilder,
}

/// A type whose rows are read.
#[derive(Debug)]
struct TypeRows {
    name: String,
    first_row: u32,
    time: (i64, i64),
    total: Sums,
    minutes: Vec<MinuteGroup>,
    cells: Vec<CellGroup>,
    devices: DeviceRollup,
    device_floor: u32,
}

impl RollupBuilder {
    /// Adds the next rows of the segment: sorted batches of the query schema.
    pub(crate) fn push(&mut self, batch: &RecordBatch) {
        let columns = EventColumns::of(batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let end = run_end(columns.types, start);
            self.push_type(&columns, start, end);
            start = end;
        }
    }

    fn push_type(&mut self, columns: &EventColumns<'_>, start: usize, end: usize) {
        let name = columns.types.value(start);
        if self.open.as_ref().is_none_or(|open| open.name != name) {
            self.close();
            self.open = Some(OpenType::new(name, self.rows));
        }
        if let Some(open) = &mut self.open {
            open.push(columns, start, end, self.rows);
        }
        self.rows += to_u32(end - start);
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.done.push(open.finish());
    }

    /// The rollup, if the segment is worth one.
    ///
    /// # Errors
    /// `Corrupt` should a section not be compressible.
    pub(crate) fn finish(mut self) -> Result<Option<NewRollup>> {
        self.close();
        let rows = self.rows as usize;
        if self.rows < ROWS_MIN || self.done.len() * ROWS_PER_GROUP_MIN > rows {
            return Ok(None);
        }
        let resolution = self.coarsen_cells(rows);
        let mut sections = vec![];
        let mut types = Vec::with_capacity(self.done.len());
        for rows in self.done {
            types.push(rows.write(&mut sections)?);
        }
        let (bytes, directory_crc32c) =
            Directory { cell_resolution: resolution, types }.into_object(&sections);
        Ok(Some(NewRollup { bytes, directory_crc32c }))
    }

    /// The finest resolution at which groups are few enough.
    fn coarsen_cells(&mut self, rows: usize) -> Option<u8> {
        for resolution in (CELL_RESOLUTION_MIN..=CELL_RESOLUTION_MAX).rev() {
            if resolution < CELL_RESOLUTION_MAX {
                for rows in &mut self.done {
                    rows.cells = cells::coarsened(&rows.cells, resolution);
                }
            }
            let groups: usize = self.done.iter().map(|rows| rows.cells.len()).sum();
            if groups * ROWS_PER_GROUP_MIN <= rows {
                return Some(resolution);
            }
        }
        self.done.iter_mut().for_each(|rows| rows.cells.clear());
        None
    }
}

impl OpenType {
    fn new(name: &str, first_row: u32) -> Self {
        Self {
            name: name.to_owned(),
            first_row,
            time: (i64::MAX, i64::MIN),
            total: Sums::EMPTY,
            minutes: MinuteBuilder::default(),
            cells: CellBuilder::new(CELL_RESOLUTION_MAX),
            devices: DeviceBuilder::default(),
            device_index: DeviceIndexBuilder::default(),
        }
    }

    /// Adds rows `start..end` of a batch, the first of which is row `row` of the file.
    fn push(&mut self, columns: &EventColumns<'_>, start: usize, end: usize, row: u32) {
        let (timestamps, values) = (&columns.timestamps[start..end], &columns.values[start..end]);
        for timestamp in timestamps {
            self.time = (self.time.0.min(*timestamp), self.time.1.max(*timestamp));
        }
        self.minutes.push(timestamps, values);
        for (row, place) in (row..).zip(start..end) {
            let (latitude, longitude) = columns.position(place);
            let cell = if columns.cells.is_null(place) { NO_CELL } else { columns.cells.value(place) };
            self.cells.push(row, cell, latitude, longitude, columns.values[place]);
        }
        self.push_devices(columns, start, end, row - self.first_row);
    }

    /// Row `start` of the batch is row `row` of the type.
    fn push_devices(&mut self, columns: &EventColumns<'_>, start: usize, end: usize, row: u32) {
        let (mut from, mut row) = (start, row);
        while from < end {
            let to = run_end(columns.devices, from).min(end);
            let mut sums = Sums::EMPTY;
            columns.values[from..to].iter().for_each(|value| sums.add(*value));
            self.total.merge(&sums);
            let (device, next_row) = (columns.devices.value(from), row + to_u32(to - from));
            self.devices.push(device, &sums);
            self.device_index.push(device, row..next_row);
            (from, row) = (to, next_row);
        }
    }

    fn finish(self) -> TypeRows {
        let rows = usize::try_from(self.total.count).unwrap_or(usize::MAX);
        let (minutes, devices) = (self.minutes.finish(), self.devices.finish(rows, ROWS_PER_GROUP_MIN));
        TypeRows {
            name: self.name,
            first_row: self.first_row,
            time: self.time,
            total: self.total,
            minutes: if minutes.len() * ROWS_PER_GROUP_MIN <= rows { minutes } else { vec![] },
            cells: self.cells.finish(),
            devices: DeviceRollup { groups: devices.groups, index: self.device_index.finish(to_u32(rows)) },
            device_floor: devices.floor,
        }
    }
}

impl TypeRows {
    fn write(self, sections: &mut Vec<u8>) -> Result<DirectoryEntry> {
        let mut section = |entries: usize, write: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::default();
            write(&mut writer);
            Section::append(entries, &writer.0, sections)
        };
        Ok(DirectoryEntry {
            minutes: section(self.minutes.len(), &|writer| minutes::write(&self.minutes, writer))?,
            cells: section(self.cells.len(), &|writer| cells::write(&self.cells, writer))?,
            devices: section(self.devices.entries(), &|writer| self.devices.write(writer))?,
            device_floor: self.device_floor,
            name: self.name,
            first_row: self.first_row,
            time: self.time,
            total: self.total,
        })
    }
}

/// Where the texts that equal the one at `start` end. Equal views are equal texts; unequal ones are compared.
pub(super) fn run_end(texts: &StringViewArray, start: usize) -> usize {
    let views = texts.views();
    let (view, text) = (views[start], texts.value(start));
    let differs = |row: &usize| views[*row] != view && texts.value(*row) != text;
    let len = texts.len();
    (start + 1..len).find(differs).unwrap_or(len)
}
