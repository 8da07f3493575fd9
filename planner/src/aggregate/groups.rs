//! `Groups`: the groups found so far and what each has come to. One per task; merged at the end.

use std::{hash::BuildHasher, mem::discriminant, ops::Range};

use hashbrown::{DefaultHashBuilder, HashTable};
use hexflight_engine::{NO_CELL, Sums, cell_parent};

use super::{
    cell_index::CellIndex,
    question::{Bin, GroupKey, Question},
    states::{Kept, States},
};
use crate::cache::Columns;

/// Device numbers up to which every device has its place, however few are asked for.
const DEVICES_DENSE: usize = 1 << 20;
/// Bins up to which every bin of the window has its place.
const BINS_DENSE: i64 = 1 << 20;

/// What tells groups apart; what a question does not group by is the same in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Key {
    /// Numbers of names.
    pub(super) kind: u32,
    pub(super) device: u32,
    /// [`NO_CELL`] without a location.
    pub(super) cell: i64,
    pub(super) bin: i64,
}

/// Which rows of some columns.
#[derive(Debug, Clone)]
pub(super) enum Selection<'a> {
    All(Range<usize>),
    Some(&'a [u32]),
}

impl Selection<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(range) => range.len(),
            Self::Some(rows) => rows.len(),
        }
    }

    fn for_each(&self, mut each: impl FnMut(usize)) {
        match self {
            Self::All(range) => range.clone().for_each(each),
            Self::Some(rows) => rows.iter().for_each(|row| each(*row as usize)),
        }
    }
}

/// Where the group of a row is.
#[derive(Debug)]
enum Index {
    /// There is one group.
    One,
    /// By the device's number.
    Device,
    /// By the number of the bin.
    Bin { bin: Bin, first: i64, count: i64 },
    /// By its cell.
    Cell(CellIndex),
    /// By looking its key up.
    Table { hasher: DefaultHashBuilder, places: HashTable<usize>, keys: Vec<Key> },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Groups {
    index: Index,
    states: States,
    by_type: bool,
    by_device: bool,
    bin: Option<Bin>,
    cell_resolution: Option<u8>,
}

impl Groups {
    /// No groups yet. `devices` have been numbered; about `rows` rows will come.
    pub(super) fn new(question: &Question, devices: usize, rows: usize) -> Self {
        let index = match question.keys.as_slice() {
            [] => Index::One,
            [GroupKey::Device] if devices <= DEVICES_DENSE.max(rows.saturating_mul(4)) => Index::Device,
            [GroupKey::Cell(_)] => Index::Cell(CellIndex::default()),
            [GroupKey::Bin(bin)] => dense_bins(question, *bin).unwrap_or_else(table),
            _ => table(),
        };
        let mut states = States::new(Kept::of(question));
        if matches!(index, Index::One) {
            states.grow(1);
        }
        Self {
            index,
            states,
            by_type: question.by_type(),
            by_device: question.by_device(),
            bin: question.bin(),
            cell_resolution: question.cell_resolution(),
        }
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        let table = match &self.index {
            Index::Table { places, keys, .. } => places.capacity() * 9 + keys.capacity() * size_of::<Key>(),
            Index::Cell(cells) => cells.bytes(),
            _ => 0,
        };
        table + self.states.bytes()
    }

    pub(super) fn states(&self) -> &States {
        &self.states
    }

    /// The places of groups that have rows.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.states.len()).filter(|group| self.states.count_of(*group) > 0)
    }

    /// Every group that has rows.
    fn iter(&self) -> impl Iterator<Item = (usize, Key)> {
        self.places().map(|group| (group, self.key(group)))
    }

