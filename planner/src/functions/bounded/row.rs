//! `Row`: what a formula knows of the arguments of one row, or of all rows at once.

use arrow::array::ArrayRef;

use super::measure::{Argument, Size};

/// The arguments of one row; without a row, the largest of each argument, which belong to no row in particular.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    arguments: &'a [Argument],
    sizes: &'a [Size],
    row: Option<usize>,
}

impl<'a> Row<'a> {
    pub(super) fn new(arguments: &'a [Argument], sizes: &'a [Size], row: Option<usize>) -> Self {
        Self { arguments, sizes, row }
    }

    /// How many arguments there are.
    pub(super) fn arguments(&self) -> u64 {
        super::bounds::count(self.sizes.len())
    }

    pub(super) fn has(&self, argument: usize) -> bool {
        argument < self.sizes.len()
    }

    /// An argument that is not there is empty.
    pub(super) fn size(&self, argument: usize) -> Size {
        self.sizes.get(argument).copied().unwrap_or_default()
    }

    pub(super) fn bytes(&self, argument: usize) -> u64 {
        self.size(argument).bytes
    }

    pub(super) fn items(&self, argument: usize) -> u64 {
        self.size(argument).items
    }

    /// How often; not at all for a negative number.
    pub(super) fn times(&self, argument: usize) -> u64 {
        u64::try_from(self.size(argument).number).unwrap_or_default()
    }

    pub(super) fn all_bytes(&self) -> u64 {
        self.sizes.iter().fold(0, |sum, size| sum.saturating_add(size.bytes))
    }

    pub(super) fn items_max(&self) -> u64 {
        self.sizes.iter().map(|size| size.items).max().unwrap_or_default()
    }

    /// The text itself, of one row or where it is the same for all.
    pub(super) fn text(&self, argument: usize) -> Option<&'a str> {
        let given = self.arguments.get(argument)?;
        let row = if given.is_constant() { 0 } else { self.row? };
        given.text(row)
    }

    /// The values of an argument and where this row's is; `None` for all rows at once.
    pub(super) fn value(&self, argument: usize) -> Option<(&'a ArrayRef, usize)> {
        let (given, row) = (self.arguments.get(argument)?, self.row?);
        Some((given.values(), given.place(row)))
    }

    pub(super) fn is_constant(&self, argument: usize) -> bool {
        self.arguments.get(argument).is_some_and(Argument::is_constant)
    }
}
