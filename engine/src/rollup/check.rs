//! `RollupCheck`: compares every group of a rollup with the rows of its file, which are pushed in their order: before rows are written
//! anew, and when a file is checked.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use hashbrown::HashMap;

use super::{
    CellGroup, DeviceRollup, MinuteGroup, NO_CELL, Rollup, Sums,
    builder::run_end,
    cell_parent,
    device_index::DeviceIndexBuilder,
    minutes::MINUTE_MICROS,
    sections::to_u32,
    totals::{Tally, TypeTotal, differs},
    wire::corrupt,
};
use crate::{delta::DataFile, error::Result, schema::EventColumns, store::Store};

/// See the module.
#[derive(Debug)]
pub(crate) struct RollupCheck {
    cell_resolution: u8,
    said: Vec<Said>,
    found: Vec<Found>,
    rows: u32,
}

/// What a rollup says of a type.
#[derive(Debug)]
struct Said {
    name: String,
    first_row: u32,
    time: (i64, i64),
    total: Sums,
    minutes: Vec<MinuteGroup>,
    cells: Vec<CellGroup>,
    devices: DeviceRollup,
    device_floor: Option<u32>,
}

/// What its rows say.
#[derive(Debug)]
struct Found {
    wanted: Wanted,
    first_row: u32,
    total: TypeTotal,
    minutes: BTreeMap<i64, Tally>,
    cells: Vec<FoundCell>,
    devices: HashMap<String, Tally>,
    index: DeviceIndexBuilder,
}

/// Which groups of a type its rollup says anything of: no others take time and memory.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    minutes: bool,
    cells: bool,
    devices: bool,
    index: bool,
}

/// Rows of one cell that follow each other.
#[derive(Debug)]
struct FoundCell {
    cell: i64,
    first_row: u32,
    tally: Tally,
    /// South, north, west, east. **Units**: degrees.
    bounds: Option<[f64; 4]>,
}

impl RollupCheck {
    /// Reads all of a file's rollup; `None` when the file has none.
    ///
    /// # Errors
    /// `Unavailable` when the store fails, `Corrupt` naming the rollup when it is gone or not what was written.
    pub(crate) async fn read(store: &Store, file: &DataFile) -> Result<Option<Self>> {
        let Some(object) = &file.rollup else { return Ok(None) };
        let gone =
            || corrupt(object.location.as_ref(), String::from("the log names it, and it is not there"));
        let rollup = Rollup::read(store, file).await?.ok_or_else(gone)?;
        let mut said = vec![];
        for of_type in rollup.types() {
            said.push(Said {
                name: of_type.name().to_owned(),
                first_row: of_type.rows().start,
                time: of_type.time(),
                total: *of_type.total(),
                minutes: of_type.minutes(store).await?.ok_or_else(gone)?,
                cells: of_type.cells(store).await?.ok_or_else(gone)?,
                devices: of_type.devices(store).await?.ok_or_else(gone)?,
                device_floor: of_type.device_floor(),
            });
        }
        let cell_resolution = rollup.cell_resolution().unwrap_or(0);
        Ok(Some(Self { cell_resolution, said, found: vec![], rows: 0 }))
    }

    /// The first thing that the rollup says and `rows`, all of the file, do not.
    pub(crate) fn difference(mut self, rows: &[RecordBatch]) -> Option<String> {
        rows.iter().for_each(|batch| self.push(batch));
        self.finish()
    }

    /// Adds the next rows of the file.
    pub(crate) fn push(&mut self, batch: &RecordBatch) {
        let columns = EventColumns::of(batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let end = run_end(columns.types, start);
            let name = columns.types.value(start);
            if self.found.last().is_none_or(|found| found.total.name != name) {
                let wanted = self.said.get(self.found.len()).map(Wanted::of).unwrap_or_default();
                self.found.push(Found::of(name, self.rows, wanted));
            }
            if let Some(found) = self.found.last_mut() {
                found.push(&columns, start, end, self.rows, self.cell_resolution);
            }
            self.rows = self.rows.saturating_add(to_u32(end - start));
            start = end;
        }
    }

    /// The first thing that the rollup says and the rows do not.
    pub(crate) fn finish(self) -> Option<String> {
        if self.said.len() != self.found.len() {
            return Some(differs(&"the file", "number of types", self.said.len(), self.found.len()));
        }
        self.said.iter().zip(self.found).find_map(|(said, found)| found.difference(said))
    }
}

impl Wanted {
    fn of(said: &Said) -> Self {
        Self {
            minutes: !said.minutes.is_empty(),
            cells: !said.cells.is_empty(),
            devices: said.device_floor.is_some(),
            index: said.devices.index.is_some(),
        }
    }
}

impl Found {
    fn of(name: &str, first_row: u32, wanted: Wanted) -> Self {
        Self {
            wanted,
            first_row,
            total: TypeTotal::of(name),
            minutes: BTreeMap::new(),
            cells: vec![],
            devices: HashMap::new(),
            index: DeviceIndexBuilder::default(),
        }
    }