    pub(super) fn key(&self, group: usize) -> Key {
        match &self.index {
            Index::One => Key::default(),
            Index::Device => Key { device: u32::try_from(group).unwrap_or(u32::MAX), ..Key::default() },
            Index::Bin { bin, first, .. } => {
                let steps = i64::try_from(group).unwrap_or(i64::MAX);
                Key { bin: first + steps * bin.width, ..Key::default() }
            }
            Index::Cell(cells) => Key { cell: cells.cell(group), ..Key::default() },
            Index::Table { keys, .. } => keys[group],
        }
    }

    /// When all of `devices` have a row: the time of the oldest of their newest rows. Nothing older can change the answer.
    pub(super) fn newest_since(&self, devices: &[u32]) -> Option<i64> {
        match &self.index {
            Index::One => self.states.newest(0),
            Index::Device => {
                devices.iter().map(|device| self.states.newest(*device as usize)).min().flatten()
            }
            _ => None,
        }
    }

    /// The place of a group; makes one if it is new.
    fn place(&mut self, key: Key) -> usize {
        let group = match &mut self.index {
            Index::One => 0,
            Index::Device => key.device as usize,
            Index::Bin { bin, first, .. } => {
                usize::try_from((key.bin - *first) / bin.width).unwrap_or(usize::MAX)
            }
            Index::Cell(cells) => cells.place(key.cell),
            Index::Table { hasher, places, keys } => {
                let hash = hasher.hash_one(key);
                let entry =
                    places.entry(hash, |place| keys[*place] == key, |place| hasher.hash_one(keys[*place]));
                match entry {
                    hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
                    hashbrown::hash_table::Entry::Vacant(vacant) => {
                        vacant.insert(keys.len());
                        keys.push(key);
                        keys.len() - 1
                    }
                }
            }
        };
        self.states.grow(group + 1);
        group
    }

    /// Adds rows that were added up before and share a key.
    pub(super) fn add_sums(&mut self, key: Key, sums: &Sums) {
        let group = self.place(self.masked(key));
        self.states.merge_sums(group, sums);
    }

    /// Leaves of a key what the question groups by.
    fn masked(&self, key: Key) -> Key {
        Key {
            kind: if self.by_type { key.kind } else { 0 },
            device: if self.by_device { key.device } else { 0 },
            cell: self.cell_resolution.map_or(0, |resolution| cell_parent(key.cell, resolution)),
            bin: self.bin.map_or(0, |bin| bin.start_of(key.bin)),
        }
    }

    /// Adds rows of one type and, if it is given, one cell. `key.bin` is not looked at: the rows' times tell.
    pub(super) fn add_rows(&mut self, key: Key, cell: Option<i64>, columns: &Columns, rows: &Selection<'_>) {
        let key = self.masked(Key { cell: cell.unwrap_or(NO_CELL), bin: 0, ..key });
        let cells_differ = self.cell_resolution.is_some() && cell.is_none();
        let types_differ = self.by_type && !columns.types.is_empty();
        if !self.by_device && self.bin.is_none() && !cells_differ && !types_differ {
            let group = self.place(key);
            return add_to(&mut self.states, group, columns, rows);
        }
        match &self.index {
            Index::Device => self.add_by_device(columns, rows),
            Index::Bin { bin, first, count } => {
                let (bin, first, count) = (*bin, *first, *count);
                self.states.grow(usize::try_from(count).unwrap_or(0));
                let place = |row: usize| {
                    usize::try_from((columns.times[row] - first) / bin.width).unwrap_or(usize::MAX)
                };
                add_each(&mut self.states, columns, rows, place);
            }
            _ => self.add_by_key(key, cells_differ, types_differ, columns, rows),
        }
    }

    fn add_by_device(&mut self, columns: &Columns, rows: &Selection<'_>) {
        self.states.grow(columns.device_count);
        if let Selection::All(range) = rows
            && self.states.only_counts()
        {
            return self.states.count_all(&columns.devices[range.clone()]);
        }
        add_each(&mut self.states, columns, rows, |row| columns.devices[row] as usize);
    }

