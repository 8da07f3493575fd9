//! `CellIndex`: the places of groups by cell. Segment after segment comes in order of its cells, with much the same ones: the
//! next cell is mostly the one that came after the last before.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CellIndex {
    hasher: DefaultHashBuilder,
    places: HashTable<(i64, usize)>,
    cells: Vec<i64>,
    /// The place that was asked for after each.
    next: Vec<usize>,
    last: usize,
}

impl CellIndex {
    /// The place of a cell; makes one if it is new.
    pub(super) fn place(&mut self, cell: i64) -> usize {
        if let Some(&next) = self.next.get(self.last)
            && self.cells[next] == cell
        {
            self.last = next;
            return next;
        }
        let place = self.look_up(cell);
        if let Some(next) = self.next.get_mut(self.last) {
            *next = place;
        }
        self.last = place;
        place
    }

    fn look_up(&mut self, cell: i64) -> usize {
        let hasher = &self.hasher;
        let entry = self.places.entry(
            hasher.hash_one(cell),
            |(other, _)| *other == cell,
            |(other, _)| hasher.hash_one(other),
        );
        match entry {
            Entry::Occupied(found) => found.get().1,
            Entry::Vacant(vacant) => {
                let place = self.cells.len();
                vacant.insert((cell, place));
                self.cells.push(cell);
                self.next.push(place);
                place
            }
        }
    }

    /// The cell at a place.
    pub(super) fn cell(&self, place: usize) -> i64 {
        self.cells[place]
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * (1 + size_of::<(i64, usize)>())
            + self.cells.capacity() * size_of::<i64>()
            + self.next.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_its_place_in_whatever_order_it_comes() {
        let mut index = CellIndex::default();
        let asked = [7, 9, 11, 7, 9, 10, 11, 11, 7, 10, 9, 0, 7, 9, 10];
        let places = asked.map(|cell| index.place(cell));
        assert_eq!(places, [0, 1, 2, 0, 1, 3, 2, 2, 0, 3, 1, 4, 0, 1, 3]);
        assert_eq!(places.map(|place| index.cell(place)), asked);
    }
}
