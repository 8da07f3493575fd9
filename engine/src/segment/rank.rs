//! Ranks the distinct texts of a column, so that rows sort by small integers and share one compact copy of each text.

use std::{hash::BuildHasher, sync::Arc};

use arrow::array::{Array, ArrayRef, StringViewArray, builder::StringViewBuilder};
use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

/// The distinct texts of a column in order, and the rank of each row's text among them.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// Sorted distinct texts, compact: they keep no foreign buffer alive.
    distinct: StringViewArray,
    /// One per row, in order of the column's parts.
    ranks: Vec<u32>,
}

impl Ranks {
    /// Ranks the rows of several arrays as if they were one; none of them has nulls.
    pub(crate) fn of<'a>(arrays: impl Iterator<Item = &'a StringViewArray>) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut table: HashTable<(u32, &'a str)> = HashTable::new();
        let mut texts: Vec<&'a str> = vec![];
        let mut ids: Vec<u32> = vec![];
        for array in arrays {
            let mut last: Option<(u128, u32)> = None;
            for row in 0..array.len() {
                let view = array.views()[row];
                // Equal inline views are equal texts; a view into a buffer says nothing about other arrays, much within one.
                if let Some((last_view, id)) = last
                    && last_view == view
                {
                    ids.push(id);
                    continue;
                }
                let text = array.value(row);
                let hash = hasher.hash_one(text);
                let entry =
                    table.entry(hash, |(_, other)| *other == text, |(_, other)| hasher.hash_one(other));
                let id = match entry {
                    Entry::Occupied(found) => found.get().0,
                    Entry::Vacant(place) => {
                        let id = u32::try_from(texts.len()).unwrap_or(u32::MAX);
                        texts.push(text);
                        place.insert((id, text));
                        id
                    }
                };
                last = Some((view, id));
                ids.push(id);
            }
        }
        Self::sorted(&texts, ids)
    }

    fn sorted(texts: &[&str], mut ids: Vec<u32>) -> Self {
        let mut order: Vec<u32> = (0..u32::try_from(texts.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|id| texts[*id as usize]);
        let mut rank_of = vec![0; texts.len()];
        let mut distinct = StringViewBuilder::with_capacity(texts.len());
        for (rank, id) in (0..).zip(&order) {
            rank_of[*id as usize] = rank;
            distinct.append_value(texts[*id as usize]);
        }
        for id in &mut ids {
            *id = rank_of[*id as usize];
        }
        Self { distinct: distinct.finish(), ranks: ids }
    }

    /// Rank of a row's text.
    pub(crate) fn rank(&self, row: usize) -> u32 {
        self.ranks[row]
    }

    /// The texts of the given rows, in that order.
    pub(crate) fn gather(&self, rows: &[u32]) -> ArrayRef {
        let views = self.distinct.views();
        let gathered: Vec<u128> = rows.iter().map(|row| views[self.ranks[*row as usize] as usize]).collect();
        let buffers = self.distinct.data_buffers().to_vec();
        let array =
            StringViewArray::try_new(gathered.into(), buffers, None).expect("views of valid texts are valid");
        Arc::new(array)
    }
}