    /// Adds rows `start..end` of a batch, the first of which is row `row` of the file.
    fn push(&mut self, columns: &EventColumns<'_>, start: usize, end: usize, row: u32, resolution: u8) {
        self.total.push(&columns.timestamps[start..end], &columns.values[start..end]);
        if self.wanted.devices || self.wanted.index {
            self.push_devices(columns, start, end, row);
        }
        if self.wanted.minutes {
            for (time, value) in columns.timestamps[start..end].iter().zip(&columns.values[start..end]) {
                self.minutes.entry(time.div_euclid(MINUTE_MICROS)).or_default().add(*value);
            }
        }
        if self.wanted.cells {
            for (row, place) in (row..).zip(start..end) {
                let cell = if columns.cells.is_null(place) { NO_CELL } else { columns.cells.value(place) };
                let cell = cell_parent(cell, resolution);
                self.push_cell(row, cell, columns.position(place), columns.values[place]);
            }
        }
    }

    fn push_devices(&mut self, columns: &EventColumns<'_>, start: usize, end: usize, row: u32) {
        let mut from = start;
        while from < end {
            let to = run_end(columns.devices, from).min(end);
            let device = columns.devices.value(from);
            if self.wanted.devices {
                let tally = self.devices.entry_ref(device).or_default();
                columns.values[from..to].iter().for_each(|value| tally.add(*value));
            }
            if self.wanted.index {
                let in_type = |place: usize| row - self.first_row + to_u32(place - start);
                self.index.push(device, in_type(from)..in_type(to));
            }
            from = to;
        }
    }

    fn push_cell(&mut self, row: u32, cell: i64, (latitude, longitude): (f64, f64), value: f64) {
        if self.cells.last().is_none_or(|last| last.cell != cell) {
            self.cells.push(FoundCell { cell, first_row: row, tally: Tally::default(), bounds: None });
        }
        let Some(last) = self.cells.last_mut() else { return };
        last.tally.add(value);
        if !latitude.is_nan() {
            let [south, north, west, east] =
                last.bounds.unwrap_or([latitude, latitude, longitude, longitude]);
            last.bounds =
                Some([south.min(latitude), north.max(latitude), west.min(longitude), east.max(longitude)]);
        }
    }

    /// The first thing in which the rows are not what was said of them.
    fn difference(self, said: &Said) -> Option<String> {
        let of_type = format!("type '{}'", said.name);
        if said.first_row != self.first_row {
            return Some(differs(&of_type, "first row", said.first_row, self.first_row));
        }
        self.total
            .difference(&said.name, said.time, &said.total)
            .or_else(|| self.minutes_difference(said))
            .or_else(|| self.cells_difference(said))
            .or_else(|| self.devices_difference(said))
    }

    fn minutes_difference(&self, said: &Said) -> Option<String> {
        if !self.wanted.minutes {
            return None;
        }
        let of_type = format!("type '{}'", said.name);
        if said.minutes.len() != self.minutes.len() {
            return Some(differs(&of_type, "minutes", said.minutes.len(), self.minutes.len()));
        }
        said.minutes.iter().find_map(|group| {
            let what = format!("minute {} of {of_type}", group.minute);
            match self.minutes.get(&i64::from(group.minute)) {
                Some(found) => found.difference(&what, &group.sums),
                None => Some(differs(&what, "count", group.sums.count, 0)),
            }
        })
    }

    fn cells_difference(&self, said: &Said) -> Option<String> {
        if !self.wanted.cells {
            return None;
        }
        let of_type = format!("type '{}'", said.name);
        if said.cells.len() != self.cells.len() {
            return Some(differs(&of_type, "cells", said.cells.len(), self.cells.len()));
        }
        said.cells.iter().zip(&self.cells).find_map(|(group, found)| {
            let what = format!("cell {:x} of {of_type}", group.cell);
            if (group.cell, group.first_row) != (found.cell, found.first_row) {
                let place = |cell: i64, row: u32| format!("{cell:x} from row {row}");
                let (said, found) = (place(group.cell, group.first_row), place(found.cell, found.first_row));
                return Some(differs(&of_type, "cell", said, found));
            }
            let [south, north, west, east] = group.bounds.map(f64::from);
            let is_inside =
                found.bounds.is_none_or(|[s, n, w, e]| south <= s && n <= north && west <= w && e <= east);
            if !is_inside {
                return Some(format!("{what}: a position lies outside of what its rollup says"));
            }
            found.tally.difference(&what, &group.sums)
        })
    }

    fn devices_difference(self, said: &Said) -> Option<String> {
        let of_type = &said.name;
        let listed = said.devices.groups.iter().find_map(|group| {
            let what = format!("device '{}' of type '{of_type}'", group.device);
            match self.devices.get(&group.device) {
                Some(found) => found.difference(&what, &group.sums),
                None => Some(differs(&what, "count", group.sums.count, 0)),
            }
        });
        if listed.is_some() {
            return listed;
        }
        let is_listed =
            |device: &String| said.devices.groups.binary_search_by(|group| group.device.cmp(device)).is_ok();
        // Without a floor no device was counted.
        let floor = u64::from(said.device_floor.unwrap_or(u32::MAX));
        let missing =
            self.devices.iter().find(|(device, found)| found.sums.count >= floor && !is_listed(device));
        if let Some((device, found)) = missing {
            let what = format!("device '{device}' of type '{of_type}'");
            return Some(differs(&what, "count", "nothing", found.sums.count));
        }
        let rows = u32::try_from(said.total.count).unwrap_or(u32::MAX);
        let index = said.devices.index.as_ref()?;
        let is_same = self.index.finish(rows).as_ref() == Some(index);
        (!is_same).then(|| format!("the places of devices of type '{of_type}' are not those of its rows"))
    }
}
