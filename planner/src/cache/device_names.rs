//! `DeviceNames`: a number for each device id that was read, so that rows compare and add up by small integers.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};
use hexflight_engine::{Budget, Reservation};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Memory of a name beside its text, about: its end, its place in the table. **Units**: bytes.
const NAME_BYTES: usize = 16;

/// Numbers from 0 in the order in which names were first seen. They mean something only together with this value.
#[derive(Debug)]
pub(crate) struct DeviceNames {
    id: u32,
    inner: RwLock<Names>,
}

/// See [`DeviceNames`].
#[derive(Debug)]
pub(crate) struct Names {
    hasher: DefaultHashBuilder,
    numbers: HashTable<u32>,
    text: String,
    /// Where each name ends in `text`.
    ends: Vec<usize>,
    memory: Reservation,
}

impl DeviceNames {
    /// `id` tells these numbers from those of others.
    pub(super) fn new(budget: &Arc<Budget>, id: u32) -> Self {
        let inner = Names {
            hasher: DefaultHashBuilder::default(),
            numbers: HashTable::new(),
            text: String::new(),
            ends: vec![],
            memory: budget.queries(),
        };
        Self { id, inner: RwLock::new(inner) }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// For looking names up by their numbers.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Names> {
        self.inner.read()
    }

    /// For numbering names.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.inner.write()
    }
}

impl Names {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// The name of a number that was given out.
    pub(crate) fn name(&self, number: u32) -> &str {
        name_of(&self.text, &self.ends, number)
    }

    /// The numbers of names.
    pub(super) fn numbers(&mut self, names: &[&str]) -> Vec<u32> {
        names.iter().map(|name| self.number(name)).collect()
    }

    /// The number of a name; a new one if it has none.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let Self { hasher, numbers, text, ends, .. } = self;
        let hash = hasher.hash_one(name);
        if let Some(number) = numbers.find(hash, |number| name_of(text, ends, *number) == name) {
            return *number;
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        text.push_str(name);
        ends.push(text.len());
        numbers.insert_unique(hash, number, |number| hasher.hash_one(name_of(text, ends, *number)));
        let grown = self.memory.again(name.len() + NAME_BYTES);
        self.memory.merge(grown);
        number
    }
}

fn name_of<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let place = number as usize;
    let start = if place == 0 { 0 } else { ends[place - 1] };
    &text[start..ends[place]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let budget = Budget::new(1 << 20);
        let names = DeviceNames::new(&budget, 0);
        let mut names = names.write();
        let numbers: Vec<u32> = (0..1_000).map(|n| names.number(&format!("dev-{n}"))).collect();
        assert!(numbers.iter().copied().eq(0..1_000));
        assert_eq!(names.number(""), 1_000);
        for number in 0..1_000 {
            assert_eq!(names.name(number), format!("dev-{number}"));
        }
        assert_eq!(names.name(1_000), "");
        assert!(budget.used() > 1_000 * NAME_BYTES);
    }
}