    /// Neighbours often share a key: it is looked up when it changes.
    fn add_by_key(
        &mut self,
        key: Key,
        cells_differ: bool,
        types_differ: bool,
        columns: &Columns,
        rows: &Selection<'_>,
    ) {
        let resolution = self.cell_resolution.unwrap_or(0);
        let (mut last, mut group) = (None, 0);
        rows.for_each(|row| {
            let key = Key {
                kind: if types_differ { columns.types[row] } else { key.kind },
                device: if self.by_device { columns.devices[row] } else { 0 },
                cell: if cells_differ { cell_parent(columns.cells[row], resolution) } else { key.cell },
                bin: self.bin.map_or(0, |bin| bin.start_of(columns.times[row])),
            };
            if last != Some(key) {
                group = self.place(key);
                last = Some(key);
            }
            let time = columns.times.get(row).copied().unwrap_or(0);
            let value = columns.values.get(row).copied().unwrap_or(0.0);
            self.states.add(group, time, value);
        });
    }

    /// Adds the groups of another task.
    pub(super) fn merge(&mut self, other: &Self) {
        // Of one question, groups that need not be looked up have the same places.
        let looked_up = matches!(self.index, Index::Table { .. } | Index::Cell(_));
        if !looked_up && discriminant(&self.index) == discriminant(&other.index) {
            return self.states.merge_all(&other.states);
        }
        for (theirs, key) in other.iter() {
            let group = self.place(key);
            self.states.merge(group, &other.states, theirs);
        }
    }
}

fn table() -> Index {
    Index::Table { hasher: DefaultHashBuilder::default(), places: HashTable::new(), keys: vec![] }
}

fn dense_bins(question: &Question, bin: Bin) -> Option<Index> {
    let window = question.facts.window;
    if window.from > window.to || window.from < i64::MIN / 4 || window.to > i64::MAX / 4 {
        return None;
    }
    let first = bin.start_of(window.from);
    let count = (window.to - first) / bin.width + 1;
    (count <= BINS_DENSE).then_some(Index::Bin { bin, first, count })
}

/// Adds rows to one group.
fn add_to(states: &mut States, group: usize, columns: &Columns, rows: &Selection<'_>) {
    if rows.len() == 0 {
        return;
    }
    if columns.times.is_empty() || !states.keeps_last() {
        let sums = sums_of(&columns.values, rows);
        if sums.sum.is_finite() || !states.keeps_sum() {
            return states.merge_sums(group, &sums);
        }
    }
    rows.for_each(|row| {
        let time = columns.times.get(row).copied().unwrap_or(0);
        states.add(group, time, columns.values[row]);
    });
}

/// What rows add up to; without values only their count.
pub(super) fn sums_of(values: &[f64], rows: &Selection<'_>) -> Sums {
    let mut sums = Sums::EMPTY;
    match rows {
        _ if values.is_empty() => sums.count = rows.len() as u64,
        Selection::All(range) => {
            // Four sums at once: one alone waits for itself at every row.
            let (fours, rest) = values[range.clone()].as_chunks::<4>();
            let mut lanes = [Sums::EMPTY; 4];
            for four in fours {
                lanes.iter_mut().zip(four).for_each(|(lane, value)| lane.add(*value));
            }
            lanes.iter().for_each(|lane| sums.merge(lane));
            rest.iter().for_each(|value| sums.add(*value));
        }
        Selection::Some(rows) => rows.iter().for_each(|row| sums.add(values[*row as usize])),
    }
    sums
}

/// Adds each row to the group at its place, for which there is room.
fn add_each(states: &mut States, columns: &Columns, rows: &Selection<'_>, place: impl Fn(usize) -> usize) {
    if states.only_counts() {
        return rows.for_each(|row| states.count(place(row)));
    }
    let has_times = !columns.times.is_empty();
    rows.for_each(|row| {
        let time = if has_times { columns.times[row] } else { 0 };
        states.add(place(row), time, columns.values[row]);
    });
}
