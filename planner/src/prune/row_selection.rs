//! `RowSelector`: which rows of a sorted segment a predicate can match, found by binary search. A segment is sorted by type, then H3
//! cell with nulls first, so the rows of a type are one run, and in it those of a range of cells are another.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray, UInt32Array},
    compute::take_record_batch,
    datatypes::Int64Type,
};
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use hexflight_engine::{MemoryBatch, TableRole};

use super::{Cause, Pruner};
use crate::geo::CellCover;

/// Runs of rows that are closer than this are read as one: a slice costs as much as filtering about so many rows.
const GAP_ROWS_MIN: usize = 1_024;

/// Types of a segment beyond which they are not told apart.
const TYPES_MAX: usize = 256;

/// The parts of a predicate that the order of a segment answers.
#[derive(Debug, Default)]
pub(crate) struct RowSelector {
    /// Conjuncts over the type alone.
    types: Option<Arc<dyn PhysicalExpr>>,
    /// Cells of the place asked for.
    cells: Option<Arc<CellCover>>,
}

impl RowSelector {
    /// Makes a selector for the predicate of a pruner.
    pub(crate) fn new(predicate: &Arc<dyn PhysicalExpr>, pruner: &Pruner) -> Self {
        let conjuncts = split_conjunction(predicate).into_iter();
        let mut of_type = conjuncts.filter(|conjunct| Cause::of(conjunct) == Cause::Type).peekable();
        let any = of_type.peek().is_some();
        Self {
            types: any.then(|| conjunction(of_type.map(Arc::clone))),
            cells: pruner.cover().map(Arc::clone),
        }
    }

    /// Runs of rows outside of which none matches, in order; everything of a batch that is not sorted.
    pub(crate) fn select(&self, batch: &MemoryBatch) -> Vec<Range<usize>> {
        let rows = batch.batch();
        let all = || std::iter::once(0..rows.num_rows()).collect();
        if !batch.is_sorted() || (self.types.is_none() && self.cells.is_none()) {
            return all();
        }
        let Some(columns) = SortColumns::of(rows) else { return all() };
        let Some(runs) = columns.runs_of_types() else { return all() };
        let matching = self.types.as_ref().and_then(|types| matching_runs(types, rows, &runs));
        let mut selected = Vec::new();
        for (index, run) in runs.into_iter().enumerate() {
            if matching.as_ref().is_some_and(|matching| !matching.value(index)) {
                continue;
            }
            match &self.cells {
                Some(cells) => columns.select_cells(run, cells, &mut selected),
                None => push(&mut selected, run),
            }
        }
        selected
    }
}

/// Asks the predicate of the first row of each run. A predicate that fails on one of them selects nothing: the rows that it
/// would fail on may be excluded by another conjunct.
fn matching_runs(
    types: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
    runs: &[Range<usize>],
) -> Option<BooleanArray> {
    let firsts = runs.iter().map(|run| u32::try_from(run.start)).collect::<Result<Vec<u32>, _>>().ok()?;
    let firsts = take_record_batch(rows, &UInt32Array::from(firsts)).ok()?;
    let matching = types.evaluate(&firsts).ok()?.into_array(runs.len()).ok()?;
    let matching = matching.as_boolean_opt()?;
    Some(matching.iter().map(|matches| Some(matches == Some(true))).collect())
}

/// The columns that a segment is sorted by first.
struct SortColumns<'a> {
    types: &'a StringViewArray,
    cells: &'a Int64Array,
}

impl<'a> SortColumns<'a> {
    fn of(rows: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            types: rows.column_by_name(TableRole::Type.name())?.as_string_view_opt()?,
            cells: rows.column_by_name(TableRole::Cell.name())?.as_primitive_opt::<Int64Type>()?,
        })
    }

    /// The rows of each type; `None` if there are too many types.
    fn runs_of_types(&self) -> Option<Vec<Range<usize>>> {
        let mut runs = Vec::new();
        let mut start = 0;
        while start < self.types.len() {
            if runs.len() == TYPES_MAX {
                return None;
            }
            let first = self.types.value(start);
            let end = partition_point(start..self.types.len(), |row| self.types.value(row) == first);
            runs.push(start..end);
            start = end;
        }
        Some(runs)
    }

    /// Of the rows of one type, those whose cell is in a range of the cover.
    fn select_cells(&self, run: Range<usize>, cover: &CellCover, selected: &mut Vec<Range<usize>>) {
        let mut next = partition_point(run.clone(), |row| self.cells.is_null(row));
        let mut ranges = cover.ranges();
        while next < run.end {
            let cell = self.cells.value(next);
            ranges = &ranges[ranges.partition_point(|range| range.last < cell)..];
            let Some(range) = ranges.first() else { return };
            let start = partition_point(next..run.end, |row| self.cells.value(row) < range.first);
            let end = partition_point(start..run.end, |row| self.cells.value(row) <= range.last);
            if start < end {
                push(selected, start..end);
            }
            next = end;
        }
    }
}

/// The first row of an ordered range that is not `before`.
fn partition_point(rows: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (rows.start, rows.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Adds rows that come after those selected.
fn push(selected: &mut Vec<Range<usize>>, run: Range<usize>) {
    match selected.last_mut() {
        Some(last) if run.start - last.end < GAP_ROWS_MIN => last.end = run.end,
        _ => selected.push(run),
    }
}
