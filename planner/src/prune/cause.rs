//! `Cause`: which part of a predicate ruled something out; counted apart in the metrics of a scan.

use std::{collections::HashSet, fmt, sync::Arc};

use datafusion::physical_expr::{PhysicalExpr, utils::collect_columns};
use hexflight_engine::column;

/// The column whose range excluded a file or batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// `timestamp`.
    Time,
    /// `type`.
    Type,
    /// `h3`.
    H3,
    /// `latitude` and `longitude`, through their own ranges or that of `h3`.
    Place,
    /// Any other column, or several together.
    Other,
}

/// In the order in which they are tried and blamed.
pub(crate) const CAUSES: [Cause; 5] = [Cause::Time, Cause::Type, Cause::H3, Cause::Place, Cause::Other];

/// Columns that say where.
const PLACE: [&str; 2] = [column::LATITUDE, column::LONGITUDE];

impl Cause {
    /// The cause that a conjunct would be.
    pub(crate) fn of(conjunct: &Arc<dyn PhysicalExpr>) -> Self {
        let columns = collect_columns(conjunct);
        let names: HashSet<&str> = columns.iter().map(|column| column.name()).collect();
        match names.into_iter().collect::<Vec<_>>().as_slice() {
            [column::TIMESTAMP] => Self::Time,
            [column::TYPE] => Self::Type,
            [column::H3] => Self::H3,
            [] => Self::Other,
            names if names.iter().all(|name| PLACE.contains(name)) => Self::Place,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time",
            Self::Type => "type",
            Self::H3 => "h3",
            Self::Place => "place",
            Self::Other => "other",
        })
    }
}
