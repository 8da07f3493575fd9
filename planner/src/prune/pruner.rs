//! `Pruner`: a predicate taken apart by cause, each part asked of statistics through DataFusion's `PruningPredicate`, and the place it
//! asks for through a cover of H3 cells. A span of time needs no more than comparisons.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type},
};
use datafusion::{
    common::{Column, pruning::PruningStatistics},
    physical_expr::{PhysicalExpr, conjunction, split_conjunction},
    physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder},
};
use h3o::Resolution;
use hexflight_engine::{TableRole, TableSpec};

use super::{CAUSES, Cause};
use crate::{
    geo::{self, CellCover, RANGES_MAX},
    predicate::Window,
};

/// The parts of a predicate that statistics can answer.
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    /// In the order in which they are blamed.
    parts: Vec<(Cause, Part)>,
}

#[derive(Debug)]
enum Part {
    /// Conjuncts over ranges of columns.
    Ranges(PruningPredicate),
    /// A span of time, which is two comparisons.
    Window(Window),
    /// The place asked for, as cells of the column `h3`.
    Cells(Arc<CellCover>),
}

impl Pruner {
    /// Takes a predicate over a table's columns apart. Parts that statistics cannot answer are left out.
    pub(crate) fn new(predicate: &Arc<dyn PhysicalExpr>, spec: &TableSpec) -> Self {
        let conjuncts: Vec<_> = split_conjunction(predicate).into_iter().map(Arc::clone).collect();
        let mut parts = Vec::new();
        for cause in CAUSES {
            if cause == Cause::Place {
                parts.extend(cover(&conjuncts, spec).map(|cover| (cause, Part::Cells(Arc::new(cover)))));
            }
            let of_cause = || conjuncts.iter().filter(|conjunct| Cause::of(conjunct) == cause);
            let windows: Option<Vec<Window>> = of_cause().map(Window::of_conjunct).collect();
            match windows.and_then(|windows| windows.into_iter().reduce(Window::and)) {
                Some(window) => parts.push((cause, Part::Window(window))),
                None => parts.extend(ranges(of_cause(), spec).map(|ranges| (cause, Part::Ranges(ranges)))),
            }
        }
        Self { parts }
    }

    /// The cells of the place that the predicate asks for.
    pub(crate) fn cover(&self) -> Option<&Arc<CellCover>> {
        self.parts.iter().find_map(|(_, part)| match part {
            Part::Cells(cover) => Some(cover),
            Part::Ranges(_) | Part::Window(_) => None,
        })
    }

    /// For each container: `None` if it may hold a matching row, else why it cannot.
    pub(crate) fn prune(&self, statistics: &dyn PruningStatistics) -> Vec<Option<Cause>> {
        let mut verdicts = vec![None; statistics.num_containers()];
        for (cause, part) in &self.parts {
            let kept = match part {
                Part::Ranges(ranges) => ranges.prune(statistics),
                Part::Cells(cover) => Ok(kept_by_cells(cover, statistics)),
                Part::Window(window) => Ok(kept_by_window(*window, statistics)),
            };
            let Ok(kept) = kept else {
                metrics::counter!("hexflight_scan_prune_errors_total").increment(1);
                continue;
            };
            for (verdict, kept) in verdicts.iter_mut().zip(kept) {
                if !kept && verdict.is_none() {
                    *verdict = Some(*cause);
                }
            }
        }
        verdicts
    }
}

fn ranges<'a>(
    conjuncts: impl Iterator<Item = &'a Arc<dyn PhysicalExpr>>,
    spec: &TableSpec,
) -> Option<PruningPredicate> {
    let mut conjuncts = conjuncts.map(Arc::clone).peekable();
    conjuncts.peek()?;
    let built = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(spec.query_schema()))
        .try_build(conjunction(conjuncts));
    built.ok().filter(|ranges| !ranges.always_true())
}

/// The cells that can hold a position that satisfies all conjuncts; `None` if they do not speak of the place.
fn cover(conjuncts: &[Arc<dyn PhysicalExpr>], spec: &TableSpec) -> Option<CellCover> {
    let areas = geo::areas(conjuncts).areas;
    let resolution = Resolution::try_from(spec.h3_resolution()).ok()?;
    (!areas.is_empty()).then(|| areas.cover(resolution, RANGES_MAX))
}

/// A container is kept if its range of cells touches the cover, or if it is not known. Rows without a location have no cell,
/// and are in no place. Another tool may have left the cells out: then there are fewer of them than there are positions.
fn kept_by_cells(cover: &CellCover, statistics: &dyn PruningStatistics) -> Vec<bool> {
    let cells = Column::from_name(TableRole::Cell.name());
    let mins = statistics.min_values(&cells);
    let maxs = statistics.max_values(&cells);
    let nulls = statistics.null_counts(&cells);
    let rows = statistics.row_counts();
    let nowhere = statistics.null_counts(&Column::from_name(TableRole::Latitude.name()));
    let kept = |container: usize| {
        let (without_cell, without_place) =
            (count(nulls.as_ref(), container), count(nowhere.as_ref(), container));
        if without_cell.zip(without_place).is_some_and(|(cells, places)| cells > places) {
            return true;
        }
        let range = cell(mins.as_ref(), container).zip(cell(maxs.as_ref(), container));
        if let Some((first, last)) = range {
            return cover.overlaps(first, last);
        }
        let counts = count(nulls.as_ref(), container).zip(count(rows.as_ref(), container));
        counts.is_none_or(|(nulls, rows)| nulls != rows)
    };
    (0..statistics.num_containers()).map(kept).collect()
}

/// A container whose range of time is not known is kept.
fn kept_by_window(window: Window, statistics: &dyn PruningStatistics) -> Vec<bool> {
    let times = Column::from_name(TableRole::Time.name());
    let (mins, maxs) = (statistics.min_values(&times), statistics.max_values(&times));
    let kept = |container: usize| {
        let ends_before = time(maxs.as_ref(), container).is_some_and(|max| max < window.from);
        let begins_after = time(mins.as_ref(), container).is_some_and(|min| min > window.to);
        !(ends_before || begins_after)
    };
    (0..statistics.num_containers()).map(kept).collect()
}

fn time(bounds: Option<&ArrayRef>, container: usize) -> Option<i64> {
    let bounds = bounds?.as_primitive_opt::<TimestampMicrosecondType>()?;
    bounds.is_valid(container).then(|| bounds.value(container))
}

fn cell(bounds: Option<&ArrayRef>, container: usize) -> Option<i64> {
    let bounds = bounds?.as_primitive_opt::<Int64Type>()?;
    bounds.is_valid(container).then(|| bounds.value(container))
}

fn count(counts: Option<&ArrayRef>, container: usize) -> Option<u64> {
    let counts = counts?.as_primitive_opt::<UInt64Type>()?;
    counts.is_valid(container).then(|| counts.value(container))
}
